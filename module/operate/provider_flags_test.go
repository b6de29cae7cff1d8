package operate

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// publicPEM is a public key as it comes in a file, of several lines.
const publicPEM = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n"

// TestProviderFlags makes sources of what a command line gives.
func TestProviderFlags(t *testing.T) {
	t.Setenv("NAMED_SECRET", "s3cr3t")
	for name, test := range map[string]struct {
		provider         string
		secrets, options []string
		says             string // "" if it is made
	}{
		"secret":                {"insigner", []string{"s3cr3t"}, nil, ""},
		"two secrets":           {"insigner", []string{"old", "s3cr3t"}, nil, ""},
		"secret with spaces":    {"insigner", []string{`a "b" # c`}, nil, ""},
		"secret that resolves":  {"insigner", []string{"{env.NAMED_SECRET}"}, nil, ""},
		"secret as an option":   {"insigner", nil, []string{"secret=s3cr3t"}, ""},
		"option":                {"insigner", []string{"s"}, []string{"tolerance=10m"}, ""},
		"words":                 {"insigner", []string{"s"}, []string{`token=header "X-Guard" g1 g2`}, ""},
		"words one by one":      {"insigner", []string{"s"}, []string{"token=header", "token=X-Guard", "token=g"}, ""},
		"key of several lines":  {"discord", nil, []string{"public_key=" + publicPEM}, ""},
		"the same in quotes":    {"discord", nil, []string{"public_key=`" + publicPEM + "`"}, ""},
		"two keys":              {"discord", nil, []string{"public_key=" + publicPEM, "public_key=" + publicPEM}, ""},
		"checked by a call":     {"ignisign", nil, []string{"app_id=a", "app_env=TEST", "api_key=k"}, ""},
		"unknown provider":      {"insign", nil, nil, `no provider "insign"; there is insigner`},
		"custom":                {"custom", nil, nil, "name a source"},
		"no secret":             {"insigner", nil, nil, "needs a secret"},
		"secret without value":  {"insigner", []string{"{env.NAMED_NOTHING}"}, nil, "has no value"},
		"unknown option":        {"insigner", []string{"s"}, []string{"color=red"}, `unknown subdirective "color"`},
		"option without value":  {"insigner", []string{"s"}, []string{"tolerance="}, "--option tolerance"},
		"option that is none":   {"insigner", []string{"s"}, []string{"tolerance"}, "<name>=<value>"},
		"option without a name": {"insigner", []string{"s"}, []string{"=10m"}, "<name>=<value>"},
		"end of the block":      {"insigner", []string{"s"}, []string{"}=x"}, "<name>=<value>"},
		"wrong option":          {"insigner", []string{"s"}, []string{"tolerance=soon"}, "--option tolerance"},
		"too many words":        {"insigner", []string{"s"}, []string{"tolerance=1m 2m"}, "--option tolerance"},
		"missing option":        {"ignisign", nil, []string{"app_id=a"}, "app_env"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := (&providerFlags{test.provider, test.secrets, test.options}).newSource()
			if test.says == "" {
				if err != nil || p == nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.As(err, new(usageError)) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want wrong usage that says %q", err, test.says)
			}
		})
	}
}

// TestProviderFlagsIsThatOfACaddyfile signs with one and verifies with another.
func TestProviderFlagsIsThatOfACaddyfile(t *testing.T) {
	now := time.Now()
	signer, err := (&providerFlags{"insigner", []string{`a "b"`}, []string{"token=header X-Guard g"}}).newSource()
	if err != nil {
		t.Fatal(err)
	}
	r := &provider.Request{Method: "POST", Path: "/", Header: map[string][]string{}, Body: []byte("{}")}
	if err := signer.Provider().Sign(r, now); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		secrets, options []string
		want             error
	}{
		{[]string{"old", `a "b"`}, []string{"token=header X-Guard x g"}, nil},
		{[]string{`a "b"`}, []string{"token=header X-Guard x"}, provider.Wrong},
		{[]string{"a", `"b" c`}, nil, provider.Wrong},
	} {
		p, err := (&providerFlags{"insigner", test.secrets, test.options}).newSource()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Provider().Verify(r, now); !errors.Is(err, test.want) {
			t.Errorf("%q %q: got %v, want %v", test.secrets, test.options, err, test.want)
		}
	}
}
