package scheme

import (
	"cmp"
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
)

// RSA is a signature of that kind over the body, and often a timestamp, in a
// header.
type RSA struct {
	Signature

	// The hash function: sha256, sha384 or sha512. Default: sha256.
	Hash string `json:"hash,omitempty"`

	// The padding: pkcs1 (version 1.5) or pss. Default: pkcs1.
	Padding string `json:"padding,omitempty"`
}

// Read implements Scheme. Syntax:
//
//	rsa [<hash>] {
//		…       # as Signature reads it
//		padding pkcs1|pss
//	}
func (s *RSA) Read(d *caddyfile.Dispenser, options syntax.Options) error {
	if d.NextArg() {
		s.Hash = d.Val()
		if _, err := signatureHash(s.Hash); err != nil {
			return syntax.At(d, err)
		}
	}
	return s.read(d, options, syntax.Options{"padding": syntax.OneOf(&s.Padding, "pkcs1", "pss")})
}

// Describe implements Scheme.
func (s *RSA) Describe() string { return s.describe("RSA") }

// Compile implements Scheme.
func (s *RSA) Compile() error {
	s.Padding = cmp.Or(s.Padding, "pkcs1")
	s.Hash = cmp.Or(s.Hash, "sha256")
	if _, err := signatureHash(s.Hash); err != nil {
		return err
	}
	if s.Padding != "pkcs1" && s.Padding != "pss" {
		return fmt.Errorf("unknown padding %q; use pkcs1 or pss", s.Padding)
	}
	return s.Signature.Compile()
}

// Provision implements Scheme.
func (s *RSA) Provision(c *Credentials) error {
	if err := s.Compile(); err != nil {
		return err
	}
	return s.provisionKeys(c, algorithm{Kind: "rsa", Hash: signatureHashes[s.Hash], PSS: s.Padding == "pss"})
}
