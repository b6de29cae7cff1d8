package main

import (
	"fmt"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/bench/internal/rig"
)

// options start the Caddyfile of each server. Words in brackets are replaced.
const options = `{
	admin [ADMIN]
	auto_https disable_redirects
	skip_install_trust
	persist_config off
	default_bind 127.0.0.1
	storage file_system [DIR]/caddy
	log {
		level ERROR
	}
	webhook_gateway {
		queue disk {
			path [DIR]/queue
			sync [SYNC]
		}
	}
}
`

// Sites without the gateway.
const (
	respond = "respond 200"
	proxy   = "reverse_proxy [APP]"
	// respond alone closes the connection of a body that is longer than it cares to skip.
	readAndRespond = "vars body {http.request.body}\n" + respond
)

// tenRules are routes such as a signing app has, two of them on the body. None
// takes the webhooks that the client posts.
const tenRules = `
		route declined  ` + "`event == \"document.declined\"`" + ` [NOBODY]
		route expired   ` + "`event == \"document.expired\"`" + ` [NOBODY]
		route voided    ` + "`event in [\"document.voided\", \"document.deleted\"]`" + ` [NOBODY]
		route signers   ` + "`event startsWith \"signer.\"`" + ` [NOBODY]
		route templates ` + "`event matches \"^template[.](created|updated)$\"`" + ` [NOBODY]
		route tests     ` + "`headers[\"user-agent\"] contains \"test\"`" + ` [NOBODY]
		route staging   ` + "`header(\"X-InSigner-Environment\") == \"staging\"`" + ` [NOBODY]
		route leases    ` + "`event == \"document.voided\" && body.data.document.title startsWith \"Lease\"`" + ` [NOBODY]
		route old       ` + "`body.api_version < \"2025-01-01\"`" + ` [NOBODY]
		route failed    ` + "`body.data.document.status in [\"failed\", \"blocked\"]`" + ` [NOBODY]
`

// source returns the directive of a source with further lines.
func source(lines ...string) string {
	return "webhook_gateway {\nsource [SOURCE]\nprovider insigner [SECRET]\ninsecure_http\n" + strings.Join(lines, "\n") + "\n}\n"
}

// eventRules returns so many routes on the event type, none of which matches.
func eventRules(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "route r%d `event == \"document.never%d\"` [NOBODY]\n", i, i)
	}
	return text.String()
}

// networks returns a list of so many networks, the client's the last of them.
func networks(n int) string {
	var text strings.Builder
	text.WriteString("allow_ips")
	for i := range n - 1 {
		fmt.Fprintf(&text, " 10.%d.%d.0/25", i>>8, i&255)
	}
	return text.String() + " 127.0.0.1/32\n"
}

// What the paths of other sources begin with, so that the measured one is the
// first or the last. Caddy compares paths one after the other, the longest first.
const (
	first = "/a"
	last  = "/webhooks/another"
)

// others returns so many sources, each at a path of its own.
func others(n int, path string) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "webhook_gateway %s%d {\nsource other-%d\nprovider insigner [SECRET]\ninsecure_http\n}\n", path, i, i)
	}
	return text.String()
}

// among returns the measured source and others, so many in all.
func among(n int, path string) string {
	return others(n-1, path) + strings.Replace(source(tenRules), "{", rig.Path+" {", 1)
}

// beside returns the same with the others behind one path, at which Caddy looks
// once for all of them.
func beside(n int) string {
	return "handle /others/* {\n" + others(n-1, "/others/") + "}\nhandle {\n" + source(tenRules) + "}\n"
}

// caddyfile returns the configuration of a server with some of the sites.
func (c *contest) caddyfile(entrants []*entrant) string {
	sync := c.sync
	if sync == "" {
		sync = "always"
	}
	var text strings.Builder
	text.WriteString(strings.Replace(options, "[SYNC]", sync, 1))
	scheme, tls := "http", ""
	if c.load.HTTP2 {
		scheme, tls = "https", "tls internal\n"
	}
	for _, e := range entrants {
		fmt.Fprintf(&text, "\n%s://%s {\n%s%s\n}\n", scheme, e.address, tls, strings.ReplaceAll(e.text, "[SOURCE]", e.source))
	}
	return text.String()
}
