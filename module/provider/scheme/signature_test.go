package scheme_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// signWithKey signs as an algorithm does.
func signWithKey(t testing.TB, a scheme.Algorithm, key crypto.Signer, message string) []byte {
	t.Helper()
	if a.Kind == "ed25519" {
		return ed25519.Sign(key.(ed25519.PrivateKey), []byte(message))
	}
	h := a.Hash.New()
	h.Write([]byte(message))
	var opts crypto.SignerOpts = a.Hash
	if a.PSS {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.Hash}
	}
	if a.Raw {
		private := key.(*ecdsa.PrivateKey)
		r, s, err := ecdsa.Sign(rand.Reader, private, h.Sum(nil))
		if err != nil {
			t.Fatal(err)
		}
		size := (private.Curve.Params().N.BitLen() + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
	signature, err := key.Sign(rand.Reader, h.Sum(nil), opts)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// TestSignatures signs with every algorithm that can be configured, and
// verifies with it and with every other one.
func TestSignatures(t *testing.T) {
	_, ed := providertest.EdKey('a')
	type form struct {
		config string
		a      scheme.Algorithm
		key    crypto.Signer
	}
	forms := []form{{"ed25519", scheme.Algorithm{Kind: "ed25519"}, ed}}
	curve := providertest.ECKey(t, elliptic.P256())
	large := providertest.ECKey(t, elliptic.P521())
	for name, hash := range scheme.SignatureHashes {
		for _, format := range []string{"asn1", "raw"} {
			a := scheme.Algorithm{Kind: "ecdsa", Hash: hash, Raw: format == "raw"}
			forms = append(forms, form{"ecdsa " + name + "|format " + format, a, curve}, form{"ecdsa " + name + "|format " + format, a, large})
		}
		for _, padding := range []string{"pkcs1", "pss"} {
			forms = append(forms, form{"rsa " + name + "|padding " + padding, scheme.Algorithm{Kind: "rsa", Hash: hash, PSS: padding == "pss"}, providertest.RSAKey()})
		}
	}
	body, stamp := `{"a":1}`, strconv.FormatInt(providertest.Now.Unix(), 10)
	for i, f := range forms {
		head, option, _ := strings.Cut(f.config, "|")
		p := providertest.MustParse(t, fmt.Sprintf("custom {\n%s {\nheader X-Signature\nvalue t={timestamp},v1={signature}\nsigned {timestamp}.{body}\n%s\npublic_key `%s`\n}\n}",
			head, option, providertest.PEMOf(t, f.key.Public())))
		for j, other := range forms {
			signature := base64.StdEncoding.EncodeToString(signWithKey(t, other.a, other.key, stamp+"."+body))
			err := p.Verify(providertest.Hook(body, "X-Signature: t="+stamp+",v1="+signature), providertest.Now)
			if valid := err == nil; valid != (i == j) {
				t.Errorf("%s verifying what %s signed: %v", f.config, other.config, err)
			}
		}
	}
}

// TestRawIsExact holds that there is one way to write r and s side by side.
func TestRawIsExact(t *testing.T) {
	key := providertest.ECKey(t, elliptic.P256())
	a := scheme.Algorithm{Kind: "ecdsa", Hash: crypto.SHA256, Raw: true}
	good := signWithKey(t, a, key, "{}")
	digest := a.Digest(func(to io.Writer) { io.WriteString(to, "{}") })
	for name, signature := range map[string][]byte{
		"a zero before r": append([]byte{0}, good...),
		"a zero before s": slices.Insert(bytes.Clone(good), 32, 0),
		"one byte less":   good[:63],
		"r alone":         good[:32],
		"nothing":         nil,
		"zeros":           make([]byte, 64),
	} {
		if a.Verify(key.Public(), digest, signature) {
			t.Errorf("%s: taken", name)
		}
	}
	if !a.Verify(key.Public(), digest, good) {
		t.Error("refused as it is right")
	}
}

// TestSignatureRefusals holds what a valid signature does not excuse.
func TestSignatureRefusals(t *testing.T) {
	_, private := providertest.EdKey('a')
	public, _ := providertest.EdKey('a')
	old, _ := providertest.EdKey('b')
	p := providertest.MustParse(t, fmt.Sprintf("custom {\npublic_key %x %x\ned25519 {\nheader X-Signature\nvalue v1={signature}\nencoding base64\nsigned {timestamp}.{body}\ntimestamp header X-Time\n}\n}", old, public))
	sign := func(at time.Time, body string) (signature, stamp string) {
		stamp = strconv.FormatInt(at.Unix(), 10)
		return base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(stamp+"."+body))), stamp
	}
	signature, stamp := sign(providertest.Now, "{}")
	tooOld, oldStamp := sign(providertest.Now.Add(-301*time.Second), "{}")
	tooNew, newStamp := sign(providertest.Now.Add(301*time.Second), "{}")
	fake := base64.StdEncoding.EncodeToString(make([]byte, 64))
	loose := []byte(signature) // the last character of the encoding has bits that count for nothing
	loose[len(loose)-3]++
	for name, test := range map[string]struct {
		headers []string
		want    error
	}{
		"valid":               {[]string{"X-Signature: v1=" + signature, "X-Time: " + stamp}, nil},
		"one of several":      {[]string{"X-Signature: v1=" + fake + ",v1=" + signature, "X-Time: " + stamp}, nil},
		"only fakes":          {[]string{"X-Signature: v1=" + fake + ",v1=" + fake, "X-Time: " + stamp}, scheme.Wrong},
		"no signature":        {[]string{"X-Time: " + stamp}, scheme.Missing},
		"empty":               {[]string{"X-Signature: ", "X-Time: " + stamp}, scheme.Missing},
		"no time":             {[]string{"X-Signature: v1=" + signature}, scheme.NoTime},
		"not a time":          {[]string{"X-Signature: v1=" + signature, "X-Time: soon"}, scheme.NoTime},
		"other time":          {[]string{"X-Signature: v1=" + signature, "X-Time: " + strconv.FormatInt(providertest.Now.Unix()+1, 10)}, scheme.Wrong},
		"too old":             {[]string{"X-Signature: v1=" + tooOld, "X-Time: " + oldStamp}, scheme.TooOld},
		"too new":             {[]string{"X-Signature: v1=" + tooNew, "X-Time: " + newStamp}, scheme.TooNew},
		"two signatures":      {[]string{"X-Signature: v1=" + signature, "X-Signature: v1=" + signature, "X-Time: " + stamp}, scheme.Repeated},
		"two times":           {[]string{"X-Signature: v1=" + signature, "X-Time: " + stamp, "X-Time: " + stamp}, scheme.Repeated},
		"loose base64":        {[]string{"X-Signature: v1=" + string(loose), "X-Time: " + stamp}, scheme.Wrong},
		"no padding":          {[]string{"X-Signature: v1=" + strings.TrimRight(signature, "="), "X-Time: " + stamp}, scheme.Wrong},
		"one byte short":      {[]string{"X-Signature: v1=" + base64.StdEncoding.EncodeToString(make([]byte, 63)), "X-Time: " + stamp}, scheme.Wrong},
		"the public key":      {[]string{"X-Signature: v1=" + base64.StdEncoding.EncodeToString(public), "X-Time: " + stamp}, scheme.Wrong},
		"a line break":        {[]string{"X-Signature: v1=" + signature[:40] + "\n" + signature[40:], "X-Time: " + stamp}, scheme.Wrong},
		"in hex, not base64":  {[]string{"X-Signature: v1=" + hex.EncodeToString(make([]byte, 64)), "X-Time: " + stamp}, scheme.Wrong},
		"another prefix":      {[]string{"X-Signature: v0=" + signature, "X-Time: " + stamp}, scheme.Missing},
		"too many to look at": {[]string{"X-Signature: " + strings.Repeat("v1="+fake+",", scheme.MaxVerified) + "v1=" + signature, "X-Time: " + stamp}, scheme.Wrong},
	} {
		r := providertest.Hook("{}", test.headers...)
		if err := p.Verify(r, providertest.Now); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if test.want == nil && r.Matched != 2 {
			t.Errorf("%s: key %d matched, want 2", name, r.Matched)
		}
	}
	if err := p.Sign(providertest.Hook("{}"), providertest.Now); err == nil {
		t.Error("signed without the provider's key")
	}
	if p.(provider.Resigner).Unsignable("") == "" {
		t.Error("says that it can sign")
	}
}

