package provider

import (
	"crypto"
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
)

// TestSignatureBase compares what is signed with the RFC's own examples.
func TestSignatureBase(t *testing.T) {
	compared := 0
	for _, v := range keyedVectors(t) {
		if v.Base == "" {
			continue
		}
		compared++
		r := v.request(t)
		m := MessageSignature{Label: strings.Join(texts(v.options["label"]), "")}
		if base, err := m.Base(r); err != nil || base != v.Base {
			t.Errorf("%s: got\n%s\nwant\n%s\n%v", v.ID, base, v.Base, err)
		}
	}
	if compared == 0 {
		t.Error("there are no examples")
	}
}

// TestComponents gives the examples of RFC 9421, section 2.
func TestComponents(t *testing.T) {
	r := hook("{}", "X-Padded:   a  ", "X-Twice: a", "X-Twice: b", "X-Empty: ")
	r.Public.Host, r.Public.Path = "HOOKS.example.com:443", "/hooks/a b"
	r.Public.RawQuery = "x=1&na%20me=two+words&twice=1&twice=2&e="
	for identifier, want := range map[string]string{
		`"@method"`:                       "POST",
		`"@authority"`:                    "hooks.example.com",
		`"@scheme"`:                       "https",
		`"@path"`:                         "/hooks/a%20b",
		`"@query"`:                        "?x=1&na%20me=two+words&twice=1&twice=2&e=",
		`"@request-target"`:               "/hooks/a%20b?x=1&na%20me=two+words&twice=1&twice=2&e=",
		`"@target-uri"`:                   "https://HOOKS.example.com:443/hooks/a%20b?x=1&na%20me=two+words&twice=1&twice=2&e=",
		`"@query-param";name="x"`:         "1",
		`"@query-param";name="na%20me"`:   "two%20words",
		`"@query-param";name="e"`:         "",
		`"@query-param";name="twice"`:     string(Repeated),
		`"@query-param";name="z"`:         string(Missing),
		`"@query-param"`:                  string(Malformed),
		`"@query-param";name="x";tr`:      string(Malformed),
		`"@status"`:                       string(Malformed),
		`"@signature-params"`:             string(Malformed),
		`"x-padded"`:                      "a",
		`"x-twice"`:                       "a, b",
		`"x-empty"`:                       "",
		`"X-Padded"`:                      string(Malformed),
		`"x-nowhere"`:                     string(Missing),
		`"x-padded";sf`:                   string(Malformed),
		`"content-length"`:                "2",
		`"x-padded" "x-padded"`:           string(Malformed),
		strings.Repeat(`"@method" `, 200): string(Malformed),
	} {
		parsed, err := httpsfv.UnmarshalList([]string{"(" + strings.TrimSpace(identifier) + ")"})
		if err != nil {
			t.Fatalf("%s: %v", identifier, err)
		}
		list := parsed[0].(httpsfv.InnerList)
		base, _, err := signatureBase(r, nil, &list)
		got := strings.TrimPrefix(strings.Split(base, "\n")[0], identifier+": ")
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", identifier, got, want)
		}
	}
}

const digestOf = "sha-256=:%s:"

// signMessage signs a request by RFC 9421.
func signMessage(t testing.TB, r *Request, input string, sign func(base string) []byte) {
	t.Helper()
	list, err := httpsfv.UnmarshalList([]string{input})
	if err != nil {
		t.Fatal(err)
	}
	inner := list[0].(httpsfv.InnerList)
	base, _, err := signatureBase(r, nil, &inner)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Signature-Input"] = []string{"s=" + input}
	r.Header["Signature"] = []string{"s=:" + base64.StdEncoding.EncodeToString(sign(base)) + ":"}
}

