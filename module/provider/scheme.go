package provider

import "time"

// scheme is a way of proving who sent a request. Its exported fields are its
// configuration. What it says of itself in these methods is asked where it has
// them: compile() error, carriesTime() bool, timed() bool, signs(string) bool,
// places() []string (the headers in which the proof stands) and inHeader() bool.
type scheme interface {
	// provision compiles the configuration and makes the keys. Secrets, tolerance
	// and external URL of c are resolved.
	provision(c *Common) error

	// verify returns nil if the request holds the proof, and a Refusal otherwise.
	// It sets r.Matched to the position of the secret or key, from 1.
	verify(r *Request, now time.Time) error

	// sign puts the proof into a request. It fails where only the provider can
	// make it.
	sign(r *Request, now time.Time) error

	// profile tells a profile what verify will ask of a request.
	profile(p *Profile)
}
