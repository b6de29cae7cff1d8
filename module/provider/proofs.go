package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// The ways in which several proofs count.
const (
	NeedAll   = "all"   // each must be there
	NeedFirst = "first" // the first that the request offers decides
	NeedAny   = "any"   // one of them is enough
)

// proofs are the proofs of a provider, ready for use.
type proofs struct {
	need   string
	list   []*Proof
	all    []*Proof // with those that do not count, but can be made for apps
	closed bool     // the secret is still to be delivered, or that of a tenant nobody knows
	secret bool     // there are proofs with secrets
}

// provision makes the proofs of a definition ready. The definition was checked.
// Proofs without a secret or public key do not count.
func (ps *proofs) provision(d *Definition, c *Common, profile *Profile) error {
	*ps = proofs{need: d.Need, closed: len(c.resolved.Secrets) == 0 && (enrolls(d.Handshakes) || c.tenants), secret: d.usesSecret()}
	own := 0
	for i := range d.Proofs {
		p := &d.Proofs[i]
		p.position = i + 1
		counts, err := p.provision(c, ps, &own)
		if err != nil {
			return err
		}
		if !counts && ps.needsAll() {
			return fmt.Errorf("proof %d of %d has no secret or public key", i+1, len(d.Proofs))
		}
		if counts {
			ps.all = append(ps.all, p)
		}
		if counts && (c.Legacy || !p.Legacy) {
			p.complete(profile)
			ps.list = append(ps.list, p)
		}
	}
	if len(ps.list) == 0 && len(d.Proofs) > 0 {
		return fmt.Errorf("none of the secrets fits a proof")
	}
	profile.Secrets = max(profile.Secrets, len(c.resolved.Secrets)+own)
	ps.findOwn()
	return nil
}

// findOwn finds the headers of each proof in which no other proof stands.
func (ps *proofs) findOwn() {
	users := make(map[string]int)
	for _, p := range ps.list {
		for _, name := range p.scheme.Headers() {
			users[name]++
		}
	}
	for _, p := range ps.list {
		p.own = slices.DeleteFunc(slices.Clone(p.scheme.Headers()), func(name string) bool { return users[name] > 1 })
	}
}

// any reports whether the scheme of any proof has a trait.
func (ps *proofs) any(has func(scheme.Traits) bool) bool {
	return slices.ContainsFunc(ps.list, func(p *Proof) bool { return has(p.scheme.Traits()) })
}

// needsAll reports whether a request must have all of the proofs.
func (ps *proofs) needsAll() bool { return ps.need != NeedFirst && ps.need != NeedAny }

// verify implements Provider.Verify.
func (ps *proofs) verify(r *template.Request, now time.Time) error {
	if len(ps.list) == 1 {
		return ps.list[0].verify(r, now)
	}
	switch ps.need {
	case NeedFirst:
		return ps.verifyFirst(r, now)
	case NeedAny:
		return ps.verifyAny(r, now)
	}
	for _, p := range ps.list {
		if err := p.verify(r, now); err != nil {
			return err
		}
	}
	r.Proof = 0
	return nil
}

// verifyFirst goes by the first proof that the request offers. If that proof is
// wrong, no later proof counts.
func (ps *proofs) verifyFirst(r *template.Request, now time.Time) error {
	for _, p := range ps.list {
		if err := p.verify(r, now); !errors.Is(err, scheme.Missing) || p.offered(r) {
			return err
		}
	}
	return scheme.Missing
}

func (ps *proofs) verifyAny(r *template.Request, now time.Time) error {
	refusal := error(scheme.Missing)
	for _, p := range ps.list {
		err := p.verify(r, now)
		if err == nil {
			return nil
		}
		if errors.Is(refusal, scheme.Missing) || errors.Is(err, scheme.NoKey) {
			refusal = err
		}
	}
	return refusal
}

// screen implements Provider.Screen.
func (ps *proofs) screen(r *template.Request, now time.Time) (refusal error) {
	several := !ps.needsAll()
	for _, p := range ps.list {
		err := p.screen(r, now)
		if (err == nil) == several { // one is enough, or one lacks
			return err
		}
		if refusal == nil || errors.Is(refusal, scheme.Missing) { // what is there says more than what lacks
			refusal = err
		}
	}
	return refusal
}

