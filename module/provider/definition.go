package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// Definition says how a provider sends webhooks and how it proves them. Presets and
// the custom provider consist of a definition.
type Definition struct {
	// The ways in which the provider proves that it sent a request.
	Proofs []Proof `json:"proofs,omitempty"`

	// Which of several proofs must be right: all of them, the first one that a request
	// offers, or any of them. Default: all.
	Need string `json:"need,omitempty"`

	// The expression for the event type. Default: events have no type.
	Event string `json:"event,omitempty"`

	// The expression for the delivery ID. Default: a hash of the webhook stands in for
	// the ID.
	ID string `json:"id,omitempty"`

	// What tells copies of an event from other events. Default: the delivery ID and the
	// body, or a hash of the webhook where there is no expression for the ID.
	Copies Copies `json:"copies,omitzero"`

	// The list in a webhook that carries several events. Default: a webhook is one event.
	Each *Each `json:"each,omitempty"`

	// Read bodies as JSON, or else as forms, whatever the header Content-Type says. It
	// is for providers that send forms and do not sign that header. Default: false.
	Forms bool `json:"forms,omitempty"`

	// The HTTP methods that the provider uses. Default: POST.
	Methods []string `json:"methods,omitempty"`

	// The answer that the provider wants. Default: status 200, and 401 if a proof is
	// wrong.
	Answer *Answer `json:"answer,omitempty"`

	// The size of the largest body that the provider sends, in bytes. Default: 10 MiB.
	MaxBody int64 `json:"max_body,omitempty"`

	// How long the provider goes on sending an event again. Default: unknown.
	Horizon caddy.Duration `json:"horizon,omitempty"`

	// The provider sends each event only once. Default: false.
	NeverRetries bool `json:"never_retries,omitempty"`

	// The addresses that the provider sends from.
	Ranges *Ranges `json:"ranges,omitempty"`

	// The questions that the provider asks the endpoint, with their answers. The first
	// one that matches a request counts.
	Handshakes []Handshake `json:"handshakes,omitempty"`

	// The headers of a webhook that its answer repeats.
	Echo []string `json:"echo,omitempty"`

	// The headers with credentials, which the gateway masks in whatever it shows.
	// Headers with tokens are masked anyway.
	Masked []string `json:"masked,omitempty"`
}

// Answer is what a provider wants to be answered.
type Answer struct {
	// The status of accepted webhooks, from 200 to 299. Default: 200.
	Status int `json:"status,omitempty"`

	// The body of the answer to accepted webhooks. Default: none.
	Body string `json:"body,omitempty"`

	// The media type of that body. Default: that of JSON or XML if the body is such,
	// else text/plain.
	ContentType string `json:"content_type,omitempty"`

	// The status of webhooks whose proof is wrong, from 200 to 499. Default: 401.
	Refused int `json:"refused,omitempty"`
}

// with returns a copy in which each {option.name} has its value. A list that has
// {option.name} as an element gets all values of the option instead. Provision may
// change the copy, which shares nothing with the definition.
func (d *Definition) with(values map[string]string, lists map[string][]string) (*Definition, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("copying the definition: %v", err)
	}
	var pairs []string
	quote := func(v any) string {
		quoted, _ := json.Marshal(v) // strings only
		return string(quoted[1 : len(quoted)-1])
	}
	for name, list := range lists {
		if len(list) == 0 { // what is nothing, and not everything
			list = []string{""}
		}
		pairs = append(pairs, `"{option.`+name+`}"`, quote(list))
	}
	for name, value := range values {
		pairs = append(pairs, "{option."+name+"}", quote(value))
	}
	filled := strings.NewReplacer(pairs...).Replace(string(text))
	if unknown := optionName.FindStringSubmatch(filled); unknown != nil {
		return nil, fmt.Errorf("the provider has no option %s: write its value, or a placeholder such as {env.X}", unknown[1])
	}
	full := new(Definition)
	return full, json.Unmarshal([]byte(filled), full)
}

var optionName = regexp.MustCompile(`\{option\.([a-z_]+)\}`)

// proves reports whether the provider proves that it sent a request.
func (d *Definition) proves() bool { return len(d.Proofs) > 0 }

// checks reports whether a proof is checked by a call.
func (d *Definition) checks() bool {
	return slices.ContainsFunc(d.Proofs, func(p Proof) bool { return p.checks() })
}

