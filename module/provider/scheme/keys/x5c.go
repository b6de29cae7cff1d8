package keys

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/refusal"
)

// X5C says which certificates a token may bring along.
type X5C struct {
	// The root that the certificates lead to, as PEM, where the configuration names none.
	Root string `json:"root,omitempty"`

	// The OIDs of extensions that the certificates must have: the first one that of the
	// token's own, the second one that of its issuer. Default: none.
	OIDs []string `json:"oids,omitempty"`
}

const (
	maxChain      = 5       // certificates that a token brings
	maxChainBytes = 4 << 10 // of each
	maxChainRSA   = 4096    // bits of an RSA key
)

// Roots are what the certificates of tokens lead to.
type Roots struct {
	list  []*x509.Certificate
	Fixed int // how many come from the configuration
	pool  *x509.CertPool
}

// RootsOf returns the configured certificates, else the root that is known.
func (x *X5C) RootsOf(keys []PublicKey) (*Roots, error) {
	own := &Roots{Fixed: len(keys), pool: x509.NewCertPool()}
	if len(keys) == 0 && x.Root != "" {
		var err error
		if keys, err = ParsePublicKeys(x.Root); err != nil {
			return nil, err
		}
	}
	for i, key := range keys {
		if key.Certificate == nil {
			return nil, fmt.Errorf("chain: key %d comes without a certificate; give the root that the certificates of tokens lead to: certificate <certificate>", i+1)
		}
		own.list = append(own.list, key.Certificate)
		own.pool.AddCert(key.Certificate)
	}
	if len(own.list) == 0 {
		return nil, errors.New("chain needs the root that the certificates of tokens lead to: certificate <certificate>")
	}
	return own, nil
}

// Check refuses what is no OID.
func (x *X5C) Check() error {
	for _, text := range x.OIDs {
		if _, err := x509.ParseOID(text); err != nil {
			return fmt.Errorf("chain: %q is not an OID such as 1.2.840.113635.100.6.11.1", text)
		}
	}
	if len(x.OIDs) > maxChain {
		return fmt.Errorf("chain: a token brings %d certificates at most", maxChain)
	}
	return nil
}

// Verify reports whether the certificates lead to a root at a time, and returns the
// first one's key with the position of that root; 0 where it is not configured.
func (x *X5C) Verify(own *Roots, chain []string, now time.Time) (key PublicKey, position int, err error) {
	if len(chain) == 0 {
		return key, 0, refusal.Missing
	}
	parsed, err := parseChain(chain)
	if err != nil {
		return key, 0, err
	}
	for i, oid := range x.OIDs {
		if i >= len(parsed) || !hasExtension(parsed[i], oid) {
			return key, 0, refusal.Wrong
		}
	}
	between := x509.NewCertPool()
	for _, c := range parsed[1:] {
		between.AddCert(c)
	}
	chains, _ := parsed[0].Verify(x509.VerifyOptions{
		Roots: own.pool, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	for _, found := range chains {
		// A root that signs by itself, and an issuer that is not the one with the extension, do not count.
		if len(x.OIDs) > 1 && (len(found) < 2 || !found[1].Equal(parsed[1])) {
			continue
		}
		root := slices.IndexFunc(own.list, found[len(found)-1].Equal)
		if root >= own.Fixed {
			root = -1
		}
		return PublicKey{PublicKey: parsed[0].PublicKey, Certificate: parsed[0]}, root + 1, nil
	}
	return key, 0, refusal.Wrong
}

// parseChain reads certificates of a stranger, whose size and keys are bounded: each
// costs a signature to verify.
func parseChain(chain []string) (parsed []*x509.Certificate, err error) {
	if len(chain) > maxChain {
		return nil, refusal.Malformed
	}
	for _, text := range chain {
		if base64.StdEncoding.DecodedLen(len(text)) > maxChainBytes {
			return nil, refusal.Malformed
		}
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, refusal.Malformed
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, refusal.Malformed
		}
		switch key := c.PublicKey.(type) {
		case *ecdsa.PublicKey:
		case *rsa.PublicKey:
			if key.N.BitLen() > maxChainRSA {
				return nil, refusal.Malformed
			}
		default:
			return nil, refusal.Malformed
		}
		if CheckStrength(c.PublicKey) != nil {
			return nil, refusal.Malformed
		}
		parsed = append(parsed, c)
	}
	return parsed, nil
}

func hasExtension(c *x509.Certificate, text string) bool {
	return slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.String() == text })
}
