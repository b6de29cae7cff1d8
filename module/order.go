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
	// The expression for the key of a delivery: a text, a number or a boolean.
	// Deliveries with the same key go one at a time, in the order in which their events
	// were accepted. A delivery without a key is in no order.
	Key string `json:"key,omitempty"`

	// A dead letter stops the deliveries behind it until an operator replays or drops
	// it. Default: false; the deliveries behind it go on.
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

// keyOf returns the key by which a delivery of the route is ordered, "" for no order.
// A long key is hashed, since keys are stored.
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

// Key returns what keeps the delivery of a stored event in order, "" for nothing.
func (r *Route) Key(e *queue.Event) string {
	view := StoredView(e)
	defer view.Free()
	return r.keyOf(view)
}
