package scheme

import (
	"cmp"
	"crypto"
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
)

// ECDSA is a signature of that kind over the body, and often a timestamp, in a
// header. The curve is the public key's: P-256, P-384 or P-521.
type ECDSA struct {
	Signature

	// The hash function: sha256, sha384 or sha512. Default: sha256.
	Hash string `json:"hash,omitempty"`

	// How the two numbers of the signature are written: asn1, or raw, which is one after
	// the other. Default: asn1.
	Format string `json:"format,omitempty"`
}

// signatureHashes are the hash functions of configurable public-key schemes.
var signatureHashes = map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}

// signatureHash returns the hash function of a name.
func signatureHash(name string) (crypto.Hash, error) {
	hash, known := signatureHashes[name]
	if !known {
		return 0, fmt.Errorf("unknown hash %q; use sha256, sha384 or sha512", name)
	}
	return hash, nil
}

// Read implements Scheme. Syntax:
//
//	ecdsa [<hash>] {
//		…       # as Signature reads it
//		format asn1|raw
//	}
func (e *ECDSA) Read(d *caddyfile.Dispenser, options syntax.Options) error {
	if d.NextArg() {
		e.Hash = d.Val()
		if _, err := signatureHash(e.Hash); err != nil {
			return syntax.At(d, err)
		}
	}
	return e.read(d, options, syntax.Options{"format": syntax.OneOf(&e.Format, "asn1", "raw")})
}

// Describe implements Scheme.
func (e *ECDSA) Describe() string { return e.describe("ECDSA") }

// Compile implements Scheme.
func (e *ECDSA) Compile() error {
	e.Format = cmp.Or(e.Format, "asn1")
	e.Hash = cmp.Or(e.Hash, "sha256")
	if _, err := signatureHash(e.Hash); err != nil {
		return err
	}
	if e.Format != "asn1" && e.Format != "raw" {
		return fmt.Errorf("unknown format %q; use asn1 or raw", e.Format)
	}
	return e.Signature.Compile()
}

// Provision implements Scheme.
func (e *ECDSA) Provision(c *Credentials) error {
	if err := e.Compile(); err != nil {
		return err
	}
	return e.provisionKeys(c, keys.Algorithm{Kind: "ecdsa", Hash: signatureHashes[e.Hash], Raw: e.Format == "raw"})
}
