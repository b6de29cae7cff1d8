package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// block writes a Caddyfile block.
type block struct {
	strings.Builder
	own *provider.Known // of which it has secrets and keys; nil: those of the tests
}

func (b *block) line(name string, values ...string) {
	if len(values) == 0 || slices.Equal(values, []string{""}) {
		return
	}
	fmt.Fprintf(b, "%s `%s`\n", name, strings.Join(values, "` `"))
}

func (b *block) proof(p *provider.Proof) {
	switch h := p.HMAC; {
	case p.Traits().UsesKeys:
		b.keyed(p)
	case p.Token != nil:
		fmt.Fprintf(b, "token %s {\n", p.Token.From)
		b.line("prefix", p.Token.Prefix)
		b.line("encoding", p.Token.Encoding)
	case p.Digest != nil:
		h = &p.Digest.HMAC
		b.WriteString("digest ")
		b.hmac(h)
	default:
		b.WriteString("hmac ")
		b.hmac(h)
	}
	b.line("secret", p.Secrets...)
	b.line("secret_prefix", p.SecretPrefix)
	for _, c := range p.When {
		b.line("when", append([]string{c.Of}, c.Is...)...)
	}
	b.line("event", p.Event)
	b.line("id", p.ID)
	if p.Legacy {
		b.WriteString("legacy\n")
	}
	b.WriteString("}\n")
}

// keyed writes a proof that is verified with a public key, or is a token, and a
// key that fits.
func (b *block) keyed(p *provider.Proof) {
	switch {
	case p.Ed25519 != nil:
		b.WriteString("ed25519 {\n")
		b.signature(&p.Ed25519.Signature)
		b.key("public_key", providertest.Rfc8032Key)
	case p.ECDSA != nil:
		fmt.Fprintf(b, "ecdsa %s {\n", p.ECDSA.Hash)
		b.signature(&p.ECDSA.Signature)
		b.line("format", p.ECDSA.Format)
		b.key("public_key", providertest.P256Key)
	case p.RSA != nil:
		fmt.Fprintf(b, "rsa %s {\n", p.RSA.Hash)
		b.signature(&p.RSA.Signature)
		b.line("padding", p.RSA.Padding)
		b.key("public_key", providertest.RSAPublicKey)
	case p.JWT != nil:
		b.jwt(p.JWT)
		switch {
		case p.JWT.X5C != nil:
			b.key("certificate", p.JWT.X5C.Root)
		case slices.Contains(p.JWT.Algorithms, "ES512") && len(p.JWT.Algorithms) == 1:
			b.key("public_key", providertest.P521Key)
		case !p.Traits().UsesSecret:
			b.key("public_key", providertest.P256Key)
		}
	case p.MessageSignature != nil:
		m := p.MessageSignature
		fmt.Fprintf(b, "message_signature %s {\n", m.Algorithm)
		b.line("label", m.Label)
		b.line("components", m.Components...)
		if m.AnyComponents {
			b.WriteString("any_components\n")
		}
		b.key("public_key", providertest.P256Key)
	case p.SNS != nil:
		b.WriteString("sns {\n")
		b.line("topic", p.SNS.Topics...)
	case p.PayPal != nil:
		b.WriteString("paypal {\n")
		b.line("webhook_id", p.PayPal.WebhookID)
	case p.Ignisign != nil:
		b.WriteString("ignisign {\n")
		b.line("app_id", p.Ignisign.AppID)
		b.line("app_env", p.Ignisign.AppEnv)
		b.line("api_key", p.Ignisign.APIKeys...)
	case p.EBay != nil:
		b.WriteString("ebay {\n")
		b.key("public_key", providertest.P256Key)
	}
}

// key writes a key of the tests, once: all proofs have the same keys.
func (b *block) key(name, key string) {
	if b.own == nil && !strings.Contains(b.String(), key) {
		b.line(name, key)
	}
}

