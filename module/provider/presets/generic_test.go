package presets_test

import (
	"errors"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// TestOptionalSecret holds that providers which need not sign are checked where
// there is a secret, and prove nothing without one.
func TestOptionalSecret(t *testing.T) {
	for _, test := range []struct {
		config         string
		proves, resign bool
		headers        []string
		want           error
	}{
		{"websub", false, false, nil, nil},
		{"websub {\ntoken header X-Guard g\n}", true, false, nil, scheme.Missing},
		{"websub {\ntoken header X-Guard g\n}", true, false, []string{"X-Guard: g"}, nil},
		{"websub s", true, true, nil, scheme.Missing},
		{"websub s", true, true, []string{"X-Hub-Signature: sha256=00"}, scheme.Wrong},
		{"cloudevents", false, false, nil, nil},
		{"cloudevents s", true, false, nil, scheme.Missing},
		{"cloudevents s", true, false, []string{"Authorization: Bearer s"}, nil},
		{"cloudevents s", true, false, []string{"Authorization: Bearer x"}, scheme.Wrong},
	} {
		p := providertest.MustParse(t, test.config)
		if got := p.Proves(); got != test.proves {
			t.Errorf("%s: proves is %v", test.config, got)
		}
		if got := p.(provider.Resigner).Unsignable("") == ""; got != test.resign {
			t.Errorf("%s: signable is %v", test.config, got)
		}
		if err := p.Verify(providertest.Hook("{}", test.headers...), providertest.Now); !errors.Is(err, test.want) {
			t.Errorf("%s, %q: got %v, want %v", test.config, test.headers, err, test.want)
		}
	}
	query := providertest.Hook("{}")
	query.RawQuery = "access_token=s"
	if err := providertest.MustParse(t, "cloudevents s").Verify(query, providertest.Now); err != nil {
		t.Errorf("a token in the query: %v", err)
	}
	// Before the body is read, a wrong token is not said to be missing.
	wrong := providertest.Hook("", "Authorization: Bearer x")
	if err := providertest.MustParse(t, "cloudevents s").Screen(wrong, providertest.Now); !errors.Is(err, scheme.Wrong) {
		t.Errorf("a wrong token: %v", err)
	}
	if _, err := providertest.Parse("github"); err == nil {
		t.Error("a preset whose secret is not optional loads without one")
	}
}
