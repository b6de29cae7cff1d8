package module

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	switch outcome, asking, err := h.accept(w, r, next); {
	case err != nil:
		h.refuse(w, r, err)
	case asking != nil:
		h.relay(w, r, asking)
	case outcome != complete:
		h.acknowledge(w, r, outcome)
	}
	return nil
}

// accept takes a request through all steps that come before its answer. It
// returns what became of the request, or why the request is refused. The outcome
// complete means that the request is answered already. An app is to answer the request
// if asking is not nil. The request's memory is free by then.
func (h *Handler) accept(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) (outcome string, asking *asking, err error) {
	if err := h.admit(r); err != nil {
		return "", nil, err
	}
	hook, err := h.receive(w, r, "")
	if err != nil {
		return "", nil, err
	}
	defer hook.free()
	if done, err := h.greet(w, hook); done || err != nil {
		return complete, nil, err
	}
	if err := h.verify(hook); err != nil {
		return "", nil, err
	}
	if parts, err := h.divide(hook); parts != nil || err != nil {
		if err == nil {
			outcome, err = h.acceptParts(w, hook, parts)
		}
		return outcome, nil, err
	}
	h.identify(hook)
	engine, err := h.app.open()
	if err != nil {
		return "", nil, err
	}
	flight, seen, err := engine.Enter(r.Context(), h.Source, hook.identity)
	if err != nil {
		return "", nil, err
	}
	if flight == nil {
		return duplicate, nil, h.repeat(w, engine, hook, seen)
	}
	defer flight.Release() // does nothing once the flight is kept
	if len(h.Routes) == 0 {
		h.pass(w, hook, next, flight)
		return complete, nil, nil
	}
	return h.persist(engine, hook, flight)
}
