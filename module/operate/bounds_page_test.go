package operate

import (
	"fmt"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/pagetest"
)

// TestPagesSayTheBounds holds bounds and times of this package against the pages.
func TestPagesSayTheBounds(t *testing.T) {
	pagetest.Says(t, "admin-api.md",
		fmt.Sprintf("one step of a replay: up to %d events or %s seconds", stepEvents, pagetest.InWords(int(stepTime.Seconds()))),
		fmt.Sprintf("one step of a drop: up to %d events or %s seconds", stepEvents, pagetest.InWords(int(stepTime.Seconds()))),
		"at most a second and "+pagetest.Thousands(loadStepMost)+" samples",
		fmt.Sprintf("from 1 to %d; required with `count`", maxLoadConcurrency),
		fmt.Sprintf("lists have %d unless you say otherwise", defaultLimit),
		fmt.Sprintf("to %.0fh; %.0fm without it", maxEnrollment.Hours(), defaultEnrollment.Minutes()),
	)
	pagetest.Says(t, "handshakes.md", fmt.Sprintf("within the next %.0f minutes; `--for` says otherwise, up to %.0f hours",
		defaultEnrollment.Minutes(), maxEnrollment.Hours()))
	pagetest.Says(t, "commands.md", "shows the "+pagetest.InWords(followFirst)+" newest events")
}
