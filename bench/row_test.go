package main

import (
	"os"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/bench/internal/rig"
)

func TestMain(m *testing.M) {
	if rig.IsServer() {
		rig.Serve()
		return
	}
	os.Exit(m.Run())
}

// TestRows holds that each row can be measured, with every 200 of a source that
// stores being an event in the queue.
func TestRows(t *testing.T) {
	b := &bench{rounds: 1, length: 20 * time.Millisecond, dir: t.TempDir()}
	for _, r := range rows() {
		r.load.Connections = min(r.load.Connections, 8)
		t.Run(r.name, func(t *testing.T) {
			turns, _, err := b.measure(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			for _, result := range results(r, turns) {
				if result.value <= 0 && result.figure.least > 0 {
					t.Errorf("%s is %v", result.figure.name, result.value)
				}
			}
		})
	}
}
