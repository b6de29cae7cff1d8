// Package provider knows who sends webhooks and how they sign them.
//
// A few schemes ([HMAC], [Token], none) do the work. A [Definition] is data that
// says which of them a provider uses and how. A [Preset] has one, and the custom
// provider is the same data written by a user. Only what no data can express is
// code of its own: Ignisign, whose proof is checked by a call.
//
//	request -> Verify -> (Check, where the proof needs a call) -> Strip
package provider

import (
	"context"
	"net/url"
	"slices"
	"time"
)

// Request is a webhook as far as its proof is concerned. A provider must not hold
// on to it, nor to Body, after it has returned.
type Request struct {
	Method   string
	Path     string              // escaped, as the app will get it
	RawQuery string              // without the question mark
	Header   map[string][]string // canonical names
	Body     []byte

	// Public is the URL that the provider called. It is set where
	// Profile.SignsURL says that it is needed.
	Public *url.URL

	// DeliveryID finds the delivery ID in the request, for schemes that sign
	// it. It gives "" where there is none.
	DeliveryID func() string

	// Matched is set by Verify: the position of the configured secret that the
	// proof was made with, from 1; 0 where no secret tells.
	Matched int
}

// header returns the value of a header that is there once, and whose name is
// canonical.
func (r *Request) header(name string) string { return only(r.Header, name) }

// Refusal is the reason why a request was not taken for genuine. It goes to
// logs and metrics; the sender is never told.
type Refusal string

// The reasons there are.
const (
	Missing   Refusal = "proof missing"
	Wrong     Refusal = "proof wrong"
	TooOld    Refusal = "timestamp too old"
	TooNew    Refusal = "timestamp in the future"
	NoTime    Refusal = "timestamp missing"
	Malformed Refusal = "payload malformed"
	Foreign   Refusal = "meant for another application"
)

func (r Refusal) Error() string { return string(r) }

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
	Verify(r *Request, now time.Time) error

	// Sign puts the proof into a request, as the provider would, in place of one
	// that it has.
	Sign(r *Request, now time.Time) error

	// Strip cuts a token of the gateway's own from the request's URL.
	Strip(r *Request)
}

// Checker is a Provider whose proof is checked by a call, after Verify.
type Checker interface {
	Provider

	// Check makes the call. It never runs twice at once for one request.
	Check(ctx context.Context, r *Request) Verdict
}

// Verdict is the outcome of a Check.
type Verdict struct {
	Outcome Outcome
	// Sent says that the call may have reached the provider.
	Sent bool
	// Matched is the position of the configured secret with which Genuine was
	// found out, from 1.
	Matched int
	// Reason says why, in words without secrets.
	Reason string
}

// Outcome is what a Check says about a proof.
type Outcome int

const (
	// Undecided: no verdict was to be had; ask again.
	Undecided Outcome = iota
	// Genuine: the provider vouches for the request.
	Genuine
	// Forged: the provider does not know the proof, or it was for another.
	Forged
	// Used: the proof was good once, or may have been. After a call that stayed
	// without answer that call may have used it up.
	Used
)

// Profile is what the gateway knows about a provider besides its proof.
type Profile struct {
	// Methods that the provider uses.
	Methods []string
	// MaxBody is the largest body that it may send, in bytes.
	MaxBody int64
	// Event and ID are expressions for the event type and the delivery ID; ""
	// where the provider gives none.
	Event, ID string
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
	// Samples returns realistic webhooks, one for each documented event. It is
	// nil where there are none.
	Samples func() []Sample
}

// DefaultMaxBody is the largest body, in bytes, of a provider that states none.
const DefaultMaxBody = 10 << 20

// Sends reports whether the provider uses an HTTP method.
func (p *Profile) Sends(method string) bool { return slices.Contains(p.Methods, method) }

// publicURL returns the URL that the provider called, with what external says
// in place of what this server saw.
func (r *Request) publicURL(external *url.URL) *url.URL {
	if external == nil {
		return r.Public
	}
	u := *external
	if u.Path == "" || u.Path == "/" {
		u.Path, u.RawPath = r.Public.Path, r.Public.RawPath
	}
	if u.RawQuery == "" {
		u.RawQuery = r.Public.RawQuery
	}
	return &u
}

// Called says which URL the provider called. Where it names neither path nor
// query, those of the request count.
func (r *Request) Called(public *url.URL) {
	r.Public = r.publicURL(public)
	r.Path, r.RawQuery = r.Public.EscapedPath(), r.Public.RawQuery
}

// moved has the URL that the provider calls follow the request's own path and
// query.
func (r *Request) moved() {
	if r.Public == nil {
		return
	}
	public := *r.Public
	public.RawPath, public.RawQuery = r.Path, r.RawQuery
	if path, err := url.PathUnescape(r.Path); err == nil {
		public.Path = path
	}
	r.Public = &public
}

// To addresses the request to a URL, whose query the request's own one follows.
func (r *Request) To(target *url.URL) {
	called := *target
	called.RawQuery = joinPairs(append(splitPairs(target.RawQuery), splitPairs(r.RawQuery)...))
	r.Path, r.RawQuery, r.Public = called.EscapedPath(), called.RawQuery, &called
}

// URL returns the target's URL with the request's own path and query, in which
// Sign may have put a token.
func (r *Request) URL(target *url.URL) string {
	u := *target
	u.RawPath = r.Path
	if path, err := url.PathUnescape(r.Path); err == nil {
		u.Path = path
	}
	u.RawQuery = r.RawQuery
	return u.String()
}