// TestSecretOrPublicKey loads a preset and a custom provider, whose proofs are one
// with a public key and one with a secret, with either of them and with both.
func TestSecretOrPublicKey(t *testing.T) {
	public, private := providertest.EdKey('a')
	const custom = "custom %s {\n%s\ned25519 {\nheader X-Sig\nvalue v1a,{signature}\n}\nhmac {\nheader X-Mac\nencoding hex\n}\nneed %s\n}"
	const preset = "standardwebhooks %s {\n%s\n}"
	key := fmt.Sprintf("public_key whpk_%s", base64.StdEncoding.EncodeToString(public))
	for _, test := range []struct {
		config  string
		fails   string
		secrets int // what Matched can be
		resigns bool
	}{
		{fmt.Sprintf(preset, providertest.OwnSecret, ""), "", 1, true},
		{fmt.Sprintf(preset, "", key), "", 1, false},
		{fmt.Sprintf(preset, providertest.OwnSecret, key), "", 2, false},
		{fmt.Sprintf(preset, "", ""), "needs a secret", 0, false},
		{fmt.Sprintf(preset, "", "public_key whpk_"), "not a public key", 0, false},
		{fmt.Sprintf(preset, "", "public_key "+providertest.P256Key), "which the signature algorithm does not use", 0, false},
		{fmt.Sprintf(custom, providertest.OwnSecret, key, "any"), "", 2, false},
		{fmt.Sprintf(custom, providertest.OwnSecret, "", "any"), "", 1, true},
		{fmt.Sprintf(custom, "", key, "first"), "", 1, false},
		{fmt.Sprintf(custom, providertest.OwnSecret, key, "all"), "", 2, false},
		{fmt.Sprintf(custom, providertest.OwnSecret, "", "all"), "proof 1 of 2 has no secret or public key", 0, false},
		{fmt.Sprintf(custom, "", key, "all"), "needs a secret", 0, false},
	} {
		p, err := providertest.Parse(test.config)
		if err != nil || test.fails != "" {
			if err == nil || test.fails == "" || !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%s: %v, want %q", test.config, err, test.fails)
			}
			continue
		}
		if got := p.Profile().Secrets; got != test.secrets {
			t.Errorf("%s: %d secrets and keys, want %d", test.config, got, test.secrets)
		}
		if got := p.(provider.Resigner).Unsignable("") == ""; got != test.resigns {
			t.Errorf("%s: signable is %v", test.config, got)
		}
	}
	p := providertest.MustParse(t, fmt.Sprintf(preset, providertest.OwnSecret, key))
	stamp := strconv.FormatInt(providertest.Now.Unix(), 10)
	signature := base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte("m."+stamp+".{}")))
	r := providertest.Hook("{}", "Webhook-Id: m", "Webhook-Timestamp: "+stamp, "Webhook-Signature: v1,AAAA v1a,"+signature)
	if err := p.Verify(r, providertest.Now); err != nil || r.Matched != 2 {
		t.Errorf("%v, %d matched", err, r.Matched)
	}
}

