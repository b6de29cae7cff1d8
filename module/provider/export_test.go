package provider

import (
	"maps"
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// What the tests of package provider_test see, which know the presets besides.

type Handshakes = handshakes

var ProvisionHandshakes = provisionHandshakes

// Bounds and errors.
const Widest4 = widest4
const Widest6 = widest6

var CiphersOf = ciphersOf
var DecryptCBC = decryptCBC
var ErrNoSecret = errNoSecret
var ErrNotEnrolled = errNotEnrolled

var Reflectable = reflectable

func (hs *handshakes) Answer(p verifier, r *template.Request, now time.Time) (*Reply, error) {
	return hs.answer(p, r, now)
}

// List returns the handshakes.
func (hs *handshakes) List() []Handshake { return hs.list }

func (d *Definition) IsProven() bool { return d.proves() }

func (d *Definition) UsesSecret() bool { return d.usesSecret() }

func (d *Definition) NeedsSecret() bool { return d.needsSecret() }

func (d *Definition) Enrolls() bool { return enrolls(d.Handshakes) }

func (d *Definition) AllMethods() []string { return d.newProfile().Methods }

func (d *Definition) Filled(values map[string]string, lists map[string][]string) (*Definition, error) {
	return d.with(values, lists)
}

func (p *Preset) Fill(values map[string]string, secrets []string) (*Definition, error) {
	return p.with(values, secrets)
}

func (p *Preset) Known() *Known { return &Known{preset: p} }

func (p *Preset) Unsignable() string { return p.unsignable() }

func (k *Known) Preset() *Preset { return k.preset }

func (k *Known) Defined() (*Definition, error) { return k.defined(k.resolved.Secrets) }

func (c *Common) Resolved() scheme.Credentials { return c.resolved }

// WithSecrets gives a provider other secrets, for those who ask what is resolved.
func (c *Common) WithSecrets(secrets []string) { c.resolved.Secrets = secrets }

// Counting are the proofs that count.
func (w *working) Counting() []*Proof { return w.ready.proofs.list }

func (p *Proof) Traits() scheme.Traits { return p.traits() }

func (p *Proof) Scheme() scheme.Scheme { return p.scheme }

func (p *Proof) VerifyAlone(r *template.Request, now time.Time) error { return p.verify(r, now) }

func (p *Proof) SignAlone(r *template.Request, now time.Time) error { return p.sign(r, now) }

// SchemeHeaders are the headers in which the proof stands.
func (p *Proof) SchemeHeaders() []string {
	_, s, _ := p.only()
	return s.Headers()
}

// Made reports whether a request seems to hold the proof.
func (p *Proof) Made(r *template.Request) bool { return p.made(r) }

func (r *Ranges) Compile() error { return r.compile() }

func (s *Sample) Gaps(now time.Time, more map[string]string) ([]string, error) {
	return s.gaps(now, more)
}

// SchemeNames are the names of the schemes.
func SchemeNames() []string { return slices.Collect(maps.Keys(schemeNames)) }

// HandshakeKinds are the kinds of handshakes.
var HandshakeKinds = handshakeKinds
