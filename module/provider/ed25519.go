package provider

// Ed25519 is a signature of that kind over the body, and often a timestamp, in
// a header.
type Ed25519 struct {
	Signature
}

// provision compiles the scheme and takes the keys.
func (e *Ed25519) provision(c *Common) error {
	return e.Signature.provision(c, algorithm{kind: "ed25519"})
}
