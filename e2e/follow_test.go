package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
)

// following runs caddy webhook events --follow, until end is called, which
// returns its exit status.
func (g *gateway) following(t *testing.T, args ...string) (out *buffer, end func() int) {
	t.Helper()
	out = new(buffer)
	cmd := exec.Command(os.Args[0], append([]string{"webhook", "events", "--follow", "--address", g.admin}, args...)...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = g.env, g.dir, out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	end = func() int {
		_ = cmd.Process.Signal(syscall.SIGINT)
		<-exited
		return cmd.ProcessState.ExitCode()
	}
	t.Cleanup(func() { end() })
	return out, end
}

func TestFollow(t *testing.T) {
	t.Parallel()
	app := newApp(t, status(http.StatusServiceUnavailable))
	g := start(t, insignerSite(app.address+" {\n\t\t\tretry 72h 1h\n\t\t}", ""))
	g.mustSend("earlier")
	g.mustSend(numbers(9)...)
	g.mustSend("before")
	g.waitForState("before", "app", "pending")
	before, _ := g.event("before")
	earlier, _ := g.event("earlier")
	out, end := g.following(t)
	lines, _ := g.following(t, "--json", "--where", `body.id == "after"`)
	has := func(out *buffer, parts ...string) {
		t.Helper()
		eventually(t, "a line with "+strings.Join(parts, " "), func() bool {
			for line := range strings.Lines(out.String()) {
				found := true
				for _, part := range parts {
					found = found && strings.Contains(line, part)
				}
				if found {
					return true
				}
			}
			return false
		})
	}
	has(out, before.ID, "insigner  document.completed  routed app:pending")

	// What was there before. The route is failing, but a replay need not wait.
	app.waitFor(t, 5)
	app.setAnswer(nil)
	g.must(t, "replay", before.ID)
	has(out, before.ID, "to app: delivered, attempt", "answered 200, replayed 1×")
	g.mustSend("after")
	after, _ := g.event("after")
	has(out, after.ID, "routed app:")
	g.waitForState("after", "app", "delivered")

	// A gateway that is away for a moment.
	g.stop()
	g.run()
	g.mustSend("again")
	again, _ := g.event("again")
	has(out, again.ID, "routed app:")

	eventually(t, "the delivery in JSON", func() bool {
		return strings.Contains(lines.String(), `"state":"delivered"`)
	})
	for line := range strings.Lines(lines.String()) {
		var e operate.EventInfo
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.ID != after.ID {
			t.Errorf("line %s: %v", line, err)
		}
	}
	if status := end(); status != 0 {
		t.Errorf("exit %d when interrupted: %s", status, out.String())
	}
	if strings.Contains(out.String(), earlier.ID) {
		t.Error("more is shown at first than the ten newest events")
	}
	for _, id := range []string{before.ID, after.ID, again.ID} {
		if n := strings.Count(out.String(), id+"  insigner  document.completed  routed "); n != 1 {
			t.Errorf("event %s is shown as new %d times:\n%s", id, n, out.String())
		}
	}
}
