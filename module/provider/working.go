package provider

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"sync/atomic"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// working is the common part of presets and the custom provider: a definition that
// was made ready.
type working struct {
	ready    *ready // for the secrets of the configuration
	define   func(secrets []string) (*Definition, error)
	enrolled *atomic.Pointer[ready] // for those as well that handshakes delivered; nil until there are any
	stranger string                 // a secret that nobody knows, in place of those of an unknown tenant
}

// ready is a definition that has been made ready for some secrets.
type ready struct {
	common     *Common
	proofs     proofs
	handshakes handshakes
	profile    Profile
}

// start makes a definition ready. define returns the definition for other secrets.
func (w *working) start(c *Common, d *Definition, define func(secrets []string) (*Definition, error)) (err error) {
	w.define, w.enrolled, w.stranger = define, new(atomic.Pointer[ready]), unknownSecret()
	w.ready, err = makeReady(c, d)
	return err
}

func makeReady(c *Common, d *Definition) (*ready, error) {
	r := &ready{common: c, profile: d.newProfile()}
	r.profile.Legacy = c.Legacy
	var err error
	secrets := c.resolved.Secrets
	if c.tenants && len(secrets) == 0 {
		secrets = []string{unknownSecret()} // each tenant has others
	}
	if r.handshakes, err = provisionHandshakes(d, c.Token, secrets, r.profile.Methods); err != nil {
		return nil, err
	}
	r.profile.Greets = r.handshakes.greet()
	c.guard(&r.profile)
	return r, r.proofs.provision(d, c, &r.profile)
}

// now returns the ready definition that counts: the one with delivered secrets, if
// there are any.
func (w *working) now() *ready {
	if enrolled := w.enrolled.Load(); enrolled != nil {
		return enrolled
	}
	return w.ready
}

// Profile implements Provider.
func (w *working) Profile() *Profile { return &w.ready.profile }

// Verify implements Provider.
func (w *working) Verify(r *template.Request, now time.Time) error {
	return w.now().verify(r, now)
}

func (is *ready) verify(r *template.Request, now time.Time) error {
	if err := is.common.verifyToken(r, now); err != nil {
		return err
	}
	return is.verifyCalled(r, now)
}

// Screen implements Provider.
func (w *working) Screen(r *template.Request, now time.Time) error {
	is := w.now()
	if token := is.common.Token; token != nil {
		if err := token.Screen(r, now); err != nil {
			return err
		}
	}
	return is.proofs.screen(r, now)
}

// Sign implements Provider.
func (w *working) Sign(r *template.Request, now time.Time) error {
	is := w.now()
	is.common.chooseCalled(r)
	if token := is.common.Token; token != nil {
		if err := token.Sign(r, now); err != nil {
			return err
		}
		r.Moved() // the proof may cover the URL that has the token
	}
	return is.proofs.sign(r, now)
}

// Strip implements Provider.
func (w *working) Strip(r *template.Request) {
	is := w.now()
	is.common.stripToken(r)
	is.proofs.strip(r)
}

// Check implements Checker.
func (w *working) Check(ctx context.Context, r *template.Request) scheme.Verdict {
	return w.now().proofs.check(ctx, r)
}

// Fetch implements Fetcher.
func (w *working) Fetch(ctx context.Context, r *template.Request) error {
	return w.now().proofs.fetch(ctx, r)
}

// Handshake implements Handshaker.
func (w *working) Handshake(r *template.Request, now time.Time) (*Reply, error) {
	return w.now().handshakes.answer(w, r, now)
}

// Enroll implements Enroller.
func (w *working) Enroll(secrets []string) error {
	c := *w.ready.common
	c.resolved.Secrets = slices.Concat(c.resolved.Secrets, secrets)
	enrolled, err := w.makeOther(&c)
	if err != nil {
		return err
	}
	w.enrolled.Store(enrolled)
	return nil
}

// makeOther makes the definition ready for another configuration.
func (w *working) makeOther(c *Common) (*ready, error) {
	d, err := w.define(c.resolved.Secrets)
	if err != nil {
		return nil, err
	}
	return makeReady(c, d)
}

// unknownSecret returns a random secret, good as text, as hex and as base64. It takes the
// place of a secret that the provider has still to deliver, or of those of an unknown
// tenant: no request is genuine.
func unknownSecret() string {
	var secret [32]byte
	rand.Read(secret[:])
	return hex.EncodeToString(secret[:])
}
