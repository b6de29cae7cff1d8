package provider

import (
	"errors"
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

	// Unsignable says why the proof cannot be made, with a secret or, if that is "", with
	// those of the configuration; "" where it can. It is asked before the provider is
	// provisioned.
	Unsignable(secret string) string

	// SignerWith returns what makes the proof with a secret, in which
	// placeholders are resolved, or with the first one of the configuration if
	// it is "". A token that guards the source is no part of the proof.
	SignerWith(secret string) (Signer, error)
}

// KeySigner is a Provider whose proofs a private key of the operator's can make, in place
// of the provider's.
type KeySigner interface {
	Provider

	// WithKey returns a copy of the provider that signs with a key. It fails where no
	// proof is made with one, and where the public half is not what is configured.
	WithKey(key *scheme.SigningKey) (Provider, error)
}

// errNoKey is returned where nothing is signed with a private key.
var errNoKey = errors.New("as it is configured, the provider proves nothing with a private key; leave --private-key out, or configure a public_key")

// takesKey takes a private key for a definition.
func (c *Common) takesKey(d *Definition, key *scheme.SigningKey) error {
	if !d.any(func(t scheme.Traits) bool { return t.UsesKeys }) {
		return errNoKey
	}
	c.signing = key
	return key.Among(&c.Keys)
}

// signWith changes a configuration that was copied to make proofs for an app. With a
// secret of its own, the app has no use for keys.
func (c *Common) signWith(secret string) {
	c.Token = nil
	if secret != "" {
		c.Secrets, c.oneSecret, c.tenants, c.Keys = []string{secret}, true, false, scheme.Keys{}
	}
}

// unsignable says why the proofs of the preset cannot be made for an app, whatever is
// configured; "" where a secret is enough.
func (p *Preset) unsignable() string { return p.Definition.unsignable(false, true) }

// unsignableBy says why the proofs of a definition cannot be made with a secret or those of
// the configuration; "" where they can.
func (c *Common) unsignableBy(d *Definition, secret string) string {
	either := d.Need == NeedFirst || d.Need == NeedAny
	return d.unsignable(len(c.Given()) > 0 && !(either && secret != ""), secret != "" || c.hasSecrets() || enrolls(d.Handshakes))
}

// Standard returns a signer by Standard Webhooks with a secret, in which
// placeholders are resolved. It signs the Webhook-Id that the request has.
func Standard(secret string) (Signer, error) {
	k := &Known{preset: presetNamed("standardwebhooks"), Common: Common{Secrets: []string{secret}}}
	return standardSigner{k}, k.Provision(caddy.Context{})
}

// standardSigner signs by Standard Webhooks.
type standardSigner struct{ *Known }

// Sign implements Signer. It removes the headers of Svix, which Svix's library reads
// before those of Standard Webhooks.
func (s standardSigner) Sign(r *template.Request, now time.Time) error {
	for _, name := range []string{"Svix-Id", "Svix-Timestamp", "Svix-Signature"} {
		delete(r.Header, name)
	}
	return s.Known.Sign(r, now)
}
