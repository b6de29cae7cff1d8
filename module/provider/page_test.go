package provider_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// customPage is the page about providers without a preset, by its headings.
func customPage(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile("../../docs/custom-providers.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[string]string)
	for _, part := range strings.Split("\n"+string(content), "\n#")[1:] {
		heading, text, _ := strings.Cut(strings.TrimLeft(part, "# "), "\n")
		sections[heading] = text
	}
	return sections
}

var firstWord = regexp.MustCompile("(?m)^\\|(?: `ignisign` \\|| `(?:sns|paypal|ebay)` \\|)? `([a-z_]+)")

// linesOf returns the lines that a table lists; of the schemes of one provider, those
// after the scheme's name.
func linesOf(text string, scheme string) (lines []string) {
	if scheme != "" {
		var own []string
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "| `"+scheme+"` ") {
				own = append(own, line)
			}
		}
		text = strings.Join(own, "")
	}
	for _, match := range firstWord.FindAllStringSubmatch(text, -1) {
		lines = append(lines, match[1])
	}
	return lines
}

var knownHere = regexp.MustCompile(`known here: ((?:[a-z0-9_]+, )*[a-z0-9_]+), at `)

// accepted returns the lines that a block of the custom provider takes.
func accepted(t *testing.T, block string) []string {
	t.Helper()
	err := new(provider.Custom).UnmarshalCaddyfile(caddyfile.NewTestDispenser(block))
	if err == nil {
		t.Fatalf("%s is read", block)
	}
	match := knownHere.FindStringSubmatch(err.Error())
	if match == nil {
		t.Fatalf("%s: %v", block, err)
	}
	return strings.Split(match[1], ", ")
}

// TestCustomPage compares the schemes of the page, and the lines of each block, with
// those that the code takes.
func TestCustomPage(t *testing.T) {
	page := customPage(t)
	_, everyProof, _ := strings.Cut(page["Several proofs"], "Every proof takes")
	common := linesOf(everyProof, "")
	keys := linesOf(page["Keys"], "")
	const special = "sns, paypal, ebay and ignisign"
	signatures := linesOf(page["ed25519, ecdsa and rsa"], "")
	without := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(signatures), func(name string) bool { return slices.Contains(names, name) })
	}
	own := map[string][]string{
		"hmac": linesOf(page["hmac"], ""), "digest": linesOf(page["hmac"], ""), "token": linesOf(page["token"], ""),
		"ed25519": without("format", "padding"), "ecdsa": without("padding"), "rsa": without("format"),
		"jwt": linesOf(page["jwt"], ""), "message_signature": linesOf(page["message_signature"], ""),
		"sns": linesOf(page[special], "sns"), "paypal": linesOf(page[special], "paypal"),
		"ebay": nil, "ignisign": linesOf(page[special], "ignisign"),
	}
	arguments := map[string]string{"token": " header X", "jwt": " HS256", "message_signature": " ed25519"}
	symmetric := []string{"hmac", "digest", "token"}
	for _, name := range provider.SchemeNames() {
		want := slices.Concat(common, own[name])
		if !slices.Contains(symmetric, name) {
			want = append(want, keys...)
		}
		compare(t, name, want, accepted(t, "custom {\n"+name+arguments[name]+" {\nnot_known\n}\n}"))
	}
	listed := slices.DeleteFunc(schemesListed(page["Schemes"]), func(name string) bool { return name == "none" || name == "basic_auth" })
	compare(t, "schemes", listed, provider.SchemeNames())
	compare(t, "provider block", slices.Concat(linesOf(page["The provider block"], ""), keys, provider.SchemeNames()),
		accepted(t, "custom {\nnot_known\n}"))
	compare(t, "copies", slices.DeleteFunc(linesOf(page["Event type, delivery ID and copies"], ""), func(name string) bool { return name == "copies" }),
		accepted(t, "custom {\ncopies by id {\nnot_known\n}\n}"))
}

var schemeLink = regexp.MustCompile("(?m)^\\| \\[`([a-z0-9_]+)`\\]")

func schemesListed(text string) (names []string) {
	for _, match := range schemeLink.FindAllStringSubmatch(text, -1) {
		names = append(names, match[1])
	}
	return names
}

// compare compares two sets of words.
func compare(t *testing.T, what string, page, code []string) {
	t.Helper()
	set := func(words []string) []string {
		words = slices.Clone(words)
		slices.Sort(words)
		return slices.Compact(words)
	}
	if page, code = set(page), set(code); !slices.Equal(page, code) {
		t.Errorf("%s: the page has\n%q\nand the code\n%q", what, page, code)
	}
}

// TestHandshakesPage compares the kinds of handshakes of their page, and their lines,
// with those that the code takes.
func TestHandshakesPage(t *testing.T) {
	content, err := os.ReadFile("../../docs/handshakes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, kinds, _ := strings.Cut(string(content), "\n### Kinds\n")
	kinds, lines, _ := strings.Cut(kinds, "\n### Lines\n")
	compare(t, "kinds", linesOf(kinds, ""), provider.HandshakeKinds)
	compare(t, "lines", linesOf(lines, ""), accepted(t, "custom {\nhandshake hmac query c {\nnot_known\n}\n}"))
}
