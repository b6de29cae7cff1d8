package module

import (
	"fmt"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/pagetest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/bodies"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// TestPagesSayTheBounds holds bounds and times of this package against the pages.
func TestPagesSayTheBounds(t *testing.T) {
	pagetest.Says(t, "configuration.md",
		fmt.Sprintf("At most `%dMiB`", bodies.Max/2>>20),
		fmt.Sprintf("process reads at once | %d MiB, then 503", bodies.Max>>20),
		fmt.Sprintf("time to send a body | %.0f minute", bodies.Deadline.Minutes()),
		fmt.Sprintf("A type is cut at %d bytes", maxIdentity),
		fmt.Sprintf("yields more than %d bytes", maxIdentity),
		fmt.Sprintf("event type and delivery ID | %d bytes each", maxIdentity),
		fmt.Sprintf("elements of a [batch](batches.md) | %s, and %d MiB for all parts of a request", pagetest.Thousands(payload.MaxElements), maxPartsSize>>20),
		fmt.Sprintf("A secret under %d bytes", shortSecret),
		fmt.Sprintf("an app's answer | %d MiB is read", maxAnswer>>20),
		fmt.Sprintf("a body that `rewrite_body` makes | %d MiB", rules.MaxContent>>20),
		fmt.Sprintf("a value of `{webhook.…}` in `forward` | %d bytes", maxPlaceholder),
	)
	pagetest.Says(t, "batches.md", fmt.Sprintf("has more than %s elements", pagetest.Thousands(payload.MaxElements)), fmt.Sprintf("become more than %d MiB", maxPartsSize>>20))
	pagetest.Says(t, "configuration.md",
		fmt.Sprintf("%d requests wait at once, for %d MiB of answers", queue.MaxAskers, maxKept>>20),
		fmt.Sprintf("the deadline is `%gs` (at most `%.0fm`)", defaultDeadline.Seconds(), maxDeadline.Minutes()))
	pagetest.Says(t, "answers.md",
		fmt.Sprintf("It is `%gs` unless you name another one, and at most `%.0fm`", defaultDeadline.Seconds(), maxDeadline.Minutes()),
		fmt.Sprintf("A body of more than %d MiB is not passed on", maxAnswer>>20),
		fmt.Sprintf("or %s requests wait already", pagetest.Thousands(queue.MaxAskers)),
		fmt.Sprintf("the body was larger than %d MiB, or all answers that were waited for took %d MiB together", maxAnswer>>20, maxKept>>20))
	pagetest.Says(t, "rewriting.md", fmt.Sprintf("It may have %d MiB", rules.MaxContent>>20), fmt.Sprintf("has more than %d bytes", maxPlaceholder))
	pagetest.Says(t, "rules.md", fmt.Sprintf("A type of more than %d bytes is cut", maxIdentity))
	pagetest.Says(t, "custom-providers.md", fmt.Sprintf("under %d bytes gets a warning", shortSecret))
	pagetest.Says(t, "quick-start.md", fmt.Sprintf("at least %d bytes", shortSecret))
	pagetest.Says(t, "security.md", fmt.Sprintf("reads %d MiB of an answer's body", maxAnswer>>20))
	pagetest.Says(t, "monitoring.md", fmt.Sprintf("Up to %d events wait for it", maxAlerts))
	pagetest.Says(t, "handshakes.md", fmt.Sprintf("keeps up to %d of them", maxDelivered))
}
