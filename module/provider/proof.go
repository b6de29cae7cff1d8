package provider

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Proof is a way in which a provider proves that it sent a request. A proof has
// exactly one scheme.
type Proof struct {
	// An HMAC, made with the secrets.
	HMAC *scheme.HMAC `json:"hmac,omitempty"`

	// A plain hash over a text that contains {secret}.
	Digest *scheme.Digest `json:"digest,omitempty"`

	// A fixed value: one of the secrets.
	Token *scheme.Token `json:"token,omitempty"`

	// An Ed25519 signature.
	Ed25519 *scheme.Ed25519 `json:"ed25519,omitempty"`

	// An ECDSA signature.
	ECDSA *scheme.ECDSA `json:"ecdsa,omitempty"`

	// An RSA signature.
	RSA *scheme.RSA `json:"rsa,omitempty"`

	// A signed JSON Web Token.
	JWT *scheme.JWT `json:"jwt,omitempty"`

	// A signature by RFC 9421, HTTP Message Signatures.
	MessageSignature *scheme.MessageSignature `json:"message_signature,omitempty"`

	// The signature of Amazon SNS.
	SNS *scheme.SNS `json:"sns,omitempty"`

	// The signature of PayPal.
	PayPal *scheme.PayPal `json:"paypal,omitempty"`

	// The signature of eBay.
	EBay *scheme.EBay `json:"ebay,omitempty"`

	// The token of Ignisign.
	Ignisign *scheme.Ignisign `json:"ignisign,omitempty"`

	// The secrets of this proof, if they are not those of the provider. If none of them
	// has a value, the proof does not count.
	Secrets []string `json:"secrets,omitempty"`

	// What the provider's secrets for this proof begin with. Default: any secret may be
	// for it.
	SecretPrefix string `json:"secret_prefix,omitempty"`

	// What a request must have for this proof to be asked for.
	When []Condition `json:"when,omitempty"`

	Identity

	// The proof is weaker than another one of the provider. It counts only if the
	// provider's own legacy is set. Default: false.
	Legacy bool `json:"legacy,omitempty"`

	position  int // among the proofs of the provider, from 1
	scheme    scheme.Scheme
	external  *url.URL
	positions []int    // of the secrets, among all that are configured
	own       []string // the headers in which no other proof stands
}

// schemeNames are the indexes of the fields of a proof that are schemes, by the
// names of the schemes.
var schemeNames = func() map[string]int {
	names := make(map[string]int)
	proof := reflect.TypeFor[Proof]()
	for i := range proof.NumField() {
		if field := proof.Field(i); field.IsExported() && field.Type.Implements(reflect.TypeFor[scheme.Scheme]()) {
			names[strings.TrimSuffix(field.Tag.Get("json"), ",omitempty")] = i
		}
	}
	return names
}()

// newProof returns a proof by the scheme of a name.
func newProof(name string) *Proof {
	p := new(Proof)
	field := reflect.ValueOf(p).Elem().Field(schemeNames[name])
	field.Set(reflect.New(field.Type().Elem()))
	p.scheme = field.Interface().(scheme.Scheme)
	return p
}

// only returns the scheme of the proof and its name. ok is false if there is none,
// or more than one.
func (p *Proof) only() (name string, s scheme.Scheme, ok bool) {
	value := reflect.ValueOf(p).Elem()
	for each, i := range schemeNames {
		if field := value.Field(i); !field.IsNil() {
			if s != nil {
				return "", nil, false
			}
			name, s = each, field.Interface().(scheme.Scheme)
		}
	}
	return name, s, s != nil
}

// checks reports whether the proof is checked by a call.
func (p *Proof) checks() bool {
	_, s, _ := p.only()
	_, ok := s.(scheme.Checker)
	return ok
}

// traits returns the traits of the scheme; none if the proof has no scheme.
func (p *Proof) traits() scheme.Traits {
	_, s, ok := p.only()
	if !ok {
		return scheme.Traits{}
	}
	return s.Traits()
}

// compile checks everything that needs no secrets.
func (p *Proof) compile() error {
	_, s, ok := p.only()
	if !ok {
		return errors.New("a proof has exactly one scheme")
	}
	p.scheme = s
	if p.scheme.Traits().OwnSecrets {
		return errors.New("the secrets of a token that is a proof stand beside it")
	}
	if err := p.scheme.Compile(); err != nil {
		return err
	}
	for i := range p.When {
		if err := p.When[i].compileTemplates(); err != nil {
			return fmt.Errorf("when: %v", err)
		}
	}
	return nil
}

// provision gives the proof's own secrets, or those of the provider, to the scheme.
// counts is false for a proof without any. own counts the secrets and keys that
// belong to one proof only.
func (p *Proof) provision(c *Common, among *proofs, own *int) (counts bool, err error) {
	mine, traits := c.resolved, p.scheme.Traits()
	mine.Secrets, p.positions, p.external = nil, nil, c.resolved.External
	if traits.NeedsKeys && among.secret { // the secrets are for others
		keys, err := c.ParsedKeys()
		if err != nil || len(c.Given()) == 0 {
			return false, err
		}
		for range keys {
			*own++
			p.positions = append(p.positions, len(c.resolved.Secrets)+*own)
		}
		return true, p.scheme.Provision(&mine)
	}
	if p.Secrets != nil && !c.oneSecret {
		if mine.Secrets, err = scheme.Resolve("secret", scheme.NonEmpty(p.Secrets)); err != nil {
			return false, err
		}
		if err := scheme.CheckEdges("secret", mine.Secrets, traits); err != nil {
			return false, err
		}
		for range mine.Secrets {
			*own++
			p.positions = append(p.positions, len(c.resolved.Secrets)+*own)
		}
	} else {
		for i, secret := range c.resolved.Secrets {
			if strings.HasPrefix(secret, p.SecretPrefix) {
				mine.Secrets = append(mine.Secrets, secret)
				p.positions = append(p.positions, i+1)
			}
		}
	}
	switch {
	case len(mine.Secrets) > 0:
	case among.closed && traits.UsesSecret:
		mine.Secrets = []string{p.SecretPrefix + unknownSecret()}
	case traits.NeedsSecret:
		return false, nil
	}
	return true, p.scheme.Provision(&mine)
}

