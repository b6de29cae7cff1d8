package memory_test

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/memory"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/queuetest"
)

func TestStore(t *testing.T) {
	for name, lag := range map[string]time.Duration{"at once": 0, "with a lag": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			queuetest.Run(t, func(*testing.T) queuetest.Opener {
				b := &memory.Backend{Lag: lag}
				return func() (queue.Store, error) { return b.Open(zap.NewNop()) }
			})
		})
	}
}
