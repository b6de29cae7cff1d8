package provider

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
)

// Preset is what is known about a provider, as data.
type Preset struct {
	Name, Title string
	// Source says where the facts come from, Confidence how sure they are:
	// docs (the provider's own), code (read in the provider's own code),
	// secondary (somebody else says so), or unspecified (the provider leaves
	// something open, and the preset guesses).
	Source, Confidence string

	HMAC  *HMAC  // one of these two, or none where the provider proves nothing
	Token *Token // with the provider's secrets as its tokens

	// Legacy are weaker forms of HMAC, strongest first, which only count where
	// the header of HMAC is absent.
	Legacy []HMAC

	Tolerance    time.Duration // of the signed timestamp
	Options      []string      // what else may be configured: hash, encoding
	Event, ID    string        // expressions
	Echo         []string      // headers that the answer to a webhook repeats
	Horizon      time.Duration // how long the provider retries
	NeverRetries bool
}

// Presets returns the presets, by name.
func Presets() []Preset { return slices.Clone(presets) }

func init() {
	for i := range presets {
		caddy.RegisterModule(Known{preset: &presets[i]})
	}
}

// Known is a provider that a preset describes.
type Known struct {
	Common

	// The hash function, for providers whose documents leave it open.
	Hash string `json:"hash,omitempty"`

	// The encoding of the signature, for providers whose documents leave it open.
	Encoding string `json:"encoding,omitempty"`

	HandshakeOptions

	preset  *Preset
	hmac    *HMAC
	legacy  []HMAC
	token   *Token
	profile Profile

	handshakes handshakes
	enrolled   *enrolled[Known]
}

// CaddyModule returns the Caddy module information.
func (k Known) CaddyModule() caddy.ModuleInfo {
	preset := k.preset
	return caddy.ModuleInfo{
		ID:  caddy.ModuleID("webhook_gateway.providers." + preset.Name),
		New: func() caddy.Module { return &Known{preset: preset} },
	}
}

// Provision resolves the secrets and sets up the preset's scheme.
func (k *Known) Provision(caddy.Context) error {
	p := k.preset
	if err := k.Common.provision(p.Tolerance); err != nil {
		return err
	}
	if err := k.checkOptions(); err != nil {
		return err
	}
	k.profile = Profile{
		Methods:      []string{"POST"},
		MaxBody:      DefaultMaxBody,
		Event:        p.Event,
		ID:           p.ID,
		Horizon:      p.Horizon,
		NeverRetries: p.NeverRetries,
		Echo:         p.Echo,
		Samples:      func() []Sample { return samples(p.Name) },
	}
	k.guard(&k.profile)
	k.enrolled = new(enrolled[Known])
	if err := k.provisionScheme(); err != nil {
		return err
	}
	return k.provisionHandshakes()
}

func (k *Known) provisionScheme() error {
	p := k.preset
	if err := k.check(); err != nil || !p.proves() {
		return err
	}
	if p.Token != nil {
		token := *p.Token
		k.token = &token
		k.profile.Secrets = len(k.secrets)
		k.profile.SecretHeaders = append(k.profile.SecretHeaders, token.Name)
		return k.token.provision(k.secrets)
	}
	hmac := *p.HMAC
	k.hmac = &hmac
	if k.Hash != "" {
		k.hmac.Hash = k.Hash
	}
	if k.Encoding != "" {
		k.hmac.Encoding = k.Encoding
	}
	if err := k.hmac.provision(&k.Common); err != nil {
		return err
	}
	k.hmac.profile(&k.profile)
	k.legacy = slices.Clone(p.Legacy)
	for i := range k.legacy {
		if err := k.legacy[i].provision(&k.Common); err != nil {
			return err
		}
	}
	return nil
}

// proves reports whether the provider proves that it sent a request.
func (p *Preset) proves() bool { return p.HMAC != nil || p.Token != nil }

// check holds the configuration against what the preset is made of.
func (k *Known) check() error {
	p, given := k.preset, len(k.Secrets) > 0
	switch {
	case p.proves() && !given && !k.Enrolls():
		return fmt.Errorf("%s needs a secret: provider %s <secret>", p.Title, p.Name)
	case !p.proves() && given:
		return fmt.Errorf("%s proves nothing with a secret; guard its source with allow_ips, or with a token line in its provider block", p.Title)
	}
	if err := k.HandshakeOptions.check(asked(p.handshakes())); err != nil {
		return err
	}
	return k.checkTolerance(p.HMAC)
}

