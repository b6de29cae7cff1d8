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
		"stripe":       "told by the delivery ID (signed) alone; where there is no ID, by a hash of path, query and body (signed)",
		"github":       "told by the delivery ID (not signed) and the body (signed); where there is no ID, every webhook is an event",
		"gitlab":       "told by the delivery ID (signed by HMAC-SHA256 in Webhook-Signature only) and the body (signed by HMAC-SHA256 in Webhook-Signature only); where there is no ID, every webhook is an event",
		"adyen":        "told by the delivery ID (not signed) and the body (signed in part); where there is no ID, by a hash of path, query and body (signed in part)",
		"dropbox":      "told by nothing: every webhook is an event",
		"dropbox_sign": "told by a hash of path, query and body (signed in part)",
		"insertsign":   "told by a hash of path, query and body (not signed)",
		"plivo":        "told by the delivery ID (not signed) and the body (signed in part); where there is no ID, by a hash of path, query and body (signed in part)",
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

// writeProvidersPage writes the page of the documentation.
func writeProvidersPage(w io.Writer) {
	all := provider.Descriptions()
	fmt.Fprintf(w, "# Providers\n\n%d providers have a preset. This page is made from the presets, as `caddy webhook providers` is.\n", len(all))
	fmt.Fprint(w, `
How sure the facts are: `+"`code`"+` was read in the provider's own code, `+"`docs`"+` in its documents, `+"`secondary`"+` is what others
say, and `+"`unspecified`"+` means that something is left open: the preset asks for it, or guesses and says so.
`)
	for i := range all {
		d := &all[i]
		fmt.Fprintf(w, "\n## %s\n\n", d.Name)
		for _, line := range facts(d) {
			if name := line[0]; name != "" {
				fmt.Fprintf(w, "- **%s**: %s\n", name, markdown(name, line[1]))
			} else {
				fmt.Fprintf(w, "  - %s\n", markdown(name, line[1]))
			}
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
		return "`" + text + "`"
	}
	return strings.NewReplacer("*", `\*`, "_", `\_`, "<", `\<`, "|", `\|`).Replace(text)
}
