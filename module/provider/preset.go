package provider

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// Preset describes a known provider, as data.
type Preset struct {
	Name, Title, Category string
	// Source says where the facts come from, Confidence how sure they are:
	// docs (the provider's own), code (read in the provider's own code), secondary
	// (a third party says so), or unspecified (the provider leaves something open,
	// and the preset guesses or asks).
	Source, Confidence string
	Notes              string // for users

	// Definition has each {option.name} replaced by the option's value.
	Definition

	Tolerance time.Duration // of the timestamp
	Optional  bool          // without a secret there are no proofs to ask for
	Options   []Option

	files fs.FS // with its samples
}

// presets are the registered presets, in the order of their registration.
var presets []*Preset

// Register makes presets known, and each of them a Caddy module. In files lie
// their samples, as samples/<name>.json.
func Register(files fs.FS, list []Preset) {
	for i := range list {
		p := &list[i]
		p.files = files
		presets = append(presets, p)
		caddy.RegisterModule(Known{preset: p})
	}
}

// Presets returns the presets.
func Presets() []*Preset { return slices.Clone(presets) }

// presetNamed returns the preset of a name; nil if there is none.
func presetNamed(name string) *Preset {
	for _, p := range presets {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// SendsForms reports whether bodies of the provider of that name, if a preset describes
// it, are JSON or forms whatever they are declared to be.
func SendsForms(name string) bool {
	p := presetNamed(name)
	return p != nil && p.Forms
}

// Known is a provider that a preset describes.
type Known struct {
	Common

	// The options of the preset, by name. Several values of one option are separated by
	// white space. Placeholders are resolved when the configuration loads.
	Options map[string]string `json:"options,omitempty"`

	preset *Preset
	working
}

// CaddyModule returns the Caddy module information.
func (k Known) CaddyModule() caddy.ModuleInfo {
	preset := k.preset
	return caddy.ModuleInfo{
		ID:  caddy.ModuleID("webhook_gateway.providers." + preset.Name),
		New: func() caddy.Module { return &Known{preset: preset} },
	}
}

// Provision resolves secrets and options and makes the proofs ready.
func (k *Known) Provision(ctx caddy.Context) error {
	p := k.preset
	k.hear(ctx)
	if err := k.Common.provision(ctx, &p.Definition, p.Tolerance); err != nil {
		return err
	}
	if err := k.check(); err != nil {
		return err
	}
	d, err := k.defined(k.resolved.Secrets)
	if err != nil {
		return err
	}
	if err := k.start(&k.Common, d, k.defined); err != nil {
		return err
	}
	k.ready.profile.Samples = p.samples
	return nil
}

// defined returns the preset's definition with the options, for some secrets.
func (k *Known) defined(secrets []string) (*Definition, error) {
	values, err := k.resolveOptions()
	if err != nil {
		return nil, err
	}
	d, err := k.preset.with(values, secrets)
	if err != nil {
		return nil, err
	}
	if !k.proves() {
		d.Proofs, d.Need = nil, ""
	}
	return d, d.check()
}

// resolveOptions returns the values of all options that the preset has.
func (k *Known) resolveOptions() (map[string]string, error) {
	values := make(map[string]string)
	for _, o := range k.preset.Options {
		if o.Key || o.Secrets {
			continue
		}
		value := k.Options[o.Name]
		if value == "" && o.Endpoint {
			value = k.ExternalURL
		}
		if value == "" {
			values[o.Name] = o.Default
			continue
		}
		resolved, err := scheme.Resolve(o.Name, []string{value})
		if err != nil {
			return nil, err
		}
		values[o.Name] = resolved[0]
		if o.Choices != nil && !slices.Contains(o.Choices, resolved[0]) {
			return nil, fmt.Errorf("%s takes %s, not %q", o.Name, syntax.Alternatives(o.Choices), resolved[0])
		}
	}
	return values, nil
}

// with returns the definition with the values of its options. An option with
// several values makes as many elements of a list.
func (p *Preset) with(values map[string]string, secrets []string) (*Definition, error) {
	lists := make(map[string][]string)
	for _, o := range p.Options {
		switch {
		case o.Secrets:
			lists[o.Name] = secrets
		case o.Several:
			lists[o.Name] = strings.Fields(values[o.Name])
		}
	}
	return p.Definition.with(values, lists)
}

// check checks the configuration against the options and proofs of the preset.
func (k *Known) check() error {
	p, secret := k.preset, k.hasSecrets()
	switch {
	case p.needsSecret() && !secret && !p.Optional && !k.Enrolls() && !p.needsNoSecret(&k.Keys):
		return fmt.Errorf("%s needs a secret: provider %s <secret>", p.Title, p.Name)
	case !p.proves() && len(k.Secrets) > 0:
		return fmt.Errorf("%s uses no secret; remove it, and guard the source with allow_ips, or with a token line in the provider block", p.Title)
	}
	for _, name := range slices.Sorted(maps.Keys(k.Options)) {
		if !slices.ContainsFunc(p.Options, func(o Option) bool { return !o.Key && o.Name == name }) {
			return fmt.Errorf("provider %s has no option %s", p.Name, name)
		}
	}
	given := k.Given()
	for _, name := range given {
		if !slices.ContainsFunc(p.Options, func(o Option) bool { return o.Key && o.Name == name }) {
			return fmt.Errorf("provider %s has no option %s", p.Name, name)
		}
	}
	for _, o := range p.Options {
		if o.Required && !o.Secrets && k.Options[o.Name] == "" && !slices.Contains(given, o.Name) &&
			!(o.Endpoint && k.ExternalURL != "") && !(o.OrSecret && secret) {
			if o.OrSecret {
				return fmt.Errorf("%s needs a line: %s <value>, or secret <secret>", p.Title, o.Name)
			}
			return fmt.Errorf("%s needs a line: %s <value>", p.Title, o.Name)
		}
	}
	if err := k.checkLegacy(&p.Definition); err != nil {
		return err
	}
	return k.checkTolerance(p.any(func(t scheme.Traits) bool { return t.CarriesTime }))
}

// proves reports whether a proof is asked for.
func (k *Known) proves() bool {
	return k.preset.proves() && (k.hasSecrets() || !k.preset.Optional)
}

// Proves implements Provider.
func (k *Known) Proves() bool { return k.proves() || k.Token != nil }

// Anybodys implements Binder.
func (k *Known) Anybodys() string {
	if k.ready != nil {
		return k.ready.proofs.anybodys()
	}
	values := make(map[string]string)
	for _, o := range k.preset.Options {
		values[o.Name] = k.Options[o.Name]
	}
	d, err := k.preset.with(values, k.Secrets)
	if err != nil {
		return "" // which Provision reports
	}
	return d.anybodys()
}

// Checks implements Checker.
func (k *Known) Checks() bool { return k.preset.checks() }

// SampleValues implements SampleFiller: the values of the options fill the gaps.
func (k *Known) SampleValues() map[string]string {
	values, _ := k.resolveOptions() // which Provision has resolved before
	return values
}

// Publishes implements Provider.
func (k *Known) Publishes() bool { return k.preset.Ranges != nil }

// Unsignable implements Resigner.
func (k *Known) Unsignable(secret string) string {
	d := &k.preset.Definition
	if values, err := k.resolveOptions(); err == nil {
		if full, err := k.preset.with(values, k.Secrets); err == nil {
			d = full
		}
	}
	if !k.proves() && secret == "" {
		d = new(Definition)
	}
	return k.unsignableBy(d, secret)
}

// SignerWith implements Resigner.
func (k *Known) SignerWith(secret string) (Signer, error) {
	own := *k
	if own.signWith(secret); !own.hasSecrets() && own.Enrolls() {
		return nil, errNoSecret
	}
	return &own, own.Provision(caddy.Context{})
}

// UnmarshalCaddyfile reads a provider and its block. Syntax:
//
//	<name> [<secret>...] {
//		secret       <secret>...
//		tolerance    <duration>|off
//		external_url <url>...
//		legacy
//		token        header|query|json|form <name> <secret>...
//		token        path <secret>...
//		<option>     <value>
//	}
func (k *Known) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the provider's name
	k.Secrets = d.RemainingArgs()
	options := k.options()
	if k.preset.hasLegacy() {
		options["legacy"] = syntax.Flag(&k.Legacy)
	}
	for _, o := range k.preset.Options {
		switch {
		case o.Key:
			options[o.Name] = k.Readers()[o.Name]
		case o.Secrets:
			options[o.Name] = options["secret"]
		default:
			options[o.Name] = k.readOption(&o)
		}
	}
	if err := syntax.Block(d, options); err != nil {
		return err
	}
	return syntax.At(d, k.check())
}

// readOption reads the value of an option. One with placeholders is checked
// when they are resolved.
func (k *Known) readOption(o *Option) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		var value string
		if err := o.read(d, &value); err != nil {
			return err
		}
		if o.Choices != nil && !strings.Contains(value, "{") && !slices.Contains(o.Choices, value) {
			return d.Errf("%s takes %s, not %q", o.Name, syntax.Alternatives(o.Choices), value)
		}
		if k.Options == nil {
			k.Options = make(map[string]string)
		}
		k.Options[o.Name] = value
		return nil
	}
}

func (o *Option) read(d *caddyfile.Dispenser, to *string) error {
	if !o.Several {
		return syntax.String(to)(d)
	}
	var values []string
	err := syntax.Strings(&values)(d)
	*to = strings.Join(values, " ")
	return err
}

// WithKey implements KeySigner.
func (k *Known) WithKey(key *scheme.SigningKey) (Provider, error) {
	own := *k
	if err := own.takesKey(&own.preset.Definition, key); err != nil {
		return nil, err
	}
	if err := own.Provision(caddy.Context{}); err != nil {
		return nil, err
	}
	return &own, own.ready.proofs.checkOwnKey()
}

// Interface guards
var (
	_ KeySigner             = (*Known)(nil)
	_ Resigner              = (*Known)(nil)
	_ Enroller              = (*Known)(nil)
	_ Fetcher               = (*Known)(nil)
	_ Checker               = (*Known)(nil)
	_ Binder                = (*Known)(nil)
	_ caddy.Provisioner     = (*Known)(nil)
	_ caddyfile.Unmarshaler = (*Known)(nil)
)
