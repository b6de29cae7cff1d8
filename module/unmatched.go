package module

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// fate is what becomes of a request that is sent through a server's routes.
type fate int

const (
	fateUnanswered fate = iota // no handler answers, for which Caddy answers 200
	fateRefused                // a handler answers with something else than success, or with what is not known
	fateAnswered               // a handler of the site answers with success
	fateProxied                // the request goes to an app
	fateTaken                  // a source takes the request
)

// siting is where a source stands in a server: the host and the path that the
// routes around its handler match, "" for any.
type siting struct {
	server     *caddyhttp.Server
	host, path string
	hosts      []string // all those that the routes match
	matchers   string   // those of all routes around it, as text

	cut    string   // what is cut off the front of a path on the way
	before []string // paths that become others on the way
	asked  []string // the paths that lead to the source, as clients ask for them

	invoked []string // the named routes on the way
}

// sitings yields each source of a server with where it stands.
func sitings(server *caddyhttp.Server, yield func(*Handler, siting)) {
	walkSources(server.Routes, siting{server: server}, func(h *Handler, at siting) {
		at.asked = at.leading(h)
		at.path = at.asked[0]
		yield(h, at)
	})
}

func walkSources(routes caddyhttp.RouteList, at siting, yield func(*Handler, siting)) {
	for _, route := range routes {
		here := at
		if len(route.MatcherSets) > 0 {
			here.matchers += matchersText(route.MatcherSets)
		}
		for _, set := range route.MatcherSets {
			for _, matcher := range set {
				switch m := matcher.(type) {
				case *caddyhttp.MatchHost:
					here.host, here.hosts = first(*m, here.host), *m
				case *caddyhttp.MatchPath:
					here.path = first(*m, here.path)
				}
			}
		}
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *Handler:
				yield(h, here)
			case *caddyhttp.Subroute:
				walkSources(h.Routes, here, yield)
			case *caddyhttp.Invoke:
				if named := invokedBy(h, here.server, here.invoked); named != nil {
					inside := here
					inside.invoked = append(slices.Clone(here.invoked), h.Name)
					walkSources(named, inside, yield)
				}
			case *rewrite.Rewrite: // the routes behind see its work
				if h.StripPathPrefix != "" {
					here.cut += "/" + strings.TrimPrefix(h.StripPathPrefix, "/")
				}
				here.before = append(slices.Clone(here.before), here.path)
				at.cut, at.before = here.cut, here.before
			}
		}
	}
}

// invokedBy returns the named route that a handler invokes; nil if there is none, or if
// the route is being gone through already: one that invokes itself never ends.
func invokedBy(h *caddyhttp.Invoke, server *caddyhttp.Server, before []string) caddyhttp.RouteList {
	route := server.NamedRoutes[h.Name]
	if route == nil || slices.Contains(before, h.Name) {
		return nil
	}
	return caddyhttp.RouteList{*route}
}

// matchersText returns a text that is the same for the same matchers.
func matchersText(sets caddyhttp.MatcherSets) string {
	var text strings.Builder
	for _, set := range sets {
		var matchers []string
		for _, matcher := range set {
			config, _ := json.Marshal(matcher) // a matcher came out of JSON
			matchers = append(matchers, fmt.Sprintf("%T%s", matcher, config))
		}
		slices.Sort(matchers) // Caddy has the matchers of a set in no order
		fmt.Fprintln(&text, matchers)
	}
	return text.String()
}

func first(values []string, otherwise string) string {
	if len(values) == 0 {
		return otherwise
	}
	return values[0]
}

// leading returns the paths that lead to a source. What the handlers on the way do to a
// path is not undone: it is tried whether they have cut something off, or have put
// another path in its place. If none leads there, a request may need more than a path.
func (s siting) leading(h *Handler) (paths []string) {
	whole := s.cut + s.path
	for _, path := range append([]string{whole, s.path}, s.before...) {
		if !slices.Contains(paths, path) && s.take(s.host, strings.TrimSuffix(path, "*")).taker == h {
			paths = append(paths, path)
		}
	}
	if paths == nil {
		paths = []string{whole}
	}
	return paths
}

// beside returns paths that a provider, or a stranger, may mistake for the source's.
func (s siting) beside() (paths []string) {
	for _, path := range s.asked {
		paths = append(paths, beside(path)...)
	}
	return paths
}

