package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// span is what the exporter prints of a span.
type span struct {
	Name                string
	SpanContext, Parent struct{ TraceID, SpanID string }
	Attributes          []struct {
		Key   string
		Value struct{ Value any }
	}
}

// spans returns the spans of a name that the gateway has exported.
func (g *gateway) spans(name string) (found []span) {
	for line := range strings.Lines(g.log.String()) {
		var s span
		if json.Unmarshal([]byte(line), &s) == nil && s.Name == name && s.SpanContext.TraceID != "" {
			found = append(found, s)
		}
	}
	return found
}

// TestTracing holds that the provider's trace goes on in the app, although the
// gateway is started again and tries more than once in between.
func TestTracing(t *testing.T) {
	t.Parallel()
	const trace, sender = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	app := unstartedApp(t, freeAddress(t), func(w http.ResponseWriter, r *http.Request) {
		if attemptOf(r) < 3 {
			withHeader("Retry-After", "1", http.StatusServiceUnavailable)(w, r)
		}
	})
	g := newGateway(t)
	g.config = g.dir + "/config.json"
	g.useName()
	g.env = append(g.env, "SITE=https://"+g.https, "APP="+app.address, "INSIGNER_SECRET="+insignerSecret,
		"OTEL_TRACES_EXPORTER=console", "OTEL_BSP_SCHEDULE_DELAY=50")
	g.runAdapted("../examples/tracing.caddyfile")
	header, body := insigner("a")
	header.Set("Traceparent", "00-"+trace+"-"+sender+"-01")
	header.Set("Tracestate", "vendor=value")
	if status, answer := g.post("/webhooks/insigner", header, body); status != http.StatusOK {
		t.Fatalf("answer %d %s", status, answer)
	}
	eventually(t, "the request's span is exported", func() bool { return len(g.spans("receive")) == 1 })
	received := g.spans("receive")[0]
	if received.SpanContext.TraceID != trace || received.Parent.SpanID != sender {
		t.Errorf("the request's span is %+v", received)
	}
	g.stop()
	app.listen(t)
	g.run()
	parents := make(map[string]bool)
	for _, d := range app.waitFor(t, 2) {
		got := strings.Split(d.header.Get("Traceparent"), "-")
		if len(got) != 4 || got[1] != trace || got[2] == sender || got[2] == received.SpanContext.SpanID || parents[got[2]] {
			t.Errorf("the app got the traceparent %v", got)
			continue
		}
		parents[got[2]] = true
		if state := d.header.Get("Tracestate"); state != "vendor=value" {
			t.Errorf("the app got the tracestate %q", state)
		}
	}
	eventually(t, "the attempts' spans are exported", func() bool {
		left := len(parents)
		for _, s := range g.spans("deliver") {
			if parents[s.SpanContext.SpanID] {
				left--
				if s.SpanContext.TraceID != trace || s.Parent.SpanID != received.SpanContext.SpanID {
					t.Errorf("the attempt's span is %+v", s)
				}
			}
		}
		return left == 0
	})
}
