package module

import (
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// persist stores the event with its deliveries, and returns once the event is
// durable. It returns no asking unless an app is to answer.
func (h *Handler) persist(engine *queue.Engine, hook *webhook, flight *queue.Flight) (outcome string, _ *asking, err error) {
	event, err := h.newEvent(hook)
	if err != nil {
		return "", nil, err
	}
	event.Dedup = flight.Entry(event.ID, event.ReceivedAt.Add(h.window))
	var waiting *asking
	durable := false
	defer func() {
		if waiting != nil && !durable { // after a panic, too
			waiting.Leave()
		}
	}()
	outcome = accepted
	if h.checker == nil {
		event.SetRoutes(h.route(hook.view), event.ReceivedAt)
		h.setKeys(event, hook.view)
		waiting = h.ask(engine, hook, event)
		_, err = engine.Append(hook.Context(), []*queue.Event{event})
	} else {
		outcome, err = h.hold(engine, hook, event)
	}
	if err != nil {
		return "", nil, err
	}
	durable = true
	flight.Keep(event.ID, event.ReceivedAt.Add(h.window))
	h.observeAccepted(hook, event, 1)
	return outcome, waiting, nil
}

// observeAccepted notes that the events of a request are durable, of which first is the
// first one.
func (h *Handler) observeAccepted(hook *webhook, first *queue.Event, events int) {
	h.requests.ack.Observe(time.Since(hook.received).Seconds())
	if entry := h.logger.Check(zap.DebugLevel, "webhook accepted"); entry != nil {
		entry.Write(zap.String("source", h.Source), zap.Stringer("event", first.ID), zap.String("type", first.Type), zap.Int("events", events))
	}
}

// newEvent makes the event that the queue stores of a request.
func (h *Handler) newEvent(hook *webhook) (*queue.Event, error) {
	id, err := queue.NewID()
	if err != nil {
		return nil, err
	}
	uri := hook.proof.Path
	if hook.proof.RawQuery != "" || hook.URL.ForceQuery {
		uri += "?" + hook.proof.RawQuery
	}
	event := &queue.Event{
		ID:         id,
		Source:     h.Source,
		Provider:   h.providerName,
		Tenant:     hook.tenant,
		Type:       hook.input.Event,
		DeliveryID: hook.input.ID,
		ReceivedAt: queue.Now(),
		Request: &queue.Request{
			Method:     hook.Method,
			Host:       hook.Host,
			URI:        uri,
			Proto:      hook.Proto,
			RemoteAddr: hook.RemoteAddr,
			ClientIP:   hook.input.RemoteIP,
			TLS:        hook.TLS != nil,
			Header:     hook.Header,
			Body:       hook.proof.Body,
			Secret:     h.profile.SecretHeaders,
		},
	}
	if h.profile.SignsURL {
		event.Request.PublicURL = h.strippedURL(hook.proof.Public)
	}
	return event, nil
}

// strippedURL returns the URL that the provider called, without the gateway's own
// token.
func (h *Handler) strippedURL(public *url.URL) string {
	r := provider.Request{Path: public.EscapedPath(), RawQuery: public.RawQuery}
	h.provider.Strip(&r)
	return r.URL(public)
}

// The headers of the answer to a copy.
const (
	duplicateHeader = "Webhook-Gateway-Duplicate"
	eventIDHeader   = "Webhook-Gateway-Event-Id"
)

// repeat is what becomes of a copy of an event: the engine counts the copy and queues the
// event's dead deliveries again, and the answer names the event. The zero ID stands for
// an event that was not stored.
func (h *Handler) repeat(w http.ResponseWriter, engine *queue.Engine, hook *webhook, event queue.ID) error {
	if event != (queue.ID{}) {
		if err := h.revive(engine, hook, event); err != nil {
			return err
		}
		w.Header().Set(eventIDHeader, event.String())
	}
	w.Header().Set(duplicateHeader, "true")
	return nil
}

// revive has the dead deliveries of an event tried again, because a copy of it came.
func (h *Handler) revive(engine *queue.Engine, hook *webhook, event queue.ID) error {
	revived, err := engine.Revive(hook.Context(), event)
	if err == nil && revived > 0 {
		h.logger.Info("dead deliveries revived by a duplicate", zap.String("source", h.Source),
			zap.Stringer("event", event), zap.Int("deliveries", revived))
	}
	return err
}
