package operate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

var update = flag.Bool("update", false, "rewrite the page of the providers")

// TestProvidersPage holds the page against the presets. -update writes it.
func TestProvidersPage(t *testing.T) {
	const path = "../../docs/providers.md"
	var want bytes.Buffer
	writeProvidersPage(&want)
	if *update {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is stale (%v): go test ./module/operate -run TestProvidersPage -update", path, err)
	}
}

// TestSecurityPage holds the table of the page against the presets. -update writes it.
func TestSecurityPage(t *testing.T) {
	const path = "../../docs/security.md"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, _, found := bytes.Cut(content, []byte("<!-- presets -->\n"))
	if !found {
		t.Fatal("the page has no place for the table")
	}
	want := bytes.NewBuffer(append(text, "<!-- presets -->\n"...))
	writeCoverage(want)
	if *update {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(content, want.Bytes()) {
		t.Errorf("%s is stale: go test ./module/operate -run TestSecurityPage -update", path)
	}
}

// TestWhatTellsCopies holds what the command says of copies.
func TestWhatTellsCopies(t *testing.T) {
	all := provider.Descriptions()
	for name, want := range map[string]string{
		"stripe":       "have the same delivery ID (signed); without an ID, the same path, query and body (signed)",
		"github":       "have the same delivery ID (not signed) and the same body (signed); without an ID, every webhook is an event",
		"gitlab":       "have the same delivery ID (signed by HMAC-SHA256 in Webhook-Signature only) and the same body (signed by HMAC-SHA256 in Webhook-Signature only); without an ID, every webhook is an event",
		"adyen":        "have the same delivery ID (not signed) and the same body (signed in part); without an ID, the same path, query and body (signed in part)",
		"dropbox":      "cannot be told: every webhook is an event",
		"dropbox_sign": "have the same path, query and body (signed in part)",
		"insertsign":   "have the same path, query and body (not signed)",
		"plivo":        "have the same delivery ID (not signed) and the same body (signed in part); without an ID, the same path, query and body (signed in part)",
	} {
		i := slices.IndexFunc(all, func(d provider.Description) bool { return d.Name == name })
		if got := copiesOf(&all[i])[0]; got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestProvidersAreAllDescribed holds that each provider that a configuration can
// name is described.
func TestProvidersAreAllDescribed(t *testing.T) {
	described := map[string]bool{"custom": true}
	for _, d := range provider.Descriptions() {
		described[d.Name] = true
		for _, proof := range d.Proofs {
			if strings.TrimSpace(proof) == "" || strings.HasPrefix(proof, ",") {
				t.Errorf("%s: a proof is not described", d.Name)
			}
		}
	}
	for _, module := range caddy.GetModules("webhook_gateway.providers") {
		if name := module.ID.Name(); !described[name] {
			t.Errorf("%s is not described", name)
		}
	}
}

func TestProvidersCommand(t *testing.T) {
	var out bytes.Buffer
	if err := printProviders(&out, []string{"slack"}, false); err != nil || !strings.Contains(out.String(), "X-Slack-Signature") {
		t.Errorf("%v:\n%s", err, out.String())
	}
	out.Reset()
	if err := printProviders(&out, nil, true); err != nil {
		t.Fatal(err)
	}
	var all []provider.Description
	if err := json.Unmarshal(out.Bytes(), &all); err != nil || len(all) < 139 {
		t.Errorf("%d providers: %v", len(all), err)
	}
	if err := printProviders(&out, []string{"strip"}, false); err == nil || !strings.Contains(err.Error(), "stripe") {
		t.Errorf("a name that is misspelt: %v", err)
	}
}

// chapters are the page's sections, with the categories of the presets in each.
var chapters = []struct {
	title      string
	categories []string
}{
	{"E-signature", []string{"e-signature"}},
	{"Payments and banking", []string{"payments", "banking", "accounting"}},
	{"Commerce and shipping", []string{"commerce", "shipping", "licensing"}},
	{"Git and CI", []string{"git", "ci"}},
	{"Cloud, hosting and operations", []string{"cloud", "hosting", "network", "ops"}},
	{"Chat, telephony and meetings", []string{"chat", "communications", "meetings", "realtime"}},
	{"Email", []string{"email"}},
	{"CRM and support", []string{"crm", "support", "marketing", "field service"}},
	{"Projects and productivity", []string{"project", "productivity", "scheduling", "forms", "database", "hr", "storage"}},
	{"Content, video and social media", []string{"cms", "media", "video", "streaming", "social", "community"}},
	{"Identity", []string{"identity"}},
	{"AI", []string{"ai"}},
	{"Standards and senders of webhooks", []string{"standard"}},
}

// writeProvidersPage writes the page of the documentation.
func writeProvidersPage(w io.Writer) {
	all := provider.Descriptions()
	fmt.Fprintf(w, "# Providers\n\n%d providers have a preset. You name the preset and give it your secret:\n", len(all))
	fmt.Fprint(w, `
`+"```caddyfile\nprovider stripe {env.STRIPE_SECRET}\n```"+`

A provider that is not here takes a few lines: see [Custom providers](custom-providers.md). This page is made from the presets; `+"`caddy webhook\nproviders <name>`"+` prints the same.

| category | presets |
|---|---|
`)
	for _, c := range chapters {
		var links []string
		for _, d := range inChapter(all, c.categories) {
			links = append(links, fmt.Sprintf("[%s](#%s)", d.Name, d.Name))
		}
		anchor := strings.NewReplacer(" ", "-", ",", "").Replace(strings.ToLower(c.title))
		fmt.Fprintf(w, "| [%s](#%s) | %s |\n", c.title, anchor, strings.Join(links, " · "))
	}
	fmt.Fprint(w, `
How to read an entry:

- **proof** is how the provider proves its webhooks. What it covers stands in the table of [Security](security.md#each-preset).
- **event type** and **delivery ID** are [expressions](rules.md) over the request.
- **copies** says what two webhooks have in common if they are one event.
- **retries** is how long the provider goes on trying.
- **sign provider** says whether the gateway can [sign again](delivery.md#signing-for-the-app) in the scheme of the provider.
- **handshake** is what the provider asks before it sends: see [Handshakes](handshakes.md).
- **option** is a line that the provider block takes, besides [those of every provider](configuration.md).
- **facts from** is where the facts come from. `+"`code`"+`: the provider's own code. `+"`docs`"+`: its documentation. `+"`secondary`"+`: a third
  party. `+"`unspecified`"+`: the provider leaves something open, so the preset asks for it, or guesses and says so.
`)
	for _, c := range chapters {
		fmt.Fprintf(w, "\n## %s\n", c.title)
		for _, d := range inChapter(all, c.categories) {
			fmt.Fprintf(w, "\n### %s\n\n", d.Name)
			for _, line := range facts(d) {
				if name := line[0]; name != "" {
					fmt.Fprintf(w, "- **%s**: %s\n", name, markdown(name, line[1]))
				} else {
					fmt.Fprintf(w, "  - %s\n", markdown(name, line[1]))
				}
			}
		}
	}
}

// inChapter returns the descriptions in some categories, by name.
func inChapter(all []provider.Description, categories []string) (found []*provider.Description) {
	for i := range all {
		if slices.Contains(categories, all[i].Category) {
			found = append(found, &all[i])
		}
	}
	return found
}

// TestChapters holds that each preset is in one chapter of the page.
func TestChapters(t *testing.T) {
	for _, d := range provider.Descriptions() {
		count := 0
		for _, c := range chapters {
			if slices.Contains(c.categories, d.Category) {
				count++
			}
		}
		if count != 1 {
			t.Errorf("%s, of the category %s, is in %d chapters", d.Name, d.Category, count)
		}
	}
}

// writeCoverage writes the table of what proofs cover.
func writeCoverage(w io.Writer) {
	fmt.Fprint(w, "\n| preset | proof | body | ID | type | time | taken again later |\n|---|---|---|---|---|---|---|\n")
	or := func(covered string) string { return cmp.Or(covered, "–") }
	all := provider.Descriptions()
	for i := range all {
		d := &all[i]
		if len(d.Covers) == 0 {
			fmt.Fprintf(w, "| `%s` | none | no | %s | no | no | yes |\n", d.Name, map[bool]string{true: "no", false: "–"}[d.ID != ""])
		}
		for _, c := range d.Covers {
			proof := byOption.ReplaceAllString(c.Proof, "…")
			if c.Legacy {
				proof += " (legacy)"
			}
			fmt.Fprintf(w, "| `%s` | %s | %s | %s | %s | %s | %s |\n", d.Name, markdown("", proof), c.Body, or(c.ID), or(c.Event), c.Time, c.Replay)
		}
	}
}

// markdown writes a fact such that Markdown shows it as it is.
func markdown(name, text string) string {
	switch name {
	case "event type", "delivery ID", "answer":
		if text == noEvent || text == noID {
			return text
		}
		return "`" + text + "`"
	}
	return strings.NewReplacer("*", `\*`, "_", `\_`, "<", `\<`, "|", `\|`).Replace(text)
}
