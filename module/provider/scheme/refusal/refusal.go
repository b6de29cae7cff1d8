// Package refusal has the reasons why a request is not accepted.
package refusal

// Refusal is the reason why Verify did not accept a request. Refusals go to logs and
// metrics; the sender never sees them.
type Refusal string

// The reasons for a Refusal.
const (
	Missing   Refusal = "proof missing"
	Wrong     Refusal = "proof wrong"
	Repeated  Refusal = "proof given twice" // a header that makes up the proof came more than once
	TooOld    Refusal = "timestamp too old"
	TooNew    Refusal = "timestamp in the future"
	NoTime    Refusal = "timestamp missing"
	Malformed Refusal = "payload malformed"
	Foreign   Refusal = "meant for another application"

	// NoKey is what Verify says where the key that a request names is not here. A
	// fetcher may get it.
	NoKey Refusal = "key unknown"
)

// Error implements error.
func (r Refusal) Error() string { return string(r) }
