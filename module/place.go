package module

import (
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// place is where a source stands in a configuration: what its routes match.
type place struct {
	host, path, external string
	insecure             bool
}

// configRoute is a route of Caddy's as far as it tells where a source stands.
type configRoute struct {
	Match []struct {
		Host []string `json:"host"`
		Path []string `json:"path"`
	} `json:"match"`
	Handle []struct {
		Handler  string            `json:"handler"`
		Source   string            `json:"source"`
		Routes   []json.RawMessage `json:"routes"`
		Insecure bool              `json:"insecure_http"`
		Provider struct {
			ExternalURL string `json:"external_url"`
		} `json:"provider"`
	} `json:"handle"`
}

// findSource looks for a source in routes and in what they lead to.
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
			if handler.Handler == "webhook_gateway" && handler.Source == source {
				here.external, here.insecure = handler.Provider.ExternalURL, handler.Insecure
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

// url makes the URL to reach the place on a server.
func (p place) url(listen []string, hasTLS, noHTTPS bool) (string, error) {
	if p.external != "" {
		return p.external, nil
	}
	if len(listen) == 0 {
		return "", errors.New("the source's server listens nowhere")
	}
	address, err := caddy.ParseNetworkAddress(listen[0])
	if err != nil || address.IsUnixNetwork() {
		return "", errors.New("the source's server has no TCP address; name the URL with --url")
	}
	u := url.URL{Scheme: "https", Path: strings.TrimSuffix(strings.TrimSuffix(p.path, "*"), "/")}
	if port := int(address.StartPort); !hasTLS && (noHTTPS || port == 80 || p.insecure && p.host == "") {
		u.Scheme = "http"
	}
	if u.Path == "" {
		u.Path = "/"
	}
	host := strings.Replace(p.host, "*", "www", 1)
	if host == "" || strings.Contains(host, "{") {
		host = "localhost"
	}
	u.Host = host
	if port := address.StartPort; port != map[string]uint{"http": 80, "https": 443}[u.Scheme] {
		u.Host = net.JoinHostPort(host, strconv.Itoa(int(port)))
	}
	return u.String(), nil
}
