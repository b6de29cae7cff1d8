package provider

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// block writes a Caddyfile block.
type block struct{ strings.Builder }

func (b *block) line(name string, values ...string) {
	if len(values) == 0 || slices.Equal(values, []string{""}) {
		return
	}
	fmt.Fprintf(b, "%s `%s`\n", name, strings.Join(values, "` `"))
}

func (b *block) proof(p *Proof) {
	switch h := p.HMAC; {
	case p.Token != nil:
		fmt.Fprintf(b, "token %s %s {\n", p.Token.In, p.Token.Name)
		b.line("prefix", p.Token.Prefix)
		b.line("encoding", p.Token.Encoding)
	case p.Digest != nil:
		h = p.Digest
		b.WriteString("digest ")
		b.hmac(h)
	default:
		b.WriteString("hmac ")
		b.hmac(h)
	}
	b.line("secret", p.Secrets...)
	b.line("secret_prefix", p.SecretPrefix)
	for _, place := range slices.Sorted(maps.Keys(p.When)) {
		b.line("when", place, p.When[place])
	}
	b.WriteString("}\n")
}

func (b *block) hmac(h *HMAC) {
	b.WriteString(h.Hash + " {\n")
	b.line("header", h.Header)
	b.line("from", h.From)
	b.line("value", h.Value...)
	b.line("separators", h.Separators)
	b.line("encoding", h.Encoding)
	b.line("signed", h.Signed...)
	b.line("each", h.Each)
	b.line("key", h.Key)
	if t := h.Timestamp; t != nil {
		where := []string{"value"}
		switch {
		case t.Header != "":
			where = []string{"header", t.Header}
		case t.From != "":
			where = []string{"from", t.From}
		}
		if t.Unit != "" {
			where = append(where, t.Unit)
		}
		b.line("timestamp", where...)
	}
}

// custom writes a definition as a provider custom.
func (b *block) custom(d *Definition) {
	b.WriteString("custom {\n")
	if d.needsSecret() {
		b.line("secret", secretFor(d))
	}
	if !d.proves() {
		b.WriteString("none\n")
	}
	for i := range d.Proofs {
		b.proof(&d.Proofs[i])
	}
	b.line("need", d.Need)
	b.line("event", d.Event)
	b.line("id", d.ID)
	b.line("methods", d.Methods...)
	if a := d.Answer; a != nil {
		if a.Status != 0 || a.Body != "" {
			b.line("answer", fmt.Sprint(max(a.Status, 200)), a.Body)
		}
		if a.Refused != 0 {
			b.line("refused", fmt.Sprint(a.Refused))
		}
	}
	if d.MaxBody != 0 {
		b.line("max_body", fmt.Sprint(d.MaxBody))
	}
	if d.Horizon != 0 {
		b.line("horizon", fmt.Sprintf("%dns", d.Horizon))
	}
	if d.NeverRetries {
		b.WriteString("never_retries\n")
	}
	if r := d.Ranges; r != nil {
		b.line("ranges", r.List...)
		switch {
		case r.Format == "json":
			b.line("ranges_from", r.URL, "json", r.Path)
		case r.URL != "":
			b.line("ranges_from", r.URL)
		}
	}
	b.line("masked", d.Masked...)
	b.WriteString("}")
}

// secretFor returns a secret that every proof of a definition takes.
func secretFor(d *Definition) string {
	if len(d.Proofs) > 0 && d.Proofs[0].HMAC != nil && d.Proofs[0].HMAC.Key == "hex" {
		return secretsOf["adyen"]
	}
	return ownSecret
}

// TestCustomSaysWhatPresetsSay writes each preset as a provider custom, which
// must be read as the same definition and load.
func TestCustomSaysWhatPresetsSay(t *testing.T) {
	for _, preset := range Presets() {
		values := make(map[string]string)
		for _, o := range preset.Options {
			if values[o.Name] = o.Default; o.Default == "" {
				values[o.Name] = "value"
			}
		}
		want, err := preset.with(values)
		if err != nil {
			t.Fatal(err)
		}
		if want.Answer != nil && want.Answer.Status == 0 {
			want.Answer.Status = 200 // which a line cannot leave out
		}
		var b block
		b.custom(want)
		text := b.String()
		if !want.proves() {
			text = strings.Replace(text, "none\n", "none\ntoken path s\n", 1)
		}
		custom, ok := mustParse(t, text).(*Custom)
		if !ok {
			t.Fatalf("%s is not read as a provider custom", preset.Name)
		}
		if got, want := asJSON(t, &custom.Definition), asJSON(t, want); got != want {
			t.Errorf("%s as\n%s\ngot  %s\nwant %s", preset.Name, text, got, want)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestOptions fills the gaps of a definition.
func TestOptions(t *testing.T) {
	p := Preset{
		Definition: Definition{Proofs: []Proof{{
			HMAC:    &HMAC{Header: "X", Value: []string{"{option.key}|{signature}"}},
			Secrets: []string{"{option.ids}"},
		}}},
		Options: []Option{{Name: "key"}, {Name: "ids", Several: true}},
	}
	d, err := p.with(map[string]string{"key": `a"b`, "ids": "one two"})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Proofs[0]; got.HMAC.Value[0] != `a"b|{signature}` || !slices.Equal(got.Secrets, []string{"one", "two"}) {
		t.Errorf("got %+v with %q", got.Secrets, got.HMAC.Value)
	}
	if p.Proofs[0].HMAC.Value[0] != "{option.key}|{signature}" {
		t.Error("the preset itself was changed")
	}
	if d, err = p.with(map[string]string{"key": "", "ids": ""}); err != nil || len(d.Proofs[0].Secrets) != 0 {
		t.Errorf("%v, and %d secrets of an option that is not given", err, len(d.Proofs[0].Secrets))
	}
}
