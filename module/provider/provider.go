// Package provider knows who sends webhooks and how they sign them.
//
// A few schemes, such as [scheme.HMAC], do the work. A [Definition] is data that
// says which of them a provider uses and how. A [Preset] has one, and the custom
// provider is the same data written by a user.
//
//	request -> Verify -> (Check, where the proof needs a call) -> Strip
package provider

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Provider is one configured provider: what a guest module in the namespace
// webhook_gateway.providers implements.
type Provider interface {
	// Proves reports whether anything in a request proves who sent it. Where
	// nothing does, the source must be guarded by addresses. It is asked before
	// the provider is provisioned.
	Proves() bool

	// Publishes reports whether the provider says from which addresses it sends:
	// whether its profile has ranges. It is asked before the provider is
	// provisioned.
	Publishes() bool

	// Profile says what the gateway must know about the provider. It is the
	// same at each call.
	Profile() *Profile

	// Verify returns nil if the request proves that the provider sent it, and
	// a Refusal otherwise. It makes no calls.
	Verify(r *template.Request, now time.Time) error

	// Screen refuses a request that Verify would refuse whatever its body is. It is
	// asked before the body is read. A handshake may be such a request.
	Screen(r *template.Request, now time.Time) error

	// Sign puts the proof into a request, as the provider would, in place of one
	// that it has.
	Sign(r *template.Request, now time.Time) error

	// Strip cuts a token of the gateway's own from the request's URL.
	Strip(r *template.Request)
}

// Checker is a Provider whose proof may be checked by a call, after Verify.
type Checker interface {
	Provider

	// Checks reports whether there is a call to make. It is asked before the
	// provider is provisioned.
	Checks() bool

	// Check makes the call. It never runs twice at once for one request.
	Check(ctx context.Context, r *template.Request) scheme.Verdict
}

// CheckerOf returns the provider as a Checker; nil if no call checks its proof.
func CheckerOf(p Provider) Checker {
	if c, ok := p.(Checker); ok && c.Checks() {
		return c
	}
	return nil
}

// Profile is what the gateway must know about a provider besides its proof.
type Profile struct {
	// Methods that the provider uses.
	Methods []string
	// MaxBody is the largest body that it may send, in bytes.
	MaxBody int64
	// Greets says that a request without a proof may be a handshake: it has a method
	// of webhooks, and a body of MaxHandshake bytes at most.
	Greets bool
	// Event and ID are expressions for the event type and the delivery ID; ""
	// where the provider gives none.
	Event, ID string
	// Own are the expressions of each proof, in place of those, for webhooks in which
	// Request.Proof says that this proof counted.
	Own []Identity
	// Copies says what tells copies of an event from other events.
	Copies Copies
	// Each describes the list in a webhook that carries several events; nil where there
	// is none.
	Each *Each
	// Forms says that bodies are JSON or forms, whatever they are declared to be.
	Forms bool
	// Legacy says that weaker proofs count as well, because the configuration asks for
	// them.
	Legacy bool
	// Horizon is how long the provider goes on sending an event again.
	Horizon time.Duration
	// NeverRetries says that the provider sends each event once.
	NeverRetries bool
	// Echo are headers of a webhook that the answer to it repeats.
	Echo []string
	// Secrets is how many of them are configured: the largest position that
	// Matched can have.
	Secrets int
	// Answer is what the provider wants to be answered; its statuses are set.
	Answer Answer
	// Ranges are the addresses that the provider publishes; nil where it
	// publishes none.
	Ranges *Ranges
	// SecretHeaders carry credentials of the configuration, and are masked in
	// whatever the gateway shows.
	SecretHeaders []string
	// SignsID says that Verify calls Request.DeliveryID.
	SignsID bool
	// SignsURL says that Verify reads Request.Public.
	SignsURL bool
	// HasToken says that a token guards the source, on top of the proof.
	HasToken bool
	// Samples returns realistic webhooks, one for each documented event. It is
	// nil where there are none.
	Samples func() []Sample
}

// Identity are the expressions that find what a webhook is.
type Identity struct {
	// The expression for the event type if this proof is the one that counts. Default:
	// the provider's.
	Event string `json:"event,omitempty"`

	// The expression for the delivery ID if this proof is the one that counts. Default:
	// the provider's.
	ID string `json:"id,omitempty"`
}

// IdentityOf returns the expressions for webhooks in which a proof counted: its position,
// or 0.
func (p *Profile) IdentityOf(proof int) Identity {
	found := Identity{Event: p.Event, ID: p.ID}
	if proof > 0 && proof <= len(p.Own) {
		own := &p.Own[proof-1]
		found.Event, found.ID = cmp.Or(own.Event, found.Event), cmp.Or(own.ID, found.ID)
	}
	return found
}

// DefaultMaxBody is the largest body, in bytes, of a provider that states none.
const DefaultMaxBody = 10 << 20

// Sends reports whether the provider uses an HTTP method.
func (p *Profile) Sends(method string) bool { return slices.Contains(p.Methods, method) }

// Fetcher is a Provider that may have to fetch the key that a request names.
type Fetcher interface {
	Provider

	// Fetch gets the key, after Verify has said NoKey. Then Verify is to be
	// asked again; it will know whether there is such a key. An error means
	// that this cannot be told now: the provider is to send the request again.
	Fetch(ctx context.Context, r *template.Request) error
}

// Binder is a Provider that may sign for all of its customers alike, so that a
// proof says nothing about whose a webhook is.
type Binder interface {
	Provider

	// Anybodys returns the line of the provider's block that is missing where any
	// customer can have a proof; "" if none can. It may be asked before the provider
	// is provisioned.
	Anybodys() string
}

// SampleFiller is a Provider whose samples have gaps that its configuration fills.
type SampleFiller interface {
	Provider

	// SampleValues returns what fills the gaps, by name.
	SampleValues() map[string]string
}
