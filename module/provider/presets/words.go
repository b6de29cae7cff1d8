package presets

import (
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// The words of the tables: a preset reads as data.
type (
	Preset          = provider.Preset
	Definition      = provider.Definition
	Proof           = provider.Proof
	Option          = provider.Option
	Answer          = provider.Answer
	Ranges          = provider.Ranges
	Handshake       = provider.Handshake
	HandshakeDigest = provider.HandshakeDigest
	Condition       = provider.Condition
	Identity        = provider.Identity
	Copies          = provider.Copies
	Each            = provider.Each
	Timestamp       = template.Timestamp

	HMAC             = scheme.HMAC
	Digest           = scheme.Digest
	Token            = scheme.Token
	Signature        = scheme.Signature
	Ed25519          = scheme.Ed25519
	ECDSA            = scheme.ECDSA
	RSA              = scheme.RSA
	JWT              = scheme.JWT
	X5C              = keys.X5C
	Claim            = scheme.Claim
	MessageSignature = scheme.MessageSignature
	SNS              = scheme.SNS
	PayPal           = scheme.PayPal
	EBay             = scheme.EBay
	Ignisign         = scheme.Ignisign
)

const (
	NeedFirst = provider.NeedFirst
	NeedAny   = provider.NeedAny

	ByID        = provider.ByID
	ByIDAndBody = provider.ByIDAndBody
	ByBody      = provider.ByBody
	ByNothing   = provider.ByNothing
)