// complete adds the needs of the proof to a profile.
func (p *Proof) complete(profile *Profile) {
	traits := p.scheme.Traits()
	profile.Secrets = max(profile.Secrets, traits.Keys)
	profile.SignsID = profile.SignsID || traits.SignsID
	profile.SignsURL = profile.SignsURL || traits.SignsURL
	profile.SecretHeaders = append(profile.SecretHeaders, traits.SecretHeaders...)
	for i := range p.When {
		for _, t := range append(p.When[i].templates, p.When[i].of) {
			profile.SignsID = profile.SignsID || t.Has("id")
			profile.SignsURL = profile.SignsURL || t.Has(template.URLPlaceholders...)
		}
	}
}

// applies reports whether a request meets the conditions of the proof.
func (p *Proof) applies(r *template.Request) bool {
	if len(p.When) == 0 {
		return true
	}
	e := template.NewEnv(r, p.external)
	defer e.Free()
	for i := range p.When {
		if !p.When[i].holds(e) {
			return false
		}
	}
	return true
}

func (p *Proof) verify(r *template.Request, now time.Time) error {
	if !p.applies(r) {
		return scheme.Missing
	}
	if err := p.scheme.Verify(r, now); err != nil {
		r.Matched = 0
		return err
	}
	if r.Matched > 0 && r.Matched <= len(p.positions) {
		r.Matched = p.positions[r.Matched-1]
	}
	r.Proof = p.position
	return nil
}

// screen refuses a request that cannot be proved in this way whatever its body is.
func (p *Proof) screen(r *template.Request, now time.Time) error {
	for i := range p.When {
		if p.When[i].readsBody() {
			return nil
		}
	}
	if !p.applies(r) {
		return scheme.Missing
	}
	return p.scheme.Screen(r, now)
}

// sign makes the proof, and sets the headers that its conditions ask for.
func (p *Proof) sign(r *template.Request, now time.Time) error {
	e := template.NewEnv(r, p.external)
	defer e.Free()
	for i := range p.When {
		if c := &p.When[i]; c.of.Header() != "" && len(c.templates) > 0 {
			if err := e.Put(c.of, c.templates[0].Text(e)); err != nil {
				return err
			}
		}
	}
	return p.scheme.Sign(r, now)
}

// offered reports whether a request has a header in which no other proof stands.
func (p *Proof) offered(r *template.Request) bool { return scheme.AnyHeader(r, p.own) }

// made reports whether a request seems to hold the proof.
func (p *Proof) made(r *template.Request) bool { return p.applies(r) && p.scheme.Holds(r) }

// earliest is the position of the first secret that the proof is made with; 0 where no
// secret makes it.
func (p *Proof) earliest() int {
	if len(p.positions) == 0 {
		return 0
	}
	return p.positions[0]
}

// describe describes the proof.
func (p *Proof) describe() string {
	_, s, ok := p.only()
	if !ok {
		return ""
	}
	text := s.Describe()
	for i := range p.When {
		text += ", where " + p.When[i].describe()
	}
	if p.Legacy {
		text += " (only with the line legacy)"
	}
	return text
}

// reading returns the findings of the proof in a request.
func (p *Proof) reading(r *template.Request, now time.Time) scheme.Reading {
	x := scheme.Reading{Proof: p.describe()}
	if !p.applies(r) {
		x.Refusal = notMade
		return x
	}
	p.scheme.Observe(r, &x)
	x.Conclude(p.verify(r, now))
	return x
}

// notMade is the refusal of a proof whose conditions a request does not meet.
const notMade = "not made for requests like this one"

// options returns the readers of the subdirectives that every proof has.
func (p *Proof) options() syntax.Options {
	return syntax.Options{
		"secret":        syntax.Strings(&p.Secrets),
		"secret_prefix": syntax.String(&p.SecretPrefix),
		"when":          p.readWhen,
		"event":         syntax.String(&p.Event),
		"id":            syntax.String(&p.ID),
		"legacy":        syntax.Flag(&p.Legacy),
	}
}

// readWhen reads a condition whose texts are templates.
func (p *Proof) readWhen(d *caddyfile.Dispenser) error {
	if err := readCondition(&p.When)(d); err != nil {
		return err
	}
	c := &p.When[len(p.When)-1]
	if len(c.Is) == 0 {
		return d.Err("when takes two templates that must give the same text, as in: when {header.X-Version} v2")
	}
	for i, text := range c.Is {
		c.Is[i] = template.Short(text)
	}
	return syntax.At(d, (&Condition{Of: c.Of, Is: c.Is}).compileTemplates())
}
