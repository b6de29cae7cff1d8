package queue

// recall reads from the store, once, what an earlier process left: which routes are
// paused, and what time it was. The clock may have been set back while no process had
// the store open. recall returns false if the store could not be read.
func (e *Engine) recall() bool {
	if e.recalled() {
		return true
	}
	err := e.store.List(e.life, ID{}, func(newest *Event) bool {
		steady.resume(newest.ID)
		return false
	})
	var routes []RouteKey
	if err == nil {
		routes, err = e.store.Paused()
	}
	if err != nil {
		e.complain("reading where the queue left off", err)
		return false
	}
	paused := make(map[RouteKey]bool, len(routes))
	for _, route := range routes {
		paused[route] = true
	}
	e.paused.Store(&paused)
	return true
}

// recalled reports whether recall has read the store.
func (e *Engine) recalled() bool { return e.paused.Load() != nil }
