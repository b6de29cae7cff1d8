package keys_test

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
)

// TestChains holds that issuers must lead to one that is trusted.
func TestChains(t *testing.T) {
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotAfter: providertest.Now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	issue := func(draft, parent *x509.Certificate, public, private any) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, draft, parent, public, private)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	rootKey, middleKey := providertest.ECKey(t, elliptic.P256()), providertest.ECKey(t, elliptic.P256())
	rootCert := issue(root, root, rootKey.Public(), rootKey)
	middle := *root
	middle.SerialNumber, middle.Subject = big.NewInt(2), pkix.Name{CommonName: "middle"}
	middleCert := issue(&middle, rootCert, middleKey.Public(), rootKey)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "leaf"}, DNSNames: []string{"example.com"}, NotAfter: providertest.Now.Add(time.Hour)}
	leafCert := issue(leaf, middleCert, providertest.RSAKey().Public(), middleKey)
	trusted, strangers := x509.NewCertPool(), x509.NewCertPool()
	trusted.AddCert(rootCert)
	strangers.AddCert(issue(root, root, middleKey.Public(), middleKey))
	chain := []keys.PublicKey{{PublicKey: leafCert.PublicKey, Certificate: leafCert}, {Certificate: middleCert}}
	if err := keys.CheckChain(chain, []string{"example.com"}, providertest.Now, trusted); err != nil {
		t.Error(err)
	}
	if err := keys.CheckChain(chain, []string{"leaf"}, providertest.Now, trusted); err != nil {
		t.Errorf("by its common name: %v", err)
	}
	if err := keys.CheckChain(chain, []string{"example.com"}, providertest.Now, strangers); err == nil {
		t.Error("a chain to a stranger was taken")
	}
	if err := keys.CheckChain(chain, []string{"example.org"}, providertest.Now, trusted); err == nil {
		t.Error("another name was taken")
	}
	if err := keys.CheckChain(chain, []string{"example.com"}, providertest.Now.Add(2*time.Hour), trusted); err == nil {
		t.Error("an expired chain was taken")
	}
}
