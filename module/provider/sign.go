package provider

import (
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Signer makes proofs.
type Signer interface {
	// Sign puts a proof into a request, in place of one that it has.
	Sign(r *template.Request, now time.Time) error
}

// SignsAlone reports whether the provider of that name has such a key, whatever
// is configured.
func SignsAlone(name string) bool {
	p := presetNamed(name)
	return p != nil && p.proves() && !p.any(func(t scheme.Traits) bool { return t.UsesSecret })
}

// Resigner is a Provider that can sign verified requests for an app: the secret that
// verifies its proof also makes the proof.
type Resigner interface {
	Provider

	// Resigns reports whether there is a proof to make. It is asked before the
	// provider is provisioned.
	Resigns() bool

	// SignerWith returns what makes the proof with a secret, in which
	// placeholders are resolved, or with the first one of the configuration if
	// it is "". A token that guards the source is no part of the proof.
	SignerWith(secret string) (Signer, error)
}

// signWith changes a configuration that was copied to make proofs for an app.
func (c *Common) signWith(secret string) {
	c.Token = nil
	if secret != "" {
		c.Secrets, c.oneSecret = []string{secret}, true
	}
}

// Standard returns a signer by Standard Webhooks with a secret, in which
// placeholders are resolved. It signs the Webhook-Id that the request has.
func Standard(secret string) (Signer, error) {
	k := &Known{preset: presetNamed("standardwebhooks"), Common: Common{Secrets: []string{secret}}}
	return k, k.Provision(caddy.Context{})
}
