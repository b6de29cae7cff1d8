//go:build unix

package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests of this file hold docs/backup-and-upgrade.md: copies of a queue.

// A directory that was copied while Caddy was stopped is taken over by another gateway:
// what waits is delivered, what was delivered is not, and copies are known.
func TestColdCopyIsTakenOver(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address+quick, ""))
	delivered, waiting := numbers(20), []string{"waits-1", "waits-2", "waits-3"}
	g.mustSend(delivered...)
	app.waitForAll(t, delivered)
	g.settle("insigner", "app")
	app.setAnswer(status(http.StatusServiceUnavailable))
	g.mustSend(waiting...)
	app.waitForAll(t, waiting)
	g.stop()

	other, target := takeOver(t, g, false)
	target.waitForAll(t, waiting)
	other.mustSend(delivered...) // copies
	other.mustSend("new")
	target.waitForAll(t, []string{"new"})
	other.settle("insigner", "app")
	if n := len(target.deliveries()); n != len(waiting)+1 {
		t.Errorf("the app of the copy got %d deliveries, want the %d that waited and a new one", n, len(waiting))
	}
	if n := len(other.events(nil)); n != len(delivered)+len(waiting)+1 {
		t.Errorf("the copy has %d events, want %d", n, len(delivered)+len(waiting)+1)
	}
}

// A process that SIGSTOP holds writes nothing. Its directory can be copied meanwhile, and
// the copy has every event that was acknowledged before.
func TestFrozenCopyHasAllEvents(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address+quick, ""))
	load := g.underLoad("load", 4)
	load.untilTaken(t, time.Now())
	time.Sleep(200 * time.Millisecond)
	signal(t, g, syscall.SIGSTOP)
	acknowledged := load.soFar()
	other, target := takeOver(t, g, false)
	signal(t, g, syscall.SIGCONT)

	var have []string
	for _, e := range other.events(nil) {
		have = append(have, e.DeliveryID)
	}
	for _, id := range acknowledged {
		if !slices.Contains(have, id) {
			t.Errorf("the copy lacks event %s, one of %d that were acknowledged", id, len(acknowledged))
		}
	}
	if strings.Contains(other.log.String(), "damaged") {
		t.Errorf("the copy is damaged:\n%s", other.log.tail(3000))
	}
	other.mustSend("new")
	target.waitForAll(t, []string{"new"})
	load.untilTaken(t, time.Now()) // the first gateway goes on
	app.waitForAll(t, load.stop())
}

// A file copy of a queue that is being written to is no backup: it may lack events, and
// its queue file may be damaged. A gateway starts on it all the same.
func TestRunningCopyIsMended(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address+quick, ""))
	load := g.underLoad("load", 4)
	load.untilTaken(t, time.Now())
	time.Sleep(500 * time.Millisecond)
	acknowledged := load.soFar()
	target, other := newApp(t, nil), newGateway(t)
	copySlowly(t, g.dir+"/queue", other.dir+"/queue", 300*time.Millisecond)
	load.stop()
	other.write(queueIn, insignerSite(target.address+quick, ""))
	other.run()
	eventually(t, "the copy takes an event", func() bool {
		resp, err := other.send("new")
		return err == nil && resp.status == http.StatusOK
	})
	target.waitForAll(t, []string{"new"})
	var have []string
	for _, e := range other.events(nil) {
		have = append(have, e.DeliveryID)
	}
	missing := slices.DeleteFunc(acknowledged, func(id string) bool { return slices.Contains(have, id) })
	t.Logf("%d events of those before the copy are missing; the queue file was damaged: %v", len(missing),
		strings.Contains(other.log.String(), "queue file was damaged"))
}

// copySlowly copies the files of a directory one after the other. It pauses within each of
// the first two, as copying a large file takes time.
func copySlowly(t *testing.T, from, to string, pause time.Duration) {
	t.Helper()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, file := range files {
		in, err := os.Open(filepath.Join(from, file.Name()))
		if err != nil {
			continue // a file of the journal that is gone
		}
		defer in.Close()
		info, err := in.Stat()
		if err != nil {
			t.Fatal(err)
		}
		content := make([]byte, info.Size())
		first := min(len(content), 64<<10)
		_, err = in.ReadAt(content[:first], 0)
		if i < 2 {
			time.Sleep(pause)
		}
		if _, again := in.ReadAt(content[first:], int64(first)); err != nil || again != nil {
			t.Fatal(err, again)
		}
		if err := os.WriteFile(filepath.Join(to, file.Name()), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// On a configuration without sources, a copy delivers nothing, and an operator drops
// what waits. The page says so of restoring.
func TestCopyWithoutSourcesIsParked(t *testing.T) {
	t.Parallel()
	app := newApp(t, status(http.StatusServiceUnavailable))
	g := start(t, insignerSite(app.address+quick, ""))
	g.mustSend("a", "b")
	app.waitForAll(t, []string{"a", "b"})
	g.stop()
	other, target := takeOver(t, g, true)
	address := "--address=" + other.admin
	if out, stderr, code := other.command("webhook", "events", "--state", "parked", address); code != 0 || strings.Count(out, "app:parked") != 2 {
		t.Errorf("parked: exit %d, %s%s", code, out, stderr)
	}
	if out, stderr, code := other.command("webhook", "drop", "--state", "parked", "--yes", address); code != 0 {
		t.Errorf("drop: exit %d, %s%s", code, out, stderr)
	}
	other.stop()
	other.write(queueIn, insignerSite(target.address+quick, ""))
	other.run()
	other.mustSend("new")
	target.waitForAll(t, []string{"new"})
	other.settle("insigner", "app")
	if n := len(target.deliveries()); n != 1 {
		t.Errorf("the app got %d deliveries, want the new one alone", n)
	}
}

// takeOver copies the queue of a gateway, and starts another gateway on the copy, with
// an app of its own. idle leaves the sources out.
func takeOver(t *testing.T, g *gateway, idle bool) (other *gateway, app *app) {
	t.Helper()
	app, other = newApp(t, nil), newGateway(t)
	if out, err := exec.Command("cp", "-a", g.dir+"/queue", other.dir+"/queue").CombinedOutput(); err != nil {
		t.Fatalf("copying the queue: %v: %s", err, out)
	}
	sites := insignerSite(app.address+quick, "")
	if idle {
		sites = "{$HTTPS} {\n\trespond 503\n}\n"
	}
	other.write(queueIn, sites)
	other.run()
	return other, app
}

func signal(t *testing.T, g *gateway, s syscall.Signal) {
	t.Helper()
	if err := g.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// soFar returns the events that were acknowledged so far.
func (l *load) soFar() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.acked)
}