// TestMessageSignatures signs with every algorithm and verifies with each.
func TestMessageSignatures(t *testing.T) {
	_, ed := edKey('a')
	secret := []byte("a secret of a provider")
	keys := map[string]any{
		"hmac-sha256": secret, "ed25519": ed, "ecdsa-p256-sha256": ecKey(t, elliptic.P256()),
		"ecdsa-p384-sha384": ecKey(t, elliptic.P384()), "rsa-pss-sha512": rsaKey(), "rsa-v1_5-sha256": rsaKey(),
	}
	if len(keys) != len(messageAlgorithms) {
		t.Errorf("%d algorithms are tried, %d are known", len(keys), len(messageAlgorithms))
	}
	input := fmt.Sprintf(`("@method" "content-digest");created=%d;keyid="k"`, now.Unix())
	for pinned, key := range keys {
		given := "secret " + base64.StdEncoding.EncodeToString(secret)
		if signer, ok := key.(crypto.Signer); ok {
			given = "public_key `" + pemOf(t, signer.Public()) + "`"
		}
		p := mustParse(t, "custom {\nmessage_signature "+pinned+" {\n"+given+"\n}\n}")
		for used, key := range keys {
			for _, alg := range []string{"", `;alg="` + used + `"`, `;alg="` + pinned + `"`} {
				r := hook("{}", "Content-Digest: "+fmt.Sprintf(digestOf, hashText("base64", []byte("{}"))))
				signMessage(t, r, input+alg, func(base string) []byte {
					if signer, ok := key.(crypto.Signer); ok {
						return signWithKey(t, messageAlgorithms[used], signer, base)
					}
					return sumOf(messageAlgorithms[used], secret, []byte(base))
				})
				err := p.Verify(r, now)
				if valid := err == nil; valid != (used == pinned) {
					t.Errorf("pinned to %s, signed with %s%s: %v", pinned, used, alg, err)
				}
			}
		}
	}
}

