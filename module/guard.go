package module

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/addresses"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/bodies"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// Guard checks a request before its proof is verified.
type Guard struct {
	// Accept webhooks over plain HTTP. Default: false, which answers them with status
	// 403.
	InsecureHTTP bool `json:"insecure_http,omitempty"`

	// Accept webhooks from anybody where the provider proves nothing, or signs for all
	// of its customers alike. Without it, such a source does not load unless something
	// else guards it. Default: false.
	InsecureUnverified bool `json:"insecure_unverified,omitempty"`

	// The addresses that may send: IP addresses, CIDR ranges, private_ranges, or
	// published, which stands for the addresses that the provider publishes. One text
	// may hold several of them, with commas or white space between them. Placeholders
	// are resolved when the configuration loads. Default: any address.
	AllowIPs []string `json:"allow_ips,omitempty"`

	// IP source modules whose addresses may send as well.
	AllowIPsFromRaw []json.RawMessage `json:"allow_ips_from,omitempty" caddy:"namespace=http.ip_sources inline_key=source"`

	// The size of the largest body that is accepted, in bytes. Default: what the
	// provider may send, else 10 MiB.
	MaxBody int64 `json:"max_body,omitempty"`

	guarded   bool // only some addresses may send
	allowed   addresses.Set
	published *addresses.Published // nil unless addresses are fetched
	sources   []caddyhttp.IPRangeSource
	profile   *provider.Profile
	methods   string // for the Allow header
}

// provision makes the guard ready. dir is where the gateway keeps its files.
func (g *Guard) provision(ctx caddy.Context, profile *provider.Profile, dir string) error {
	g.profile = profile
	g.methods = strings.Join(profile.Methods, ", ")
	if g.MaxBody == 0 {
		g.MaxBody = profile.MaxBody
	}
	if g.MaxBody < 0 || g.MaxBody > bodies.Max/2 {
		return fmt.Errorf("max_body must be greater than zero and at most %d MiB", bodies.Max/2>>20)
	}
	if err := g.provisionAllowed(dir); err != nil {
		return fmt.Errorf("allow_ips: %w", err)
	}
	g.guarded = len(g.AllowIPs) > 0 || len(g.AllowIPsFromRaw) > 0
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

// provisionAllowed gathers the addresses that are known by now, and prepares to
// fetch the others.
func (g *Guard) provisionAllowed(dir string) error {
	ranges := g.profile.Ranges
	if ranges == nil {
		ranges = new(provider.Ranges)
	}
	allowed, err := addresses.Split(g.AllowIPs)
	if err != nil {
		return err
	}
	prefixes, err := addresses.Parse(allowed, ranges.List)
	if err != nil {
		return err
	}
	g.allowed = addresses.NewSet(prefixes)
	if g.allowsPublished() && ranges.URL != "" {
		g.published, err = addresses.UsePublished(ranges, dir)
	}
	return err
}

func (g *Guard) allowsPublished() bool {
	allowed, err := addresses.Split(g.AllowIPs)
	return err == nil && slices.Contains(allowed, addresses.OfProvider)
}

// start begins to fetch addresses.
func (g *Guard) start() {
	if g.published != nil {
		g.published.Start()
	}
}

// cleanup gives back the list of published addresses, which may outlive the
// configuration.
func (g *Guard) cleanup() error {
	if g.published == nil {
		return nil
	}
	return g.published.Release()
}

// admit checks connection and address.
func (g *Guard) admit(r *http.Request) error {
	switch {
	case !g.InsecureHTTP && !isHTTPS(r):
		return plainHTTP(r)
	case !g.guarded || g.allows(r):
		return nil
	case g.published != nil && !g.published.Known():
		return refusedUnknown
	default:
		return refusedAddress
	}
}

// plainHTTP refuses a request that did not come over HTTPS, and says what the
// server went by.
func plainHTTP(r *http.Request) error {
	refused := *refusedPlainHTTP
	switch {
	case fromTrustedProxy(r):
		refused.detail += fmt.Sprintf(": the proxy's X-Forwarded-Proto does not end with https; it is %.60q, of which the last counts: have the proxy next to Caddy set X-Forwarded-Proto: https",
			strings.Join(r.Header.Values("X-Forwarded-Proto"), ", "))
	case r.Header[forwardedProto] != nil:
		refused.detail += "; the peer sends X-Forwarded-Proto: if it is your proxy, name it in trusted_proxies"
	}
	return &refused
}

// isHTTPS reports whether the client's connection is encrypted: the connection to
// this server, or the connection to a trusted proxy.
func isHTTPS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	if !fromTrustedProxy(r) {
		return false
	}
	return strings.EqualFold(forwarded(r, "X-Forwarded-Proto"), "https")
}

// fromTrustedProxy reports whether the peer is a proxy that the server trusts.
func fromTrustedProxy(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// onlyNear reports whether only addresses of private networks may send, whoever is
// connected being the client.
func (g *Guard) onlyNear(server *caddyhttp.Server) bool {
	private, _ := addresses.Parse([]string{"private_ranges"}, nil)
	return g.guarded && g.published == nil && g.sources == nil && !trustsProxies(server) && addresses.NewSet(private).Covers(g.allowed)
}

// allows reports whether the client's address may send.
func (g *Guard) allows(r *http.Request) bool {
	ip, err := netip.ParseAddr(clientIP(r))
	if err != nil {
		return false
	}
	ip = ip.Unmap()
	if g.allowed.Contains(ip) || g.published != nil && g.published.Contains(ip) {
		return true
	}
	for _, source := range g.sources {
		if slices.ContainsFunc(source.GetIPRanges(r), func(p netip.Prefix) bool { return p.Contains(ip) }) {
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
