package provider

import "testing"

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
		{"websub {\ntoken header X-Guard g\n}", true, false, nil, Missing},
		{"websub {\ntoken header X-Guard g\n}", true, false, []string{"X-Guard: g"}, nil},
		{"websub s", true, true, nil, Missing},
		{"websub s", true, true, []string{"X-Hub-Signature: sha256=00"}, Wrong},
		{"cloudevents", false, false, nil, nil},
		{"cloudevents s", true, false, nil, Missing},
		{"cloudevents s", true, false, []string{"Authorization: Bearer s"}, nil},
		{"cloudevents s", true, false, []string{"Authorization: Bearer x"}, Wrong},
	} {
		p := mustParse(t, test.config)
		if got := p.Proves(); got != test.proves {
			t.Errorf("%s: proves is %v", test.config, got)
		}
		if got := p.(Resigner).Resigns(); got != test.resign {
			t.Errorf("%s: resigns is %v", test.config, got)
		}
		if err := p.Verify(hook("{}", test.headers...), now); err != test.want {
			t.Errorf("%s, %q: got %v, want %v", test.config, test.headers, err, test.want)
		}
	}
	query := hook("{}")
	query.RawQuery = "access_token=s"
	if err := mustParse(t, "cloudevents s").Verify(query, now); err != nil {
		t.Errorf("a token in the query: %v", err)
	}
	if _, err := parse("github"); err == nil {
		t.Error("a preset whose secret is not optional loads without one")
	}
}
