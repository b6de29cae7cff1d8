package presets_test

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
)

// wholeSecrets are shapes in which consoles show a secret that is the key as it stands,
// whatever it looks like.
var wholeSecrets = map[string]string{
	"docuseal":   "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	"elevenlabs": "wsec_0123456789abcdef0123456789abcdef",
	"linear":     "lin_wh_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	"paddle":     "pdl_ntfset_01gkpjp8bkm3tm53kdgkx6sms7_6h3qd3uFSi9YCD3OLYAShQI90XTI5vEI",
	"polar":      "polar_whs_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	"revolut":    "wsk_r59a4HfWVAKycbCaNO1RvgCJec02gRd8",
	"stripe":     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}

// takes reports whether a preset with one secret takes what it signs with another one.
func takes(t *testing.T, preset, signing, verifying string) bool {
	t.Helper()
	signer := providertest.MustParse(t, configWith(preset, signing))
	r, err := signer.Profile().Samples()[0].Request(providertest.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.To(&url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/a"})
	r.DeliveryID = func() string { return "1" }
	if err := signer.Sign(r, providertest.Now); err != nil {
		t.Fatalf("%s: %v", preset, err)
	}
	return providertest.MustParse(t, configWith(preset, verifying)).Verify(r, providertest.Now) == nil
}

func configWith(preset, secret string) string {
	config := strings.Replace(providertest.Configs()[preset], providertest.OwnSecret, secret, 1)
	if own := providertest.SecretsOf[preset]; own != "" {
		config = strings.Replace(config, own, secret, 1)
	}
	return config
}

// TestShownSecrets holds that secrets are taken in the shapes in which consoles show them:
// base64 with and without what stands before it, hex in either case, and whole texts.
func TestShownSecrets(t *testing.T) {
	key := []byte("twenty-four-bytes-of-key")
	encoded := base64.StdEncoding.EncodeToString(key)
	counts := make(map[string]int)
	for _, p := range provider.Presets() {
		if providertest.KeyedConfigs[p.Name] != "" || len(p.Proofs) == 0 {
			continue
		}
		kind := keyKind(p)
		var same []string // the first one as it is documented
		switch counts[kind]++; {
		case wholeSecrets[p.Name] != "":
			whole := wholeSecrets[p.Name]
			if !takes(t, p.Name, whole, whole) || takes(t, p.Name, whole, whole[strings.LastIndexByte(whole, '_')+1:]) {
				t.Errorf("%s: the whole secret is not the key", p.Name)
			}
			continue
		case kind == "base64":
			same = []string{"whsec_" + encoded, encoded, "v1,whsec_" + encoded, strings.TrimRight(encoded, "=")}
		case kind == "whsec_":
			same = []string{"whsec_" + encoded, "v1,whsec_" + encoded}
		case kind == "hex":
			same = []string{hex.EncodeToString(key), strings.ToUpper(hex.EncodeToString(key))}
		default:
			continue
		}
		for _, shown := range same[1:] {
			if !takes(t, p.Name, same[0], shown) || !takes(t, p.Name, shown, same[0]) {
				t.Errorf("%s: %s is not what %s is", p.Name, shown, same[0])
			}
		}
	}
	t.Log(counts)
	if counts["base64"] < 15 || counts["hex"] < 4 || counts["whsec_"] < 2 {
		t.Errorf("there are too few: %v", counts)
	}
	for name := range wholeSecrets {
		if !slices.ContainsFunc(provider.Presets(), func(p *provider.Preset) bool { return p.Name == name }) {
			t.Errorf("there is no preset %s", name)
		}
	}
}

// keyKind returns how the secret of a preset becomes a key.
func keyKind(p *provider.Preset) string {
	kind := ""
	for i := range p.Proofs {
		if prefix := p.Proofs[i].SecretPrefix; prefix != "" {
			return prefix
		}
		if h := p.Proofs[i].HMAC; h != nil {
			kind = h.Key
		}
	}
	return kind
}

// TestSecretsOfOthers holds that a secret in a shape that is no key says what to do.
func TestSecretsOfOthers(t *testing.T) {
	for config, want := range map[string]string{
		"standardwebhooks polar_whs_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": "use: provider polar",
		"svix whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw":                  "configure the public half of it",
		"clerk whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw":                 "write: public_key whpk_…",
		"resend re_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw":                  "character 3 of 35 is - or _",
		"lithic whsec_s3cret!":                                        "begins with whsec_, which is cut off",
		"airtable `MfKQ9r8GKYqr TwjUPD8ILPZIo2LaLaSw`":                "character 13 of 33",
		"finch MfKQ9": "it has 5 characters",
		"adyen 0x44782DEF547AAA06C910C43932B1EB0C": "begins with 0x",
		"onfleet 44782DEF547AAA06C910C43932B1EB0":  "it has 31 characters",
		"squarespace s3cret":                       "character 1 of 6 is none of hex",
		"openai whsec_MfKQ":                        "write the secret whole",
	} {
		_, err := providertest.Parse(config)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "MfKQ") || strings.Contains(err.Error(), "44782DEF") {
			t.Errorf("%s: %v", config, err)
		}
	}
}
