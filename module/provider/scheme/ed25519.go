package scheme

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
)

// Ed25519 is an Ed25519 signature in a header, over the body and often a timestamp.
type Ed25519 struct {
	Signature
}

// Read implements Scheme. Syntax:
//
//	ed25519 { … } # as Signature reads it
func (e *Ed25519) Read(d *caddyfile.Dispenser, options syntax.Options) error {
	return e.read(d, options, nil)
}

// Provision implements Scheme.
func (e *Ed25519) Provision(c *Credentials) error {
	return e.provisionKeys(c, keys.Algorithm{Kind: "ed25519"})
}

// Describe implements Scheme.
func (e *Ed25519) Describe() string { return e.describe("Ed25519") }
