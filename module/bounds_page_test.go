package module

import (
	"fmt"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/pagetest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// inThousands writes a number with commas.
func inThousands(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }

// TestPagesSayTheBounds holds bounds and times of this package against the pages.
func TestPagesSayTheBounds(t *testing.T) {
	pagetest.Says(t, "configuration.md",
		fmt.Sprintf("At most `%dMiB`", maxReading/2>>20),
		fmt.Sprintf("process reads at once | %d MiB, then 503", maxReading>>20),
		fmt.Sprintf("time to send a body | %.0f minute", bodyDeadline.Minutes()),
		fmt.Sprintf("A type is cut at %d bytes", maxIdentity),
		fmt.Sprintf("yields more than %d bytes", maxIdentity),
		fmt.Sprintf("event type and delivery ID | %d bytes each", maxIdentity),
		fmt.Sprintf("elements of a [batch](batches.md) | %s, and %d MiB for all parts of a request", inThousands(payload.MaxElements), maxPartsSize>>20),
		fmt.Sprintf("A secret under %d bytes", shortSecret),
		fmt.Sprintf("an app's answer | %d MiB is read", maxAnswer>>20),
	)
	pagetest.Says(t, "batches.md", fmt.Sprintf("has more than %s elements", inThousands(payload.MaxElements)), fmt.Sprintf("become more than %d MiB", maxPartsSize>>20))
	pagetest.Says(t, "rules.md", fmt.Sprintf("A type of more than %d bytes is cut", maxIdentity))
	pagetest.Says(t, "custom-providers.md", fmt.Sprintf("under %d bytes gets a warning", shortSecret))
	pagetest.Says(t, "quick-start.md", fmt.Sprintf("at least %d bytes", shortSecret))
	pagetest.Says(t, "security.md", fmt.Sprintf("reads %d MiB of an answer's body", maxAnswer>>20))
	pagetest.Says(t, "monitoring.md", fmt.Sprintf("Up to %d events wait for it", maxAlerts))
	pagetest.Says(t, "handshakes.md", fmt.Sprintf("keeps up to %d of them", maxDelivered))
}
