package scheme

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// certificates finds the certificate that a request names by URL. The URL is
// the sender's word, so its host is pinned, even where the certificate is
// configured.
type certificates struct {
	keyring
	Genuine func(u *url.URL) bool // whether the provider keeps certificates there
}

// newCertificates returns the configured certificates, or a cache that fetches them.
// A fetched certificate must be for one of the names that names returns for its URL.
func newCertificates(c *Credentials, genuine func(*url.URL) bool, names func(*url.URL) []string) (*certificates, error) {
	if err := c.checkSecrets(); err != nil {
		return nil, err
	}
	fixed, err := c.ParsedKeys()
	if err != nil {
		return nil, err
	}
	for i, key := range fixed {
		if !rsaSHA256.fits(key.PublicKey) {
			return nil, fmt.Errorf("certificate %d has no RSA key", i+1)
		}
	}
	ring := &certificates{keyring{fixed: fixed, byName: true}, genuine}
	if len(fixed) == 0 {
		ring.fetched = newKeyCache(fetchCertificate(names))
	}
	return ring, nil
}

// count returns how many certificates come from the configuration.
func (c *certificates) count() int {
	if c == nil {
		return 0
	}
	return c.keyring.count()
}

var (
	rsaSHA1   = algorithm{Kind: "rsa", Hash: crypto.SHA1}
	rsaSHA256 = algorithm{Kind: "rsa", Hash: crypto.SHA256}
)

// maxCertificateURL is the longest URL of a certificate, in bytes.
const maxCertificateURL = 512

// check refuses a URL that is not where the provider keeps its certificates.
func (c *certificates) Check(address string) error {
	u, err := url.Parse(address)
	if err != nil || len(address) > maxCertificateURL || u.Scheme != "https" || u.Host != u.Hostname() || u.User != nil || u.Opaque != "" ||
		u.RawQuery != "" || u.ForceQuery || strings.ContainsAny(address, "#%\\") || strings.Contains(u.Path, "..") || !c.Genuine(u) {
		return Wrong
	}
	return nil
}

// verify returns the position of the certificate that a signature was made with.
func (c *certificates) verify(a *algorithm, address, message, signature string) (int, error) {
	decoded, err := decodeSignature("base64", signature)
	if err != nil {
		return 0, Wrong
	}
	h := a.Hash.New()
	h.Write([]byte(message))
	return c.keyring.verify(a, address, h.Sum(nil), decoded)
}

// fetchCertificate returns the call that gets the certificate at a URL. TLS proves
// the host. The certificate must also be for the provider's name, and a chain that
// comes with it must lead to a root that the system trusts.
func fetchCertificate(names func(*url.URL) []string) keyFetch {
	return func(ctx context.Context, client *http.Client, address string) ([]publicKey, error) {
		u, err := url.Parse(address)
		if err != nil {
			return nil, nil
		}
		content, err := download(ctx, client, address, "")
		if err != nil || content == nil {
			return nil, err
		}
		chain, err := parsePublicKeys(string(content))
		if err != nil {
			return nil, fmt.Errorf("reading a certificate of %s: %v", u.Host, err)
		}
		if err := checkChain(chain, names(u), time.Now(), nil); err != nil {
			return nil, fmt.Errorf("the certificate of %s: %v", u.Host, err)
		}
		return chain[:1], nil
	}
}

// checkChain checks the first certificate against the names and the time, and
// against the issuers after it. Without roots, the roots of the system are trusted.
func checkChain(chain []publicKey, names []string, now time.Time, roots *x509.CertPool) error {
	leaf := chain[0].Certificate
	switch {
	case leaf == nil:
		return errors.New("it is a bare key")
	case now.Before(leaf.NotBefore) || now.After(leaf.NotAfter):
		return errors.New("it is not valid at this time")
	case !isFor(leaf, names):
		return fmt.Errorf("it is not for %s", strings.Join(names, " or "))
	case len(chain) == 1:
		return nil
	}
	issuers := x509.NewCertPool()
	for _, key := range chain[1:] {
		if key.Certificate != nil {
			issuers.AddCert(key.Certificate)
		}
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: issuers, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

func isFor(leaf *x509.Certificate, names []string) bool {
	for _, name := range names {
		if leaf.VerifyHostname(name) == nil || leaf.Subject.CommonName == name {
			return true
		}
	}
	return false
}