// needsSecret reports whether a proof is made with the provider's secrets.
func (d *Definition) needsSecret() bool {
	return slices.ContainsFunc(d.Proofs, func(p Proof) bool { return p.traits().NeedsSecret && p.Secrets == nil })
}

// usesSecret reports whether a proof may be made with them.
func (d *Definition) usesSecret() bool {
	return slices.ContainsFunc(d.Proofs, func(p Proof) bool { return p.traits().UsesSecret && p.Secrets == nil })
}

// needsNoSecret reports whether public keys are enough, though there are proofs
// with secrets.
func (d *Definition) needsNoSecret(k *scheme.Keys) bool {
	return len(k.Given()) > 0 && (d.Need == NeedFirst || d.Need == NeedAny) &&
		d.any(func(t scheme.Traits) bool { return t.NeedsKeys })
}

// unsignable says why the gateway cannot make the proofs that count for an app; "" where
// it can. keyed says that public keys are configured, secret that there is a secret to
// sign with.
func (d *Definition) unsignable(keyed, secret bool) string {
	if !d.proves() {
		return "the provider signs nothing"
	}
	for i := range d.Proofs {
		t := d.Proofs[i].traits()
		switch {
		case t.NeedsKeys && d.usesSecret() && !keyed:
		case t.Unsignable != "":
			return t.Unsignable
		case t.UsesKeys && t.UsesSecret && !secret && d.Proofs[i].Secrets == nil:
			return "the source has no secret to sign with, only keys that verify (with one, write: sign provider <secret>)"
		}
	}
	return ""
}

// identifies reports whether there is an expression for the delivery ID.
func (d *Definition) identifies() bool {
	return d.ID != "" || slices.ContainsFunc(d.Proofs, func(p Proof) bool { return p.ID != "" })
}

// hasLegacy reports whether there are proofs that count only where that is asked for.
func (d *Definition) hasLegacy() bool {
	return slices.ContainsFunc(d.Proofs, func(p Proof) bool { return p.Legacy })
}

// any reports whether the scheme of any proof has a trait.
func (d *Definition) any(has func(scheme.Traits) bool) bool {
	return slices.ContainsFunc(d.Proofs, func(p Proof) bool { return has(p.traits()) })
}

// edges returns which white space at the edges of a secret is lost in every proof.
func (d *Definition) edges() scheme.Traits {
	lost := scheme.Traits{Trimmed: len(d.Proofs) > 0, WholeHeader: true}
	for i := range d.Proofs {
		t := d.Proofs[i].traits()
		lost.Trimmed, lost.WholeHeader = lost.Trimmed && t.Trimmed, lost.WholeHeader && t.WholeHeader
	}
	return lost
}

// anybodys returns the line that is missing where any customer of the provider can
// have a proof; "" if none can.
func (d *Definition) anybodys() string {
	for i := range d.Proofs {
		if line := d.Proofs[i].traits().Anybodys; line != "" {
			return line
		}
	}
	return ""
}

// check holds the parts against each other, as far as they can be told without
// secrets and options.
func (d *Definition) check() error {
	for i := range d.Proofs {
		if err := d.Proofs[i].compile(); err != nil {
			return err
		}
	}
	if err := d.Each.check(); err != nil {
		return fmt.Errorf("each: %w", err)
	}
	switch {
	case d.Need != "" && !slices.Contains([]string{NeedAll, NeedFirst, NeedAny}, d.Need):
		return fmt.Errorf("need is all, first or any, not %q", d.Need)
	case len(d.Proofs) > 1 && d.checks():
		return errors.New("a proof that is checked by a call stands alone")
	case d.MaxBody < 0 || d.Horizon < 0:
		return errors.New("max_body and horizon must be greater than zero")
	case d.Horizon > 0 && d.NeverRetries:
		return errors.New("a provider that never retries has no horizon")
	}
	if a := d.Answer; a != nil {
		if a.Status != 0 && (a.Status < 200 || a.Status > 299) {
			return fmt.Errorf("the answer's status is from 200 to 299, not %d", a.Status)
		}
		if a.Refused != 0 && (a.Refused < 200 || a.Refused > 499) {
			return fmt.Errorf("the status for what is refused is from 200 to 499, not %d", a.Refused)
		}
	}
	if err := d.checkMethods(); err != nil {
		return err
	}
	if err := d.checkSeveral(); err != nil {
		return err
	}
	if err := d.Copies.Check(d.identifies()); err != nil {
		return err
	}
	if err := d.checkHandshakes(); err != nil {
		return err
	}
	return d.Ranges.compile()
}

