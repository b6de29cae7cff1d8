package provider

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"
	"strings"
	"time"
)

// PayPal is the scheme of PayPal: a signature over the transmission's ID and
// time, the webhook's ID and a checksum of the body, made with the key of a
// certificate whose URL stands in a header. The checksum is CRC-32, for which a
// body can be made up: who sees one transmission can send another body with it.
// Source: paypal/PayPal-Python-SDK.
type PayPal struct {
	// The ID that PayPal gave to the webhook. It is signed.
	WebhookID string `json:"webhook_id,omitempty"`

	certificates *certificates
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

// provision takes the webhook's ID and the certificates.
func (p *PayPal) provision(c *Common) (err error) {
	p.tolerance = c.tolerance
	if p.WebhookID == "" {
		return errors.New("the webhook's ID is signed and stands in no request: webhook_id <id>")
	}
	p.certificates, err = newCertificates(c, isPayPal, func(u *url.URL) []string {
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

// carriesTime: the transmission has a signed time.
func (p *PayPal) carriesTime() bool { return true }

// profile tells a profile what verify will ask of a request.
func (p *PayPal) profile(profile *Profile) {
	profile.Secrets = max(profile.Secrets, len(p.certificates.fixed))
}

// check refuses a request whose headers cannot be a proof.
func (p *PayPal) check(r *Request) error {
	for _, name := range []string{paypalID, paypalTime, paypalSignature, paypalCertURL, paypalAlgorithm} {
		switch values := r.Header[name]; {
		case len(values) == 0 || values[0] == "":
			return Missing
		case len(values) > 1:
			return Repeated
		}
	}
	if r.header(paypalAlgorithm) != "SHA256withRSA" {
		return Wrong
	}
	return p.certificates.check(r.header(paypalCertURL))
}

// verify reports whether PayPal sent the transmission to this webhook.
func (p *PayPal) verify(r *Request, now time.Time) (err error) {
	if err := p.check(r); err != nil {
		return err
	}
	at := Timestamp{Unit: "rfc3339"}
	if err := at.check(r.header(paypalTime), now, p.tolerance); err != nil {
		return err
	}
	text := fmt.Sprintf("%s|%s|%s|%d", r.header(paypalID), r.header(paypalTime), p.WebhookID, crc32.ChecksumIEEE(r.Body))
	r.Matched, err = p.certificates.verify(&rsaSHA256, r.header(paypalCertURL), text, r.header(paypalSignature))
	return err
}

// fetch implements fetcher.
func (p *PayPal) fetch(ctx context.Context, r *Request) error {
	if err := p.check(r); err != nil {
		return err
	}
	return p.certificates.fetch(ctx, r.header(paypalCertURL))
}

// sign implements scheme.
func (p *PayPal) sign(*Request, time.Time) error { return ErrPrivateKey }
