package disk

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/queuetest"
)

// The files of a crash during the call that checks a one-time proof have the event.
// It is neither lost nor delivered unverified, whatever the next call says.
func TestCrashWhileAProofIsChecked(t *testing.T) {
	for judgment, want := range map[queue.Judgment]queue.EventState{queue.Genuine: queue.Unrouted, queue.Used: queue.Uncertain} {
		t.Run(string(judgment), func(t *testing.T) {
			t.Parallel()
			dir, crashed := t.TempDir(), t.TempDir()
			before := openEngine(t, dir, func(context.Context, *queue.Event) queue.Verdict {
				copyDir(t, crashed, dir)
				return queue.Verdict{Judgment: queue.Genuine}
			})
			e := queuetest.NewEvent(t, "sign", time.Now())
			if _, err := before.Hold(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			after := openEngine(t, crashed, func(context.Context, *queue.Event) queue.Verdict {
				return queue.Verdict{Judgment: judgment}
			})
			if stored, err := after.Get(t.Context(), e.ID); err != nil || stored.State != queue.Held || !stored.Check.Sent {
				t.Fatalf("after the crash: %+v, %v", stored, err)
			}
			queuetest.Eventually(t, "the next check", func() bool {
				stored, err := after.Get(t.Context(), e.ID)
				return err == nil && stored.State == want
			})
		})
	}
}

// openEngine runs an engine on the files in a directory, with a source that has its
// proofs checked.
func openEngine(t *testing.T, dir string, check func(context.Context, *queue.Event) queue.Verdict) *queue.Engine {
	t.Helper()
	backend := &Backend{MaxBytes: defaultMaxSize, Sync: syncAlways, dir: dir}
	e, err := queue.NewEngine(backend, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	e.Attach(&queue.Config{
		Backend:   backend,
		Retention: queue.Retention{Done: time.Hour, Failed: time.Hour},
		Sources: map[string]*queue.Source{"sign": {
			Check: check,
			Route: func(*queue.Event) []string { return nil },
		}},
	})
	return e
}

// copyDir copies files as a crash would leave them.
func copyDir(t *testing.T, to, from string) {
	found, err := os.ReadDir(from)
	if err != nil {
		t.Error(err)
	}
	for _, f := range found {
		b, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, f.Name()), b, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
}
