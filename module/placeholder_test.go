package module

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// The tenant is that of the stored event.
func TestTenantPlaceholder(t *testing.T) {
	paths := make(chan string, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { paths <- r.URL.Path }))
	defer app.Close()
	h := loadSource(t, "", "route app {\nforward {\nrewrite * /t/{webhook.tenant}\nreverse_proxy "+app.Listener.Addr().String()+"\n}\n}\n")
	event := storedEvent(queue.Request{})
	event.Tenant = "acme"
	if result := h.Routes[0].deliver(t.Context(), event, 1); result.Outcome != queue.Succeeded {
		t.Fatal(result)
	}
	if path := <-paths; path != "/t/acme" {
		t.Errorf("the app got %s", path)
	}
}

// An attempt leaves the stored event as it is: the next one begins with the same.
func TestAttemptKeepsTheEvent(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer app.Close()
	address := app.Listener.Addr().String()
	h := loadSource(t, "", "route made "+address+" {\nrewrite_body `body`\n}\nroute placed {\nforward {\nrewrite * /{webhook.body.a}\nreverse_proxy "+address+"\n}\n}\n")
	for _, route := range h.Routes {
		event := storedEvent(queue.Request{Body: []byte(`{"a": "b"}`), Header: map[string][]string{"Digest": {"x"}, "Connection": {"X-Hop"}, "X-Hop": {"1"}}})
		if result := route.deliver(t.Context(), event, 1); result.Outcome != queue.Succeeded {
			t.Fatalf("%s: %+v", route.Name, result)
		}
		if got := event.Request; string(got.Body) != `{"a": "b"}` || len(got.Header) != 3 || got.URI != "/hook" {
			t.Errorf("%s left %+v", route.Name, got)
		}
	}
}

// BenchmarkRewrite measures an attempt at a webhook of 2 KiB with another body, and with
// placeholders, beside attempts without them.
func BenchmarkRewrite(b *testing.B) {
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.Cleanup(app.Close)
	to := app.Listener.Addr().String()
	m := &benchRequests{h: benchSource(b, "route to "+to+"\n"+
		"route to_rewritten "+to+" {\nrewrite_body `{\"text\": event + \": \" + body.data.document.status}`\n}\n"+
		"route to_whole "+to+" {\nrewrite_body `body`\n}\n"+
		"route forward {\nforward {\nrewrite * /d\nreverse_proxy "+to+"\n}\n}\n"+
		"route forward_placed {\nforward {\nrewrite * /d/{webhook.body.data.document.status}\nreverse_proxy "+to+"\n}\n}\n")}
	hook := m.hooks(b, 1)[0]
	m.h.identify(hook)
	for _, name := range []string{"to", "to_rewritten", "to_whole", "forward", "forward_placed"} {
		route := m.h.RouteNamed(name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				event, err := m.h.newEvent(hook)
				if err != nil {
					b.Fatal(err)
				}
				event.Request.Header = http.Header(event.Request.Header).Clone()
				if result := route.deliver(b.Context(), event, 1); result.Outcome != queue.Succeeded {
					b.Fatalf("%s: %s", result.Outcome, result.Reason)
				}
			}
		})
	}
}

// A value is one segment, or none.
func FuzzSegment(f *testing.F) {
	for _, value := range []string{"a", "", ".", "..", "a/b", "../a", "%2e%2e", "a?b#c", "é", "\x00\n", "{env.HOME}", segmentToken("body.b")} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		v := &webhookValues{found: map[string]webhookValue{"body.a": {text: value}}}
		for _, before := range []string{"", "x-"} {
			r := &http.Request{URL: &url.URL{Path: "/t/" + before + segmentToken("body.a") + "/end"}}
			err := v.fillPath(r)
			if value == "" || before == "" && (value == "." || value == "..") {
				if err == nil {
					t.Errorf("%q is sent as %s", value, r.RequestURI)
				}
				continue
			}
			if err != nil {
				t.Errorf("%q: %v", value, err)
				continue
			}
			segments := strings.Split(r.RequestURI, "/")
			if len(segments) != 4 || strings.ContainsAny(r.RequestURI, "?#") {
				t.Fatalf("%q is sent as %s", value, r.RequestURI)
			}
			if got, err := url.PathUnescape(segments[2]); got != before+value || err != nil {
				t.Errorf("%q is sent as %s", value, segments[2])
			}
		}
	})
}