func (k *Known) checkOptions() error {
	for name, value := range map[string]string{"hash": k.Hash, "encoding": k.Encoding} {
		if value != "" && !slices.Contains(k.preset.Options, name) {
			return fmt.Errorf("provider %s takes no option %s", k.preset.Name, name)
		}
	}
	return nil
}

// Proves implements Provider.
func (k *Known) Proves() bool { return k.preset.proves() || k.Token != nil }

// Profile implements Provider.
func (k *Known) Profile() *Profile { return &k.profile }

// Verify implements Provider.
func (k *Known) Verify(r *Request, now time.Time) error {
	k = k.withEnrolled()
	if err := k.verifyToken(r); err != nil {
		return err
	}
	switch {
	case k.hmac != nil:
		return k.verifyHMAC(r, now)
	case k.token != nil:
		matched, err := k.token.verify(r)
		r.Matched = matched
		return err
	}
	return nil
}

// verifyHMAC goes by the strongest signature that the request offers. What is
// wrong with that one no weaker one makes good.
func (k *Known) verifyHMAC(r *Request, now time.Time) error {
	refusal := k.hmac.verify(r, now)
	if _, offered := r.Header[k.hmac.header]; offered {
		return refusal
	}
	for i := range k.legacy {
		if refusal = k.legacy[i].verify(r, now); refusal != Missing {
			return refusal
		}
	}
	return refusal
}

// Sign implements Provider.
func (k *Known) Sign(r *Request, now time.Time) error {
	k = k.withEnrolled()
	if len(k.secrets) == 0 && k.preset.proves() {
		return errNotEnrolled
	}
	if k.hmac != nil {
		if err := k.signHMAC(r, now); err != nil {
			return err
		}
	}
	for _, token := range []*Token{k.token, k.Token} {
		if token != nil {
			token.sign(r)
		}
	}
	return nil
}

// signHMAC makes the signature, and again those weaker ones that the request
// has: an old one must not stay beside a new one.
func (k *Known) signHMAC(r *Request, now time.Time) error {
	schemes := []*HMAC{k.hmac}
	for i := range k.legacy {
		if k.legacy[i].form(r) != nil {
			schemes = append(schemes, &k.legacy[i])
		}
	}
	for i := range k.legacy {
		delete(r.Header, k.legacy[i].header)
	}
	for _, scheme := range schemes {
		if err := scheme.sign(r, now); err != nil {
			return err
		}
	}
	return nil
}

// Resigns implements Resigner.
func (k *Known) Resigns() bool { return k.preset.proves() }

// SignerWith implements Resigner.
func (k *Known) SignerWith(secret string) (Signer, error) {
	own := *k
	if own.signWith(secret); len(own.Secrets) == 0 {
		return nil, errNoSecret
	}
	return &own, own.Provision(caddy.Context{})
}

// UnmarshalCaddyfile reads a provider and its block. Syntax:
//
//	<name> [<secret>...] {
//		secret       <secret>...
//		tolerance    <duration>|off
//		external_url <url>
//		token        header|query <name> <secret>...
//		token        path <secret>...
//		<option>     <value>
//	}
func (k *Known) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the provider's name
	k.Secrets = d.RemainingArgs()
	options := k.options()
	maps.Copy(options, k.HandshakeOptions.readers(asked(k.preset.handshakes())))
	if slices.Contains(k.preset.Options, clientIDs) {
		options[clientIDs] = options["secret"]
	}
	if slices.Contains(k.preset.Options, "hash") {
		options["hash"] = syntax.OneOf(&k.Hash, slices.Sorted(maps.Keys(hashes))...)
	}
	if slices.Contains(k.preset.Options, "encoding") {
		options["encoding"] = syntax.OneOf(&k.Encoding, encodings...)
	}
	if err := syntax.Block(d, options); err != nil {
		return err
	}
	return syntax.At(d, k.check())
}

// Interface guards
var (
	_ Resigner              = (*Known)(nil)
	_ Enroller              = (*Known)(nil)
	_ caddy.Provisioner     = (*Known)(nil)
	_ caddyfile.Unmarshaler = (*Known)(nil)
)
