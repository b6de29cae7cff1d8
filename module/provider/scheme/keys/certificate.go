package keys

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/internal/trust"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/refusal"
)

// Certificates finds the certificate that a request names by URL. The URL is
// the sender's word, so its host is pinned, even where the certificate is
// configured.
type Certificates struct {
	Keyring
	Genuine func(u *url.URL) bool // whether the provider keeps certificates there
}

// NewCertificates returns the configured certificates of a provider, else what
// fetches them. names returns those of which a certificate that comes from a URL
// must have one.
//
// fixed are the configured certificates, and dir is where fetched ones are kept.
func NewCertificates(fixed []PublicKey, dir, provider string, genuine func(*url.URL) bool, names func(*url.URL) []string) (*Certificates, error) {
	for i, key := range fixed {
		if !RSASHA256.Fits(key.PublicKey) {
			return nil, fmt.Errorf("certificate %d has no RSA key", i+1)
		}
	}
	ring := &Certificates{Keyring: Keyring{Fixed: fixed, ByName: true}, Genuine: genuine}
	if len(fixed) == 0 {
		ring.Fetched = CacheOf(&Source{
			Place:    "certificates of " + provider,
			ByName:   true,
			NamesURL: true,
			Fetch:    fetchCertificate,
			Read:     func(address string, text []byte) ([]PublicKey, error) { return ring.read(address, text, names) },
		}, dir)
	}
	return ring, nil
}

// Count returns how many certificates come from the configuration.
func (c *Certificates) Count() int {
	if c == nil {
		return 0
	}
	return c.Keyring.Count()
}

// The algorithms of the providers that name a certificate.
var (
	RSASHA1   = Algorithm{Kind: "rsa", Hash: crypto.SHA1}
	RSASHA256 = Algorithm{Kind: "rsa", Hash: crypto.SHA256}
)

// MaxCertificateURL is the longest URL of a certificate, in bytes.
const MaxCertificateURL = 512

// Check refuses a URL that is not where the provider keeps its certificates.
func (c *Certificates) Check(address string) error {
	u, err := url.Parse(address)
	if err != nil || len(address) > MaxCertificateURL || u.Scheme != "https" || u.Host != u.Hostname() || u.User != nil || u.Opaque != "" ||
		u.RawQuery != "" || u.ForceQuery || strings.ContainsAny(address, "#%\\") || strings.Contains(u.Path, "..") || !c.Genuine(u) {
		return refusal.Wrong
	}
	return nil
}

// Verify returns the position of the certificate that a signature was made with.
func (c *Certificates) Verify(a *Algorithm, address string, received time.Time, message, signature []byte) (int, error) {
	h := a.Hash.New()
	h.Write(message)
	return c.Keyring.Verify(a, address, received, h.Sum(nil), signature)
}

// maxIssuers is how many issuers of a certificate are fetched.
const maxIssuers = 2

// fetchCertificate gets the certificate at a URL and its issuers, as PEM. Where the
// issuers do not come with it, which is so at Amazon, they are fetched from where
// the certificate says that they are.
func fetchCertificate(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	content, err := Download(ctx, client, address, "")
	if err != nil || content == nil {
		return nil, err
	}
	chain, err := ParsePublicKeys(string(content))
	if err != nil {
		return nil, fmt.Errorf("reading a certificate of %s: %v", hostOf(address), err)
	}
	for range maxIssuers {
		if last := chain[len(chain)-1].Certificate; last == nil || !lacksIssuer(chain) {
			break
		} else if issuer, err := fetchIssuer(ctx, client, last); err != nil {
			return nil, fmt.Errorf("the issuer of the certificate of %s: %w", hostOf(address), err)
		} else {
			chain = append(chain, PublicKey{Certificate: issuer})
		}
	}
	var text bytes.Buffer
	for _, key := range chain {
		if key.Certificate == nil {
			return nil, fmt.Errorf("reading a certificate of %s: it is a bare key", hostOf(address))
		}
		if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: key.Certificate.Raw}); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// lacksIssuer reports whether a chain ends before a trusted root, with a
// certificate that says where its issuer is.
func lacksIssuer(chain []PublicKey) bool {
	err := verifyChain(chain, time.Now(), trust.Roots)
	return errors.As(err, new(x509.UnknownAuthorityError)) && len(chain[len(chain)-1].Certificate.IssuingCertificateURL) > 0
}

// fetchIssuer gets the issuer of a certificate from where the certificate says that
// it is. Nothing is trusted for coming from there.
func fetchIssuer(ctx context.Context, client *http.Client, of *x509.Certificate) (*x509.Certificate, error) {
	u, err := url.Parse(of.IssuingCertificateURL[0])
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host != u.Hostname() || u.User != nil {
		return nil, errors.New("its URL is malformed")
	}
	content, err := Download(ctx, client, u.String(), "")
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(content); block != nil {
		content = block.Bytes
	}
	issuer, err := x509.ParseCertificate(content)
	if err != nil {
		return nil, fmt.Errorf("reading what is at %s: %v", u.Host, err)
	}
	return issuer, nil
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// read returns the certificate of a text, without its issuers.
func (c *Certificates) read(address string, text []byte, names func(*url.URL) []string) ([]PublicKey, error) {
	if err := c.Check(address); err != nil {
		return nil, err
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	chain, err := ParsePublicKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading a certificate of %s: %v", u.Host, err)
	}
	if err := checkChain(chain, names(u), time.Now(), trust.Roots); err != nil {
		return nil, fmt.Errorf("the certificate of %s: %v", u.Host, err)
	}
	return chain[:1], nil
}

// checkChain holds a certificate, and its issuers after it, against the names, the
// time and the roots. Without roots those of the system are trusted.
func checkChain(chain []PublicKey, names []string, now time.Time, trusted *x509.CertPool) error {
	leaf := chain[0].Certificate
	switch {
	case leaf == nil:
		return errors.New("it is a bare key")
	case now.Before(leaf.NotBefore) || now.After(leaf.NotAfter):
		return errors.New("it is not valid at this time")
	case !isFor(leaf, names):
		return fmt.Errorf("it is not for %s", strings.Join(names, " or "))
	}
	return verifyChain(chain, now, trusted)
}

// verifyChain reports why the issuers of a certificate do not lead to a root.
func verifyChain(chain []PublicKey, now time.Time, trusted *x509.CertPool) error {
	issuers := x509.NewCertPool()
	for _, key := range chain[1:] {
		if key.Certificate != nil {
			issuers.AddCert(key.Certificate)
		}
	}
	_, err := chain[0].Certificate.Verify(x509.VerifyOptions{
		Roots: trusted, Intermediates: issuers, CurrentTime: now,
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
