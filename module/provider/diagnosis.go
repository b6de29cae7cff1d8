package provider

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Diagnosis explains for people what a provider read in a request, and why it
// refused the request. A diagnosis holds no secret.
type Diagnosis struct {
	// Readings are those of the proof that counted; of a refused request those of the
	// proofs that it offers, or of all if it offers none.
	Readings []scheme.Reading `json:"proofs,omitempty"`
	// Causes are likely ones. Where the request is right but for one thing, that
	// is the only one.
	Causes []string `json:"causes,omitempty"`
}

// Diagnoser is a Provider that can explain why it refuses a request. Diagnosing
// takes long: only operators ask.
type Diagnoser interface {
	Provider

	// Diagnose tells what Verify read, and why it did not return nil.
	Diagnose(r *template.Request, now time.Time) *Diagnosis
}

// Diagnose implements Diagnoser.
func (w *working) Diagnose(r *template.Request, now time.Time) *Diagnosis {
	is := w.now()
	d := new(Diagnosis)
	var all []scheme.Reading
	for _, p := range is.proofs.list {
		all = append(all, p.reading(r, now))
	}
	refusal := is.verify(r, now)
	for i, p := range is.proofs.list {
		if refusal == nil && r.Proof == p.position || refusal != nil && (p.offered(r) || p.made(r)) {
			d.Readings = append(d.Readings, all[i])
		}
	}
	if d.Readings == nil || is.proofs.needsAll() {
		d.Readings = all
	}
	if refusal == nil {
		return d
	}
	s := &suspicion{working: w, is: is, r: r, now: now, readings: all}
	if cause := s.proven(); cause != "" {
		d.Causes = []string{cause}
	} else {
		d.Causes = s.hints()
	}
	return d
}

// suspicion searches the reason for a refusal: it changes one thing after the other
// until the request is right.
type suspicion struct {
	*working
	is       *ready
	r        *template.Request
	now      time.Time
	readings []scheme.Reading
}

// proven returns the one change that makes the request right, in words; "" if no
// change does.
func (s *suspicion) proven() string {
	if s.is.common.verifyToken(s.r, s.now) != nil {
		return fmt.Sprintf("the token that guards the source, in %s, is missing or wrong", s.is.common.Token.Place())
	}
	is := s.timeless(nil)
	if s.right(is, s.r) {
		return s.age()
	}
	for _, a := range s.alterations() {
		if is := s.timeless(a.change); is != nil && s.right(is, s.r) {
			return a.cause
		}
	}
	if s.is.proofs.any(func(t scheme.Traits) bool { return t.CoversContent }) {
		for b := range bodies(s.r.Body) {
			other := *s.r
			if other.Body = b.body; s.right(is, &other) {
				return b.cause
			}
		}
	}
	return s.otherURL(is)
}

// right reports whether a request is right at the time at which it was signed.
func (s *suspicion) right(is *ready, r *template.Request) bool {
	return is != nil && is.verify(r, s.signedAt()) == nil
}

// signedAt returns the time at which the request was signed; now if the request does
// not tell.
func (s *suspicion) signedAt() time.Time {
	for i := range s.readings {
		if at := s.readings[i].Time; at != nil {
			return *at
		}
	}
	return s.now
}

// timeless returns the provider without a tolerance and with changed secrets; nil if
// the changed texts are no secrets, or no secret has changed.
func (s *suspicion) timeless(change func(secret string) string) *ready {
	c := *s.is.common
	c.resolved.Tolerance = 0
	same := true
	changed := func(secrets []string) []string {
		if change == nil {
			return secrets
		}
		list := make([]string, len(secrets))
		for i, secret := range secrets {
			if list[i] = change(secret); list[i] == "" {
				list[i] = secret
			}
			same = same && list[i] == secret
		}
		return list
	}
	c.resolved.Secrets = changed(c.resolved.Secrets)
	d, err := s.define(c.resolved.Secrets)
	if err != nil {
		return nil
	}
	for i := range d.Proofs {
		if own := scheme.NonEmpty(d.Proofs[i].Secrets); len(own) > 0 {
			if own, err = scheme.Resolve("secret", own); err != nil {
				return nil
			}
			d.Proofs[i].Secrets = changed(own)
		}
	}
	if change != nil && same {
		return nil
	}
	is, err := makeReady(&c, d)
	if err != nil {
		return nil
	}
	return is
}

