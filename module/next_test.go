package module

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// timed is an answer that knows until when the request may be read.
type timed struct {
	http.ResponseWriter
	until time.Time
	set   bool
}

func (w *timed) SetReadDeadline(until time.Time) error {
	w.until, w.set = until, true
	return nil
}

// TestNextHandlerHasNoDeadline has a deadline for the body, and none for what the
// site does after that.
func TestNextHandlerHasNoDeadline(t *testing.T) {
	m := &benchRequests{h: loadSource(t, "", "")}
	w := &timed{ResponseWriter: httptest.NewRecorder()}
	passed := false
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		passed = true
		if !w.set || !w.until.IsZero() {
			t.Errorf("the next handler has until %v (set: %v)", w.until, w.set)
		}
		return nil
	})
	if err := m.h.ServeHTTP(w, m.next(t), next); err != nil || !passed {
		t.Fatalf("passed: %v, error %v", passed, err)
	}
}
