package module

import (
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// The events that the gateway emits through Caddy's events app.
const (
	alertDeadLetter = "webhook_gateway.dead_letter"
	alertFailing    = "webhook_gateway.route_failing"
	alertRecovered  = "webhook_gateway.route_recovered"
)

const (
	maxAlerts     = 1000             // alerts that wait
	alertPatience = 10 * time.Second // how long an alert waits for the first configuration to run
)

// alert is an event of Caddy's events app.
type alert struct {
	name string
	data map[string]any
}

// alerts returns the channel of the alerts that wait. A goroutine emits them one by
// one: an event handler may take its time, and the queue must not wait.
var alerts = sync.OnceValue(func() chan<- alert {
	waiting := make(chan alert, maxAlerts)
	go func() {
		for a := range waiting {
			a.emit()
		}
	}()
	return waiting
})

// emit hands the alert to the event handlers of the running configuration. While
// the first configuration starts, its handlers may not be subscribed yet.
func (a alert) emit() {
	for began := time.Now(); time.Since(began) < alertPatience; time.Sleep(50 * time.Millisecond) {
		running := caddy.ActiveContext()
		if _, err := running.AppIfConfigured("webhook_gateway"); err != nil {
			continue
		}
		if events, err := running.AppIfConfigured("events"); err == nil {
			events.(*caddyevents.App).Emit(running, a.name, a.data)
		}
		return
	}
}

// alert emits an alert, unless too many alerts wait already.
func (o observer) alert(name string, data map[string]any) {
	select {
	case alerts() <- alert{name, data}:
	default:
		o.logger.Error("event is not emitted: its handlers are too slow", zap.String("name", name), zap.Any("data", data))
	}
}

func (o observer) Died(e *queue.Event, d *queue.Delivery) {
	metrics.deadLetters.WithLabelValues(e.Source, d.Route).Inc()
	o.logger.Warn("dead letter", zap.String("source", e.Source), zap.String("route", d.Route),
		zap.Stringer("event", e.ID), zap.Int("attempts", d.Attempts), zap.String("reason", d.Reason))
	o.alert(alertDeadLetter, map[string]any{
		"source": e.Source, "route": d.Route, "event": e.ID.String(), "type": o.mask(e.Type),
		"attempts": d.Attempts, "status": d.Status, "reason": o.mask(d.Reason),
	})
}

func (o observer) Failing(source, route, reason string) {
	o.logger.Warn("route is failing: it gets one attempt at a time", zap.String("source", source),
		zap.String("route", route), zap.String("reason", reason))
	o.alert(alertFailing, map[string]any{"source": source, "route": route, "reason": o.mask(reason)})
}

func (o observer) Recovered(source, route string) {
	o.logger.Info("route has recovered", zap.String("source", source), zap.String("route", route))
	o.alert(alertRecovered, map[string]any{"source": source, "route": route})
}
