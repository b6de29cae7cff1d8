package scheme

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/uuid"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// PayPal is the scheme of PayPal: a signature over the transmission's ID and
// time, the webhook's ID and a checksum of the body, made with the key of a
// certificate whose URL stands in a header. The checksum is CRC-32, for which a
// body can be made up: who sees one transmission can send another body with it.
// Source: paypal/PayPal-Python-SDK.
type PayPal struct {
	// The ID that PayPal gave to the webhook. PayPal signs it.
	WebhookID string `json:"webhook_id,omitempty"`

	certificates *keys.Certificates
	signing      *SigningKey
	tolerance    time.Duration
}

// The headers of a transmission.
const (
	paypalID        = "Paypal-Transmission-Id"
	paypalTime      = "Paypal-Transmission-Time"
	paypalSignature = "Paypal-Transmission-Sig"
	paypalCertURL   = "Paypal-Cert-Url"
	paypalAlgorithm = "Paypal-Auth-Algo"
)

// Provision takes the webhook's ID and the certificates.
func (p *PayPal) Provision(c *Credentials) (err error) {
	p.tolerance, p.signing = c.Tolerance, c.Signing
	if p.WebhookID == "" {
		return errors.New("the webhook's ID is signed and stands in no request: webhook_id <id>")
	}
	p.certificates, err = c.certificates("PayPal", isPayPal, func(u *url.URL) []string {
		if strings.Contains(u.Hostname(), ".sandbox.") {
			return []string{"messageverificationcerts.sandbox.paypal.com"}
		}
		return []string{"messageverificationcerts.paypal.com"}
	})
	return err
}

func isPayPal(u *url.URL) bool {
	return strings.HasSuffix(u.Hostname(), ".paypal.com") && strings.HasPrefix(u.Path, "/v1/notifications/certs/")
}

// check refuses a request whose headers cannot be a proof.
func (p *PayPal) check(r *template.Request) error {
	for _, name := range p.Headers() {
		switch values := r.Header[name]; {
		case len(values) == 0 || values[0] == "":
			return Missing
		case len(values) > 1:
			return Repeated
		}
	}
	if r.HeaderValue(paypalAlgorithm) != "SHA256withRSA" {
		return Wrong
	}
	return p.certificates.Check(r.HeaderValue(paypalCertURL))
}

// Verify reports whether PayPal sent the transmission to this webhook.
func (p *PayPal) Verify(r *template.Request, now time.Time) (err error) {
	if err := p.check(r); err != nil {
		return err
	}
	at := template.Timestamp{Unit: "rfc3339"}
	if err := checkTime(&at, r.HeaderValue(paypalTime), now, p.tolerance); err != nil {
		return err
	}
	signature, err := decodeSignature("base64", r.HeaderValue(paypalSignature))
	if err != nil {
		return Wrong
	}
	r.Matched, err = p.certificates.Verify(&keys.RSASHA256, r.HeaderValue(paypalCertURL), now, p.signed(r), signature)
	return err
}

// signed returns what is signed.
func (p *PayPal) signed(r *template.Request) []byte {
	return fmt.Appendf(nil, "%s|%s|%s|%d", r.HeaderValue(paypalID), r.HeaderValue(paypalTime), p.WebhookID, crc32.ChecksumIEEE(r.Body))
}

// Fetch implements Fetcher.
func (p *PayPal) Fetch(ctx context.Context, r *template.Request) error {
	if err := p.check(r); err != nil {
		return err
	}
	return p.certificates.Fetch(ctx, r.HeaderValue(paypalCertURL), r.Client)
}

// Sign implements Scheme.
func (p *PayPal) Sign(r *template.Request, now time.Time) error {
	if p.signing == nil {
		return ErrPrivateKey
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return fmt.Errorf("making the ID of a transmission: %v", err)
	}
	for name, value := range map[string]string{
		paypalID: id.String(), paypalTime: now.UTC().Format(time.RFC3339), paypalAlgorithm: "SHA256withRSA",
		paypalCertURL: "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-00000000",
	} {
		r.Header[name] = []string{value}
	}
	signature, err := p.signing.sign(&keys.RSASHA256, keys.RSASHA256.Digest(func(to io.Writer) { to.Write(p.signed(r)) }))
	if err != nil {
		return err
	}
	r.Header[paypalSignature] = []string{base64.StdEncoding.EncodeToString(signature)}
	return nil
}

// Compile implements Scheme.
func (p *PayPal) Compile() error { return nil }

// Traits implements Scheme.
func (p *PayPal) Traits() Traits {
	return Traits{
		UsesKeys: true, Unsignable: unsignableWith(p.signing), OwnKey: p.signing != nil, CarriesTime: true, CoversContent: true, Keys: p.certificates.Count(),
		Covers: []string{"{header." + paypalID + "}{timestamp}{body|crc32}"},
	}
}

// Headers implements Scheme.
func (p *PayPal) Headers() []string {
	return []string{paypalSignature, paypalID, paypalTime, paypalCertURL, paypalAlgorithm}
}

// Screen implements Scheme.
func (p *PayPal) Screen(r *template.Request, _ time.Time) error { return screenHeaders(r, p.Headers()) }

// Holds implements Scheme.
func (p *PayPal) Holds(r *template.Request) bool { return AnyHeader(r, p.Headers()) }

// Describe implements Scheme.
func (p *PayPal) Describe() string {
	return "signature of PayPal over transmission, webhook ID and a checksum of the body, by PayPal's certificate"
}

// Observe implements Scheme.
func (p *PayPal) Observe(r *template.Request, x *Reading) { x.headers(r, p.Headers()...) }

// Read implements Scheme. Syntax:
//
//	paypal {
//		webhook_id <id>
//	}
func (p *PayPal) Read(d *caddyfile.Dispenser, options syntax.Options) error {
	return readBlock(d, options, syntax.Options{"webhook_id": syntax.String(&p.WebhookID)})
}
