package provider

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Inspector is a Provider that says what a server, and whoever looks at the
// configuration, must know about it. It must be provisioned.
type Inspector interface {
	Provider

	// ReadHeaders returns the headers that proofs, handshakes, event type and
	// delivery ID are read from, by their canonical names.
	ReadHeaders() []string

	// ProofHeaders returns those of them that carry a proof.
	ProofHeaders() []string

	// ShortSecrets says which secrets have fewer bytes than that.
	ShortSecrets(bytes int) []string

	// TrustsHost reports whether a proof is held against the host that a request
	// names: the proof covers it, and there is no external_url.
	TrustsHost() bool
}

// ReadHeaders implements Inspector.
func (w *working) ReadHeaders() []string {
	common, names := w.ready.common, make(map[string]bool)
	if common.Token != nil {
		noteHeaders(names, common.Token.Headers())
	}
	for _, p := range w.ready.proofs.list {
		noteHeaders(names, p.scheme.Headers())
	}
	w.eachText(func(_, text string) { noteHeaders(names, HeadersIn(text)) })
	return slices.Sorted(maps.Keys(names))
}

// ProofHeaders implements Inspector.
func (w *working) ProofHeaders() []string {
	names := make(map[string]bool)
	for _, p := range w.now().proofs.all {
		noteHeaders(names, p.scheme.Headers())
	}
	return slices.Sorted(maps.Keys(names))
}

// TrustsHost implements Inspector.
func (w *working) TrustsHost() bool {
	common := w.ready.common
	placed := slices.ContainsFunc(common.publics, func(p public) bool { return p.fixed == nil })
	if common.resolved.External != nil || len(common.publics) > 0 && !placed {
		return false
	}
	trusts := false
	w.eachText(func(key, text string) {
		trusts = trusts || key == "url_hash" && text != "" || template.Mentions([]string{text}, "url", "host") ||
			key == "components" && (strings.Contains(text, "@authority") || strings.Contains(text, "@target-uri"))
	})
	return trusts
}

// eachText calls a function with each text in the JSON of the definition, and the name
// of the field that the text stands in.
func (w *working) eachText(yield func(key, text string)) {
	d, err := w.define(w.ready.common.resolved.Secrets)
	if err != nil {
		return // which Provision would have said
	}
	content, _ := json.Marshal(d) // which was read from JSON
	var tree any
	_ = json.Unmarshal(content, &tree)
	walkTexts("", tree, yield)
}

func walkTexts(key string, node any, yield func(key, text string)) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			walkTexts(key, child, yield)
		}
	case map[string]any:
		for name, child := range node {
			walkTexts(name, child, yield)
		}
	case string:
		yield(key, node)
	}
}

func noteHeaders(names map[string]bool, headers []string) {
	for _, name := range headers {
		names[textproto.CanonicalMIMEHeaderKey(name)] = true
	}
}

// A template reads {header.X}, in Caddy's spelling {http.request.header.X}, and an
// expression header("X"), headers["x"] or headers.x.
var headerMentions = regexp.MustCompile(`(?:\{|http\.request\.|\bor )header\.([^{}|\s"]+)|` +
	`(?:^|[^.\w])(?:header\(["']([^"']+)["']\)|headers\[["']([^"']+)["']\]|headers\.(\w+))`)

// HeadersIn returns the headers that a template or an expression reads, as far as
// they are named in it.
func HeadersIn(text string) (names []string) {
	for _, found := range headerMentions.FindAllStringSubmatch(text, -1) {
		for _, name := range found[1:] {
			if name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// ShortSecrets implements Inspector.
func (w *working) ShortSecrets(bytes int) (short []string) {
	note := func(what string, secrets []string) {
		for i, secret := range secrets {
			if len(secret) < bytes {
				short = append(short, fmt.Sprintf("%s %d", what, i+1))
			}
		}
	}
	common := w.ready.common
	note("secret", common.resolved.Secrets)
	if common.Token != nil {
		tokens, _ := scheme.Resolve("token", common.Token.Secrets) // as Provision did
		note("token", tokens)
	}
	for _, p := range w.ready.proofs.list {
		own, _ := scheme.Resolve("secret", scheme.NonEmpty(p.Secrets)) // as Provision did
		note(p.describe()+": secret", own)
	}
	return short
}
