package module

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// Guard is what a request must pass before its proof is looked at.
type Guard struct {
	// Accept webhooks over plain HTTP.
	InsecureHTTP bool `json:"insecure_http,omitempty"`

	// Accept webhooks of a provider that proves nothing, from anybody.
	InsecureUnverified bool `json:"insecure_unverified,omitempty"`

	// The addresses and networks that may send: IP addresses, CIDR ranges, or
	// private_ranges.
	AllowIPs []string `json:"allow_ips,omitempty"`

	// Further sources of addresses that may send.
	AllowIPsFromRaw []json.RawMessage `json:"allow_ips_from,omitempty" caddy:"namespace=http.ip_sources inline_key=source"`

	// The largest body that is accepted, in bytes. Default: what the provider
	// may send, else 10 MiB.
	MaxBody int64 `json:"max_body,omitempty"`

	guarded bool // by addresses
	allowed []netip.Prefix
	sources []caddyhttp.IPRangeSource
	profile *provider.Profile
	methods string // for the Allow header
}

func (g *Guard) provision(ctx caddy.Context, profile *provider.Profile) error {
	g.profile = profile
	g.methods = strings.Join(profile.Methods, ", ")
	if g.MaxBody == 0 {
		g.MaxBody = profile.MaxBody
	}
	if g.MaxBody < 0 || g.MaxBody > maxReading/2 {
		return fmt.Errorf("max_body must be greater than zero and at most %d MiB", maxReading/2>>20)
	}
	g.guarded = len(g.AllowIPs) > 0 || len(g.AllowIPsFromRaw) > 0
	var err error
	if g.allowed, err = parseRanges(g.AllowIPs); err != nil {
		return fmt.Errorf("allow_ips: %v", err)
	}
	if g.AllowIPsFromRaw == nil {
		return nil
	}
	mods, err := ctx.LoadModule(g, "AllowIPsFromRaw")
	if err != nil {
		return fmt.Errorf("loading allow_ips_from: %v", err)
	}
	for _, mod := range mods.([]any) {
		g.sources = append(g.sources, mod.(caddyhttp.IPRangeSource))
	}
	return nil
}

// parseRanges reads addresses and networks.
func parseRanges(ranges []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, text := range ranges {
		if text == "private_ranges" {
			private, err := parseRanges(caddyhttp.PrivateRangesCIDR())
			if err != nil {
				return nil, err
			}
			prefixes = append(prefixes, private...)
			continue
		}
		prefix, err := caddyhttp.CIDRExpressionToPrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address, nor a network such as 192.0.2.0/24, nor private_ranges", text)
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}

// admit checks connection and address.
func (g *Guard) admit(r *http.Request) error {
	switch {
	case !g.InsecureHTTP && !isHTTPS(r):
		return refusedPlainHTTP
	case g.guarded && !g.allows(r):
		return refusedAddress
	}
	return nil
}

// isHTTPS reports whether the client's connection is encrypted: this one, or
// the one that a trusted proxy speaks of.
func isHTTPS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	if !trusted {
		return false
	}
	// With several proxies the nearest one wrote last.
	protos := r.Header.Values("X-Forwarded-Proto")
	if len(protos) == 0 {
		return false
	}
	proto := protos[len(protos)-1]
	proto = strings.TrimSpace(proto[strings.LastIndexByte(proto, ',')+1:])
	return strings.EqualFold(proto, "https")
}

// allows reports whether the client's address may send.
func (g *Guard) allows(r *http.Request) bool {
	ip, err := netip.ParseAddr(clientIP(r))
	if err != nil {
		return false
	}
	ip = ip.Unmap()
	if contains(g.allowed, ip) {
		return true
	}
	for _, source := range g.sources {
		if contains(source.GetIPRanges(r), ip) {
			return true
		}
	}
	return false
}

func contains(ranges []netip.Prefix, ip netip.Addr) bool {
	for _, prefix := range ranges {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// clientIP returns what Caddy takes for the client's address.
func clientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	ip, _, _ = strings.Cut(ip, "%") // an IPv6 zone
	return ip
}
