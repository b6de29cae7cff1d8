package queue

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// Config is what an engine works by. An attached Config must not change.
type Config struct {
	Backend   Backend
	Retention Retention          // MaxBytes comes from the backend
	Sources   map[string]*Source // by name
	Observer  Observer           // nil = none
	Logger    *zap.Logger        // nil = that of the engine
}

// Source is the engine's view of one configured source.
type Source struct {
	// Window is how long a delivery ID is remembered, 0 = not at all. Entries is
	// how many delivery IDs are remembered at most.
	Window  time.Duration
	Entries int

	// LastToRefuse marks a source whose provider never retries: when space runs
	// out, other sources are refused first.
	LastToRefuse bool

	// Routes are the routes by name, `otherwise` included. A source without routes
	// stores no events, and no entries of its dedup window.
	Routes map[string]*Route

	// Check checks the proof of a held event by a call. It is nil unless the
	// provider's proof needs one. Check must end when its context does.
	Check func(ctx context.Context, e *Event) Verdict

	// Route names the routes that take a held event whose proof was found genuine.
	// It is nil unless Check is set.
	Route func(e *Event) []string
}

// Route is the engine's view of one route.
type Route struct {
	// Deliver makes one attempt; the first attempt has the number 1. Deliver must
	// end when its context does, which is after Timeout or at shutdown.
	Deliver func(ctx context.Context, e *Event, attempt int) Result

	// Ask is Deliver for an event whose sender waits for the destination's answer, as
	// long as waits says so. nil means that no sender waits for answers of the route.
	Ask func(ctx context.Context, e *Event, attempt int, waits func() bool) Result

	Concurrency int           // attempts at once
	Rate        float64       // attempts that begin in a second; 0 = no limit
	Timeout     time.Duration // of one attempt

	// Retry decides how long a failed delivery waits, and when it is given up.
	Retry RetryPolicy

	// Key returns the key that keeps an event's delivery in order, "" for none. The
	// engine asks for the keys of held events; other events bring their keys along.
	// nil means that the route keeps no order.
	Key  func(e *Event) string
	Hold bool // a dead letter holds its key
}

// Outcome says how an attempt ended. The zero value counts as Retry.
type Outcome string

const (
	// Succeeded means that the destination has the event.
	Succeeded Outcome = "delivered"
	// Retry means that a later attempt may succeed.
	Retry Outcome = "retry"
	// Refused means that no later attempt will succeed.
	Refused Outcome = "refused"
	// Interrupted means that the attempt was cut short and does not count.
	Interrupted Outcome = "interrupted"
)

// Result is what came of an attempt.
type Result struct {
	Outcome    Outcome
	Status     int           // HTTP status, 0 when nothing answered
	Reason     string        // why the attempt did not succeed; an operator reads it
	RetryAfter time.Duration // pause that the destination asked for, 0 when it asked for none
	Answer     Answer        // of Ask, for the sender; nil when there is none, or when it was not kept

	// Unsent says that nothing was sent, for a reason of the gateway's own: that tells
	// nothing of the destination.
	Unsent bool
}

// Judgment is what a call said about the proof of a held event.
type Judgment string

const (
	// Genuine means that the proof is good. It is used up now.
	Genuine Judgment = "genuine"
	// Forged means that the proof is not one of the provider's, for certain.
	Forged Judgment = "forged"
	// Used means that the proof is no longer good, or is not good for an unknown
	// reason. That proves nothing if an earlier call may have used the proof up. If
	// there was no earlier call, Used is as good as Forged.
	Used Judgment = "used"
	// Undecided means that the call had no outcome.
	Undecided Judgment = "undecided"
)

// Verdict is the outcome of a call that checks the proof of a held event.
type Verdict struct {
	Judgment Judgment
	Sent     bool   // the call may have reached the provider, though it is undecided
	Reason   string // an operator reads it

	// Overloaded says that the provider asks for fewer calls, and RetryAfter for how
	// long none is to be made; 0 when it does not say.
	Overloaded bool
	RetryAfter time.Duration
}

// Observer is told what happens, for metrics and events. Its methods must return at
// once. Many goroutines call them.
type Observer interface {
	// Attempted is called after each attempt.
	Attempted(source, route string, outcome Outcome, took time.Duration)
	// Delivered is called when a destination took an event, with the time since
	// the delivery was accepted, or queued again.
	Delivered(source, route string, after time.Duration)
	// Failing is called when the upstream of a route has failed repeatedly, so that
	// from now on the route is only probed.
	Failing(source, route, reason string)
	// Recovered is called when a failing route goes back to full speed.
	Recovered(source, route string)
	// Died is called when a delivery was stored as dead. The event comes
	// without its request.
	Died(e *Event, d *Delivery)
	// Evicted is called when a delivery ID was forgotten before its window
	// ended, with the number of entries that would have kept it.
	Evicted(source string, enough int)
	// Conflicted is called when an event had the delivery ID of another one, and
	// another body.
	Conflicted(source string)
}

// nobody is the Observer of a configuration without one.
type nobody struct{}

func (nobody) Attempted(string, string, Outcome, time.Duration) {}
func (nobody) Delivered(string, string, time.Duration)          {}
func (nobody) Failing(string, string, string)                   {}
func (nobody) Recovered(string, string)                         {}
func (nobody) Died(*Event, *Delivery)                           {}
func (nobody) Evicted(string, int)                              {}
func (nobody) Conflicted(string)                                {}
