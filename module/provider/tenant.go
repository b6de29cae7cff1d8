package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// Tenanted is a Provider that can serve many tenants, each with secrets of its own.
type Tenanted interface {
	Provider

	// ServeTenants says that the secrets are those of tenants. It comes before
	// UnmarshalCaddyfile; before Provision, WithTenants says the same.
	ServeTenants()

	// RefusesTenants says why tenants cannot have secrets of their own; "" where they
	// can. It is asked before the provider is provisioned.
	RefusesTenants() string

	// TenantSecrets returns the secrets of a tenant as they are used, or an error if they
	// cannot be. Those of the configuration have their placeholders resolved; those
	// of a file are what the file says.
	TenantSecrets(configured []string, ofFile bool) ([]string, error)

	// For returns the provider of a tenant, given its secrets. It costs little enough to
	// be asked for every request. Without secrets it returns a provider for which no
	// request is genuine, and which does the same work.
	For(secrets []string) (Provider, error)
}

// tenantsKey is the key of a context's value: the secrets are those of tenants.
type tenantsKey struct{}

// WithTenants returns a context whose providers serve tenants.
func WithTenants(ctx caddy.Context) caddy.Context { return ctx.WithValue(tenantsKey{}, true) }

// ServeTenants implements Tenanted.
func (c *Common) ServeTenants() { c.tenants = true }

// hear takes from the context what the gateway says of the provider.
func (c *Common) hear(ctx caddy.Context) {
	if ctx.Context == nil {
		return
	}
	if tenants, _ := ctx.Value(tenantsKey{}).(bool); tenants {
		c.tenants = true
	}
}

// hasSecrets reports whether there are secrets, of the configuration or of tenants.
func (c *Common) hasSecrets() bool { return len(c.Secrets) > 0 || c.tenants }

// refusesTenants says why the proofs of a definition cannot have other secrets for each
// tenant; "" where they can.
func (c *Common) refusesTenants(d *Definition) string {
	for i := range d.Proofs {
		if len(scheme.NonEmpty(d.Proofs[i].Secrets)) > 0 {
			return "a proof has a secret of its own, which would be every tenant's; remove it"
		}
	}
	switch {
	case !d.usesSecret():
		return "the provider uses no secret that a tenant could have"
	case d.checks():
		return "the provider's proof is checked by a call, with the key of one account"
	case len(c.Secrets) > 0:
		return "the provider has a secret of its own, which would be every tenant's; remove it"
	case len(c.Given()) > 0:
		return fmt.Sprintf("%s would verify the webhooks of every tenant; remove it", c.Given()[0])
	}
	for i := range d.Proofs {
		if t := d.Proofs[i].traits(); (d.Need == NeedFirst || d.Need == NeedAny) && !t.UsesSecret && !t.NeedsKeys {
			return "one of the provider's proofs is made without a secret, and would be every tenant's"
		}
	}
	return ""
}

// RefusesTenants implements Tenanted.
func (k *Known) RefusesTenants() string {
	if slices.ContainsFunc(k.preset.Options, func(o Option) bool { return o.Secrets }) {
		return "the provider's handshake names the secrets"
	}
	d := &k.preset.Definition
	if values, err := k.resolveOptions(); err == nil {
		if full, err := k.preset.with(values, nil); err == nil {
			d = full
		}
	}
	return k.refusesTenants(d)
}

// RefusesTenants implements Tenanted.
func (c *Custom) RefusesTenants() string { return c.refusesTenants(&c.Definition) }

// TenantSecrets implements Tenanted.
func (w *working) TenantSecrets(configured []string, ofFile bool) (secrets []string, err error) {
	if wholeHeader := w.ready.common.wholeHeader; ofFile {
		secrets, err = scheme.Literal("secret", configured, wholeHeader)
	} else {
		secrets, err = resolverOf(wholeHeader)("secret", configured)
	}
	if err == nil {
		err = scheme.CheckEdges("secret", secrets, w.ready.common.edges)
	}
	if err == nil {
		_, err = w.ready.with(secrets, w.stranger)
	}
	return secrets, err
}

// For implements Tenanted.
func (k *Known) For(secrets []string) (_ Provider, err error) {
	own := *k
	own.ready, err = k.ready.with(secrets, k.stranger)
	return &own, err
}

// For implements Tenanted.
func (c *Custom) For(secrets []string) (_ Provider, err error) {
	own := *c
	own.ready, err = c.ready.with(secrets, c.stranger)
	return &own, err
}

// with returns the definition with the secrets of a tenant. Without any, a secret that
// nobody knows takes their place.
func (is *ready) with(secrets []string, stranger string) (_ *ready, err error) {
	own, common := *is, *is.common
	common.resolved.Secrets, own.common = secrets, &common
	if own.proofs, err = is.proofs.with(secrets, stranger); err != nil {
		return nil, err
	}
	if len(secrets) == 0 {
		secrets = []string{stranger}
	}
	own.handshakes, err = is.handshakes.with(secrets)
	return &own, err
}

// with returns the proofs with the secrets of a tenant.
func (ps *proofs) with(secrets []string, stranger string) (own proofs, err error) {
	own, own.closed = *ps, len(secrets) == 0
	own.list, own.all = make([]*Proof, 0, len(ps.list)), make([]*Proof, 0, len(ps.all))
	for _, p := range ps.all {
		rekeyed, err := p.with(secrets, stranger)
		switch {
		case err != nil:
			return own, err
		case rekeyed != nil:
			own.all = append(own.all, rekeyed)
			if slices.Contains(ps.list, p) {
				own.list = append(own.list, rekeyed)
			}
		case ps.needsAll():
			return own, fmt.Errorf("proof %d of the provider has no secret", p.position)
		}
	}
	if len(own.list) == 0 {
		return own, fmt.Errorf("none of the secrets fits a proof")
	}
	return own, nil
}

// with returns the proof with the secrets of a tenant; nil if none of them is for it.
func (p *Proof) with(secrets []string, stranger string) (*Proof, error) {
	rekeyer, ok := p.scheme.(scheme.Rekeyer)
	if !ok {
		return p, nil
	}
	own := *p
	own.positions = nil
	var mine []string
	for i, secret := range secrets {
		if strings.HasPrefix(secret, p.SecretPrefix) {
			mine, own.positions = append(mine, secret), append(own.positions, i+1)
		}
	}
	switch {
	case len(secrets) == 0:
		mine = []string{p.SecretPrefix + stranger}
	case len(mine) == 0:
		return nil, nil
	}
	var err error
	own.scheme, err = rekeyer.With(mine)
	return &own, err
}

// with returns the handshakes with other secrets.
func (hs *handshakes) with(secrets []string) (own handshakes, err error) {
	own = *hs
	if !slices.ContainsFunc(hs.list, func(h Handshake) bool { return h.keyed() }) {
		return own, nil
	}
	own.list = slices.Clone(hs.list)
	for i := range own.list {
		if err := own.list[i].rekey(secrets); err != nil {
			return own, fmt.Errorf("handshake %s: %w", own.list[i].Kind, err)
		}
	}
	return own, nil
}

// Interface guards
var (
	_ Tenanted = (*Known)(nil)
	_ Tenanted = (*Custom)(nil)
)
