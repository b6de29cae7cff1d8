package module

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// Order keeps deliveries that belong together in the order of their acceptance.
type Order struct {
	// An expression. Deliveries for which it yields the same text, number or
	// boolean go one at a time, each after the one before has ended. Where it
	// yields nothing, or fails, the delivery is in no order.
	Key string `json:"key,omitempty"`

	// Have a dead letter stop those behind it, until an operator sends it again
	// or drops it. Without this they go on.
	Hold bool `json:"hold,omitempty"`

	key *rules.Value
}

func (o *Order) provision() (err error) {
	if o.key, err = rules.CompileKey(o.Key); err != nil {
		return fmt.Errorf("order_by: %v", err)
	}
	return nil
}

// setKeys gives the deliveries of an event the keys that keep them in order.
func (h *Handler) setKeys(e *queue.Event, view *rules.View) {
	for _, r := range h.Routes {
		if r.Order == nil {
			continue
		}
		if d := e.Delivery(r.Name); d != nil {
			d.Key = r.keyOf(view)
		}
	}
}

// keyOf returns what keeps a delivery of the route in order, "" for nothing.
// Long keys are hashed, since they are stored.
func (r *Route) keyOf(view *rules.View) string {
	key, err := r.Order.key.Text(view)
	switch {
	case err != nil || key == "":
		metrics.unordered.WithLabelValues(r.source, r.Name).Inc()
		if entry := r.logger.Check(levelOf(err), "no key to order a delivery by"); entry != nil {
			entry.Write(zap.String("source", r.source), zap.String("route", r.Name), zap.Error(err))
		}
		return ""
	case len(key) > maxIdentity:
		sum := sha256.Sum256([]byte(key))
		return hex.EncodeToString(sum[:])
	}
	return key
}

// storedKey returns the key of an event whose proof had to be checked first.
func (r *Route) storedKey(e *queue.Event) string {
	view := storedView(e)
	defer view.Free()
	return r.keyOf(view)
}
