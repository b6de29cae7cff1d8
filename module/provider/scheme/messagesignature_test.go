package scheme_test

import (
	"crypto"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// TestSignatureBase compares what is signed with the RFC's own examples.
func TestSignatureBase(t *testing.T) {
	compared := 0
	for _, v := range providertest.KeyedVectors(t) {
		if v.Base == "" {
			continue
		}
		compared++
		r := v.Request(t)
		m := scheme.MessageSignature{Label: strings.Join(providertest.Texts(v.Options["label"]), "")}
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
	r := providertest.Hook("{}", "X-Padded:   a  ", "X-Twice: a", "X-Twice: b", "X-Empty: ")
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
		`"@query-param";name="twice"`:     string(scheme.Repeated),
		`"@query-param";name="z"`:         string(scheme.Missing),
		`"@query-param"`:                  string(scheme.Malformed),
		`"@query-param";name="x";tr`:      string(scheme.Malformed),
		`"@status"`:                       string(scheme.Malformed),
		`"@signature-params"`:             string(scheme.Malformed),
		`"x-padded"`:                      "a",
		`"x-twice"`:                       "a, b",
		`"x-empty"`:                       "",
		`"X-Padded"`:                      string(scheme.Malformed),
		`"x-nowhere"`:                     string(scheme.Missing),
		`"x-padded";sf`:                   string(scheme.Malformed),
		`"content-length"`:                "2",
		`"x-padded" "x-padded"`:           string(scheme.Malformed),
		strings.Repeat(`"@method" `, 200): string(scheme.Malformed),
	} {
		parsed, err := httpsfv.UnmarshalList([]string{"(" + strings.TrimSpace(identifier) + ")"})
		if err != nil {
			t.Fatalf("%s: %v", identifier, err)
		}
		list := parsed[0].(httpsfv.InnerList)
		base, _, err := scheme.SignatureBase(r, nil, &list)
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
func signMessage(t testing.TB, r *template.Request, input string, sign func(base string) []byte) {
	t.Helper()
	list, err := httpsfv.UnmarshalList([]string{input})
	if err != nil {
		t.Fatal(err)
	}
	inner := list[0].(httpsfv.InnerList)
	base, _, err := scheme.SignatureBase(r, nil, &inner)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Signature-Input"] = []string{"s=" + input}
	r.Header["Signature"] = []string{"s=:" + base64.StdEncoding.EncodeToString(sign(base)) + ":"}
}

// TestMessageSignatures signs with every algorithm and verifies with each.
func TestMessageSignatures(t *testing.T) {
	_, ed := providertest.EdKey('a')
	secret := []byte("a secret of a provider")
	keys := map[string]any{
		"hmac-sha256": secret, "ed25519": ed, "ecdsa-p256-sha256": providertest.ECKey(t, elliptic.P256()),
		"ecdsa-p384-sha384": providertest.ECKey(t, elliptic.P384()), "rsa-pss-sha512": providertest.RSAKey(), "rsa-v1_5-sha256": providertest.RSAKey(),
	}
	if len(keys) != len(scheme.MessageAlgorithms) {
		t.Errorf("%d algorithms are tried, %d are known", len(keys), len(scheme.MessageAlgorithms))
	}
	input := fmt.Sprintf(`("@method" "content-digest");created=%d;keyid="k"`, providertest.Now.Unix())
	for pinned, key := range keys {
		given := "secret " + base64.StdEncoding.EncodeToString(secret)
		if signer, ok := key.(crypto.Signer); ok {
			given = "public_key `" + providertest.PEMOf(t, signer.Public()) + "`"
		}
		p := providertest.MustParse(t, "custom {\nmessage_signature "+pinned+" {\n"+given+"\n}\n}")
		for used, key := range keys {
			for _, alg := range []string{"", `;alg="` + used + `"`, `;alg="` + pinned + `"`} {
				r := providertest.Hook("{}", "Content-Digest: "+fmt.Sprintf(digestOf, scheme.HashText("base64", []byte("{}"))))
				signMessage(t, r, input+alg, func(base string) []byte {
					if signer, ok := key.(crypto.Signer); ok {
						return signWithKey(t, scheme.MessageAlgorithms[used], signer, base)
					}
					return scheme.SumOf(scheme.MessageAlgorithms[used], secret, []byte(base))
				})
				err := p.Verify(r, providertest.Now)
				if valid := err == nil; valid != (used == pinned) {
					t.Errorf("pinned to %s, signed with %s%s: %v", pinned, used, alg, err)
				}
			}
		}
	}
}

// TestMessageSignatureRules holds what a valid signature does not excuse.
func TestMessageSignatureRules(t *testing.T) {
	_, private := providertest.EdKey('a')
	const config = "custom {\npublic_key " + providertest.Rfc8032Key + "\nmessage_signature ed25519 {\ncomponents @method content-digest @query-param;name=\"x\"\ntag hooks\n}\n}"
	public, _ := providertest.EdKey('a')
	p := providertest.MustParse(t, strings.Replace(config, providertest.Rfc8032Key, fmt.Sprintf("%x", public), 1))
	const components = `("@method" "content-digest" "@query-param";name="x")`
	params := func(format string, offset ...any) string { return fmt.Sprintf(format, offset...) }
	good := params(`;created=%d;tag="hooks"`, providertest.Now.Unix())
	digest := fmt.Sprintf(digestOf, scheme.HashText("base64", []byte("{}")))
	for name, test := range map[string]struct {
		input  string
		digest string
		change func(r *template.Request)
		want   error
	}{
		"good":                     {components + good, digest, nil, nil},
		"more is covered":          {`("@method" "@authority" "content-digest" "@query-param";name="x")` + good, digest, nil, nil},
		"the method is not":        {`("content-digest" "@query-param";name="x")` + good, digest, nil, scheme.Wrong},
		"the digest is not":        {`("@method" "@query-param";name="x")` + good, digest, nil, scheme.Wrong},
		"another parameter is":     {`("@method" "content-digest" "@query-param";name="y")` + good, digest, nil, scheme.Wrong},
		"nothing is":               {`()` + good, digest, nil, scheme.Wrong},
		"another body":             {components + good, digest, func(r *template.Request) { r.Body = []byte("[]") }, scheme.Wrong},
		"another method":           {components + good, digest, func(r *template.Request) { r.Method = "PUT" }, scheme.Wrong},
		"another query":            {components + good, digest, func(r *template.Request) { r.Public.RawQuery = "x=2" }, scheme.Wrong},
		"a query with it twice":    {components + good, digest, func(r *template.Request) { r.Public.RawQuery = "x=1&x=1" }, scheme.Repeated},
		"a digest of another body": {components + good, fmt.Sprintf(digestOf, scheme.HashText("base64", []byte("[]"))), nil, scheme.Wrong},
		"one of two is wrong":      {components + good, digest + ", sha-512=:AA==:", nil, scheme.Wrong},
		"an old digest beside it":  {components + good, digest + ", md5=:AA==:", nil, nil},
		"an old digest alone":      {components + good, "md5=:AA==:", nil, scheme.Malformed},
		"a digest as text":         {components + good, `sha-256="AA=="`, nil, scheme.Wrong},
		"no tag":                   {components + params(";created=%d", providertest.Now.Unix()), digest, nil, scheme.Foreign},
		"another tag":              {components + params(`;created=%d;tag="x"`, providertest.Now.Unix()), digest, nil, scheme.Foreign},
		"not created":              {components + `;tag="hooks"`, digest, nil, scheme.NoTime},
		"created as text":          {components + `;created="now";tag="hooks"`, digest, nil, scheme.NoTime},
		"too old":                  {components + params(`;created=%d;tag="hooks"`, providertest.Now.Unix()-301), digest, nil, scheme.TooOld},
		"too new":                  {components + params(`;created=%d;tag="hooks"`, providertest.Now.Unix()+301), digest, nil, scheme.TooNew},
		"expired":                  {components + good + params(";expires=%d", providertest.Now.Unix()-300), digest, nil, scheme.TooOld},
		"expires":                  {components + good + params(";expires=%d", providertest.Now.Unix()+1), digest, nil, nil},
		"another algorithm":        {components + good + `;alg="hmac-sha256"`, digest, nil, scheme.Wrong},
		"its algorithm":            {components + good + `;alg="ed25519"`, digest, nil, nil},
		"parameters changed": {components + good, digest, func(r *template.Request) {
			r.Header["Signature-Input"] = []string{"s=" + components + good + ";a"}
		}, scheme.Wrong},
		"two inputs": {components + good, digest, func(r *template.Request) {
			r.Header["Signature-Input"] = append(r.Header["Signature-Input"], "t=()")
		}, scheme.Repeated},
		"two labels": {components + good, digest, func(r *template.Request) {
			r.Header["Signature-Input"][0] += ", t=()"
		}, scheme.Repeated},
		"another label": {components + good, digest, func(r *template.Request) {
			r.Header["Signature"][0] = "t" + r.Header["Signature"][0][1:]
		}, scheme.Missing},
		"no signature": {components + good, digest, func(r *template.Request) { delete(r.Header, "Signature") }, scheme.Missing},
		"no input":     {components + good, digest, func(r *template.Request) { delete(r.Header, "Signature-Input") }, scheme.Missing},
		"a bad input":  {components + good, digest, func(r *template.Request) { r.Header["Signature-Input"] = []string{"s=("} }, scheme.Malformed},
		"not a list":   {components + good, digest, func(r *template.Request) { r.Header["Signature-Input"] = []string{"s=1"} }, scheme.Malformed},
		"no bytes":     {components + good, digest, func(r *template.Request) { r.Header["Signature"] = []string{"s=1"} }, scheme.Malformed},
	} {
		r := providertest.Hook("{}", "Content-Digest: "+test.digest)
		r.Public.RawQuery = "x=1&y=2"
		signMessage(t, r, test.input, func(base string) []byte { return signWithKey(t, scheme.Algorithm{Kind: "ed25519"}, private, base) })
		if test.change != nil {
			test.change(r)
		}
		if err := p.Verify(r, providertest.Now); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if err := p.Sign(providertest.Hook("{}"), providertest.Now); err == nil || p.(provider.Resigner).Unsignable("") == "" {
		t.Errorf("signed: %v", err)
	}
}

// TestMessageSignatureLabel takes the one of several signatures that is meant.
func TestMessageSignatureLabel(t *testing.T) {
	public, private := providertest.EdKey('a')
	p := providertest.MustParse(t, fmt.Sprintf("rfc9421 {\nalgorithm ed25519\nlabel s\npublic_key %x\n}", public))
	r := providertest.Hook("{}")
	signMessage(t, r, fmt.Sprintf(`("@method");created=%d`, providertest.Now.Unix()), func(base string) []byte {
		return signWithKey(t, scheme.Algorithm{Kind: "ed25519"}, private, base)
	})
	r.Header["Signature-Input"][0] = "proxy=(), " + r.Header["Signature-Input"][0]
	r.Header["Signature"][0] = "proxy=:AA==:, " + r.Header["Signature"][0]
	if err := p.Verify(r, providertest.Now); err != nil {
		t.Error(err)
	}
	pinned := providertest.MustParse(t, fmt.Sprintf("rfc9421 {\nalgorithm ed25519\nlabel s\npublic_key %x\ncomponents content-digest\n}", public))
	if err := pinned.Verify(r, providertest.Now); !errors.Is(err, scheme.Wrong) {
		t.Errorf("without the component that is pinned: %v", err)
	}
}

// TestMessageSignatureCovers holds what the preset demands of a signature of which
// neither label nor components are known.
func TestMessageSignatureCovers(t *testing.T) {
	public, private := providertest.EdKey('a')
	const digest = "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:" // of {}
	for label, wants := range map[string]map[string]error{
		"":        {`()`: scheme.Wrong, `("@method")`: scheme.Wrong, `("content-digest")`: scheme.Wrong, `("@method" "content-digest")`: nil},
		"label s": {`()`: nil, `("@method")`: nil, `("content-digest")`: nil, `("@method" "content-digest")`: nil},
	} {
		p := providertest.MustParse(t, fmt.Sprintf("rfc9421 {\nalgorithm ed25519\n%s\npublic_key %x\n}", label, public))
		for covered, want := range wants {
			r := providertest.Hook("{}", "Content-Digest: "+digest)
			signMessage(t, r, fmt.Sprintf(`%s;created=%d`, covered, providertest.Now.Unix()), func(base string) []byte {
				return signWithKey(t, scheme.Algorithm{Kind: "ed25519"}, private, base)
			})
			if err := p.Verify(r, providertest.Now); !errors.Is(err, want) {
				t.Errorf("%q covering %s: %v, want %v", label, covered, err, want)
			}
		}
	}
}

// FuzzMessageSignature holds that no headers panic, and none pass that were not
// signed.
func FuzzMessageSignature(f *testing.F) {
	p := providertest.MustParse(f, "rfc9421 {\nalgorithm ed25519\npublic_key "+providertest.Rfc8032Key+"\n}")
	f.Add(`s=("@method" "content-digest" "@query-param";name="x");created=1;keyid="k"`, "s=:AA==:", "sha-256=:AA==:", "x=1")
	f.Add(`s=("a";sf "b";key="x" "@path");expires=1.5;alg=a`, "s=1", "sha-512=1", "%zz")
	f.Fuzz(func(t *testing.T, input, signature, digest, query string) {
		r := providertest.Hook("{}", "Signature-Input: "+input, "Signature: "+signature, "Content-Digest: "+digest)
		r.Public.RawQuery = query
		if p.Verify(r, providertest.Now) == nil {
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
		of := func(secrets string) provider.Provider { return providertest.MustParse(t, fmt.Sprintf(config, secrets)) }
		r := providertest.Hook(`{"id":1}`, "X-Other: 1", "Signature: old=:AA==:")
		if err := of("c2VjcmV0").Sign(r, providertest.Now); err != nil {
			t.Fatalf("%s: %v", config, err)
		}
		for secrets, want := range map[string]error{"c2VjcmV0": nil, "b3RoZXI= c2VjcmV0": nil, "b3RoZXI=": scheme.Wrong} {
			if err := of(secrets).Verify(r, providertest.Now); !errors.Is(err, want) {
				t.Errorf("%s: with %s got %v, want %v", config, secrets, err, want)
			}
		}
		if err := of("c2VjcmV0").Verify(r, providertest.Now.Add(10*time.Minute)); !errors.Is(err, scheme.TooOld) {
			t.Errorf("%s: ten minutes later got %v", config, err)
		}
		r.Body = []byte(`{"id":2}`)
		if err := of("c2VjcmV0").Verify(r, providertest.Now); !errors.Is(err, scheme.Wrong) {
			t.Errorf("%s: with another body got %v", config, err)
		}
	}
	r := providertest.Hook("{}")
	if err := providertest.MustParse(t, "rfc9421 c2VjcmV0 {\nalgorithm hmac-sha256\ncomponents x-missing\n}").Sign(r, providertest.Now); err == nil {
		t.Error("signed a header that is not there")
	}
	if err := providertest.MustParse(t, providertest.KeyedConfigs["rfc9421"]).Sign(r, providertest.Now); !errors.Is(err, scheme.ErrPrivateKey) {
		t.Errorf("signed with a public key: %v", err)
	}
}
