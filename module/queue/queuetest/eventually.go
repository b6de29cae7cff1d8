package queuetest

import (
	"testing"
	"time"
)

// patience is how long Eventually waits for something that must happen.
const patience = 20 * time.Second

// Eventually waits until something holds that must come to hold, whatever the
// machine does besides.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}