// age says how far from now the request was signed.
func (s *suspicion) age() string {
	at := s.signedAt()
	age, side := s.now.Sub(at), "before"
	if age < 0 {
		age, side = -age, "after"
	}
	text := fmt.Sprintf("the signature is right, but its time is %v %s the one that it is checked at, and the tolerance is %v: ",
		age.Round(time.Second), side, s.is.common.resolved.Tolerance)
	switch {
	case at.Unix() > 1e11:
		return text + "it looks like milliseconds where seconds are meant"
	case side == "after":
		return text + "one of the clocks is wrong"
	}
	return text + "one of the clocks is wrong, or the request is an old one; to see whether it was refused, give --at the time at which it arrived; " +
		fmt.Sprintf("to check the signature alone, --at %d", at.Unix())
}

// hints returns possible reasons.
func (s *suspicion) hints() (hints []string) {
	if text := s.r.HeaderValue("Content-Length"); text != "" {
		if length, err := strconv.Atoi(text); err == nil && length != len(s.r.Body) {
			hints = append(hints, fmt.Sprintf("the body has %d bytes, but the header Content-Length says %d: it was changed or cut after it was signed, or when it was saved", len(s.r.Body), length))
		}
	}
	none := !slices.ContainsFunc(s.readings, func(x scheme.Reading) bool { return x.Refusal != string(scheme.Missing) && x.Refusal != notMade })
	other := slices.ContainsFunc(s.readings, func(x scheme.Reading) bool { return x.Refusal == notMade })
	switch weaker := s.weaker(); {
	case none && weaker != "":
		return append(hints, weaker)
	case none && other:
		return append(hints, "the request is not one that is proved in this way: look at what stands behind \"where\"")
	case none:
		return append(hints, s.missing())
	}
	for _, x := range s.readings {
		hints = append(hints, x.Misshapen()...)
	}
	if len(hints) > 0 {
		return hints
	}
	key := "secret"
	if !s.is.proofs.any(func(t scheme.Traits) bool { return t.UsesSecret }) {
		key = "public key"
	}
	hints = append(hints, fmt.Sprintf("the %s is that of another endpoint, application or mode (test and live often have their own)", key))
	switch {
	case s.r.HeaderValue("Transfer-Encoding") != "":
		hints = append(hints, "the body still has its chunks, as it was captured: it must be saved as the sender meant it, without their lengths")
	case s.is.proofs.any(func(t scheme.Traits) bool { return t.CoversContent }):
		hints = append(hints, "the body was changed after it was signed: read and written anew by a proxy or a framework, or edited when it was saved")
	}
	if s.is.profile.SignsURL {
		hints = append(hints, "the public URL is not the one that the provider has; it signs "+s.shown(s.r.PublicURL(s.is.common.resolved.External)))
	}
	return hints
}

// weaker says that the request has a proof that does not count; "" if it has none.
func (s *suspicion) weaker() string {
	for _, p := range s.is.proofs.all {
		if p.Legacy && !s.is.common.Legacy && p.made(s.r) {
			return "the proof that the request has is weaker than another one of the provider, and counts only with the line legacy in the provider's block: " + p.describe()
		}
	}
	return ""
}

// missing says which proof is missing, and which other provider may have sent the
// request.
func (s *suspicion) missing() string {
	for _, p := range s.is.proofs.list {
		for _, name := range p.scheme.Headers() {
			if len(s.r.Header[name]) > 0 {
				return fmt.Sprintf("the header %s is there, but what it says is not written as it should be: %s", name, p.describe())
			}
		}
	}
	text := "the request has none of what proves who sent it"
	if names := senders(s.r); len(names) > 0 {
		text += "; by its headers it may be from " + strings.Join(names[:min(len(names), 5)], ", ")
		if more := len(names) - 5; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
	}
	return text
}

// senders returns the presets whose proof stands in headers that a request has,
// those of a standard first.
func senders(r *template.Request) []string {
	var standard, others []string
	for _, p := range presets {
		if !slices.ContainsFunc(p.Proofs, func(p Proof) bool {
			_, s, _ := p.only()
			return slices.ContainsFunc(s.Headers(), func(name string) bool { return name != "Authorization" && r.Header[name] != nil })
		}) {
			continue
		}
		if p.Category == "standard" {
			standard = append(standard, p.Name)
		} else {
			others = append(others, p.Name)
		}
	}
	slices.Sort(standard)
	slices.Sort(others)
	return append(standard, others...)
}
