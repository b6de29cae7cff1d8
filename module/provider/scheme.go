package provider

import "time"

// scheme is a way of proving who sent a request. It is configuration, and the
// same data that a preset is made of.
type scheme interface {
	// provision compiles the scheme and makes its keys, once the secrets, the
	// tolerance and the external URL of c are resolved.
	provision(c *Common) error
	// verify returns nil or a Refusal. It sets Request.Matched to the position
	// of the secret or key that the proof was made with.
	verify(r *Request, now time.Time) error
	// sign puts the proof into a request. Where only the provider can make it,
	// that is an error.
	sign(r *Request, now time.Time) error
	// profile tells a profile what verify will ask of a request.
	profile(p *Profile)
}
