package provider_test

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// withLine returns a configuration with one more line.
func withLine(config, line string) string {
	if before, block := strings.CutSuffix(config, "}"); block {
		return before + line + "\n}"
	}
	return config + " {\n" + line + "\n}"
}

// TestLegacy has a request of each preset with nothing but a weaker proof: it is refused
// unless the configuration asks for such proofs, which it cannot where there are none.
func TestLegacy(t *testing.T) {
	presets := make(map[string]bool)
	for name, config := range providertest.Configs() {
		preset := providertest.PresetOf(name)
		strict := providertest.MustParse(t, config)
		asked, err := providertest.Parse(withLine(config, "legacy"))
		weaker := false
		for i := range preset.Proofs {
			weaker = weaker || preset.Proofs[i].Legacy
		}
		if !weaker {
			if err == nil || !strings.Contains(err.Error(), `unknown subdirective "legacy"`) {
				t.Errorf("%s has no weaker proof, and takes the line legacy: %v", name, err)
			}
			k := preset.Known()
			k.Secrets, k.Legacy = []string{providertest.OwnSecret}, true
			if err := k.Provision(caddy.Context{}); err == nil {
				t.Errorf("%s has no weaker proof, and loads with legacy", name)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if strict.Profile().Legacy || !asked.Profile().Legacy {
			t.Errorf("%s: the profile does not say what is asked for", name)
		}
		for _, p := range asked.(*provider.Known).Counting() {
			if !p.Legacy {
				continue
			}
			presets[name] = true
			if providertest.KeyedConfigs[name] != "" {
				continue // nobody but the provider can sign; its vectors have the weaker proof
			}
			r, err := asked.Profile().Samples()[0].Request(providertest.Now, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.To(&url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/hooks/a"})
			for _, other := range asked.(*provider.Known).Counting() {
				for _, header := range other.SchemeHeaders() {
					delete(r.Header, header)
				}
			}
			if err := p.SignAlone(r, providertest.Now); err != nil {
				t.Fatal(err)
			}
			if err := asked.Verify(r, providertest.Now); err != nil {
				t.Errorf("%s: %v, though weaker proofs are asked for", name, err)
			}
			if err := strict.Verify(r, providertest.Now); err == nil {
				t.Errorf("%s takes what has a weaker proof alone", name)
			}
			causes := strict.(provider.Diagnoser).Diagnose(r, providertest.Now).Causes
			if len(causes) != 1 || !strings.Contains(causes[0], "the line legacy") {
				t.Errorf("%s: the diagnosis says %q", name, causes)
			}
		}
	}
	for _, name := range []string{"plivo", "hubspot", "hook0", "coinbase_cdp"} {
		if !presets[name] {
			t.Errorf("%s has no weaker proof", name)
		}
	}
}

// TestDowngrade takes the better proof from a request that has both.
func TestDowngrade(t *testing.T) {
	for name, strong := range map[string][]string{
		"plivo":   {"X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3"},
		"hubspot": {"X-Hubspot-Signature-V3"},
	} {
		config := providertest.Configs()[name]
		strict, asked := providertest.MustParse(t, config), providertest.MustParse(t, withLine(config, "legacy"))
		r, err := asked.Profile().Samples()[0].Request(providertest.Now, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.To(&url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/hooks/a"})
		for _, p := range asked.(*provider.Known).Counting() {
			if err := p.SignAlone(r, providertest.Now); err != nil {
				t.Fatal(err)
			}
		}
		if err := strict.Verify(r, providertest.Now); err != nil {
			t.Errorf("%s, with all proofs: %v", name, err)
		}
		for _, header := range strong {
			delete(r.Header, header)
		}
		if err := strict.Verify(r, providertest.Now); !errors.Is(err, scheme.Missing) {
			t.Errorf("%s, without %s: %v", name, strong, err)
		}
	}
}

// TestSigningKeepsWeakerProofs holds that an app which looks at the weaker proof finds a
// new one, whatever the gateway itself looks at.
func TestSigningKeepsWeakerProofs(t *testing.T) {
	config := providertest.Configs()["plivo"]
	strict, asked := providertest.MustParse(t, config), providertest.MustParse(t, withLine(config, "legacy"))
	r := providertest.Hook("MessageUUID=m&Status=sent", "Content-Type: "+providertest.FormType)
	old := map[string]string{"X-Plivo-Signature-V2": "AAAA", "X-Plivo-Signature": "AAAA"}
	for name, value := range old {
		r.Header[name] = []string{value}
	}
	if err := strict.Sign(r, providertest.Now); err != nil {
		t.Fatal(err)
	}
	if err := strict.Verify(r, providertest.Now); err != nil {
		t.Error(err)
	}
	for _, p := range asked.(*provider.Known).Counting() {
		if p.Legacy {
			if err := p.VerifyAlone(r, providertest.Now); err != nil {
				t.Errorf("%s: %v", p.SchemeHeaders(), err)
			}
		}
	}
}

// TestExtendedHash forges a body of which the hash is made without the secret: hashing
// goes on behind the end of a genuine text. It is refused by each digest whose secret
// stands before the body.
func TestExtendedHash(t *testing.T) {
	const secret = "s3cret"
	for name, test := range map[string]struct {
		config, before, header string
		headers                []string
	}{
		"lark": {"lark " + secret, "1760000000n" + secret, "X-Lark-Signature",
			[]string{"X-Lark-Request-Timestamp: 1760000000", "X-Lark-Request-Nonce: n"}},
		"hubspot": {"hubspot " + secret + " {\nlegacy\n}", secret, "X-HubSpot-Signature", []string{"X-HubSpot-Signature-Version: v1"}},
		"custom":  {"custom " + secret + " {\ndigest sha256 {\nheader X-Hash\nsigned {secret}{body}\n}\n}", secret, "X-Hash", nil},
	} {
		p := providertest.MustParse(t, test.config)
		genuine := `{"a":1}`
		sum := sha256.Sum256([]byte(test.before + genuine))
		hook := func(body string, sum []byte) *template.Request {
			return providertest.Hook(body, append([]string{test.header + ": " + hex.EncodeToString(sum)}, test.headers...)...)
		}
		if err := p.Verify(hook(genuine, sum[:]), providertest.Now); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		padding, forged := extend(t, sum, len(test.before+genuine), `,"evil":1}`)
		body := genuine + padding + `,"evil":1}`
		if want := sha256.Sum256([]byte(test.before + body)); want != forged {
			t.Fatal("the hash of the longer text is another one")
		}
		if err := p.Verify(hook(body, forged[:]), providertest.Now); !errors.Is(err, scheme.Wrong) {
			t.Errorf("%s: a body that was made longer without the secret: %v", name, err)
		}
	}
}

// extend returns what SHA-256 fills its last block with behind a text of a length, and the
// hash of the text with that and more behind it. Only the text's own hash is known.
func extend(t *testing.T, sum [sha256.Size]byte, length int, more string) (padding string, extended [sha256.Size]byte) {
	t.Helper()
	fill := make([]byte, 1+(119-length%64)%64, 72)
	fill[0] = 0x80
	fill = binary.BigEndian.AppendUint64(fill, uint64(length)*8)
	state := append([]byte("sha\x03"), sum[:]...)
	state = append(state, make([]byte, sha256.BlockSize)...)
	state = binary.BigEndian.AppendUint64(state, uint64(length+len(fill)))
	h := sha256.New()
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		t.Fatal(err)
	}
	h.Write([]byte(more))
	return string(fill), [sha256.Size]byte(h.Sum(nil))
}

// TestProofsOfTheirOwn holds what can be said of proofs that have an ID or are weaker.
func TestProofsOfTheirOwn(t *testing.T) {
	const two = "custom s {\nhmac {\nheader X-A\n%s\n}\nhmac {\nheader X-B\n%s\n}\n%s\n}"
	write := func(first, second, more string) string {
		return strings.NewReplacer("%s\n}\nhmac", first+"\n}\nhmac", "X-B\n%s", "X-B\n"+second, "%s\n}", more+"\n}").Replace(two)
	}
	for _, test := range []struct{ config, want string }{
		{write("", "legacy", "need first"), ""},
		{write("", "legacy", "need first\nlegacy"), ""},
		{write("id body.a", "id body.b", "need any"), ""},
		{write("", "legacy", ""), "a legacy proof stands beside others"},
		{write("legacy", "legacy", "need any"), "all proofs are legacy"},
		{write("id body.a", "", ""), "event and id of a proof are for need first or any"},
		{write("signed {id}{body}\nid body.a", "", "id body.b\nneed any"), "a proof that covers {id} has no id of its own"},
		{write("", "", "need any\nlegacy"), "legacy has no effect here"},
		{write("", "", "copies by id"), "copies by id: there is no ID"},
		{write("id body.a", "", "need any\ncopies by id"), ""},
	} {
		_, err := providertest.Parse(test.config)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.config, err, test.want)
		}
	}
}

// TestIdentityOfTheProof holds that ID and event type are those of the proof that counted.
func TestIdentityOfTheProof(t *testing.T) {
	p := providertest.MustParse(t, "custom s {\nhmac {\nheader X-A\nid body.a\nevent body.x\n}\nhmac {\nheader X-B\nid body.b\n}\nid body.c\nevent body.y\nneed first\n}")
	counting := p.(*provider.Custom).Counting()
	for i, want := range [][2]string{{"x", "a"}, {"y", "b"}} {
		r := providertest.Hook(`{"a":"a","b":"b","c":"c","x":"x","y":"y"}`)
		if err := counting[i].SignAlone(r, providertest.Now); err != nil {
			t.Fatal(err)
		}
		if err := p.Verify(r, providertest.Now); err != nil || r.Proof != i+1 {
			t.Errorf("%v, by proof %d, want %d", err, r.Proof, i+1)
		}
		if event, id := providertest.Identify(t, p.Profile(), r); event != want[0] || id != want[1] {
			t.Errorf("proof %d: event %q and ID %q, want %q", r.Proof, event, id, want)
		}
	}
	r := providertest.Hook(`{"c":"c","y":"y"}`)
	if event, id := providertest.Identify(t, p.Profile(), r); event != "y" || id != "c" {
		t.Errorf("without a proof: event %q and ID %q", event, id)
	}
}
