package module

import (
	"context"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// hold stores an event whose proof only a call can check, and has the call made.
func (h *Handler) hold(engine *queue.Engine, hook *webhook, event *queue.Event) (string, error) {
	verdict, err := engine.Hold(hook.Context(), event)
	switch {
	case err != nil:
		return "", err
	case verdict.Judgment == queue.Forged:
		return "", refusedByCall
	case verdict.Judgment == queue.Genuine:
		return accepted, nil
	}
	h.logger.Warn("webhook held: its proof is not checked yet", zap.String("source", h.Source),
		zap.Stringer("event", event.ID), zap.String("reason", verdict.Reason))
	return held, nil
}

// judgments maps outcomes of the provider to judgments of the queue. Neither package
// imports the other.
var judgments = map[provider.Outcome]queue.Judgment{
	provider.Undecided: queue.Undecided,
	provider.Genuine:   queue.Genuine,
	provider.Forged:    queue.Forged,
	provider.Used:      queue.Used,
}

// checkProof asks the provider about the proof of a held event.
func (h *Handler) checkProof(ctx context.Context, e *queue.Event) queue.Verdict {
	verdict := h.checker.Check(ctx, &provider.Request{
		Method: e.Request.Method,
		Header: e.Request.Header,
		Body:   e.Request.Body,
	})
	if verdict.Outcome == provider.Genuine {
		h.requests.match(verdict.Matched)
	}
	return queue.Verdict{
		Judgment: judgments[verdict.Outcome], Sent: verdict.Sent, Reason: verdict.Reason,
		Overloaded: verdict.Overloaded, RetryAfter: verdict.RetryAfter,
	}
}

// RouteEvent names the routes that take a stored event.
func (h *Handler) RouteEvent(e *queue.Event) []string {
	view := h.storedView(e)
	defer view.Free()
	return h.route(view)
}

// storedView returns a stored event of the source as its rules see it.
func (h *Handler) storedView(e *queue.Event) *rules.View { return rules.NewView(h.storedInput(e)) }

func (h *Handler) storedInput(e *queue.Event) *rules.Input {
	input := storedInput(e)
	input.Forms = h.profile.Forms // a custom provider's as well
	return input
}

// StoredView returns a stored event as expressions see it.
func StoredView(e *queue.Event) *rules.View { return rules.NewView(storedInput(e)) }

func storedInput(e *queue.Event) *rules.Input {
	path, query, _ := strings.Cut(e.Request.URI, "?")
	return &rules.Input{
		Event: e.Type, ID: e.DeliveryID, Provider: e.Provider, Source: e.Source, Tenant: e.Tenant,
		Method: e.Request.Method, Path: path, RawQuery: query,
		Header: e.Request.Header, Body: contentOf(e), Element: e.Part != (queue.Part{}),
		RemoteIP: e.Request.ClientIP, ReceivedAt: e.ReceivedAt,
		Forms: provider.SendsForms(e.Provider),
	}
}