// owned writes the secrets and keys that a preset has.
func (b *block) owned(d *provider.Definition) {
	c := &b.own.Common
	if d.UsesSecret() || len(d.Handshakes) > 0 && len(d.Proofs) > 0 && d.Proofs[0].Traits().UsesSecret {
		b.line("secret", c.Resolved().Secrets...)
	}
	b.line("public_key", c.PublicKeys...)
	b.line("certificate", c.Certificates...)
	b.line("client_id", c.ClientID)
	b.line("client_secret", c.ClientSecret)
	b.line("api_url", c.APIURL)
	if len(d.Proofs) > 0 && d.Proofs[0].JWT != nil && d.Proofs[0].JWT.X5C != nil && len(c.Certificates) == 0 {
		b.line("certificate", d.Proofs[0].JWT.X5C.Root)
	}
	if d.Proofs == nil || !d.IsProven() {
		return
	}
	switch tolerance := c.Resolved().Tolerance; {
	case tolerance > 0 && slices.ContainsFunc(d.Proofs, func(p provider.Proof) bool { return p.Traits().CarriesTime }):
		b.line("tolerance", tolerance.String())
	case tolerance <= 0:
		b.line("tolerance", "off")
	}
	if c.Legacy {
		b.WriteString("legacy\n")
	}
}

func (b *block) signature(s *scheme.Signature) {
	b.line("from", s.From)
	b.line("value", s.Value...)
	b.line("encoding", s.Encoding)
	b.line("signed", s.Signed)
	b.timestamp(s.Timestamp)
}

func (b *block) jwt(j *scheme.JWT) {
	fmt.Fprintf(b, "jwt %s {\n", strings.Join(j.Algorithms, " "))
	b.line("from", j.From)
	b.line("key", j.Key)
	b.line("issuer", j.Issuer)
	b.line("audience", j.Audience)
	b.line("url_hash", j.URLHash)
	b.line("keys_from", j.KeysFrom)
	if hash := []string{j.BodyHash}; j.BodyHash != "" {
		if j.HashEncoding != "" {
			hash = append(hash, j.HashEncoding)
		}
		if j.HashOptional {
			hash = append(hash, "optional")
		}
		b.line("body_hash", hash...)
	}
	for _, c := range j.Claims {
		b.line("claim", append([]string{strings.Join(c.Of, ",")}, c.Is...)...)
	}
	b.line("issued", j.Issued)
	b.line("detached", j.Detached)
	if j.X5C != nil {
		b.line("chain", j.X5C.OIDs...)
	}
}

func (b *block) hmac(h *scheme.HMAC) {
	b.WriteString(strings.Join(append(h.Hashes, h.Hash), " ") + " {\n")
	b.line("hash_from", h.HashFrom)
	b.line("from", h.From)
	b.line("value", h.Value...)
	b.line("separators", h.Separators)
	b.line("encoding", h.Encoding)
	b.line("signed", h.Signed...)
	b.line("each", h.Each)
	b.line("key", h.Key)
	b.timestamp(h.Timestamp)
}

