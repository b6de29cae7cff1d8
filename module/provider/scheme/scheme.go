// Package scheme has the ways of proving who sent a request. All of a scheme is in the files
// that begin with its name: its configuration, its block in a Caddyfile, how it verifies and
// how it signs. The public keys of providers are in the package keys below.
package scheme

import (
	"context"
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Scheme is a way of proving who sent a request. Its exported fields are its
// configuration; its name is that of its field in a proof.
type Scheme interface {
	// Read reads the scheme's arguments and block from a Caddyfile. The options are
	// those of the block that every proof has.
	Read(d *caddyfile.Dispenser, options syntax.Options) error

	// Compile checks what can be told without secrets, and fills in defaults.
	Compile() error

	// Provision makes the scheme ready with the secrets and keys.
	Provision(c *Credentials) error

	// Verify returns nil if the request holds the proof, and a Refusal otherwise.
	// It sets r.Matched to the position of the secret or key, from 1.
	Verify(r *template.Request, now time.Time) error

	// Screen refuses a request that cannot hold the proof whatever its body is. It is
	// asked before the body is read.
	Screen(r *template.Request, now time.Time) error

	// Sign puts the proof into a request. It fails with ErrPrivateKey where only
	// the provider can make the proof.
	Sign(r *template.Request, now time.Time) error

	// Traits says what is to be known about the scheme as it is configured. It
	// needs neither Compile nor Provision.
	Traits() Traits

	// Headers are the headers in which the proof stands, by their canonical names.
	// It needs neither Compile nor Provision.
	Headers() []string

	// Holds reports whether a request seems to hold the proof, right or wrong.
	Holds(r *template.Request) bool

	// Describe says in a few words what the proof is. It needs neither Compile nor
	// Provision.
	Describe() string

	// Observe notes what the scheme reads in a request.
	Observe(r *template.Request, x *Reading)
}

// Traits are plain facts about a scheme as it is configured.
type Traits struct {
	// UsesSecret says that a secret of the configuration may make the proof,
	// NeedsSecret that nothing else can.
	UsesSecret, NeedsSecret bool

	// UsesKeys says that a key that only the provider has may make the proof,
	// NeedsKeys that it is verified with public keys of the configuration alone.
	UsesKeys, NeedsKeys bool

	// KeyEncoding says how a secret becomes a key: raw, hex, base64 or a template;
	// "" where none does.
	KeyEncoding string

	// OwnSecrets says that secrets stand in the configuration of the scheme itself.
	OwnSecrets bool

	// From is the template of the HMAC that is the proof, TimeFrom that of a timestamp
	// which stands elsewhere; "" where there is none.
	From, TimeFrom string

	// CarriesTime says that requests carry a timestamp, SignsTime that the proof
	// covers it.
	CarriesTime, SignsTime bool

	// SignsID says that Verify calls Request.DeliveryID, SignsURL that it reads
	// Request.Public.
	SignsID, SignsURL bool

	// HMACOf are the texts, as templates, any of which an HMAC with the secret
	// covers; nil where the proof is no such HMAC.
	HMACOf []string

	// WholeHeader says that a secret is all that a header holds.
	WholeHeader bool

	// Trimmed says that a header ends with a secret as it is, so that white space behind
	// the secret is lost.
	Trimmed bool

	// CoversContent says that the proof covers more than itself, as a token does not.
	CoversContent bool

	// Covers are the texts, as templates, any of which the proof covers: what all of
	// them hold nobody else can change.
	Covers []string

	// Unsignable says why the secret that verifies the proof cannot make it anew without
	// changing more than headers; "" where it can.
	Unsignable string

	// OwnKey says that Sign uses a private key of the operator's, in place of the provider's.
	OwnKey bool

	// Keys is how many secrets and public keys the scheme was made ready with: the
	// largest position that Verify gives.
	Keys int

	// SecretHeaders are the headers that carry a credential.
	SecretHeaders []string

	// Anybodys is the line that is missing where the proof can be had by any of the
	// provider's customers; "" where it cannot.
	Anybodys string
}

// Fetcher is a scheme that may have to fetch the key that a request names.
type Fetcher interface {
	// Fetch gets the key, after Verify has said NoKey. A Refusal means that the
	// request names none.
	Fetch(ctx context.Context, r *template.Request) error
}

// Checker is a scheme whose proof is checked by a call, after Verify.
type Checker interface {
	// Check makes the call. It never runs twice at once for one request.
	Check(ctx context.Context, r *template.Request) Verdict
}

// Rekeyer is a scheme whose secrets can be others for each request. It need not be one
// where Traits says that it uses no secret.
type Rekeyer interface {
	// With returns the scheme, which is provisioned, with other secrets. It costs little
	// enough to be asked for every request.
	With(secrets []string) (Scheme, error)
}

// Stripper is a scheme whose proof may stand in the URL and is worth as much as a
// secret.
type Stripper interface {
	// Strip cuts the proof from the request's URL.
	Strip(r *template.Request)
}

// ErrPrivateKey says why Sign cannot make a proof.
var ErrPrivateKey = errors.New("signs with a private key that only the provider has")

// PrivateKey is why a proof is Unsignable of which the configuration has no more than a
// public key.
const PrivateKey = "only the provider has the key that makes its proof"

// unsignableWith says why a proof is Unsignable of which the configuration has no more
// than a public key.
func unsignableWith(signing *SigningKey) string {
	if signing != nil {
		return ""
	}
	return PrivateKey
}

// unsignableIn says why a proof is Unsignable that stands where a template reads it; ""
// if that is a header.
func unsignableIn(from string) string {
	if template.HeaderIn(from) != "" {
		return ""
	}
	if template.Mentions([]string{from}, template.URLPlaceholders...) {
		return "the provider's proof stands in the URL, which the gateway does not change"
	}
	return "the provider's proof stands in the body, which the gateway does not change"
}

// AnyHeader reports whether a request has any of the headers.
func AnyHeader(r *template.Request, names []string) bool {
	for _, name := range names {
		if r.Header[name] != nil {
			return true
		}
	}
	return false
}

// screenHeaders refuses a request that has none of the headers in which a proof
// stands.
func screenHeaders(r *template.Request, headers []string) error {
	if len(headers) > 0 && !AnyHeader(r, headers) {
		return Missing
	}
	return nil
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
	// Overloaded says that the provider asks for fewer calls, and RetryAfter for how
	// long none is to be made; 0 when it does not say.
	Overloaded bool
	RetryAfter time.Duration
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