// sign makes the first proof whose conditions the request meets, and all others that
// the request has or needs: an old proof must not stay beside a new one.
func (ps *proofs) sign(r *template.Request, now time.Time) error {
	if ps.closed {
		return errNotEnrolled
	}
	if len(ps.list) == 0 {
		return nil
	}
	chosen := ps.choose(r)
	for _, p := range ps.all {
		for _, name := range p.scheme.Headers() {
			if !slices.ContainsFunc(chosen, func(c *Proof) bool { return slices.Contains(c.scheme.Headers(), name) }) {
				delete(r.Header, name)
			}
		}
	}
	for _, p := range chosen {
		if err := p.sign(r, now); err != nil {
			return err
		}
	}
	return nil
}

// choose returns the proofs that sign makes. Of those that stand in the same header, the
// last one made would replace the others: the one that the request has is made, and of
// several such ones that of the first secret.
func (ps *proofs) choose(r *template.Request) (chosen []*Proof) {
	all := ps.makeable()
	first := max(0, slices.IndexFunc(all, func(p *Proof) bool { return p.applies(r) }))
	var made, fresh []*Proof
	for i, p := range all {
		switch {
		case p.made(r):
			made = append(made, p)
		case i == first || ps.needsAll():
			fresh = append(fresh, p)
		}
	}
	slices.SortStableFunc(made, func(a, b *Proof) int { return cmp.Compare(a.earliest(), b.earliest()) })
	taken := make(map[string]bool)
	for _, p := range append(made, fresh...) {
		headers := p.scheme.Headers()
		if slices.ContainsFunc(headers, func(name string) bool { return taken[name] }) {
			continue
		}
		for _, name := range headers {
			taken[name] = true
		}
		chosen = append(chosen, p)
	}
	slices.SortFunc(chosen, func(a, b *Proof) int { return cmp.Compare(a.position, b.position) })
	return chosen
}

// makeable returns the proofs that sign can make, where one is enough; else all of them.
func (ps *proofs) makeable() []*Proof {
	if own := ps.ownKey(); len(own) > 0 {
		return own
	}
	if ps.needsAll() {
		return ps.all
	}
	can := slices.DeleteFunc(slices.Clone(ps.all), func(p *Proof) bool { return p.scheme.Traits().Unsignable == scheme.PrivateKey })
	if len(can) == 0 {
		return ps.all
	}
	return can
}

// ownKey returns the proofs that sign makes with a private key of the operator's.
func (ps *proofs) ownKey() []*Proof {
	return slices.DeleteFunc(slices.Clone(ps.all), func(p *Proof) bool { return !p.scheme.Traits().OwnKey })
}

// checkOwnKey refuses a private key that makes none of the proofs.
func (ps *proofs) checkOwnKey() error {
	if len(ps.ownKey()) == 0 {
		return errNoKey
	}
	return nil
}

// fetch fetches the keys that a request names. A request that names none is refused.
func (ps *proofs) fetch(ctx context.Context, r *template.Request) error {
	refusal, fetched := scheme.NoKey, false
	for _, p := range ps.list {
		f, ok := p.scheme.(scheme.Fetcher)
		if !ok || !p.applies(r) {
			continue
		}
		switch err := f.Fetch(ctx, r); {
		case err == nil:
			fetched = true
		case !errors.As(err, &refusal):
			return err
		}
	}
	if fetched {
		return nil
	}
	return refusal
}

// anybodys returns the line that is missing where any customer of the provider can
// have a proof; "" if none can.
func (ps *proofs) anybodys() string {
	for _, p := range ps.list {
		if line := p.traits().Anybodys; line != "" {
			return line
		}
	}
	return ""
}

// check makes the call that checks the proof.
func (ps *proofs) check(ctx context.Context, r *template.Request) scheme.Verdict {
	for _, p := range ps.list {
		if c, ok := p.scheme.(scheme.Checker); ok {
			return c.Check(ctx, r)
		}
	}
	return scheme.Verdict{Outcome: scheme.Genuine} // by Verify
}

// strip cuts proofs from the URL that are worth as much as a secret.
func (ps *proofs) strip(r *template.Request) {
	for _, p := range ps.list {
		if s, ok := p.scheme.(scheme.Stripper); ok {
			s.Strip(r)
		}
	}
}
