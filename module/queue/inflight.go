package queue

// inFlight names what is being worked on: an event in a route.
type inFlight struct {
	route RouteKey
	id    ID
}

// begin takes the inFlight, unless the snapshot it was drawn under is not the one in
// force any more, or the work is being done already. A nil snapshot is any.
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

// end hands the inFlight back.
func (e *Engine) end(f inFlight) {
	e.mu.Lock()
	again := e.working[f]
	delete(e.working, f)
	if len(e.working) == 0 {
		close(e.quiet)
		e.quiet = nil
	}
	e.mu.Unlock()
	// Claimed while it was being worked on: after its lease had run out, or
	// between its update and now. That lease leads to nothing.
	if again {
		e.giveBack(f)
	}
}

// giveBack ends a lease and has the route looked at again.
func (e *Engine) giveBack(f inFlight) {
	e.store.Release(f.route, f.id)
	e.wake(f.route, Now())
}
