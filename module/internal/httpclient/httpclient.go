// Package httpclient has what the gateway's own HTTP requests share: the roots
// that they trust, and errors that quote no URL.
package httpclient

import (
	"crypto/x509"
	"errors"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddypki"
)

// SystemRoots returns the roots that this machine trusts.
func SystemRoots() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return x509.NewCertPool()
	}
	return pool
}

// GatewayRoots returns the roots that this machine trusts and the root of the
// running Caddy's own CA.
func GatewayRoots() *x509.CertPool {
	pool := SystemRoots()
	if app, err := caddy.ActiveContext().AppIfConfigured("pki"); err == nil {
		if ca := app.(*caddypki.PKI).CAs[caddypki.DefaultCAID]; ca != nil {
			pool.AddCert(ca.RootCertificate())
		}
	}
	return pool
}

// WithoutURL returns what is below an error that quotes the URL, which may have
// a token in it.
func WithoutURL(err error) error {
	var quoting *url.Error
	if errors.As(err, &quoting) {
		return quoting.Err
	}
	return err
}
