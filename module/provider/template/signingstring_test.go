package template_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// TestSigningString writes what draft-cavage-http-signatures signs. Its example has the
// digest of {"hello": "world"}.
func TestSigningString(t *testing.T) {
	const body, digest = `{"hello": "world"}`, "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="
	const all = "(request-target) host date digest"
	signed := func(lines ...string) string { return strings.Join(lines, "\n") }
	target, host, date := "(request-target): post /foo?param=value&pet=dog", "host: example.com", "date: Sun, 05 Jan 2014 21:31:40 GMT"
	for _, test := range []struct{ what, list, digest, need, want string }{
		{"everything", all, digest, all, signed(target, host, date, "digest: "+digest)},
		{"another order", "digest Date (request-target)", digest, "digest", signed("digest: "+digest, date, target)},
		{"the length", "digest content-length", digest, "digest", signed("digest: "+digest, "content-length: 18")},
		{"not enough", "host date digest", digest, all, ""},
		{"one twice", "digest date date", digest, "digest", ""},
		{"a header that is not there", "digest x-other", digest, "digest", ""},
		{"a header that is there twice", "digest x-twice", digest, "digest", ""},
		{"no list", "", digest, "digest", ""},
		{"another body's digest", all, "SHA-256=Y48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=", all, ""},
		{"one right, one wrong", all, digest + ",sha-512=AAAA", all, ""},
		{"a hash that nobody knows", all, "unixsum=30637", all, ""},
		{"that beside a right one", "digest", "unixsum=30637, " + digest, "digest", "digest: unixsum=30637, " + digest},
		{"too many", "digest" + strings.Repeat(" date", 64), digest, "digest", ""},
	} {
		compiled, err := template.Parse("{header.X-List|signing_string " + test.need + "}")
		if err != nil {
			t.Fatal(err)
		}
		public, _ := url.Parse("https://example.com/foo?param=value&pet=dog")
		e := template.NewEnv(&template.Request{
			Method: "POST", Body: []byte(body), Public: public,
			Header: map[string][]string{"X-List": {test.list}, "Date": {date[len("date: "):]}, "Digest": {test.digest}, "X-Twice": {"1", "2"}},
		}, nil)
		if got, ok := compiled.Bytes(e); string(got) != test.want || ok != (test.want != "") {
			t.Errorf("%s: %q (%v), want %q", test.what, got, ok, test.want)
		}
		e.Free()
	}
}
