// Package provider knows who sends webhooks and how they sign them.
//
// A few schemes ([HMAC], [Token], none) do the work. A [Preset] is data that
// says which scheme a provider uses and how; the custom provider is the same
// data written by a user. Only what no data can express is code of its own:
// Ignisign, whose proof is checked by a call.
//
//	request -> Verify -> (Check, where the proof needs a call) -> Strip
package provider

import (
	"context"
	"net/url"
	"slices"
	"time"
)

// Request is a webhook as far as its proof is concerned.
type Request struct {
	Method   string
	Scheme   string              // "https" or "http"
	Host     string              // as the sender wrote it
	Path     string              // escaped, as it was sent
	RawQuery string              // without the question mark
	Header   map[string][]string // canonical names
	Body     []byte

	// DeliveryID finds the delivery ID in the request, for schemes that sign
	// it. It gives "" where there is none.
	DeliveryID func() string
}

// URI returns path and query.
func (r *Request) URI() string {
	if r.RawQuery == "" {
		return r.Path
	}
	return r.Path + "?" + r.RawQuery
}

// header returns the first value of a header whose name is canonical.
func (r *Request) header(name string) string {
	if v := r.Header[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

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
	// Profile says what the gateway must know about the provider. It is the
	// same at each call.
	Profile() *Profile

	// Verify returns nil if the request proves that the provider sent it, and
	// a Refusal otherwise. It makes no calls.
	Verify(r *Request, now time.Time) error

	// Sign adds the proof to a request, as the provider would.
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
	// Proven says that something in the request proves who sent it. Without
	// it, the source must be guarded by addresses.
	Proven bool
	// SecretHeaders carry credentials of the configuration, and are masked in
	// whatever the gateway shows.
	SecretHeaders []string
	// SecretURL says that the URL carries a token.
	SecretURL bool
	// SignsID says that Verify calls Request.DeliveryID.
	SignsID bool
	// Samples are realistic webhooks, at least one for each documented event.
	Samples []Sample
}

// DefaultMaxBody is the largest body, in bytes, of a provider that states none.
const DefaultMaxBody = 10 << 20

// Sends reports whether the provider uses an HTTP method.
func (p *Profile) Sends(method string) bool { return slices.Contains(p.Methods, method) }

// publicURL returns the URL that the provider called: external in place of
// what this server sees, where it is set.
func (r *Request) publicURL(external *url.URL) string {
	if external == nil {
		return r.Scheme + "://" + r.Host + r.URI()
	}
	u := *external
	if u.Path == "" || u.Path == "/" {
		return u.Scheme + "://" + u.Host + r.URI()
	}
	if u.RawQuery == "" {
		u.RawQuery = r.RawQuery
	}
	return u.String()
}