func beside(path string) []string {
	path = strings.TrimSuffix(path, "*")
	if path == "" || strings.ContainsAny(path, "*{") {
		return nil // the source takes all paths, or which it takes is not known here
	}
	whole := strings.TrimSuffix(path, "/")
	parent, name := whole[:strings.LastIndexByte(whole, '/')+1], whole[strings.LastIndexByte(whole, '/')+1:]
	paths := []string{whole, whole + "/", whole + "x", whole + "/x"}
	if parent != "/" {
		paths = append(paths, strings.TrimSuffix(parent, "/")+";a=b/"+name)
	}
	return paths
}

// fate returns what becomes of a POST to a path of a host.
func (s siting) fate(host, path string) fate { return s.take(host, path).fate }

// way is what becomes of a request on its way through routes.
type way struct {
	*http.Request
	fate  fate
	taker *Handler // the source that takes it

	server  *caddyhttp.Server
	invoked []string // the named routes that it goes through
}

// take takes a POST to a path of a host through the server's routes.
func (s siting) take(host, path string) *way {
	req := &http.Request{
		Method: http.MethodPost, URL: &url.URL{Path: path}, RequestURI: path, Host: strings.Replace(host, "*", "www", 1),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header), Body: http.NoBody, RemoteAddr: "192.0.2.1:1",
	}
	if s.secure() {
		req.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: req.Host}
	}
	w := &way{Request: caddyhttp.PrepareRequest(req.WithContext(context.Background()), caddy.NewReplacer(), nil, s.server), server: s.server}
	w.follow(s.server.Routes)
	return w
}

// follow takes the request through routes. Of their handlers only those run that change
// nothing but the request. follow returns false if the routes behind may get the request
// as well.
func (w *way) follow(routes caddyhttp.RouteList) (ended bool) {
	var groups []string
	for _, route := range routes {
		if route.Group != "" && slices.Contains(groups, route.Group) {
			continue
		}
		if matched, err := route.MatcherSets.AnyMatchWithError(w.Request); !matched || err != nil {
			continue
		}
		if route.Group != "" {
			groups = append(groups, route.Group)
		}
		for _, handler := range route.Handlers {
			if w.meet(handler) {
				return true
			}
		}
		if route.Terminal {
			return true
		}
	}
	return false
}

// passing are the handlers that hand a request on to the next one as it is.
var passing = []string{"encode", "request_body", "tracing", "log_append", "templates", "intercept", "push"}

// changing are those that change the request before.
var changing = []string{"headers", "map", "vars"}

// meet notes what a handler makes of the request. It returns false if the next handler
// gets the request.
func (w *way) meet(handler caddyhttp.MiddlewareHandler) (ended bool) {
	switch h := handler.(type) {
	case *Handler:
		w.fate, w.taker = fateTaken, h
		return true
	case *caddyhttp.Subroute:
		return w.follow(h.Routes)
	case *caddyhttp.Invoke:
		named := invokedBy(h, w.server, w.invoked)
		w.invoked = append(w.invoked, h.Name)
		ended := w.follow(named)
		w.invoked = w.invoked[:len(w.invoked)-1]
		return ended
	case *rewrite.Rewrite:
		h.Rewrite(w.Request, w.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer))
		return false
	case *caddyhttp.StaticResponse:
		w.fate = fateRefused
		status, err := strconv.Atoi(cmp.Or(string(h.StatusCode), "200"))
		if err == nil && status >= 200 && status < 300 && !h.Abort {
			w.fate = fateAnswered
		}
		return true
	case *reverseproxy.Handler:
		w.fate = fateProxied
		return true
	}
	name := ""
	if info, ok := handler.(caddy.Module); ok {
		name = info.CaddyModule().ID.Name()
	}
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	if slices.Contains(passing, name) || slices.Contains(changing, name) && handler.ServeHTTP(noAnswer{}, w.Request, next) == nil {
		return false
	}
	w.fate = fateRefused
	return true
}

// noAnswer is where handlers write that only change a request.
type noAnswer struct{}

func (noAnswer) Header() http.Header         { return make(http.Header) }
func (noAnswer) Write(b []byte) (int, error) { return len(b), nil }
func (noAnswer) WriteHeader(int)             {}

// subtree returns the part of the path that a fence is put around: the source's
// first segment.
func (s siting) subtree() string {
	rest := strings.TrimPrefix(s.path, "/")
	segment, _, _ := strings.Cut(rest, "/")
	return "/" + segment
}

// secure reports whether the server speaks TLS.
func (s siting) secure() bool { return len(s.server.TLSConnPolicies) > 0 }

// strict reports whether the server refuses requests for another host than the one that
// the TLS handshake names.
func (s siting) strict() bool {
	return s.secure() && s.server.StrictSNIHost != nil && *s.server.StrictSNIHost
}
