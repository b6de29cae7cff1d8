// Package httpclient has what the gateway's own HTTP requests share: the roots
// that they trust, errors that quote no URL, and how long an answer asks to wait.
package httpclient

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

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

// RetryAfter reads the header of that name: seconds or a date. It returns 0 if the
// header is neither or its time has passed.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
