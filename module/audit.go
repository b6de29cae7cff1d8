package module

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Finding is something in a configuration that gives up what the gateway could
// promise, with what mends it.
type Finding struct {
	Source  string `json:"source,omitempty"` // empty: the gateway as a whole
	Problem string `json:"problem"`
	Fix     string `json:"fix"`
}

// String returns the finding as a line.
func (f Finding) String() string {
	if f.Source == "" {
		return f.Problem + "; " + f.Fix
	}
	return "source " + f.Source + ": " + f.Problem + "; " + f.Fix
}

// Findings returns what the configuration gives up, and what is seen while it runs.
// The errors say why the configuration would not start.
func (a *App) Findings() ([]Finding, []error) {
	var reasons []error
	for _, err := range []error{checkPlaces(a.servers()), checkHosts(a.servers())} {
		if err != nil {
			reasons = append(reasons, err)
		}
	}
	findings := a.findings()
	if files, ok := a.backend.(queue.Exposer); ok { // which warns when it opens
		if problem, fix := files.Exposed(); problem != "" {
			findings = append(findings, Finding{Problem: problem, Fix: fix})
		}
	}
	return findings, reasons
}

func (a *App) findings() []Finding {
	findings := auditServers(a.servers())
	for _, h := range a.Sources() {
		findings = append(findings, h.audit()...)
	}
	return findings
}

// auditServers looks for requests that the sources of servers miss, and for sources
// that miss their requests.
func auditServers(servers map[string]*caddyhttp.Server) (findings []Finding) {
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		server, seen := servers[name], make(map[string]bool)
		sitings(server, func(h *Handler, at siting) {
			if !seen[h.Source] { // a site with two addresses has the source twice
				seen[h.Source] = true
				findings = append(findings, auditSiting(h, at)...)
			}
		})
	}
	return findings
}

// auditSiting looks at the paths beside a source's, and at other hosts.
func auditSiting(h *Handler, at siting) (findings []Finding) {
	fates := make(map[fate]string) // with the first path that has this fate
	for _, path := range at.beside() {
		if f := at.fate(at.host, path); fates[f] == "" {
			fates[f] = path
		}
	}
	lost := fates[fateUnanswered]
	if lost == "" {
		lost = fates[fateAnswered]
	}
	if lost != "" {
		findings = append(findings, Finding{h.Source,
			fmt.Sprintf("a webhook to %s, a mistaken path, is answered 200 and lost", lost),
			"add to the site, or to the handle block that has the source: respond 404"})
	}
	if passed := fates[fateProxied]; passed != "" {
		findings = append(findings, Finding{h.Source,
			fmt.Sprintf("a request to %s goes to an app unverified, which may take it for a webhook", passed),
			fmt.Sprintf("put the sources into a block of their own: handle %s* { … respond 404 }", at.subtree())})
	}
	if at.host != "" && !at.strict() && at.fate("other.invalid", strings.TrimSuffix(at.path, "*")) == fateUnanswered {
		fix := fmt.Sprintf("leave the host out of the site's address, or add a site for every other host: http://:%s { respond 404 }", at.port())
		if at.secure() {
			fix = "add to the server's global options: strict_sni_host on"
		}
		findings = append(findings, Finding{h.Source, "a webhook for another host is answered 200 and lost", fix})
	}
	if h.InsecureHTTP && !at.secure() && !onLoopback(at.server) && !h.onlyNear(at.server) {
		findings = append(findings, Finding{h.Source,
			fmt.Sprintf("plain HTTP is accepted on %s, so whoever is on the way can read and change webhooks", strings.Join(at.server.Listen, ", ")),
			"remove insecure_http, or add to the site: bind 127.0.0.1; or where only your own network may send, to the source: allow_ips private_ranges"})
	}
	return findings
}

// onLoopback reports whether a server is reached from this machine only.
func onLoopback(server *caddyhttp.Server) bool {
	for _, listen := range server.Listen {
		address, err := caddy.ParseNetworkAddress(listen)
		if err != nil {
			return false
		}
		ip, _ := netip.ParseAddr(address.Host)
		if !address.IsUnixNetwork() && address.Host != "localhost" && !ip.IsLoopback() {
			return false
		}
	}
	return true
}

