package module

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// benchRules are ten rules none of which takes the sample, two of them on the body.
const benchRules = "" +
	"route r0 `event == \"document.declined\"` localhost:1\n" +
	"route r1 `event == \"document.expired\"` localhost:1\n" +
	"route r2 `event in [\"document.voided\", \"document.deleted\"]` localhost:1\n" +
	"route r3 `event startsWith \"signer.\"` localhost:1\n" +
	"route r4 `event matches \"^template[.](created|updated)$\"` localhost:1\n" +
	"route r5 `headers[\"user-agent\"] contains \"test\"` localhost:1\n" +
	"route r6 `header(\"X-Environment\") == \"staging\"` localhost:1\n" +
	"route r7 `event == \"document.expired\" && body.data.title startsWith \"Lease\"` localhost:1\n" +
	"route r8 `body.api_version < \"2025-01-01\"` localhost:1\n" +
	"route r9 `body.data.document.status in [\"failed\", \"blocked\"]` localhost:1\n"

// benchSource loads a gateway with one source, with further lines, and returns it.
func benchSource(b *testing.B, lines string) *Handler {
	b.Helper()
	return loadSource(b, "", benchRules+lines)
}

// loadSource loads a gateway with global options and one source, and returns that.
func loadSource(tb testing.TB, options, lines string) *Handler {
	tb.Helper()
	text := fmt.Sprintf("{\nadmin off\nauto_https off\npersist_config off\nstorage file_system %[1]s/caddy\nlog {\nlevel ERROR\n}\n"+
		"webhook_gateway {\nqueue disk {\npath %[1]s/queue\n}\n}\n%[2]s}\n"+
		"http://127.0.0.1:0 {\nwebhook_gateway {\nprovider insigner secret\ninsecure_http\n%[3]s}\n}\n", tb.TempDir(), options, lines)
	config, _, err := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}.Adapt([]byte(text), nil)
	if err != nil {
		tb.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = caddy.Stop() })
	app, err := caddy.ActiveContext().App("webhook_gateway")
	if err != nil {
		tb.Fatal(err)
	}
	return app.(*App).Source("insigner")
}

// benchRequests makes signed requests of 2 KiB, each with an ID of its own.
type benchRequests struct {
	h *Handler
	n int
}

func (m *benchRequests) body() []byte {
	m.n++
	body, _ := json.Marshal(map[string]any{
		"id": fmt.Sprintf("evt_%d", m.n), "event": "document.completed", "api_version": "2025-06-01",
		"data": map[string]any{"document": map[string]any{"status": "completed", "title": string(bytes.Repeat([]byte("contract "), 200))}},
	})
	return body
}

func (m *benchRequests) next(b testing.TB) *http.Request {
	body := m.body()
	signed := &provider.Request{Method: "POST", Path: "/", Header: map[string][]string{}, Body: body, Public: new(url.URL)}
	if err := m.h.provider.Sign(signed, time.Now()); err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
	r.Header = http.Header(signed.Header)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "inSigner-Webhooks/1.0")
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), nil)
}

// hooks returns so many webhooks as they were received.
func (m *benchRequests) hooks(b *testing.B, n int) []*webhook {
	hooks := make([]*webhook, n)
	for i := range hooks {
		hook, err := m.h.receive(httptest.NewRecorder(), m.next(b), "")
		if err != nil {
			b.Fatal(err)
		}
		hooks[i] = hook
	}
	return hooks
}

// BenchmarkStep measures the steps of a request one by one, as far as they take
// no time of others: the steps of the queue are measured in its own packages.
func BenchmarkStep(b *testing.B) {
	m := &benchRequests{h: benchSource(b, "")}
	hooks := m.hooks(b, 256)
	steps := []struct {
		name string
		do   func(hook *webhook) error
	}{
		{"verify", m.h.verify},
		{"identify", func(hook *webhook) error { m.h.identify(hook); hook.view.Free(); hook.view = nil; return nil }},
		{"match", func(hook *webhook) error {
			m.h.identify(hook)
			m.h.route(hook.view)
			hook.view.Free()
			hook.view = nil
			return nil
		}},
		{"event", func(hook *webhook) error {
			event, err := m.h.newEvent(hook)
			if err == nil {
				event.SetRoutes(nil, event.ReceivedAt)
			}
			return err
		}},
	}
	for _, step := range steps {
		b.Run(step.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := step.do(hooks[i%len(hooks)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// BenchmarkAccept measures a whole request at the handler, with many at once.
func BenchmarkAccept(b *testing.B) {
	m := &benchRequests{h: benchSource(b, "")}
	requests := make(chan *http.Request, b.N)
	for range b.N {
		requests <- m.next(b)
	}
	b.SetParallelism(64)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w := httptest.NewRecorder()
			if err := m.h.ServeHTTP(w, <-requests, nil); err != nil || w.Code != http.StatusOK {
				b.Errorf("answer %d, %v", w.Code, err)
			}
		}
	})
}

// BenchmarkDeliver measures an attempt to an app that takes everything, with many
// at once: through the transport alone, and through Caddy's handlers.
func BenchmarkDeliver(b *testing.B) {
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.Cleanup(app.Close)
	address := app.Listener.Addr().String()
	m := &benchRequests{h: benchSource(b, "route to "+address+"\nroute forward {\nforward {\nreverse_proxy "+address+"\n}\n}\n")}
	hook := m.hooks(b, 1)[0]
	m.h.identify(hook)
	for _, name := range []string{"to", "forward"} {
		route := m.h.RouteNamed(name)
		b.Run(name, func(b *testing.B) {
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					event, err := m.h.newEvent(hook)
					if err != nil {
						b.Error(err)
						return
					}
					event.Request.Header = maps.Clone(event.Request.Header) // an attempt has it for itself
					if result := route.deliver(b.Context(), event, 1); result.Outcome != queue.Succeeded {
						b.Errorf("%s: %s", result.Outcome, result.Reason)
					}
				}
			})
		})
	}
}
