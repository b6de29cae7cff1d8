package scheme

import (
	"fmt"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/refusal"
)

// Refusal is the reason why Verify did not accept a request.
type Refusal = refusal.Refusal

// The reasons for a Refusal.
const (
	Missing   = refusal.Missing
	Wrong     = refusal.Wrong
	Repeated  = refusal.Repeated
	TooOld    = refusal.TooOld
	TooNew    = refusal.TooNew
	NoTime    = refusal.NoTime
	Malformed = refusal.Malformed
	Foreign   = refusal.Foreign
	NoKey     = refusal.NoKey
)

// Mistimed is TooOld or TooNew, with how long before or after the request the time is
// that was refused.
type Mistimed struct {
	Refusal
	what string
	by   time.Duration
}

// Error implements error.
func (m *Mistimed) Error() string {
	side := "before"
	if m.Refusal == TooNew {
		side = "after"
	}
	return fmt.Sprintf("%s: %s %v %s the request came", m.Refusal, m.what, m.by.Round(time.Second), side)
}

// Unwrap returns the Refusal.
func (m *Mistimed) Unwrap() error { return m.Refusal }
