package scheme

import (
	"cmp"
	"crypto"
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
)

// RSA is a signature of that kind over the body, and often a timestamp, in a
// header.
type RSA struct {
	Signature

	// The hash function: sha256, sha384, sha512 or sha1, which is for providers that know
	// no better. Default: sha256.
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
		if _, err := rsaHash(s.Hash); err != nil {
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
	if _, err := rsaHash(s.Hash); err != nil {
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
	hash, err := rsaHash(s.Hash)
	if err != nil {
		return err
	}
	return s.provisionKeys(c, keys.Algorithm{Kind: "rsa", Hash: hash, PSS: s.Padding == "pss"})
}

// rsaHash returns the hash function of a name: those of all public-key schemes, and
// SHA-1.
func rsaHash(name string) (crypto.Hash, error) {
	if name == "sha1" {
		return crypto.SHA1, nil
	}
	hash, err := signatureHash(name)
	if err != nil {
		return 0, fmt.Errorf("unknown hash %q; use sha256, sha384, sha512 or sha1", name)
	}
	return hash, nil
}
