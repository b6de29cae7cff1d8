package operate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// place is where a source stands in a configuration: what its routes match.
type place struct {
	host, path, external string
}

// configServer is the part of an HTTP server's configuration that tells how to
// reach the server.
type configServer struct {
	Listen []string          `json:"listen"`
	Routes []json.RawMessage `json:"routes"`
	TLS    []json.RawMessage `json:"tls_connection_policies"`
	Auto   struct {
		Disable bool     `json:"disable"`
		Skip    []string `json:"skip"`
	} `json:"automatic_https"`
}

// secure reports whether the server speaks TLS to a host: the configuration says
// so, or automatic HTTPS has a name to get a certificate for.
func (s *configServer) secure(host string, port uint) bool {
	automatic := host != "" && port != 80 && !s.Auto.Disable && !slices.Contains(s.Auto.Skip, host)
	return s.TLS != nil || automatic
}

// configRoute is the part of a route's configuration that tells where a source
// stands.
type configRoute struct {
	Match []struct {
		Host []string `json:"host"`
		Path []string `json:"path"`
	} `json:"match"`
	Handle []struct {
		Handler  string            `json:"handler"`
		Source   string            `json:"source"`
		Routes   []json.RawMessage `json:"routes"`
		Provider struct {
			Name        string `json:"name"`
			ExternalURL string `json:"external_url"`
		} `json:"provider"`
	} `json:"handle"`
}

// findSource looks for a source in routes and their subroutes.
func findSource(routes []json.RawMessage, source string, at place) (place, bool) {
	for _, raw := range routes {
		var route configRoute
		if json.Unmarshal(raw, &route) != nil {
			continue
		}
		here := at
		for _, match := range route.Match {
			if len(match.Host) > 0 {
				here.host = match.Host[0]
			}
			if len(match.Path) > 0 {
				here.path = match.Path[0]
			}
		}
		for _, handler := range route.Handle {
			if handler.Handler == "webhook_gateway" && cmp.Or(handler.Source, handler.Provider.Name) == source {
				here.external = handler.Provider.ExternalURL
				return here, true
			}
			if handler.Handler == "subroute" {
				if found, ok := findSource(handler.Routes, source, here); ok {
					return found, true
				}
			}
		}
	}
	return at, false
}

// url returns the URL of the place on a server.
func (p place) url(server *configServer) (string, error) {
	if p.external != "" {
		return p.external, nil
	}
	if len(server.Listen) == 0 {
		return "", errors.New("the source's server listens nowhere; name the URL with --url")
	}
	address, err := caddy.ParseNetworkAddress(server.Listen[0])
	if err != nil || address.IsUnixNetwork() {
		return "", errors.New("the source's server has no TCP address; name the URL with --url")
	}
	scheme, usual := "http", uint(80)
	if server.secure(p.host, address.StartPort) {
		scheme, usual = "https", 443
	}
	host := strings.Replace(p.host, "*", "www", 1)
	if host == "" || strings.Contains(host, "{") {
		host = "localhost"
	}
	if address.StartPort != usual {
		host = net.JoinHostPort(host, strconv.FormatUint(uint64(address.StartPort), 10))
	}
	// A slash before the asterisk must stay: /hooks/* does not match /hooks.
	path := strings.TrimSuffix("/"+strings.TrimPrefix(p.path, "/"), "*")
	return (&url.URL{Scheme: scheme, Host: host, Path: path}).String(), nil
}

// sourceURL finds the URL of a source in the running configuration: of several ones the
// first with HTTPS.
func (c *client) sourceURL(source string) (string, error) {
	var servers map[string]configServer
	if err := c.call(http.MethodGet, "/config/apps/http/servers", nil, &servers); err != nil {
		return "", err
	}
	var first string
	err := fmt.Errorf("the running configuration has no source %s", source)
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		server := servers[name]
		found, ok := findSource(server.Routes, source, place{})
		if !ok {
			continue
		}
		var address string
		address, err = found.url(&server)
		if strings.HasPrefix(address, "https:") { // plain HTTP may be refused
			return address, nil
		}
		first = cmp.Or(first, address)
	}
	if first != "" {
		return first, nil
	}
	return "", err
}
