package provider

import (
	"crypto"
	"fmt"
)

// ECDSA is a signature of that kind over the body, and often a timestamp, in a
// header. The curve is the public key's: P-256, P-384 or P-521.
type ECDSA struct {
	Signature

	// The hash function: sha256 (the default), sha384 or sha512.
	Hash string `json:"hash,omitempty"`

	// How the signature's two numbers are put together: asn1 (the default), or
	// raw, side by side.
	Format string `json:"format,omitempty"`
}

// signatureHashes are the hash functions of configurable public-key schemes.
var signatureHashes = map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}

// signatureHash returns the hash function of a name, which gets its default.
func signatureHash(name *string) (crypto.Hash, error) {
	setDefault(name, "sha256")
	hash, known := signatureHashes[*name]
	if !known {
		return 0, fmt.Errorf("unknown hash %q: want sha256, sha384 or sha512", *name)
	}
	return hash, nil
}

// provision compiles the scheme and takes the keys.
func (e *ECDSA) provision(c *Common) error {
	setDefault(&e.Format, "asn1")
	hash, err := signatureHash(&e.Hash)
	switch {
	case err != nil:
		return err
	case e.Format != "asn1" && e.Format != "raw":
		return fmt.Errorf("unknown format %q: want asn1 or raw", e.Format)
	}
	return e.Signature.provision(c, algorithm{kind: "ecdsa", hash: hash, raw: e.Format == "raw"})
}
