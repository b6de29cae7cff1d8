package scheme_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

func TestToken(t *testing.T) {
	for _, test := range []struct {
		token, path, query, header string
		want                       error
		leftPath, leftQuery        string
	}{
		{"path s3cret", "/hooks/s3cret", "a=1", "", nil, "/hooks", "a=1"},
		{"path s3cret", "/s3cret", "", "", nil, "/", ""},
		{"path s3cret", "/hooks/s3cret/", "", "", scheme.Missing, "/hooks/s3cret", ""},
		{"path s3cret", "/hooks/S3cret", "", "", scheme.Wrong, "/hooks", ""},
		{"path s3cret", "/hooks/", "", "", scheme.Missing, "/hooks", ""},
		{"path s3cret", "/", "", "", scheme.Missing, "/", ""},
		{"path a/b", "/hooks/a%2Fb", "", "", nil, "/hooks", ""},
		{"path a/b", "/hooks/a/b", "", "", scheme.Wrong, "/hooks/a", ""},
		{"path s3cret", "/hooks/s3cret%", "", "", scheme.Missing, "/hooks", ""},
		{"path new old", "/hooks/old", "", "", nil, "/hooks", ""},

		{"query key s3cret", "/h", "key=s3cret", "", nil, "/h", ""},
		{"query key s3cret", "/h", "a=1&key=s3cret&b=%20+2", "", nil, "/h", "a=1&b=%20+2"},
		{"query key s3cret", "/h", "k%65y=s3cret", "", nil, "/h", ""},
		{"query key s3cret", "/h", "key=s3cret&key=other", "", scheme.Wrong, "/h", ""},
		{"query key s3cret", "/h", "key=other&key=s3cret", "", scheme.Wrong, "/h", ""},
		{"query key s3cret", "/h", "key=", "", scheme.Missing, "/h", ""},
		{"query key s3cret", "/h", "key", "", scheme.Missing, "/h", ""},
		{"query key s3cret", "/h", "key=%zz", "", scheme.Missing, "/h", ""},
		{"query key s3cret", "/h", "Key=s3cret", "", scheme.Missing, "/h", "Key=s3cret"},
		{"query key s3cret", "/h", "", "", scheme.Missing, "/h", ""},
		{"query key a+b", "/h", "key=a%2Bb", "", nil, "/h", ""},
		{"query key new old", "/h", "key=old", "", nil, "/h", ""},

		{"header x-key s3cret", "/h", "a=1", "s3cret", nil, "/h", "a=1"},
		{"header X-Key s3cret", "/h", "", "s3cret ", scheme.Wrong, "/h", ""},
		{"header X-Key s3cret", "/h", "", "", scheme.Missing, "/h", ""},
		{"header X-Key new old", "/h", "", "old", nil, "/h", ""},
	} {
		p := providertest.MustParse(t, "insertsign {\ntoken "+test.token+"\n}")
		r := providertest.Hook("{}")
		r.Path, r.RawQuery = test.path, test.query
		if test.header != "" {
			r.Header["X-Key"] = []string{test.header}
		}
		if err := p.Verify(r, providertest.Now); !errors.Is(err, test.want) {
			t.Errorf("%+v: got %v", test, err)
		}
		if p.Strip(r); r.Path != test.leftPath || r.RawQuery != test.leftQuery {
			t.Errorf("%+v: left %s?%s", test, r.Path, r.RawQuery)
		}
	}
}

// TestTokenRoundTrip signs a request, verifies it and strips it: what is left
// must be what was there.
func TestTokenRoundTrip(t *testing.T) {
	for _, secret := range []string{"s3cret", "a/b", "ä ü", "100%", "a+b&c=d", "..", "?"} {
		for _, token := range []string{"path", "query key", "query k&y", "header X-Key"} {
			p := providertest.MustParse(t, "insertsign {\ntoken "+token+" `"+secret+"`\n}")
			r := providertest.Hook("{}")
			if err := p.Sign(r, providertest.Now); err != nil {
				t.Fatal(err)
			}
			target := r.URL(&url.URL{Scheme: "https", Host: "example.com", Path: "/elsewhere"})
			if sent, err := url.Parse(target); err != nil || sent.EscapedPath() != r.Path || sent.RawQuery != r.RawQuery {
				t.Errorf("%s %q: %s does not hold %s?%s", token, secret, target, r.Path, r.RawQuery)
			}
			if err := p.Verify(r, providertest.Now); err != nil {
				t.Errorf("%s %q: %v", token, secret, err)
			}
			if p.Strip(r); r.Path != "/hooks/a" || r.RawQuery != "x=1&y=2" {
				t.Errorf("%s %q: left %s?%s", token, secret, r.Path, r.RawQuery)
			}
		}
	}
}

func TestTokenIsASecret(t *testing.T) {
	for token, shown := range map[string]bool{"path s": true, "query k s": true, "header X-Key s": false} {
		profile := providertest.MustParse(t, "insertsign {\ntoken "+token+"\n}").Profile()
		if len(profile.SecretHeaders) == 1 == shown {
			t.Errorf("%s: secret headers %v", token, profile.SecretHeaders)
		}
	}
	if got := providertest.MustParse(t, "fusesign s").Profile().SecretHeaders; len(got) != 1 || got[0] != "Fuse-Signature" {
		t.Errorf("FuseSign's secret headers are %v", got)
	}
}
