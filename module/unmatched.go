package module

import (
	"cmp"
	"context"
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
}

// sitings yields each source of a server with where it stands.
func sitings(server *caddyhttp.Server, yield func(*Handler, siting)) {
	walkSources(server.Routes, siting{server: server}, yield)
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
			}
		}
	}
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

// beside returns paths that a provider, or a stranger, may mistake for the source's.
func (s siting) beside() []string {
	path := strings.TrimSuffix(s.path, "*")
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

// fate returns what becomes of a POST to a path of the source's host.
func (s siting) fate(host, path string) fate {
	req := &http.Request{
		Method: http.MethodPost, URL: &url.URL{Path: path}, RequestURI: path, Host: strings.Replace(host, "*", "www", 1),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header), Body: http.NoBody, RemoteAddr: "192.0.2.1:1",
	}
	req = caddyhttp.PrepareRequest(req.WithContext(context.Background()), caddy.NewReplacer(), nil, s.server)
	f, _ := follow(s.server.Routes, req)
	return f
}

// follow sends a request through routes without running a handler. It returns
// false if the routes behind may get the request as well.
func follow(routes caddyhttp.RouteList, req *http.Request) (f fate, ended bool) {
	var groups []string
	for _, route := range routes {
		if route.Group != "" && slices.Contains(groups, route.Group) {
			continue
		}
		if matched, err := route.MatcherSets.AnyMatchWithError(req); !matched || err != nil {
			continue
		}
		if route.Group != "" {
			groups = append(groups, route.Group)
		}
		for _, handler := range route.Handlers {
			if f, ended := fateBy(handler, req); ended {
				return f, true
			}
		}
		if route.Terminal {
			return fateUnanswered, true
		}
	}
	return fateUnanswered, false
}

// passing are the handlers that hand a request on to the next one.
var passing = []string{"headers", "encode", "vars", "rewrite", "request_body", "map", "tracing", "log_append", "templates", "intercept", "push"}

// fateBy returns what a handler makes of a request, and false if the next handler
// gets the request.
func fateBy(handler caddyhttp.MiddlewareHandler, req *http.Request) (f fate, ended bool) {
	switch h := handler.(type) {
	case *Handler:
		return fateTaken, true
	case *caddyhttp.Subroute:
		return follow(h.Routes, req)
	case *caddyhttp.StaticResponse:
		status, err := strconv.Atoi(cmp.Or(string(h.StatusCode), "200"))
		if err == nil && status >= 200 && status < 300 && !h.Abort {
			return fateAnswered, true
		}
		return fateRefused, true
	case *reverseproxy.Handler:
		return fateProxied, true
	}
	info, ok := handler.(caddy.Module)
	if ok && slices.Contains(passing, info.CaddyModule().ID.Name()) {
		return fateUnanswered, false
	}
	return fateRefused, true
}

// subtree returns the part of the path that a fence is put around: the source's
// first segment.
func (s siting) subtree() string {
	rest := strings.TrimPrefix(s.path, "/")
	segment, _, _ := strings.Cut(rest, "/")
	return "/" + segment
}

// secure reports whether the server speaks TLS, in whose handshake the host is
// named as well.
func (s siting) secure() bool { return len(s.server.TLSConnPolicies) > 0 }