// shortSecret is how many bytes a secret has that cannot be guessed, at least.
const shortSecret = 16

// audit looks at the source's own configuration, and at what was seen of its
// requests.
func (h *Handler) audit() (findings []Finding) {
	add := func(problem, fix string) { findings = append(findings, Finding{h.Source, problem, fix}) }
	if h.InsecureUnverified {
		add("anybody may send: its webhooks are not verified",
			"remove insecure_unverified; where the provider proves nothing, add a line: allow_ips <ip|cidr>..., or token path <secret> (in the provider block)")
	}
	if h.checker != nil && !h.guarded && !h.profile.HasToken {
		add("events are held until a call has checked them, and anybody can post some that take places and calls",
			"add allow_ips or allow_ips_from to the source, or a token line to its provider block")
	}
	if p, ok := h.provider.(provider.Inspector); ok {
		if short := p.ShortSecrets(shortSecret); short != nil {
			add(fmt.Sprintf("%s has fewer than %d bytes and could be guessed", strings.Join(short, ", "), shortSecret),
				"have the provider make a longer one, or make one: openssl rand -hex 32")
		}
	}
	if h.tenants != nil {
		if short := h.tenants.known.Load().short; short > 0 {
			add(fmt.Sprintf("%d tenants have a secret of fewer than %d bytes, which could be guessed", short, shortSecret),
				"have the provider make longer ones, or make one: openssl rand -hex 32")
		}
	}
	if h.profile.Legacy {
		add("a weaker scheme of the provider's is accepted as well", "remove legacy from the provider block once the provider uses the other one")
	}
	if peer := h.untrusted.Load(); peer != nil {
		add(fmt.Sprintf("the peer %s sends X-Forwarded-For and has used up the share of one address, but is no trusted proxy", *peer),
			"if it is your proxy, add to the server's global options: trusted_proxies static "+*peer+", and trusted_proxies_strict")
	}
	return findings
}

// noteUntrusted notes a peer that may be a proxy, whose clients have one share of
// memory, places or calls together, and says so for the log.
func (h *Handler) noteUntrusted(r *http.Request, err error) (hint string) {
	if !errors.As(err, new(share.UsedUp)) || r.Header[forwardedFor] == nil || fromTrustedProxy(r) {
		return ""
	}
	peer := clientIP(r)
	h.untrusted.Store(&peer)
	return "; the peer sends X-Forwarded-For: if it is your proxy, name it in trusted_proxies, or all clients behind it count as one"
}

// checkSites refuses what only the routes around sources show.
func checkSites(servers map[string]*caddyhttp.Server) error {
	if err := checkPlaces(servers); err != nil {
		return err
	}
	return checkHosts(servers)
}

// checkHosts refuses a source whose provider signs the host where any host reaches the
// source: what the provider signed for another receiver would be good there.
func checkHosts(servers map[string]*caddyhttp.Server) (err error) {
	for _, server := range servers {
		sitings(server, func(h *Handler, at siting) {
			p, ok := h.provider.(provider.Inspector)
			if ok && p.TrustsHost() && at.host == "" && err == nil {
				err = fmt.Errorf("source %s: the provider signs the URL, and the site takes any host, so a webhook signed for another host would be accepted; "+
					"name the host in the site's address, or add to the provider block: external_url https://<host>%s", h.Source, strings.TrimSuffix(at.path, "*"))
			}
		})
	}
	return err
}

// checkPlaces refuses two sources in one place: the second of them would never get
// a request.
func checkPlaces(servers map[string]*caddyhttp.Server) (err error) {
	for _, server := range servers {
		names := make(map[string]string)
		sitings(server, func(h *Handler, at siting) {
			other, taken := names[at.matchers]
			if !taken {
				names[at.matchers] = h.Source
			} else if other != h.Source && err == nil {
				err = fmt.Errorf("sources %s and %s have the same path and matcher, so %s would never get a request; give one of them another path",
					other, h.Source, h.Source)
			}
		})
	}
	return err
}
