package keys_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
)

// TestPublicKeyForms reads one key in every form, and refuses what is none.
func TestPublicKeyForms(t *testing.T) {
	key := providertest.ECKey(t, elliptic.P256())
	text := providertest.PEMOf(t, key.Public())
	block, _ := pem.Decode([]byte(text))
	draft := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example.com"}, NotAfter: providertest.Now}
	cert, err := x509.CreateCertificate(rand.Reader, draft, draft, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(jose.JSONWebKey{Key: key.Public(), KeyID: "k1"})
	if err != nil {
		t.Fatal(err)
	}
	certPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	for name, form := range map[string]string{
		"PEM":                  text,
		"PEM on one line":      strings.ReplaceAll(text, "\n", ""),
		"PEM with spaces":      strings.ReplaceAll(text, "\n", " "),
		`PEM with \n`:          strings.ReplaceAll(text, "\n", `\n`),
		"base64 DER":           base64.StdEncoding.EncodeToString(block.Bytes),
		"certificate":          certPEM,
		"base64 DER of one":    base64.StdEncoding.EncodeToString(cert),
		"JWK":                  string(jwk),
		"JWK set with a foe":   `{"keys":[{"kty":"oct","k":"c2VjcmV0"},{"kty":"new"},` + string(jwk) + `]}`,
		"text around the PEM":  "the key:\n" + text + "\nend",
		"white space about it": "\n " + text + " \n",
	} {
		list, err := keys.ParsePublicKeys(form)
		if err != nil || len(list) != 1 || !key.PublicKey.Equal(list[0].PublicKey) {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
	if list, err := keys.ParsePublicKeys(text + certPEM); err != nil || len(list) != 2 {
		t.Errorf("two blocks: %v, %v", list, err)
	}
	public, private := providertest.EdKey('a')
	for _, form := range []string{hex.EncodeToString(public), base64.StdEncoding.EncodeToString(public), base64.RawURLEncoding.EncodeToString(public),
		"whpk_" + base64.StdEncoding.EncodeToString(public), providertest.PEMOf(t, public), providertest.JWKS('a')} {
		if list, err := keys.ParsePublicKeys(form); err != nil || !public.Equal(list[0].PublicKey) {
			t.Errorf("%s: %v", form, err)
		}
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := json.Marshal(jose.JSONWebKey{Key: key})
	for name, form := range map[string]string{
		"nothing":           "",
		"a word":            "secret",
		"31 bytes":          hex.EncodeToString(public[:31]),
		"33 bytes":          base64.StdEncoding.EncodeToString(append(bytes.Clone(public), 0)),
		"a private PEM":     string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		"a private JWK":     string(secret),
		"65 keys":           strings.Repeat(text, keys.MaxKeySet+1),
		"a symmetric JWK":   `{"kty":"oct","k":"c2VjcmV0"}`,
		"1024 bits of RSA":  providertest.PEMOf(t, short.Public()),
		"224 bits of ECDSA": providertest.PEMOf(t, providertest.ECKey(t, elliptic.P224()).Public()),
		"half a PEM":        text[:len(text)-30],
		"JSON":              `{"a":1}`,
	} {
		if list, err := keys.ParsePublicKeys(form); err == nil {
			t.Errorf("%s was taken: %v", name, list)
		} else if strings.Contains(err.Error(), "c2VjcmV0") || strings.Contains(err.Error(), "secret") && name == "a word" {
			t.Errorf("%s: the error quotes it: %v", name, err)
		}
	}
}

// FuzzPublicKey holds that no text makes the reader of keys panic, or gives a
// key that cannot verify.
func FuzzPublicKey(f *testing.F) {
	for _, text := range []string{providertest.Rfc8032Key, providertest.P256Key, providertest.JWKS('a'), providertest.PEMOf(f, providertest.RSAKey().Public()), "-----BEGIN CERTIFICATE-----AA==-----END CERTIFICATE-----"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := keys.ParsePublicKeys(text)
		if err == nil && len(list) == 0 {
			t.Error("neither keys nor an error")
		}
		for _, key := range list {
			if err := keys.CheckStrength(key.PublicKey); err != nil {
				t.Error(err)
			}
		}
	})
}
