package module

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// checkServer refuses a source whose proof or allow_ips relies on headers that its server
// drops or does not verify.
func (h *Handler) checkServer() error {
	if h.server == nil {
		return nil
	}
	if h.guarded && believesClient(h.server) {
		return errors.New("allow_ips would trust the first address of " + strings.Join(h.server.ClientIPHeaders, ", ") +
			", which clients can write themselves; add to the server's global options, beside trusted_proxies: trusted_proxies_strict; " +
			"or, behind a CDN, client_ip_headers with the one header that it always writes itself: " + strings.Join(overwritten, ", "))
	}
	for _, name := range h.readHeaders() {
		if fix := keepHeader(h.server, name); fix != "" {
			return fmt.Errorf("the header %s is dropped by Caddy, but the source reads it; %s", strings.ToLower(name), fix)
		}
	}
	return nil
}

// readHeaders returns the headers that proof, tenant, event type and delivery ID come from.
func (h *Handler) readHeaders() []string {
	names := slices.Concat(provider.HeadersIn(h.Tenant), provider.HeadersIn(h.Event), provider.HeadersIn(h.ID))
	for i := range names {
		names[i] = http.CanonicalHeaderKey(names[i])
	}
	if p, ok := h.provider.(provider.Inspector); ok {
		names = append(names, p.ReadHeaders()...)
	}
	return names
}

// overwritten are the headers in which a CDN always names who has connected to it, in
// place of what the client wrote there: those of Cloudflare, Fly.io, Azure Front Door
// and App Engine, whose documentation says so. X-Real-Ip, True-Client-Ip,
// Fastly-Client-Ip and the like are written only if that is configured. Otherwise the
// proxy passes the client's own on.
var overwritten = []string{"Cf-Connecting-Ip", "Fly-Client-Ip", "X-Azure-Socketip", "X-Appengine-User-Ip"}

// believesClient reports whether a server takes for the client's address what the
// client itself may have written: the leftmost address of a list to which proxies
// append, or a header that no proxy writes. Of two headers only one is a given CDN's.
func believesClient(server *caddyhttp.Server) bool {
	if server.TrustedProxiesStrict > 0 || !trustsProxies(server) {
		return false
	}
	names := server.ClientIPHeaders
	return len(names) != 1 || !slices.Contains(overwritten, http.CanonicalHeaderKey(names[0]))
}

// trustsProxies reports whether a server that is provisioned has trusted_proxies.
// Caddy shows that in no other way.
func trustsProxies(server *caddyhttp.Server) bool {
	source := reflect.ValueOf(server).Elem().FieldByName("trustedProxies")
	return server.TrustedProxiesUnix || server.TrustedProxiesRaw != nil || source.IsValid() && !source.IsNil()
}

// dropped reports whether a server drops a header of such a name: one with an
// underscore or a dot that the server does not expect, or one that differs from an
// expected name in nothing else.
func dropped(server *caddyhttp.Server, name string) bool {
	name = http.CanonicalHeaderKey(name)
	underscores, dots := server.ExpectedUnderscoreHeaders, server.ExpectedDotHeaders
	switch hasUnderscore, hasDot := strings.Contains(name, "_"), strings.Contains(name, "."); {
	case hasUnderscore && hasDot:
		return !expects(underscores, name, "", false) && !expects(dots, name, "", false)
	case hasUnderscore:
		return !expects(underscores, name, "", true)
	case hasDot:
		return !expects(dots, name, "", true)
	}
	return expects(underscores, name, "_", true) || expects(dots, name, ".", true)
}

// expects reports whether a name is in a list of a server's, in which a name may end
// with * for any ending, and in which a dash may stand in the place of separator.
func expects(list []string, name, separator string, globs bool) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		if separator != "" {
			entry = strings.ReplaceAll(entry, separator, "-")
		}
		prefix, isGlob := strings.CutSuffix(entry, "*")
		prefix = http.CanonicalHeaderKey(prefix)
		return prefix == name || isGlob && globs && strings.HasPrefix(name, prefix)
	})
}

// keepHeader says what to change for a server to keep a header, "" if the server
// does.
func keepHeader(server *caddyhttp.Server, name string) string {
	option := "expected_underscore_headers"
	if strings.Contains(name, ".") && !strings.Contains(name, "_") {
		option = "expected_dot_headers"
	}
	switch {
	case !dropped(server, name):
		return ""
	case strings.ContainsAny(name, "_."):
		return "add to the server's global options: servers { " + option + " " + strings.ToLower(name) + " }"
	}
	return "remove the name that resembles it from the server's expected_underscore_headers or expected_dot_headers"
}

// dropHeaders drops from a captured request what the source's server drops, and
// returns the causes for which the source may not find what it reads.
func (h *Handler) dropHeaders(header http.Header) (causes []string) {
	server := h.server
	if server == nil {
		server = new(caddyhttp.Server)
	}
	read := h.readHeaders()
	for name, values := range header {
		repeated := len(values) > 1 && strings.ContainsAny(name, "_.")
		if !repeated && !dropped(server, name) {
			continue
		}
		delete(header, name)
		switch fix := keepHeader(server, name); {
		case !slices.Contains(read, name):
		case fix == "":
			causes = append(causes, fmt.Sprintf("Caddy drops the header %s, which is there more than once", strings.ToLower(name)))
		default:
			causes = append(causes, fmt.Sprintf("Caddy drops the header %s before the gateway sees it; %s", strings.ToLower(name), fix))
		}
	}
	slices.Sort(causes)
	return causes
}

// findServer returns what a configuration says about the server that has a source,
// as far as it matters to a captured request; nil if no server has the source.
func findServer(config []byte, source string) (*caddyhttp.Server, error) {
	var tree struct {
		Apps struct {
			HTTP struct {
				Servers map[string]struct {
					Underscores []string `json:"expected_underscore_headers"`
					Dots        []string `json:"expected_dot_headers"`
					Routes      any      `json:"routes"`
				} `json:"servers"`
			} `json:"http"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(config, &tree); err != nil {
		return nil, fmt.Errorf("reading configuration: %v", err)
	}
	for _, server := range tree.Apps.HTTP.Servers {
		found := make(map[string]*Handler)
		if err := collectSources(server.Routes, found); err != nil {
			return nil, err
		}
		if found[source] != nil {
			return &caddyhttp.Server{ExpectedUnderscoreHeaders: server.Underscores, ExpectedDotHeaders: server.Dots}, nil
		}
	}
	return nil, nil
}
