package queue

// inFlight names a piece of work that is being done: an attempt at an event's delivery
// to a route or, with the empty route, the check of a held event.
type inFlight struct {
	route RouteKey
	id    ID
}

// begin takes a piece of work. It returns false if somebody does that work already, or
// if the snapshot that led to it is not in force any more. A nil snapshot always is.
func (e *Engine) begin(f inFlight, snap *snapshot) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if snap != nil && !e.inForce(snap) {
		e.giveBack(f)
		return false
	}
	if _, open := e.working[f]; open {
		e.working[f] = true
		return false
	}
	if len(e.working) == 0 {
		e.quiet = make(chan struct{})
	}
	e.working[f] = false
	return true
}

// end ends what begin began.
func (e *Engine) end(f inFlight) {
	e.mu.Lock()
	again := e.working[f]
	delete(e.working, f)
	if len(e.working) == 0 {
		close(e.quiet)
		e.quiet = nil
	}
	e.mu.Unlock()
	// The event was claimed during the work: after the lease had run out, or between the
	// update and now. Nobody works by that lease.
	if again {
		e.giveBack(f)
	}
}

// giveBack ends the lease of a piece of work and has the scheduler look at the route.
func (e *Engine) giveBack(f inFlight) {
	e.store.Release(f.route, f.id)
	e.wake(f.route, Now())
}