func (b *block) timestamp(t *template.Timestamp) {
	if t != nil {
		where := []string{"value"}
		switch {
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
func (b *block) custom(d *provider.Definition) {
	b.WriteString("custom {\n")
	if b.own != nil {
		b.owned(d)
	} else if d.UsesSecret() && (d.NeedsSecret() || d.Proofs[0].JWT != nil) {
		b.line("secret", secretFor(d))
	}
	if !d.IsProven() {
		b.WriteString("none\n")
	}
	for i := range d.Proofs {
		b.proof(&d.Proofs[i])
	}
	b.line("need", d.Need)
	b.line("event", d.Event)
	b.line("id", d.ID)
	fmt.Fprintf(b, "copies by %s {\n", d.Copies.By)
	b.line("without_id", d.Copies.WithoutID)
	b.line("volatile", d.Copies.Volatile...)
	b.WriteString("}\n")
	if d.Forms {
		b.WriteString("forms\n")
	}
	b.line("methods", d.Methods...)
	if a := d.Answer; a != nil {
		if a.Status != 0 || a.Body != "" {
			b.line("answer", fmt.Sprint(max(a.Status, 200)), a.Body, a.ContentType)
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
	b.line("echo", d.Echo...)
	for i := range d.Handshakes {
		b.handshake(&d.Handshakes[i])
	}
	b.WriteString("}")
}

func (b *block) handshake(h *provider.Handshake) {
	fmt.Fprintf(b, "handshake %s %s {\n", h.Kind, h.Challenge)
	b.line("method", h.Method)
	for _, c := range h.When {
		b.line("when", append([]string{c.Of}, c.Is...)...)
	}
	b.line("encrypted", h.Encrypted)
	b.line("pattern", h.Pattern)
	for i := range h.Expect {
		c := &h.Expect[i]
		c.Optional = false // which only options can be
		b.line("expect", append([]string{c.Of}, c.Is...)...)
	}
	if h.Refuse != 0 {
		b.line("refuse", fmt.Sprint(h.Refuse))
	}
	if h.Bare {
		b.WriteString("bare\n")
	}
	b.line("signed", h.Signed)
	if d := h.Digest; d != nil {
		b.line("hash", d.Hash)
		b.line("encoding", d.Encoding)
		b.line("key", d.Key)
		b.line("of", d.Of)
		b.line("field", d.From)
	} else if h.Kind == "hmac" || h.Kind == "hash" {
		h.Digest = new(provider.HandshakeDigest) // which the block always makes
	}
	if h.Status != 0 {
		b.line("status", fmt.Sprint(h.Status))
	}
	for _, name := range slices.Sorted(maps.Keys(h.Header)) {
		b.line("header", name, h.Header[name])
	}
	b.line("text", h.Text)
	b.line("json", h.JSON)
	b.WriteString("}\n")
}

// secretFor returns a secret that every proof of a definition takes.
func secretFor(d *provider.Definition) string {
	if len(d.Proofs) > 0 && d.Proofs[0].HMAC != nil && d.Proofs[0].HMAC.Key == "hex" {
		return providertest.SecretsOf["adyen"]
	}
	return providertest.OwnSecret
}

// TestCustomSaysWhatPresetsSay writes each preset as a provider custom, which
// must be read as the same definition and load.
func TestCustomSaysWhatPresetsSay(t *testing.T) {
	for _, preset := range provider.Presets() {
		values := make(map[string]string)
		for _, o := range preset.Options {
			switch {
			case o.Key:
			case o.Default != "":
				values[o.Name] = o.Default
			default:
				values[o.Name] = providertest.OptionValue(o)
			}
		}
		want, err := preset.Fill(values, []string{providertest.OwnSecret})
		if err != nil {
			t.Fatal(err)
		}
		if want.Answer != nil && want.Answer.Status == 0 {
			want.Answer.Status = 200 // which a line cannot leave out
		}
		want.Copies.Why = "" // which is for those who ask of a preset
		want.Each = nil      // which is the source's line each, beside the provider
		var b block
		b.custom(want)
		text := b.String()
		if !want.IsProven() {
			text = strings.Replace(text, "none\n", "none\ntoken path s\n", 1)
		}
		custom, ok := providertest.MustParse(t, text).(*provider.Custom)
		if !ok {
			t.Fatalf("%s is not read as a provider custom", preset.Name)
		}
		for i := range want.Proofs {
			if j := want.Proofs[i].JWT; j != nil && j.X5C != nil {
				j.X5C.Root = "" // which is a certificate of the configuration here
			}
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
	p := provider.Preset{
		Definition: provider.Definition{Proofs: []provider.Proof{{
			HMAC:    &scheme.HMAC{From: "{header.X}", Value: []string{"{option.key}|{signature}"}},
			Secrets: []string{"{option.ids}"},
		}}},
		Options: []provider.Option{{Name: "key"}, {Name: "ids", Several: true}},
	}
	d, err := p.Fill(map[string]string{"key": `a"b`, "ids": "one two"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Proofs[0]; got.HMAC.Value[0] != `a"b|{signature}` || !slices.Equal(got.Secrets, []string{"one", "two"}) {
		t.Errorf("got %+v with %q", got.Secrets, got.HMAC.Value)
	}
	if p.Proofs[0].HMAC.Value[0] != "{option.key}|{signature}" {
		t.Error("the preset itself was changed")
	}
	if d, err = p.Fill(map[string]string{"key": "", "ids": ""}, nil); err != nil || len(scheme.NonEmpty(d.Proofs[0].Secrets)) != 0 {
		t.Errorf("%v, and %d secrets of an option that is not given", err, len(d.Proofs[0].Secrets))
	}
}

// TestOptionsAreChecked has a preset that needs what it cannot know.
func TestOptionsAreChecked(t *testing.T) {
	t.Setenv("HASH", "sha512")
	t.Setenv("OTHER", "crc32")
	t.Setenv("EMPTY", "")
	preset := provider.Preset{
		Name: "acme", Title: "Acme",
		Definition: provider.Definition{Proofs: []provider.Proof{{
			HMAC: &scheme.HMAC{From: "{header.X-{option.name}}", Hash: "{option.hash}"},
		}}},
		Options: []provider.Option{
			{Name: "name", Required: true},
			{Name: "hash", Default: "sha1", Choices: scheme.HashNames()},
		},
	}
	for _, test := range []struct {
		options map[string]string
		want    string // the error, or the length of a signature
	}{
		{map[string]string{"name": "A"}, "40"},
		{map[string]string{"name": "A", "hash": "sha256"}, "64"},
		{map[string]string{"name": "A", "hash": "{env.HASH}"}, "128"},
		{map[string]string{"name": "A", "hash": "{env.OTHER}"}, `hash takes md5, sha1, sha256, sha384 or sha512, not "crc32"`},
		{map[string]string{"name": "{env.EMPTY}"}, "name 1 has no value: {env.EMPTY} is"},
		{map[string]string{"name": "{envv.NAME}"}, "there is no placeholder {envv.NAME}"},
		{map[string]string{"hash": "sha1"}, "Acme needs a line: name <value>"},
		{map[string]string{"name": "A", "colour": "red"}, "provider acme has no option colour"},
	} {
		k := preset.Known()
		k.Secrets, k.Options = []string{"s"}, test.options
		if err := k.Provision(caddy.Context{}); err != nil {
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v: got %v, want %s", test.options, err, test.want)
			}
			continue
		}
		r := providertest.Hook("body")
		if err := k.Sign(r, providertest.Now); err != nil || fmt.Sprint(len(r.HeaderValue("X-A"))) != test.want {
			t.Errorf("%v: %v, signed %v, want %s", test.options, err, r.Header, test.want)
		}
	}
}

// TestNeed has two proofs, of which a request holds none, one or both.
func TestNeed(t *testing.T) {
	const proofs = "custom a {\ntoken header X-One\ntoken header X-Two {\nsecret b\n}\nneed "
	for need, want := range map[string][]error{
		//       nothing, one,   two,    both, one wrong, two wrong
		"all":   {scheme.Missing, scheme.Missing, scheme.Missing, nil, scheme.Wrong, scheme.Wrong},
		"first": {scheme.Missing, nil, nil, nil, scheme.Wrong, nil},
		"any":   {scheme.Missing, nil, nil, nil, nil, nil},
	} {
		p := providertest.MustParse(t, proofs+need+"\n}")
		if n := p.Profile().Secrets; n != 2 {
			t.Errorf("announces %d secrets", n)
		}
		for i, headers := range [][]string{nil, {"X-One: a"}, {"X-Two: b"}, {"X-One: a", "X-Two: b"},
			{"X-One: x", "X-Two: b"}, {"X-One: a", "X-Two: a"}} {
			r := providertest.Hook("", headers...)
			if err := p.Verify(r, providertest.Now); !errors.Is(err, want[i]) {
				t.Errorf("need %s, %v: got %v, want %v", need, headers, err, want[i])
			}
		}
	}
	r := providertest.Hook("", "X-Two: b")
	if err := providertest.MustParse(t, proofs+"first\n}").Verify(r, providertest.Now); err != nil || r.Matched != 2 {
		t.Errorf("%v, and secret %d of the second proof", err, r.Matched)
	}
}

// TestWhen holds that a proof counts only for the requests that it is for.
func TestWhen(t *testing.T) {
	p := providertest.MustParse(t, "box a {\nsecret_secondary b\n}")
	for name, change := range map[string]func(*template.Request){
		"":          func(*template.Request) {},
		"version":   func(r *template.Request) { r.Header["Box-Signature-Version"] = []string{"2"} },
		"algorithm": func(r *template.Request) { delete(r.Header, "Box-Signature-Algorithm") },
	} {
		r := providertest.Hook("{}")
		if err := p.Sign(r, providertest.Now); err != nil {
			t.Fatal(err)
		}
		change(r)
		if err := p.Verify(r, providertest.Now); (err == nil) != (name == "") {
			t.Errorf("another %q: %v", name, err)
		}
	}
}
