package queue

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/pagetest"
)

// TestPagesSayTheBounds holds bounds and times of this package against the pages.
func TestPagesSayTheBounds(t *testing.T) {
	if maxProbePause != time.Minute || maxRetryAfter != time.Hour || defaultTiming.Sweep != time.Minute {
		t.Error("delivery.md and operating.md say one minute, an hour, and once a minute")
	}
	failures := pagetest.InWords(tooMany)
	pagetest.Says(t, "delivery.md",
		"After "+failures+" failures in a row",
		"grows from `first` to one minute",
		"no longer than an hour",
		"an hour at most",
		"lists the last "+pagetest.InWords(maxLog)+" of a delivery",
	)
	pagetest.Says(t, "operating.md",
		"after "+failures+" failures in a row",
		fmt.Sprintf("again after %.0f seconds", defaultTiming.FirstRecheck.Seconds()),
		fmt.Sprintf("for %.0f hours", defaultTiming.CheckFor.Hours()),
		"longer than "+pagetest.InWords(int(defaultTiming.CheckTimeout.Seconds()))+" seconds",
		"long enough once a minute",
	)
	pagetest.Says(t, "configuration.md",
		fmt.Sprintf("%d MiB of a source (an eighth of `max_size` if that is less), and as much of events over %d KiB; each counts %d KiB at least",
			maxHeldBytes>>20, smallHeld>>10, leastHeld>>10),
		fmt.Sprintf("%d at once for a source, %d for one address", maxCalls, maxCallsEach),
		fmt.Sprintf("else %.0f s and longer, up to %.0f minutes", defaultTiming.FirstRecheck.Seconds(), defaultTiming.LongestRecheck.Minutes()),
		"the last "+pagetest.InWords(maxCopies)+" times",
	)
	pagetest.Says(t, "backup-and-upgrade.md", fmt.Sprintf("have %.0f seconds to finish", defaultTiming.Grace.Seconds()))
	pagetest.Says(t, "performance.md", fmt.Sprintf("bodies over %d KiB", maxFastPathBody>>10))
}
