package module

import (
	"cmp"
	"encoding/json"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// IsOwn reports whether a URL is the source's own: the server of the source listens
// there, or the URL is the external_url of its provider. Nobody else gets what is
// sent there.
func (a *App) IsOwn(h *Handler, target *url.URL) bool {
	if slices.ContainsFunc(h.external, func(external *url.URL) bool { return isBelow(external, target) }) {
		return true
	}
	own := false
	for _, server := range a.servers() {
		sitings(server, func(source *Handler, at siting) {
			own = own || source.Source == h.Source && at.receives(target)
		})
	}
	return own
}

// Listener returns the address of this machine at which the server of a source takes
// what is sent to a URL; "" if the URL does not lead to the source there.
func (a *App) Listener(h *Handler, target *url.URL) (address string) {
	for _, server := range a.servers() {
		sitings(server, func(source *Handler, at siting) {
			if address != "" || source.Source != h.Source || !at.receives(target) {
				return
			}
			if taker := at.take(target.Hostname(), target.Path).taker; taker != nil && taker.Source == h.Source {
				address = at.listener(target)
			}
		})
	}
	return address
}

// externalURLs returns the external_url of a provider's configuration.
func externalURLs(config json.RawMessage) (urls []*url.URL) {
	var fields struct {
		External json.RawMessage `json:"external_url"`
		More     []string        `json:"external_urls"`
	}
	var one string
	var several []string
	if json.Unmarshal(config, &fields) != nil || fields.External == nil {
		return nil
	}
	if json.Unmarshal(fields.External, &one) == nil {
		several = []string{one}
	} else if json.Unmarshal(fields.External, &several) != nil {
		return nil
	}
	for _, text := range append(several, fields.More...) {
		if u, err := url.Parse(caddy.NewReplacer().ReplaceKnown(text, "")); err == nil && u.Host != "" {
			urls = append(urls, u)
		}
	}
	return urls
}

// isBelow reports whether a URL is another one, or lies below its path.
func isBelow(base, target *url.URL) bool {
	path := strings.TrimSuffix(base.Path, "/")
	return base.Scheme == target.Scheme && strings.EqualFold(base.Hostname(), target.Hostname()) && portOf(base) == portOf(target) &&
		(target.Path == path || strings.HasPrefix(target.Path, path+"/"))
}

// portOf returns the port of a URL.
func portOf(u *url.URL) string {
	return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

// receives reports whether the server gets what is sent to a URL, and does not hand
// it to an app.
func (s siting) receives(target *url.URL) bool {
	scheme := map[bool]string{true: "https", false: "http"}[s.secure()]
	return target.Scheme == scheme && s.listensOn(target) && s.fate(target.Hostname(), target.Path) != fateProxied
}

// listensOn reports whether the server listens on the host and the port of a URL.
func (s siting) listensOn(target *url.URL) bool { return s.listener(target) != "" }

// listener returns the address to connect to for the host and the port of a URL; "" if
// the server does not listen there. The host must be one that the site is named by, or
// one of this machine.
func (s siting) listener(target *url.URL) string {
	host := strings.ToLower(target.Hostname())
	named := slices.ContainsFunc(s.hosts, func(name string) bool {
		name = strings.ToLower(name)
		_, parent, isPart := strings.Cut(host, ".")
		return name == host || isPart && name == "*."+parent
	})
	for _, text := range s.server.Listen {
		address, err := caddy.ParseNetworkAddress(text)
		port, _ := strconv.ParseUint(portOf(target), 10, 16)
		if err != nil || address.IsUnixNetwork() || uint(port) < address.StartPort || uint(port) > address.EndPort {
			continue
		}
		if named || isLoopback(host) || address.Host != "" && strings.ToLower(address.Host) == host {
			return net.JoinHostPort(near(address.Host), portOf(target))
		}
	}
	return ""
}

// port returns the first port that the server listens on.
func (s siting) port() string {
	for _, text := range s.server.Listen {
		if address, err := caddy.ParseNetworkAddress(text); err == nil && !address.IsUnixNetwork() {
			return strconv.FormatUint(uint64(address.StartPort), 10)
		}
	}
	return "80"
}

// near returns the host at which this machine reaches a server that listens on a host.
func near(host string) string {
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && ip.IsUnspecified() && ip.Is4():
		return "127.0.0.1"
	case err == nil && ip.IsUnspecified():
		return "::1"
	}
	return host
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
