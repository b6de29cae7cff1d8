package provider_test

import (
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
)

// notCustom are the vectors that provider custom does not run, with the reason.
var notCustom = map[string]string{
	"paypal-01": "the certificate that it was signed with is not public, so the preset does not run it either",
}

// TestCustomRunsVectors writes the preset of each vector as a provider custom, with the
// secrets, keys and options of the vector, and has that verify the request, answer the
// handshake, or refuse to load.
func TestCustomRunsVectors(t *testing.T) {
	ran := make(map[string]bool)
	for _, v := range providertest.ReadVectors(t) {
		ran[v.ID] = true
		if notCustom[v.ID] != "" {
			continue
		}
		text := asCustom(t, v)
		custom, err := providertest.Parse(text)
		if _, ok := custom.(*provider.Custom); !ok && err == nil {
			t.Fatalf("%s is not read as a provider custom", v.Provider)
		}
		switch {
		case v.ConfigError:
			if err == nil {
				t.Errorf("%s loads, though %s:\n%s", v.ID, v.Reason, text)
			}
			continue
		case err != nil:
			t.Errorf("%s: %v in\n%s", v.ID, err, text)
			continue
		case v.Type == "handshake":
			t.Run(v.ID, func(t *testing.T) { greet(t, v, custom) })
			continue
		}
		err = v.Verify(custom, v.Request(t))
		if valid := err == nil; valid != (v.Expected == "valid") {
			t.Errorf("%s: got %v, want %s (%s) by\n%s", v.ID, err, v.Expected, v.Reason, text)
		}
	}
	for id := range notCustom {
		if !ran[id] {
			t.Errorf("there is no vector %s", id)
		}
	}
}

// asCustom writes the receiver of a vector as a provider custom.
func asCustom(t *testing.T, v *providertest.Vector) string {
	t.Helper()
	loads := *v
	if v.ConfigError { // which is about the secret
		loads.Secret = providertest.OwnSecret
	}
	known := providertest.MustParse(t, vectorConfig(t, &loads)).(*provider.Known)
	d, err := known.Defined()
	if err != nil {
		t.Fatal(err)
	}
	if v.ConfigError {
		known.WithSecrets(providertest.Texts(v.Secret))
	}
	b := block{own: known}
	b.custom(d)
	return b.String()
}
