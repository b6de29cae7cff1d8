package module

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	switch outcome, err := h.accept(w, r, next); {
	case err != nil:
		h.refuse(w, r, err)
	case outcome != complete:
		h.acknowledge(w, r, outcome)
	}
	return nil
}

// accept takes a request through all steps that come before its answer. It
// returns what became of the request, or why it is refused. What is complete
// was answered by another.
func (h *Handler) accept(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) (outcome string, err error) {
	if err := h.admit(r); err != nil {
		return "", err
	}
	hook, err := h.receive(w, r)
	if err != nil {
		return "", err
	}
	defer hook.free()
	if done, err := h.greet(w, hook); done || err != nil {
		return complete, err
	}
	if err := h.verify(hook); err != nil {
		return "", err
	}
	h.identify(hook)
	engine, err := h.app.open()
	if err != nil {
		return "", err
	}
	flight, seen, err := engine.Enter(r.Context(), h.Source, hook.key, hook.bodyHash)
	if err != nil {
		return "", err
	}
	if flight == nil {
		return duplicate, h.revive(engine, hook, seen)
	}
	defer flight.Release() // unless it was kept
	if len(h.Routes) == 0 {
		h.pass(w, hook, next, flight)
		return complete, nil
	}
	return h.persist(engine, hook, flight)
}

// revive queues the dead deliveries of an event again that the provider sent
// once more.
func (h *Handler) revive(engine *queue.Engine, hook *webhook, seen queue.Seen) error {
	if seen.ID == (queue.ID{}) {
		return nil // it was not stored
	}
	revived, err := engine.Revive(hook.Context(), seen.ID)
	if revived > 0 {
		h.logger.Info("dead deliveries revived by a duplicate", zap.String("source", h.Source),
			zap.Stringer("event", seen.ID), zap.Int("deliveries", revived))
	}
	return err
}

// persist stores the event with its deliveries. It returns once that cannot be
// undone any more.
func (h *Handler) persist(engine *queue.Engine, hook *webhook, flight *queue.Flight) (outcome string, err error) {
	event, err := h.newEvent(hook)
	if err != nil {
		return "", err
	}
	outcome = accepted
	if h.checker == nil {
		event.SetRoutes(h.route(hook.view), event.ReceivedAt)
		h.setKeys(event, hook.view)
		err = engine.Append(hook.Context(), event)
	} else {
		outcome, err = h.hold(engine, hook, event)
	}
	if err != nil {
		return "", err
	}
	flight.Keep(event.ID, event.ReceivedAt.Add(h.window))
	h.requests.ack.Observe(time.Since(hook.received).Seconds())
	if entry := h.logger.Check(zap.DebugLevel, "webhook accepted"); entry != nil {
		entry.Write(zap.String("source", h.Source), zap.Stringer("event", event.ID), zap.String("type", event.Type))
	}
	return outcome, nil
}
