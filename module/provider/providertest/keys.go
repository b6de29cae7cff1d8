package providertest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"
)

// RSAKey is made once: that takes a while.
var RSAKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// ECKey makes an ECDSA key of a curve.
func ECKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// PEMOf writes a public key as PEM.
func PEMOf(t testing.TB, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// EdKey returns the key pair that a seed makes.
func EdKey(seed byte) (ed25519.PublicKey, ed25519.PrivateKey) {
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), ed25519.SeedSize)))
	return private.Public().(ed25519.PublicKey), private
}

// JWKS writes a JWK set of Ed25519 keys, which are named by their seeds.
func JWKS(seeds ...byte) string {
	var keys []map[string]string
	for _, seed := range seeds {
		public, _ := EdKey(seed)
		keys = append(keys, map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": string(rune(seed)), "x": base64.RawURLEncoding.EncodeToString(public)})
	}
	text, _ := json.Marshal(map[string]any{"keys": keys})
	return string(text)
}

// Authority is a CA for tests.
type Authority struct {
	Certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// Root is the CA that tests trust.
var Root = sync.OnceValue(func() *Authority { return newAuthority("root", nil) })

// NewAuthority makes a CA that nobody vouches for.
func NewAuthority(name string) *Authority { return newAuthority(name, nil) }

// newAuthority makes a CA that another one vouches for; nil: nobody does.
func newAuthority(name string, by *Authority) *Authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.Certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &Authority{certificate, key}
}

// Authority makes a CA that this one vouches for.
func (a *Authority) Authority(name string) *Authority { return newAuthority(name, a) }

// Issue makes a certificate of RSAKey for names, as PEM. It says that its issuer is at
// a URL, unless that is "".
func (a *Authority) Issue(t testing.TB, from, to time.Time, issuerURL string, names ...string) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: from, NotAfter: to,
	}
	if issuerURL != "" {
		template.IssuingCertificateURL = []string{issuerURL}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Certificate, RSAKey().Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// CertificateFor makes a certificate of RSAKey for a name, which Root vouches for.
func CertificateFor(t testing.TB, name string, from, to time.Time) string {
	t.Helper()
	return Root().Issue(t, from, to, "", name)
}

// ValidCertificate makes one that is valid at this very time: what fetches one
// goes by the real clock.
func ValidCertificate(t testing.TB, name string) string {
	return CertificateFor(t, name, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
}
