package provider

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Common are the options that every provider has.
type Common struct {
	// The secrets that the provider may sign with. Any of them may match, which allows
	// rotation. The first one is used to sign. Placeholders such as {env.X} and
	// {file./run/secrets/x} are resolved when the configuration loads.
	Secrets []string `json:"secrets,omitempty"`

	// How far a signed timestamp may be from now, in the past or in the future. A
	// negative value switches the check off. Default: what fits the provider.
	Tolerance caddy.Duration `json:"tolerance,omitempty"`

	// The public URL that the provider calls, for schemes that sign it. Default: the URL
	// of the request.
	ExternalURL string `json:"external_url,omitempty"`

	// More public URLs that the provider calls. The proof tells which one it called.
	ExternalURLs []string `json:"external_urls,omitempty"`

	// Accept the provider's weaker proofs too, where it has a stronger one. Default:
	// false.
	Legacy bool `json:"legacy,omitempty"`

	// A token that guards the source, in addition to what the provider proves. Default:
	// none.
	Token *scheme.Token `json:"token,omitempty"`

	scheme.Keys

	resolved  scheme.Credentials
	publics   []public // where the proof tells which one was called
	oneSecret bool     // the first secret makes all proofs
	signing   *scheme.SigningKey
	tenants   bool // the secrets are those of tenants

	wholeHeader bool          // a secret may be all that a header holds
	edges       scheme.Traits // of what every proof does to the edges of a secret
}

// dirKey is the key of a context's value: where the gateway keeps its files.
type dirKey struct{}

// WithDir returns a context whose providers keep the keys that they fetch in a
// directory, and share them with those of other configurations. Without it a
// provider keeps its keys in memory, for itself.
func WithDir(ctx caddy.Context, dir string) caddy.Context { return ctx.WithValue(dirKey{}, dir) }

// provision resolves secrets and URL.
func (c *Common) provision(ctx caddy.Context, d *Definition, defaultTolerance time.Duration) (err error) {
	c.resolved = scheme.Credentials{Keys: c.Keys, Signing: c.signing}
	if ctx.Context != nil {
		c.resolved.Dir, _ = ctx.Value(dirKey{}).(string)
	}
	c.wholeHeader = d.any(wholeHeader)
	if c.resolved.Secrets, err = resolverOf(c.wholeHeader)("secret", c.Secrets); err != nil {
		return err
	}
	c.edges = d.edges()
	if err := scheme.CheckEdges("secret", c.resolved.Secrets, c.edges); err != nil {
		return err
	}
	switch {
	case c.Tolerance > 0:
		c.resolved.Tolerance = time.Duration(c.Tolerance)
	case c.Tolerance == 0:
		c.resolved.Tolerance = defaultTolerance
	}
	if err := c.provisionURLs(); err != nil {
		return err
	}
	if c.Token == nil {
		return nil
	}
	tokens, err := resolverOf(wholeHeader(c.Token.Traits()))("token", c.Token.Secrets)
	if err != nil {
		return err
	}
	if len(tokens) == 0 {
		return fmt.Errorf("token needs a secret")
	}
	if err := scheme.CheckEdges("token", tokens, c.Token.Traits()); err != nil {
		return err
	}
	return c.Token.Provision(&scheme.Credentials{Secrets: tokens})
}

func wholeHeader(t scheme.Traits) bool { return t.WholeHeader }

// resolverOf returns what resolves secrets that are, or are not, all that a header
// holds.
func resolverOf(wholeHeader bool) func(what string, configured []string) ([]string, error) {
	if wholeHeader {
		return scheme.ResolveValues
	}
	return scheme.Resolve
}

// checkTolerance refuses a tolerance where nothing carries the time. With a
// scheme, its requests would all be refused.
func (c *Common) checkTolerance(carriesTime bool) error {
	if c.Tolerance > 0 && !carriesTime {
		return errors.New("tolerance has no effect here: the provider sends no timestamp; remove it")
	}
	return nil
}

// checkLegacy refuses the line legacy where there is nothing for it.
func (c *Common) checkLegacy(d *Definition) error {
	if c.Legacy && !d.hasLegacy() {
		return errors.New("legacy has no effect here: the provider has no weaker proof; remove it")
	}
	return nil
}

// verifyToken checks the guarding token, if there is one. It sets Matched, which the
// provider's own proof overwrites.
func (c *Common) verifyToken(r *template.Request, now time.Time) error {
	if c.Token == nil {
		return nil
	}
	return c.Token.Verify(r, now)
}

// stripToken cuts the guarding token, if there is one, from the URL.
func (c *Common) stripToken(r *template.Request) {
	if c.Token != nil {
		c.Token.Strip(r)
	}
}

// guard adds the secrets and the header of the guarding token to a profile.
func (c *Common) guard(p *Profile) {
	if c.Token == nil {
		return
	}
	p.HasToken = true
	p.Secrets = c.Token.Traits().Keys
	p.SecretHeaders = append(p.SecretHeaders, c.Token.Traits().SecretHeaders...)
}

// options returns the readers of the subdirectives that every provider has.
func (c *Common) options() syntax.Options {
	return syntax.Options{
		"secret": func(d *caddyfile.Dispenser) error {
			if len(c.Secrets) > 0 {
				return d.Err("the provider's secrets are given twice; put all of them on one line")
			}
			return syntax.Strings(&c.Secrets)(d)
		},
		"tolerance":    c.readTolerance,
		"external_url": c.readExternalURLs,
		"token": func(d *caddyfile.Dispenser) error {
			c.Token = new(scheme.Token)
			return c.Token.ReadGuard(d)
		},
	}
}

func (c *Common) readTolerance(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	if d.Val() == "off" {
		c.Tolerance = -1
		return syntax.End(d)
	}
	tolerance, err := syntax.ParseDuration(d)
	if err != nil {
		return err
	}
	c.Tolerance = tolerance
	return syntax.End(d)
}
