package module

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Sign says how deliveries are signed again, so that an app accepts them
// whenever they come.
type Sign struct {
	// The scheme: provider or standard. With provider, a fresh signature and timestamp
	// of the provider's own scheme replace the original ones. With standard, each
	// attempt has the headers of Standard Webhooks, with the gateway's event ID as
	// webhook-id.
	Scheme string `json:"scheme,omitempty"`

	// The secret that the app verifies with. The scheme standard needs one, in base64,
	// with or without whsec_ before it. Placeholders are resolved when the configuration
	// loads. Default with the scheme provider: the first secret of the provider.
	Secret string `json:"secret,omitempty"`

	signer  provider.Signer
	handler *Handler
}

// The schemes of Sign.
const signProvider, signStandard = "provider", "standard"

// check refuses an unknown scheme, and a scheme that lacks its secret.
func (s *Sign) check() error {
	switch {
	case s.Scheme != signProvider && s.Scheme != signStandard:
		return fmt.Errorf("sign takes provider or standard, not %q", s.Scheme)
	case s.Scheme == signStandard && s.Secret == "":
		return errors.New("sign standard needs a secret")
	}
	return nil
}

// checkProvider refuses the scheme provider where the gateway cannot sign in the
// provider's place.
func (s *Sign) checkProvider(p provider.Provider) error {
	if s == nil || s.Scheme != signProvider {
		return nil
	}
	why := scheme.PrivateKey
	if resigner, ok := p.(provider.Resigner); ok {
		why = resigner.Unsignable(s.Secret)
	}
	if why != "" {
		return fmt.Errorf("sign provider is not possible, since %s; use: sign standard <secret>", why)
	}
	return nil
}

func (s *Sign) provision(h *Handler) (err error) {
	if s == nil {
		return nil
	}
	s.handler = h
	if s.Scheme == signStandard {
		s.signer, err = provider.Standard(s.Secret)
	} else {
		s.signer, err = h.provider.(provider.Resigner).SignerWith(s.Secret)
	}
	return err
}

// byProvider reports whether attempts have a fresh proof of the provider's own scheme.
func (s *Sign) byProvider() bool { return s != nil && s.Scheme == signProvider }

// sign puts a fresh proof of a body into the headers of an attempt.
func (s *Sign) sign(header http.Header, body []byte, e *queue.Event, now time.Time) error {
	if s == nil {
		return nil
	}
	if s.Scheme == signStandard {
		header.Set("Webhook-Id", e.ID.String())
	}
	path, query, _ := strings.Cut(e.Request.URI, "?")
	r := &provider.Request{
		Method:     e.Request.Method,
		Path:       path,
		RawQuery:   query,
		Header:     header,
		Body:       body,
		DeliveryID: func() string { return s.handler.storedID(e) },
	}
	if s.handler.profile.SignsURL {
		public, err := storedURL(e.Request)
		if err != nil {
			return err
		}
		r.Public = public
	}
	signer, err := s.signerFor(e.Tenant)
	if err != nil {
		return err
	}
	return signer.Sign(r, now)
}

// signerFor returns what makes the proof with the first secret of a tenant, unless the
// route has a secret of its own.
func (s *Sign) signerFor(tenant string) (provider.Signer, error) {
	tenanted, ok := s.signer.(provider.Tenanted)
	if !ok || s.Secret != "" || s.handler.tenants == nil {
		return s.signer, nil
	}
	secrets := s.handler.secretsOf(tenant)
	if len(secrets) == 0 {
		return nil, noSecret(tenant)
	}
	return tenanted.For(secrets)
}

// noSecret is the error of a tenant who was removed, or has no secret. It may be only for
// now.
type noSecret string

func (tenant noSecret) Error() string {
	return fmt.Sprintf("tenant %s is not known any more, or has no secret", string(tenant))
}

// storedURL returns the URL that the provider called. A webhook that was stored
// without that URL came to the URL that the app gets.
func storedURL(r *queue.Request) (*url.URL, error) {
	text := r.PublicURL
	if text == "" {
		text = map[bool]string{true: "https://", false: "http://"}[r.TLS] + r.Host + r.URI
	}
	return url.Parse(text)
}

// storedID finds the delivery ID of a stored event, for schemes that sign the ID. The
// event's own DeliveryID may be a hash that stands in for a missing ID. The scheme knows no
// parts: it reads the ID where a webhook has it.
func (h *Handler) storedID(e *queue.Event) string {
	whole := *e
	whole.Part = queue.Part{}
	view := h.storedView(&whole)
	defer view.Free()
	id, err := h.idValue.Text(view)
	if err != nil {
		return ""
	}
	return id
}

// read reads the arguments of a sign line:
//
//	sign provider [<secret>]
//	sign standard <secret>
func (s *Sign) read(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	s.Scheme = d.Val()
	if d.NextArg() {
		if s.Secret = d.Val(); s.Secret == "" {
			return d.Err("the secret of sign is empty")
		}
	}
	if err := syntax.End(d); err != nil {
		return err
	}
	return syntax.At(d, s.check())
}
