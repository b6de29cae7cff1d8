package provider

import "fmt"

// RSA is a signature of that kind over the body, and often a timestamp, in a
// header.
type RSA struct {
	Signature

	// The hash function: sha256 (the default), sha384 or sha512.
	Hash string `json:"hash,omitempty"`

	// The padding: pkcs1 (version 1.5, the default) or pss.
	Padding string `json:"padding,omitempty"`
}

// provision compiles the scheme and takes the keys.
func (s *RSA) provision(c *Common) error {
	setDefault(&s.Padding, "pkcs1")
	hash, err := signatureHash(&s.Hash)
	switch {
	case err != nil:
		return err
	case s.Padding != "pkcs1" && s.Padding != "pss":
		return fmt.Errorf("unknown padding %q: want pkcs1 or pss", s.Padding)
	}
	return s.Signature.provision(c, algorithm{kind: "rsa", hash: hash, pss: s.Padding == "pss"})
}
