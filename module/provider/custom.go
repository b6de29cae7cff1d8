package provider

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

func init() { caddy.RegisterModule(Custom{}) }

// Custom is a provider that the configuration describes, with the same words as
// the presets.
type Custom struct {
	Common
	Definition

	// The provider proves nothing. Then a token or allow_ips must guard the source.
	// Default: false.
	None bool `json:"none,omitempty"`

	working
}

// CaddyModule returns the Caddy module information.
func (Custom) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "webhook_gateway.providers.custom",
		New: func() caddy.Module { return new(Custom) },
	}
}

// customTolerance is for schemes that sign a timestamp.
const customTolerance = 5 * time.Minute

// Provision resolves the secrets and makes the proofs ready.
func (c *Custom) Provision(ctx caddy.Context) error {
	c.hear(ctx)
	d, err := c.check()
	if err != nil {
		return err
	}
	var tolerance time.Duration
	if d.any(func(t scheme.Traits) bool { return t.SignsTime }) {
		tolerance = customTolerance
	}
	if err := c.Common.provision(ctx, d, tolerance); err != nil {
		return err
	}
	if err := c.start(&c.Common, d, func([]string) (*Definition, error) { return c.check() }); err != nil {
		return err
	}
	c.ready.profile.Samples = func() []Sample { return parseSamples("custom", customSamples) }
	return nil
}

// check holds the parts of the configuration against each other, and returns a
// copy of the definition that is compiled.
func (c *Custom) check() (*Definition, error) {
	d, err := c.Definition.with(nil, nil)
	if err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	given, name := len(c.Secrets) > 0, ""
	if c.proves() {
		name, _, _ = d.Proofs[0].only()
	}
	switch {
	case c.proves() && c.None:
		return nil, errors.New("provider custom takes either proofs or none")
	case !c.proves() && c.Token == nil && !c.None:
		return nil, errors.New("provider custom needs a proof: hmac, digest, token, basic_auth, ed25519, ecdsa, rsa, jwt, message_signature or none")
	case given && !c.proves():
		return nil, errors.New("provider custom has a secret but no proof that uses it")
	case len(c.Given()) > 0 && !c.any(func(t scheme.Traits) bool { return t.UsesKeys }):
		return nil, fmt.Errorf("provider custom has %s but no proof that uses it", c.Keys.Given()[0])
	case given && !c.usesSecret():
		return nil, errors.New("provider custom has secrets that no proof uses")
	case !c.hasSecrets() && c.needsSecret() && !c.Enrolls() && !c.needsNoSecret(&c.Keys):
		return nil, errors.New(name + " needs a secret")
	case d.any(func(t scheme.Traits) bool { return t.SignsID }) && c.ID == "":
		return nil, errors.New("the proof covers {id}, so the provider needs a line: id <expression>")
	}
	if err := c.checkLegacy(d); err != nil {
		return nil, err
	}
	return d, c.checkTolerance(d.any(func(t scheme.Traits) bool { return t.CarriesTime }))
}

// Proves implements Provider.
func (c *Custom) Proves() bool { return c.proves() || c.Token != nil }

// Anybodys implements Binder.
func (c *Custom) Anybodys() string { return c.anybodys() }

// Checks implements Checker.
func (c *Custom) Checks() bool { return c.checks() }

// Publishes implements Provider.
func (c *Custom) Publishes() bool { return c.Ranges != nil }

// Unsignable implements Resigner. A guarding token is no part of the proof: it stays
// where it is, or was cut from the URL.
func (c *Custom) Unsignable(secret string) string { return c.unsignableBy(&c.Definition, secret) }

// SignerWith implements Resigner.
func (c *Custom) SignerWith(secret string) (Signer, error) {
	own := *c
	if own.signWith(secret); !own.hasSecrets() && own.Enrolls() {
		return nil, errNoSecret
	}
	return &own, own.Provision(caddy.Context{})
}

// WithKey implements KeySigner.
func (c *Custom) WithKey(key *scheme.SigningKey) (Provider, error) {
	own := *c
	if err := own.takesKey(&own.Definition, key); err != nil {
		return nil, err
	}
	if err := own.Provision(caddy.Context{}); err != nil {
		return nil, err
	}
	return &own, own.ready.proofs.checkOwnKey()
}

// Interface guards
var (
	_ KeySigner             = (*Custom)(nil)
	_ Resigner              = (*Custom)(nil)
	_ Enroller              = (*Custom)(nil)
	_ Fetcher               = (*Custom)(nil)
	_ Checker               = (*Custom)(nil)
	_ Binder                = (*Custom)(nil)
	_ caddy.Provisioner     = (*Custom)(nil)
	_ caddyfile.Unmarshaler = (*Custom)(nil)
)