// checkMethods refuses methods that no request has, and proofs that are for no method.
func (d *Definition) checkMethods() error {
	for _, method := range d.Methods {
		if !methodName.MatchString(method) {
			return fmt.Errorf("methods: no request has the method %q; write POST, GET and the like", method)
		}
	}
	methods := d.methods()
	for i := range d.Proofs {
		for _, c := range d.Proofs[i].When {
			if !c.allows(methods) {
				return fmt.Errorf("when %s: the provider's methods are %s, so the proof would never be asked for", c.describe(), strings.Join(methods, " and "))
			}
		}
	}
	return nil
}

var methodName = regexp.MustCompile(`^[A-Z][A-Z-]*$`)

// methods returns the methods of webhooks.
func (d *Definition) methods() []string {
	if len(d.Methods) == 0 {
		return []string{http.MethodPost}
	}
	return d.Methods
}

// checkSeveral holds what proofs have for themselves against what several of them mean.
func (d *Definition) checkSeveral() error {
	one := d.Need == NeedFirst || d.Need == NeedAny
	for i := range d.Proofs {
		switch p := &d.Proofs[i]; {
		case p.Legacy && !one:
			return errors.New("a legacy proof stands beside others, with need first or any")
		case len(d.Proofs) > 1 && !one && (p.ID != "" || p.Event != ""):
			return errors.New("event and id of a proof are for need first or any: where all proofs count, those of the provider hold")
		case p.ID != "" && p.traits().SignsID:
			return errors.New("a proof that covers {id} has no id of its own")
		}
	}
	if d.proves() && !slices.ContainsFunc(d.Proofs, func(p Proof) bool { return !p.Legacy }) {
		return errors.New("all proofs are legacy; the best of them must not be")
	}
	return nil
}

// checkHandshakes holds the handshakes against the proofs.
func (d *Definition) checkHandshakes() error {
	for i := range d.Handshakes {
		h := d.Handshakes[i] // which gets its defaults
		h.defaults()
		switch err := h.check(); {
		case err != nil:
			return fmt.Errorf("handshake %s: %w", h.Kind, err)
		case h.Signed != "" && !d.proves():
			return errors.New("the handshake must be signed, but the provider has no proof")
		case h.Kind == "enroll" && !d.usesSecret():
			return errors.New("handshake enroll delivers a secret, but there is no proof that uses it")
		case h.Kind == "hmac" && h.Signed != "always" && !d.covers(h.Digest.part()):
			return errors.New("handshake hmac signs for anybody what looks like a challenge, which is safe only where hmac signs the {body}; else it needs: signed always")
		}
	}
	return nil
}

// covers reports whether every HMAC covers the part of a webhook that is checked against
// the challenges, given its template.
func (d *Definition) covers(part string) bool {
	return !d.any(func(t scheme.Traits) bool {
		return slices.ContainsFunc(t.HMACOf, func(text string) bool { return !strings.Contains(text, part) })
	})
}

// newProfile returns the profile that the definition gives.
func (d *Definition) newProfile() Profile {
	p := Profile{
		Methods:       d.methods(),
		MaxBody:       d.MaxBody,
		Event:         d.Event,
		ID:            d.ID,
		Copies:        d.Copies.Resolve(d.identifies()),
		Each:          d.Each.Resolved(),
		Forms:         d.Forms,
		Horizon:       time.Duration(d.Horizon),
		NeverRetries:  d.NeverRetries,
		Ranges:        d.Ranges,
		SecretHeaders: slices.Clone(d.Masked),
		Echo:          d.Echo,
		Answer:        Answer{Status: http.StatusOK, Refused: http.StatusUnauthorized},
	}
	for i := range d.Proofs {
		p.Own = append(p.Own, d.Proofs[i].Identity)
	}
	if p.MaxBody == 0 {
		p.MaxBody = DefaultMaxBody
	}
	if a := d.Answer; a != nil {
		p.Answer.Body, p.Answer.ContentType = a.Body, a.ContentType
		if a.Status != 0 {
			p.Answer.Status = a.Status
		}
		if a.Refused != 0 {
			p.Answer.Refused = a.Refused
		}
	}
	return p
}
