package module

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

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
	allowed   ipSet
	published *publishedList // nil unless addresses are fetched
	sources   []caddyhttp.IPRangeSource
	profile   *provider.Profile
	methods   string // for the Allow header
}

// published stands in allow_ips for the addresses that the provider publishes.
const published = "published"

// provision makes the guard ready. dir is where the gateway keeps its files.
func (g *Guard) provision(ctx caddy.Context, profile *provider.Profile, dir string) error {
	g.profile = profile
	g.methods = strings.Join(profile.Methods, ", ")
	if g.MaxBody == 0 {
		g.MaxBody = profile.MaxBody
	}
	if g.MaxBody < 0 || g.MaxBody > maxReading/2 {
		return fmt.Errorf("max_body must be greater than zero and at most %d MiB", maxReading/2>>20)
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
	allowed, err := splitRanges(g.AllowIPs)
	if err != nil {
		return err
	}
	prefixes, err := parseRanges(allowed, ranges.List)
	if err != nil {
		return err
	}
	g.allowed = newIPSet(prefixes)
	if g.allowsPublished() && ranges.URL != "" {
		g.published, err = usePublished(ranges, dir)
	}
	return err
}

func (g *Guard) allowsPublished() bool {
	allowed, err := splitRanges(g.AllowIPs)
	return err == nil && slices.Contains(allowed, published)
}

// splitRanges resolves placeholders and splits texts that hold several addresses or
// networks, as a variable of the environment may.
func splitRanges(texts []string) (ranges []string, err error) {
	repl := caddy.NewReplacer()
	for _, text := range texts {
		resolved, err := repl.ReplaceOrErr(text, true, true)
		several := strings.FieldsFunc(resolved, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
		if err != nil || len(several) == 0 {
			return nil, fmt.Errorf("%q has no value", text)
		}
		ranges = append(ranges, several...)
	}
	return ranges, nil
}

// start begins to fetch addresses.
func (g *Guard) start() {
	if g.published != nil {
		g.published.start()
	}
}

// cleanup gives back the list of published addresses, which may outlive the
// configuration.
func (g *Guard) cleanup() error {
	if g.published == nil {
		return nil
	}
	return g.published.release()
}

// parseRanges reads addresses and networks. known are those that the provider is
// known to publish.
func parseRanges(ranges, known []string) (prefixes []netip.Prefix, err error) {
	for _, text := range ranges {
		var several []netip.Prefix
		switch text {
		case "private_ranges":
			several, err = parseRanges(caddyhttp.PrivateRangesCIDR(), nil)
		case published:
			several, err = parseRanges(known, nil)
		default:
			several = make([]netip.Prefix, 1)
			if several[0], err = caddyhttp.CIDRExpressionToPrefix(text); err != nil {
				err = fmt.Errorf("%q is neither an address, nor a network such as 192.0.2.0/24, nor private_ranges, nor published", text)
			}
		}
		if err != nil {
			return nil, err
		}
		prefixes = append(prefixes, several...)
	}
	return prefixes, nil
}

// admit checks connection and address.
func (g *Guard) admit(r *http.Request) error {
	switch {
	case !g.InsecureHTTP && !isHTTPS(r):
		return plainHTTP(r)
	case !g.guarded || g.allows(r):
		return nil
	case g.published != nil && !g.published.known.Load():
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
	private, _ := parseRanges([]string{"private_ranges"}, nil)
	return g.guarded && g.published == nil && g.sources == nil && !trustsProxies(server) && newIPSet(private).covers(g.allowed)
}

// allows reports whether the client's address may send.
func (g *Guard) allows(r *http.Request) bool {
	ip, err := netip.ParseAddr(clientIP(r))
	if err != nil {
		return false
	}
	ip = ip.Unmap()
	if g.allowed.contains(ip) || g.published != nil && g.published.contains(ip) {
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
