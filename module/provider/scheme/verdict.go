package scheme

// Verdict is the outcome of a Check.
type Verdict struct {
	Outcome Outcome
	// Sent says that the call may have reached the provider.
	Sent bool
	// Matched is the position of the configured secret with which Genuine was
	// found out, from 1.
	Matched int
	// Reason says why, in words without secrets.
	Reason string
}

// Outcome is what a Check says about a proof.
type Outcome int

const (
	// Undecided: no verdict was to be had; ask again.
	Undecided Outcome = iota
	// Genuine: the provider vouches for the request.
	Genuine
	// Forged: the provider does not know the proof, or it was for another.
	Forged
	// Used: the proof was good once, or may have been. After a call that stayed
	// without answer that call may have used it up.
	Used
)
