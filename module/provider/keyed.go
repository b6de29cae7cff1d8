package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// fetcher is a scheme that may have to fetch the key that a request names.
type fetcher interface {
	scheme
	fetch(ctx context.Context, r *Request) error
}

// timer is a scheme that may carry the time of its proof.
type timer interface {
	scheme
	carriesTime() bool
}

// fetch fetches the key that a request names, if a scheme can.
func fetch(ctx context.Context, s scheme, r *Request) error {
	if f, ok := s.(fetcher); ok {
		return f.fetch(ctx, r)
	}
	return NoKey
}

// keyed returns the preset's scheme if it is one of those that verify with
// public keys, or with tokens made of claims. It is the caller's own.
func (p *Preset) keyed() scheme {
	switch {
	case p.Ed25519 != nil:
		return copyOf(p.Ed25519)
	case p.ECDSA != nil:
		return copyOf(p.ECDSA)
	case p.RSA != nil:
		return copyOf(p.RSA)
	case p.JWT != nil:
		return copyOf(p.JWT)
	case p.MessageSignature != nil:
		return copyOf(p.MessageSignature)
	case p.SNS != nil:
		return copyOf(p.SNS)
	case p.PayPal != nil:
		return copyOf(p.PayPal)
	case p.EBay != nil:
		return copyOf(p.EBay)
	}
	return nil
}

func copyOf[T any](p *T) *T {
	own := *p
	return &own
}

// keyed returns the one of these schemes that is configured, with its name.
func (c *Custom) keyed() (name string, s scheme) {
	switch {
	case c.Ed25519 != nil:
		return "ed25519", c.Ed25519
	case c.ECDSA != nil:
		return "ecdsa", c.ECDSA
	case c.RSA != nil:
		return "rsa", c.RSA
	case c.JWT != nil:
		return "jwt", c.JWT
	case c.MessageSignature != nil:
		return "message_signature", c.MessageSignature
	}
	return "", nil
}

// checkSecrets refuses secrets where only public keys verify.
func (c *Common) checkSecrets() error {
	if len(c.secrets) > 0 {
		return errors.New("the provider signs with a key of its own, so there is no secret; what verifies is a public key: public_key <key>")
	}
	return nil
}

// provisionKeyed sets a scheme up and tells the profile about it.
func (c *Common) provisionKeyed(s scheme, p *Profile) error {
	if t, ok := s.(timer); c.Tolerance > 0 && !(ok && t.carriesTime()) {
		return errors.New("tolerance has no meaning here: the provider sends no timestamp")
	}
	if err := s.provision(c); err != nil {
		return err
	}
	s.profile(p)
	return nil
}

// checkGiven refuses options that a provider does not take.
func (k *Keys) checkGiven(provider string, taken []string) error {
	for _, name := range k.given() {
		if !slices.Contains(taken, name) {
			return fmt.Errorf("provider %s takes no option %s", provider, name)
		}
	}
	return nil
}

// customKeys are the options that the custom provider's schemes take.
var customKeys = []string{"public_key", "keys_url"}

// keysTaken returns those that a scheme of the custom provider takes.
func keysTaken(s scheme) []string {
	if s == nil {
		return nil
	}
	return customKeys
}

// signsKeyed reports whether a scheme makes proofs with what verifies them.
func signsKeyed(s scheme) bool {
	j, ok := s.(*JWT)
	return ok && j.Header != "" && slices.ContainsFunc(j.Algorithms, isHMAC)
}

// Fetch implements Fetcher.
func (k *Known) Fetch(ctx context.Context, r *Request) error { return fetch(ctx, k.keyed, r) }

// Fetch implements Fetcher.
func (c *Custom) Fetch(ctx context.Context, r *Request) error {
	_, s := c.keyed()
	return fetch(ctx, s, r)
}

// Interface guards
var (
	_ Fetcher = (*Known)(nil)
	_ Fetcher = (*Custom)(nil)
)
