package provider

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Proof is one way in which a provider proves that it sent a request. Exactly
// one scheme says how.
type Proof struct {
	// An HMAC, made with the secrets.
	HMAC *HMAC `json:"hmac,omitempty"`

	// A plain hash over a text that contains {secret}.
	Digest *HMAC `json:"digest,omitempty"`

	// A fixed value: one of the secrets.
	Token *Token `json:"token,omitempty"`

	// An Ed25519 signature.
	Ed25519 *Ed25519 `json:"ed25519,omitempty"`

	// An ECDSA signature.
	ECDSA *ECDSA `json:"ecdsa,omitempty"`

	// An RSA signature.
	RSA *RSA `json:"rsa,omitempty"`

	// A signed JSON Web Token.
	JWT *JWT `json:"jwt,omitempty"`

	// A signature by RFC 9421, HTTP Message Signatures.
	MessageSignature *MessageSignature `json:"message_signature,omitempty"`

	// The signature of Amazon SNS.
	SNS *SNS `json:"sns,omitempty"`

	// The signature of PayPal.
	PayPal *PayPal `json:"paypal,omitempty"`

	// The signature of eBay.
	EBay *EBay `json:"ebay,omitempty"`

	// The secrets of this proof, if they are not those of the provider. Without a
	// value for any of them the proof does not count.
	Secrets []string `json:"secrets,omitempty"`

	// What the provider's secrets for this proof begin with. Default: anything.
	SecretPrefix string `json:"secret_prefix,omitempty"`

	// The requests that are proved in this way: those in which each of these
	// templates, such as {header.X-Version}, gives the same text as the other one.
	When map[string]string `json:"when,omitempty"`

	scheme    scheme
	external  *url.URL
	positions []int // of the secrets, among all that are configured
	when      [][2]template
	own       []string // the headers in which no other proof stands
}

// schemes returns the schemes that are set; there must be one.
func (p *Proof) schemes() (set []scheme) {
	for _, s := range []scheme{
		p.HMAC, p.Digest, p.Token, p.Ed25519, p.ECDSA, p.RSA, p.JWT, p.MessageSignature, p.SNS, p.PayPal, p.EBay,
	} {
		if !reflect.ValueOf(s).IsNil() {
			set = append(set, s)
		}
	}
	return set
}

// usesSecret reports whether the proof may be made with a secret of the
// configuration.
func (p *Proof) usesSecret() bool {
	return p.needsSecret() || p.MessageSignature != nil || p.JWT != nil && slices.ContainsFunc(p.JWT.Algorithms, isHMAC)
}

// usesKeys reports whether the proof may be made with a key that only the
// provider has.
func (p *Proof) usesKeys() bool { return p.HMAC == nil && p.Digest == nil && p.Token == nil }

// needsKeys reports whether it is verified with public keys of the configuration
// alone.
func (p *Proof) needsKeys() bool { return p.Ed25519 != nil || p.ECDSA != nil || p.RSA != nil }

// needsSecret reports whether it can only be made with one.
func (p *Proof) needsSecret() bool {
	if p.JWT != nil {
		return !slices.ContainsFunc(p.JWT.Algorithms, func(a string) bool { return !isHMAC(a) })
	}
	return p.HMAC != nil || p.Digest != nil || p.Token != nil
}

// resigns reports whether the gateway can make the proof for an app without
// changing more than headers.
func (p *Proof) resigns() bool {
	s, ok := p.scheme.(interface{ inHeader() bool })
	return ok && s.inHeader()
}

// compile checks what can be told without secrets.
func (p *Proof) compile() (err error) {
	set := p.schemes()
	if len(set) != 1 {
		return errors.New("a proof has exactly one scheme")
	}
	p.scheme = set[0]
	if p.Token != nil && p.Token.Secrets != nil {
		return errors.New("the secrets of a token that is a proof stand beside it")
	}
	if p.Digest != nil {
		p.Digest.plain = true
	}
	if s, ok := p.scheme.(interface{ compile() error }); ok {
		if err := s.compile(); err != nil {
			return err
		}
	}
	p.when = nil
	for _, place := range slices.Sorted(maps.Keys(p.When)) {
		pair, err := parseTemplates([]string{place, p.When[place]})
		if err != nil {
			return fmt.Errorf("when: %v", err)
		}
		p.when = append(p.when, [2]template(pair))
	}
	return nil
}