// TestKeysFitTheScheme holds that a key of another kind is refused at load.
func TestKeysFitTheScheme(t *testing.T) {
	for config, want := range map[string]string{
		"discord {\npublic_key " + providertest.P256Key + "\n}":                                         "does not use",
		"sendgrid {\npublic_key " + providertest.Rfc8032Key + "\n}":                                     "does not use",
		"plaid {\npublic_key " + providertest.Rfc8032Key + "\n}":                                        "does not use",
		"custom {\njwt ES384 {\nheader X-T\nbody_hash h\npublic_key " + providertest.P256Key + "\n}\n}": "does not use",
		"ebay {\npublic_key " + providertest.Rfc8032Key + "\n}":                                         "does not use",
		"aws_sns {\ncertificate " + providertest.P256Key + "\n}":                                        "no RSA key",
		"discord": "needs a line: public_key",
		"custom {\npublic_key a\ned25519 {\nheader X-S\npublic_key b\n}\n}":                                    "given twice",
		"custom {\ned25519 {\nheader X-S\nsigned {id}{body}\npublic_key " + providertest.Rfc8032Key + "\n}\n}": "id <expression>",
		"discord whsec_a {\npublic_key " + providertest.Rfc8032Key + "\n}":                                     "there is no secret",
		"discord {\npublic_key {env.NO_SUCH_KEY}\n}":                                                           "public_key 1 has no value: {env.NO_SUCH_KEY} is not set",
		"discord {\nwebhook_id 1\n}":                                                                           "unknown subdirective",
		"telnyx {\npublic_key a b\n}":                                                                          "public_key 1: not a public key",
		"paypal":                                                                                               "needs a line: webhook_id",
		"plaid":                                                                                                "client_id",
		"ebay {\nclient_id a\n}":                                                                               "client_secret",
		"ebay {\npublic_key " + providertest.P256Key + "\ntolerance 5m\n}":                                     "tolerance has no effect",
		"vonage":                    "needs a secret",
		"vonage {\npublic_key a\n}": "unknown subdirective",
		"rfc9421 s":                 "needs a line: algorithm",
		"rfc9421 c2VjcmV0 {\nalgorithm ed25519\n}":                                                            "uses public keys",
		"rfc9421 {\nalgorithm hmac-sha256\npublic_key " + providertest.P256Key + "\n}":                        "needs a secret, and no public key",
		"rfc9421 {\nalgorithm ed25519\npublic_key " + providertest.Rfc8032Key + "\ncomponents a!b\n}":         "is not a component",
		"custom {\njwt HS256 RS256 {\nheader X-T\nbody_hash h\n}\n}":                                          "needs a secret or a public key",
		"custom {\njwt none {\nheader X-T\nbody_hash h\n}\n}":                                                 "unknown algorithm",
		"custom s {\njwt HS256 {\nheader X-T\n}\n}":                                                           "body's hash",
		"custom s {\njwt ES256 {\nheader X-T\nbody_hash h\n}\n}":                                              "secrets that no proof uses",
		"custom {\ned25519 {\nsigned {body}\npublic_key " + providertest.Rfc8032Key + "\n}\n}":                "header",
		"custom {\ned25519 {\nheader X-S\nsigned {nothing}\npublic_key " + providertest.Rfc8032Key + "\n}\n}": "unknown placeholder",
	} {
		if _, err := providertest.Parse(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}

// TestOptionsOfOthers holds that an option which means nothing is refused in
// JSON too.
func TestOptionsOfOthers(t *testing.T) {
	for _, text := range []string{
		`{"public_keys":["` + providertest.Rfc8032Key + `"],"keys_url":"https://example.com"}`,
	} {
		p := providertest.Module("discord")
		if err := json.Unmarshal([]byte(text), p); err != nil {
			t.Fatal(err)
		}
		if err := p.Provision(caddy.Context{}); err == nil || !strings.Contains(err.Error(), "has no option") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{
		`{"none":true,"public_keys":["` + providertest.Rfc8032Key + `"]}`,
		`{"proofs":[{"hmac":{"from":"{header.X-S}"}}],"secrets":["s"],"keys_url":"https://example.com/keys"}`,
	} {
		p := new(provider.Custom)
		if err := json.Unmarshal([]byte(text), p); err != nil {
			t.Fatal(err)
		}
		if err := p.Provision(caddy.Context{}); err == nil || !strings.Contains(err.Error(), "no proof that uses it") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzKeyed changes the headers and the body of requests: none may panic, and
// none may pass that was not signed.
func FuzzKeyed(f *testing.F) {
	vectors := providertest.KeyedVectors(f)
	providers := make(map[string]provider.Provider)
	for i, v := range vectors {
		if !v.ConfigError {
			providers[v.ID] = providertest.MustParse(f, v.Config(f))
			for _, value := range v.Headers {
				f.Add(uint8(i), value, v.Body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, value, body string) {
		v := vectors[int(i)%len(vectors)]
		p := providers[v.ID]
		if p == nil {
			return
		}
		for name := range v.Headers {
			r, at := v.Request(t), v.At()
			r.Header[textproto.CanonicalMIMEHeaderKey(name)] = []string{value}
			if p.Verify(r, at) == nil && v.Headers[name] != value && v.Expected != "valid" {
				t.Errorf("%s: taken with %s: %q", v.ID, name, value)
			}
		}
		r, at := v.Request(t), v.At()
		r.Body = []byte(body)
		if p.Verify(r, at) == nil && v.Expected != "valid" {
			t.Errorf("%s: taken with body %q", v.ID, body)
		}
	})
}
