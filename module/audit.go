package module

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
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

// auditServers looks for requests that the sources of servers miss, and for sources
// that miss their requests.
func auditServers(servers map[string]*caddyhttp.Server) (findings []Finding) {
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		server, seen := servers[name], make(map[string]bool)
		sitings(server, func(h *Handler, at siting) {
			if !seen[h.Source] { // a site with two addresses has the source twice
				seen[h.Source] = true
				findings = append(findings, auditSiting(h, at)...)
				findings = append(findings, auditHolding(h)...)
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
	if at.host != "" && !at.secure() && at.fate("other.invalid", strings.TrimSuffix(at.path, "*")) == fateUnanswered {
		findings = append(findings, Finding{h.Source,
			"a webhook for another host is answered 200 and lost", "leave the host out of the site's address"})
	}
	return findings
}

// auditHolding looks for a source that stores what anybody posts, until a call has told
// whether it is genuine.
func auditHolding(h *Handler) []Finding {
	if h.checker == nil || h.guarded || h.profile.HasToken {
		return nil
	}
	return []Finding{{h.Source,
		"events are held until a call has checked them, and anybody can post some that take places and calls",
		"add allow_ips or allow_ips_from to the source, or a token line to its provider block"}}
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
				err = fmt.Errorf("sources %s and %s stand at one path with the same matcher, so %s would never get a request; give one of them another path",
					other, h.Source, h.Source)
			}
		})
	}
	return err
}