// provision gives the scheme the secrets that are its own, or those of the
// provider, and reports whether the proof counts. own is the number of secrets and
// keys that proofs before it had for themselves.
func (p *Proof) provision(c *Common, among *proofs, own *int) (counts bool, err error) {
	mine := *c
	mine.secrets, p.positions, p.external = nil, nil, c.external
	if p.needsKeys() && among.secret { // the secrets are for others
		keys, err := c.publicKeys()
		if err != nil || len(c.given()) == 0 {
			return false, err
		}
		for range keys {
			*own++
			p.positions = append(p.positions, len(c.secrets)+*own)
		}
		return true, p.scheme.provision(&mine)
	}
	if p.Secrets != nil && !c.oneSecret {
		if mine.secrets, err = resolve("secret", given(p.Secrets)); err != nil {
			return false, err
		}
		for range mine.secrets {
			*own++
			p.positions = append(p.positions, len(c.secrets)+*own)
		}
	} else {
		for i, secret := range c.secrets {
			if strings.HasPrefix(secret, p.SecretPrefix) {
				mine.secrets = append(mine.secrets, secret)
				p.positions = append(p.positions, i+1)
			}
		}
	}
	switch {
	case len(mine.secrets) > 0:
	case among.closed && p.usesSecret():
		mine.secrets = []string{p.SecretPrefix + unknownSecret()}
	case p.needsSecret():
		return false, nil
	}
	return true, p.scheme.provision(&mine)
}

// given returns those of the values that are not those of an option without one.
func given(values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(s string) bool { return s == "" })
}

// profile tells a profile what verify will ask of a request.
func (p *Proof) profile(profile *Profile) {
	p.scheme.profile(profile)
	for _, pair := range p.when {
		pair[0].profile(profile)
		pair[1].profile(profile)
	}
}

// applies reports whether a request is one that is proved in this way.
func (p *Proof) applies(r *Request) bool {
	if p.when == nil {
		return true
	}
	e := newEnv(r, p.external)
	defer e.free()
	for _, pair := range p.when {
		if pair[0].text(e) != pair[1].text(e) {
			return false
		}
	}
	return true
}

func (p *Proof) verify(r *Request, now time.Time) error {
	if !p.applies(r) {
		return Missing
	}
	if err := p.scheme.verify(r, now); err != nil {
		r.Matched = 0
		return err
	}
	if r.Matched > 0 && r.Matched <= len(p.positions) {
		r.Matched = p.positions[r.Matched-1]
	}
	return nil
}

// sign makes the proof, and sets the headers that tell when it counts.
func (p *Proof) sign(r *Request, now time.Time) error {
	e := newEnv(r, p.external)
	defer e.free()
	for _, pair := range p.when {
		if place := pair[0]; len(place) == 1 && place[0].name == "header" && place[0].steps == nil {
			if err := e.put(place, pair[1].text(e)); err != nil {
				return err
			}
		}
	}
	return p.scheme.sign(r, now)
}

// places are the headers in which the proof stands.
func (p *Proof) places() []string {
	if s, ok := p.scheme.(interface{ places() []string }); ok {
		return s.places()
	}
	return nil
}

// offered reports whether a request has something in a header of this proof
// alone, whatever it is.
func (p *Proof) offered(r *Request) bool {
	return slices.ContainsFunc(p.own, func(name string) bool { return r.Header[name] != nil })
}

// made reports whether a request seems to hold the proof.
func (p *Proof) made(r *Request) bool {
	if h, ok := p.scheme.(*HMAC); ok {
		e := newEnv(r, p.external)
		defer e.free()
		return p.applies(r) && slices.ContainsFunc(h.candidates(e, nil), h.fits)
	}
	return p.applies(r) && slices.ContainsFunc(p.places(), func(name string) bool { return r.Header[name] != nil })
}

// kind is what the proof's scheme is called in a Caddyfile.
func (p *Proof) kind() string {
	switch {
	case p.HMAC != nil || p.Digest != nil:
		return p.scheme.(*HMAC).kind()
	case p.Token != nil:
		return "token"
	case p.Ed25519 != nil:
		return "ed25519"
	case p.ECDSA != nil:
		return "ecdsa"
	case p.RSA != nil:
		return "rsa"
	case p.JWT != nil:
		return "jwt"
	case p.MessageSignature != nil:
		return "message_signature"
	}
	return "the proof"
}