// TestMessageSignatureRules holds what a valid signature does not excuse.
func TestMessageSignatureRules(t *testing.T) {
	_, private := edKey('a')
	const config = "custom {\npublic_key " + rfc8032Key + "\nmessage_signature ed25519 {\ncomponents @method content-digest @query-param;name=\"x\"\ntag hooks\n}\n}"
	public, _ := edKey('a')
	p := mustParse(t, strings.Replace(config, rfc8032Key, fmt.Sprintf("%x", public), 1))
	const components = `("@method" "content-digest" "@query-param";name="x")`
	params := func(format string, offset ...any) string { return fmt.Sprintf(format, offset...) }
	good := params(`;created=%d;tag="hooks"`, now.Unix())
	digest := fmt.Sprintf(digestOf, hashText("base64", []byte("{}")))
	for name, test := range map[string]struct {
		input  string
		digest string
		change func(r *Request)
		want   error
	}{
		"good":                     {components + good, digest, nil, nil},
		"more is covered":          {`("@method" "@authority" "content-digest" "@query-param";name="x")` + good, digest, nil, nil},
		"the method is not":        {`("content-digest" "@query-param";name="x")` + good, digest, nil, Wrong},
		"the digest is not":        {`("@method" "@query-param";name="x")` + good, digest, nil, Wrong},
		"another parameter is":     {`("@method" "content-digest" "@query-param";name="y")` + good, digest, nil, Wrong},
		"nothing is":               {`()` + good, digest, nil, Wrong},
		"another body":             {components + good, digest, func(r *Request) { r.Body = []byte("[]") }, Wrong},
		"another method":           {components + good, digest, func(r *Request) { r.Method = "PUT" }, Wrong},
		"another query":            {components + good, digest, func(r *Request) { r.Public.RawQuery = "x=2" }, Wrong},
		"a query with it twice":    {components + good, digest, func(r *Request) { r.Public.RawQuery = "x=1&x=1" }, Repeated},
		"a digest of another body": {components + good, fmt.Sprintf(digestOf, hashText("base64", []byte("[]"))), nil, Wrong},
		"one of two is wrong":      {components + good, digest + ", sha-512=:AA==:", nil, Wrong},
		"an old digest beside it":  {components + good, digest + ", md5=:AA==:", nil, nil},
		"an old digest alone":      {components + good, "md5=:AA==:", nil, Malformed},
		"a digest as text":         {components + good, `sha-256="AA=="`, nil, Wrong},
		"no tag":                   {components + params(";created=%d", now.Unix()), digest, nil, Foreign},
		"another tag":              {components + params(`;created=%d;tag="x"`, now.Unix()), digest, nil, Foreign},
		"not created":              {components + `;tag="hooks"`, digest, nil, NoTime},
		"created as text":          {components + `;created="now";tag="hooks"`, digest, nil, NoTime},
		"too old":                  {components + params(`;created=%d;tag="hooks"`, now.Unix()-301), digest, nil, TooOld},
		"too new":                  {components + params(`;created=%d;tag="hooks"`, now.Unix()+301), digest, nil, TooNew},
		"expired":                  {components + good + params(";expires=%d", now.Unix()-300), digest, nil, TooOld},
		"expires":                  {components + good + params(";expires=%d", now.Unix()+1), digest, nil, nil},
		"another algorithm":        {components + good + `;alg="hmac-sha256"`, digest, nil, Wrong},
		"its algorithm":            {components + good + `;alg="ed25519"`, digest, nil, nil},
		"parameters changed": {components + good, digest, func(r *Request) {
			r.Header["Signature-Input"] = []string{"s=" + components + good + ";a"}
		}, Wrong},
		"two inputs": {components + good, digest, func(r *Request) {
			r.Header["Signature-Input"] = append(r.Header["Signature-Input"], "t=()")
		}, Repeated},
		"two labels": {components + good, digest, func(r *Request) {
			r.Header["Signature-Input"][0] += ", t=()"
		}, Repeated},
		"another label": {components + good, digest, func(r *Request) {
			r.Header["Signature"][0] = "t" + r.Header["Signature"][0][1:]
		}, Missing},
		"no signature": {components + good, digest, func(r *Request) { delete(r.Header, "Signature") }, Missing},
		"no input":     {components + good, digest, func(r *Request) { delete(r.Header, "Signature-Input") }, Missing},
		"a bad input":  {components + good, digest, func(r *Request) { r.Header["Signature-Input"] = []string{"s=("} }, Malformed},
		"not a list":   {components + good, digest, func(r *Request) { r.Header["Signature-Input"] = []string{"s=1"} }, Malformed},
		"no bytes":     {components + good, digest, func(r *Request) { r.Header["Signature"] = []string{"s=1"} }, Malformed},
	} {
		r := hook("{}", "Content-Digest: "+test.digest)
		r.Public.RawQuery = "x=1&y=2"
		signMessage(t, r, test.input, func(base string) []byte { return signWithKey(t, algorithm{kind: "ed25519"}, private, base) })
		if test.change != nil {
			test.change(r)
		}
		if err := p.Verify(r, now); err != test.want {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if err := p.Sign(hook("{}"), now); err == nil || p.(Resigner).Resigns() {
		t.Errorf("signed: %v", err)
	}
}

// TestMessageSignatureLabel takes the one of several signatures that is meant.
func TestMessageSignatureLabel(t *testing.T) {
	public, private := edKey('a')
	p := mustParse(t, fmt.Sprintf("rfc9421 {\nalgorithm ed25519\nlabel s\npublic_key %x\n}", public))
	r := hook("{}")
	signMessage(t, r, fmt.Sprintf(`("@method");created=%d`, now.Unix()), func(base string) []byte {
		return signWithKey(t, algorithm{kind: "ed25519"}, private, base)
	})
	r.Header["Signature-Input"][0] = "proxy=(), " + r.Header["Signature-Input"][0]
	r.Header["Signature"][0] = "proxy=:AA==:, " + r.Header["Signature"][0]
	if err := p.Verify(r, now); err != nil {
		t.Error(err)
	}
	pinned := mustParse(t, fmt.Sprintf("rfc9421 {\nalgorithm ed25519\nlabel s\npublic_key %x\ncomponents content-digest\n}", public))
	if err := pinned.Verify(r, now); err != Wrong {
		t.Errorf("without the component that is pinned: %v", err)
	}
}

// TestMessageSignatureCovers holds what the preset demands of a signature of which
// neither label nor components are known.
func TestMessageSignatureCovers(t *testing.T) {
	public, private := edKey('a')
	const digest = "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:" // of {}
	for label, wants := range map[string]map[string]error{
		"":        {`()`: Wrong, `("@method")`: Wrong, `("content-digest")`: Wrong, `("@method" "content-digest")`: nil},
		"label s": {`()`: nil, `("@method")`: nil, `("content-digest")`: nil, `("@method" "content-digest")`: nil},
	} {
		p := mustParse(t, fmt.Sprintf("rfc9421 {\nalgorithm ed25519\n%s\npublic_key %x\n}", label, public))
		for covered, want := range wants {
			r := hook("{}", "Content-Digest: "+digest)
			signMessage(t, r, fmt.Sprintf(`%s;created=%d`, covered, now.Unix()), func(base string) []byte {
				return signWithKey(t, algorithm{kind: "ed25519"}, private, base)
			})
			if err := p.Verify(r, now); err != want {
				t.Errorf("%q covering %s: %v, want %v", label, covered, err, want)
			}
		}
	}
}

// FuzzMessageSignature holds that no headers panic, and none pass that were not
// signed.
func FuzzMessageSignature(f *testing.F) {
	p := mustParse(f, "rfc9421 {\nalgorithm ed25519\npublic_key "+rfc8032Key+"\n}")
	f.Add(`s=("@method" "content-digest" "@query-param";name="x");created=1;keyid="k"`, "s=:AA==:", "sha-256=:AA==:", "x=1")
	f.Add(`s=("a";sf "b";key="x" "@path");expires=1.5;alg=a`, "s=1", "sha-512=1", "%zz")
	f.Fuzz(func(t *testing.T, input, signature, digest, query string) {
		r := hook("{}", "Signature-Input: "+input, "Signature: "+signature, "Content-Digest: "+digest)
		r.Public.RawQuery = query
		if p.Verify(r, now) == nil {
			t.Error("taken")
		}
	})
}

// TestMessageSign signs with a secret and verifies with others, and changes what
// is covered.
func TestMessageSign(t *testing.T) {
	for _, config := range []string{
		"rfc9421 %s {\nalgorithm hmac-sha256\n}",
		"rfc9421 %s {\nalgorithm hmac-sha256\nlabel mine\n}",
		"rfc9421 %s {\nalgorithm hmac-sha256\ncomponents @method @path content-digest x-other `@query-param;name=\"x\"`\n}",
		"custom {\nsecret %s\nmessage_signature hmac-sha256 {\ntag webhook\ncomponents content-digest @target-uri\n}\nexternal_url https://public.example.com\n}",
	} {
		of := func(secrets string) Provider { return mustParse(t, fmt.Sprintf(config, secrets)) }
		r := hook(`{"id":1}`, "X-Other: 1", "Signature: old=:AA==:")
		if err := of("c2VjcmV0").Sign(r, now); err != nil {
			t.Fatalf("%s: %v", config, err)
		}
		for secrets, want := range map[string]error{"c2VjcmV0": nil, "b3RoZXI= c2VjcmV0": nil, "b3RoZXI=": Wrong} {
			if err := of(secrets).Verify(r, now); err != want {
				t.Errorf("%s: with %s got %v, want %v", config, secrets, err, want)
			}
		}
		if err := of("c2VjcmV0").Verify(r, now.Add(10*time.Minute)); err != TooOld {
			t.Errorf("%s: ten minutes later got %v", config, err)
		}
		r.Body = []byte(`{"id":2}`)
		if err := of("c2VjcmV0").Verify(r, now); err != Wrong {
			t.Errorf("%s: with another body got %v", config, err)
		}
	}
	r := hook("{}")
	if err := mustParse(t, "rfc9421 c2VjcmV0 {\nalgorithm hmac-sha256\ncomponents x-missing\n}").Sign(r, now); err == nil {
		t.Error("signed a header that is not there")
	}
	if err := mustParse(t, keyedConfigs["rfc9421"]).Sign(r, now); err != ErrPrivateKey {
		t.Errorf("signed with a public key: %v", err)
	}
}
