package provider

import (
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Request is the part of a webhook that proofs read.
type Request = template.Request

// Refusal is the reason why Verify did not accept a request.
type Refusal = scheme.Refusal

// Mistimed is a Refusal of a time, and says how far away that is.
type Mistimed = scheme.Mistimed

// The reasons that the gateway itself deals with.
const (
	Wrong = scheme.Wrong
	NoKey = scheme.NoKey
)

// Verdict is the outcome of a Check.
type Verdict = scheme.Verdict

// Outcome is what a Check says about a proof.
type Outcome = scheme.Outcome

// The outcomes of a Check.
const (
	Undecided = scheme.Undecided
	Genuine   = scheme.Genuine
	Forged    = scheme.Forged
	Used      = scheme.Used
)

// ErrPrivateKey says why Sign cannot make a proof.
var ErrPrivateKey = scheme.ErrPrivateKey

// SigningKey is a private key of the operator's own.
type SigningKey = scheme.SigningKey

// ParseSigningKey reads a private key in PEM, with the certificates that stand beside it.
func ParseSigningKey(text []byte) (*SigningKey, error) { return scheme.ParseSigningKey(text) }
