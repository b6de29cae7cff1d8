package module

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/bodies"
)

func always() bool { return true }

// TestKeptAnswers has apps answer as much as they may, more often than there is memory for.
func TestKeptAnswers(t *testing.T) {
	whole := bytes.Repeat([]byte("0123456789abcdef"), maxAnswer/16)
	var kept []*keptAnswer
	for i := range 200 {
		k := newKeptAnswer("s", fmt.Sprintf("192.0.2.%d", i), always)
		for part := range whole[:maxAnswer/3] {
			if at := part * 3; part%1000 == 0 {
				_, _ = k.Write(whole[at:min(at+3000, maxAnswer)])
			}
		}
		if k.whole(maxAnswer) {
			kept = append(kept, k)
		}
		if used := keeping.Used(); used > maxKept {
			t.Fatalf("%d bytes are kept", used)
		}
	}
	if len(kept) < maxKept/maxAnswer/3 || len(kept) > maxKept/maxAnswer {
		t.Errorf("%d answers were kept", len(kept))
	}
	for _, k := range kept {
		if !bytes.Equal(k.body(), whole) {
			t.Error("the answer is another one")
		}
		k.Free()
	}
	if used := keeping.Used(); used != 0 {
		t.Errorf("%d bytes are still taken", used)
	}
}

// TestAnswerOfNobody drops an answer as soon as nobody waits for it.
func TestAnswerOfNobody(t *testing.T) {
	waits := true
	k := newKeptAnswer("s", "192.0.2.1", func() bool { return waits })
	_, _ = k.Write([]byte("some"))
	if keeping.Used() == 0 || !k.whole(4) {
		t.Error("the answer is not kept")
	}
	waits = false
	_, _ = k.Write([]byte("more"))
	if used := keeping.Used(); used != 0 || k.whole(8) {
		t.Errorf("%d bytes are kept for nobody", used)
	}
	if _, err := k.Write(bytes.Repeat([]byte("x"), 2*maxAnswer)); err != nil {
		t.Error(err)
	}
}

// TestWaitingTakesNoBody has providers wait. The memory of their requests is free
// meanwhile, so that a hanging app does not keep others from being read.
func TestWaitingTakesNoBody(t *testing.T) {
	door := make(chan struct{})
	var came atomic.Int32
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came.Add(1)
		<-door
		fmt.Fprint(w, "answer")
	}))
	defer app.Close()
	m := &benchRequests{h: loadSource(t, "", "route app "+strings.TrimPrefix(app.URL, "http://")+"\nanswer_from app 20s\n")}
	const many = 20
	answers := make(chan *httptest.ResponseRecorder, many)
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	for range many {
		r := m.next(t)
		go func() {
			w := httptest.NewRecorder()
			_ = m.h.ServeHTTP(w, r, next)
			answers <- w
		}()
	}
	for began := time.Now(); came.Load() < many || bodies.Used() > 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > 15*time.Second {
			t.Fatalf("%d requests came; %d bytes are taken while they wait", came.Load(), bodies.Used())
		}
	}
	close(door)
	for range many {
		if w := <-answers; w.Body.String() != "answer" {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
	}
	for began := time.Now(); keeping.Used() > 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > 5*time.Second {
			t.Fatalf("%d bytes of answers are kept", keeping.Used())
		}
	}
}
