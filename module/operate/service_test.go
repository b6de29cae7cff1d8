package operate

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/queuetest"
)

// newService loads a gateway that has a source insigner with a route app.
func newService(t *testing.T, app string) *Service {
	t.Helper()
	text := fmt.Sprintf("{\nadmin off\nauto_https off\npersist_config off\nstorage file_system %[1]s/caddy\nlog {\nlevel ERROR\n}\n"+
		"webhook_gateway {\nqueue disk {\npath %[1]s/queue\n}\n}\n}\n"+
		"http://127.0.0.1:0 {\nwebhook_gateway {\nprovider insigner secret\ninsecure_http\nroute app `event == \"paid\"` %[2]s {\ngive_up_on 500\n}\n}\n}\n", t.TempDir(), app)
	config, _, err := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}.Adapt([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	s, err := Running()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// accept has the source accept an event.
func accept(t *testing.T, s *Service, body string) {
	t.Helper()
	h := s.app.Source("insigner")
	signed := &provider.Request{Method: "POST", Path: "/", Header: map[string][]string{}, Body: []byte(body), Public: new(url.URL)}
	if err := h.Provider().Sign(signed, time.Now()); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", bytes.NewReader(signed.Body))
	r.Header = http.Header(signed.Header)
	w := httptest.NewRecorder()
	if err := h.ServeHTTP(w, caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil), nil); err != nil || w.Code != http.StatusOK {
		t.Fatalf("answered %d: %v", w.Code, err)
	}
}

// TestService operates a gateway in plain Go: it lists, shows, replays, pauses
// and drops.
func TestService(t *testing.T) {
	var status atomic.Int32
	status.Store(http.StatusInternalServerError)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	t.Cleanup(app.Close)
	ctx, s := t.Context(), newService(t, strings.TrimPrefix(app.URL, "http://"))
	if got := fmt.Sprint(s.Sources()[0].Source, s.Sources()[0].Routes); got != "insigner[app]" {
		t.Errorf("sources: %s", got)
	}

	accept(t, s, `{"id":"e1","event":"paid"}`)
	var dead []*DeadLetter
	queuetest.Eventually(t, "the delivery is given up", func() bool {
		dead = nil
		next, err := s.DeadLetters(ctx, Filter{}, collect(&dead))
		return err == nil && next == "" && len(dead) == 1
	})
	id := dead[0].ID
	event, err := s.Event(ctx, id)
	if err != nil || event.DeliveryID != "e1" || event.Request.Body != `{"id":"e1","event":"paid"}` {
		t.Errorf("%+v: %v", event, err)
	}

	status.Store(http.StatusOK)
	if done, err := s.ReplaySelected(ctx, Filter{Source: "insigner"}, Destination{}, true); err != nil || done.Deliveries != 1 {
		t.Errorf("a dry run of a replay: %+v, %v", done, err)
	}
	if done, err := s.ReplayEvent(ctx, id, "", Destination{}, false); err != nil || done.Deliveries != 1 {
		t.Errorf("a replay: %+v, %v", done, err)
	}
	queuetest.Eventually(t, "the delivery is done", func() bool {
		var delivered []*EventInfo
		_, err := s.Events(ctx, Filter{State: string(queue.Delivered)}, collect(&delivered))
		return err == nil && len(delivered) == 1 && delivered[0].ID == id
	})

	if info, err := s.Pause(ctx, "insigner", "app"); err != nil || fmt.Sprint(info.Paused) != "[app]" {
		t.Errorf("%+v: %v", info, err)
	}
	accept(t, s, `{"id":"e2","event":"paid"}`)
	if done, err := s.DropSelected(ctx, Filter{State: string(queue.Parked)}, false); err != nil || done.Deliveries != 1 {
		t.Errorf("a drop: %+v, %v", done, err)
	}
	if info, err := s.Resume(ctx, "insigner", ""); err != nil || len(info.Paused) > 0 {
		t.Errorf("%+v: %v", info, err)
	}
	x, err := s.Rules("insigner", []byte("POST / HTTP/1.1\r\n\r\n{\"event\":\"paid\"}"))
	if err != nil || len(x.Routes) != 1 || x.Routes[0].Takes != "yes" {
		t.Errorf("%+v: %v", x, err)
	}
}

// TestServiceErrors holds that the service tells errors of the caller from others.
func TestServiceErrors(t *testing.T) {
	if _, err := Running(); !errors.As(err, new(NotFoundError)) {
		t.Errorf("without a gateway: %v", err)
	}
	ctx, s := t.Context(), newService(t, "localhost:1")
	none := func(*EventInfo) error { return nil }
	_, state := s.Events(ctx, Filter{State: "lost"}, none)
	_, older := s.Events(ctx, Filter{Older: "soon"}, none)
	_, where := s.Events(ctx, Filter{Where: "1 +"}, none)
	_, before := s.Events(ctx, Filter{Before: "x"}, none)
	_, id := s.Event(ctx, "x")
	_, both := s.ReplaySelected(ctx, Filter{}, Destination{To: "app", Reroute: true}, false)
	_, delivered := s.DropSelected(ctx, Filter{State: string(queue.Delivered)}, false)
	_, enroll := s.Enroll("insigner", "", time.Minute)
	_, target := s.Send(ctx, "insigner", SendOptions{URL: "here"})
	_, load := s.SendStep(ctx, "insigner", SendOptions{URL: "http://localhost:1"}, LoadOptions{Count: 0, Concurrency: 1})
	_, rules := s.Rules("insigner", nil)
	for name, err := range map[string]error{"state": state, "older": older, "where": where, "before": before, "id": id, "both": both,
		"delivered": delivered, "enroll": enroll, "target": target, "load": load, "rules": rules} {
		if !errors.As(err, new(InvalidError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, paused := s.Pause(ctx, "other", "")
	_, route := s.Resume(ctx, "insigner", "other")
	_, sent := s.Send(ctx, "other", SendOptions{})
	_, sample := s.Send(ctx, "insigner", SendOptions{URL: "http://localhost:1", Event: "other"})
	for name, err := range map[string]error{"pause": paused, "resume": route, "send": sent, "sample": sample} {
		if !errors.As(err, new(NotFoundError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	event, err := queue.NewID()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Event(ctx, event.String()); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("an event that is not there: %v", err)
	}
}
