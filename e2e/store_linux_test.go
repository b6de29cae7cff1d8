package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A sync that is held back holds back the answer, and the answers to copies.
func TestSyncsBeforeItAcknowledges(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := newGateway(t)
	disk := controlDisk(g)
	g.write(queueIn, insignerSite(app.address+quick, ""))
	g.run()
	g.mustSend("before")
	app.waitFor(t, 1)
	g.settle("insigner", "app")

	disk.set("hold")
	defer disk.set("pass")
	answered := make(chan int, 2)
	for range cap(answered) {
		go func() {
			resp, err := g.send("held")
			if err != nil {
				resp = new(response)
			}
			answered <- resp.status
		}()
	}
	disk.waitUntilHeld()
	select {
	case status := <-answered:
		t.Errorf("answered with %d before the sync", status)
		answered <- status
	case <-time.After(200 * time.Millisecond):
	}
	if n := len(app.deliveries()); n != 1 {
		t.Error("delivered before the sync")
	}
	disk.set("pass")
	for range cap(answered) {
		if status := <-answered; status != http.StatusOK {
			t.Errorf("answered with %d after the sync, want 200", status)
		}
	}
	app.waitForAll(t, []string{"held"})
}

func TestSyncFails(t *testing.T) {
	t.Parallel()
	app := unstartedApp(t, freeAddress(t), nil)
	g := newGateway(t)
	disk := controlDisk(g)
	g.write(queueIn, insignerSite(app.address+quick, ""))
	g.run()
	g.mustSend("before")
	disk.set("fail")
	g.wantStatus("during", http.StatusServiceUnavailable)
	g.wantStatus("during", http.StatusServiceUnavailable)
	g.wantStatus("another", http.StatusServiceUnavailable)
	disk.set("pass")
	g.sendUntilTaken("during")
	g.kill()
	app.listen(t)
	g.run()
	app.waitForAll(t, []string{"before", "during"})
	g.mustSend("before", "during")
	if _, stored := g.event("during"); !stored {
		t.Error("the event is not in the queue")
	}
}

// sendUntilTaken sends an event until it is acknowledged, which it must be
// soon.
func (g *gateway) sendUntilTaken(id string) {
	g.t.Helper()
	eventually(g.t, "the store takes events again", func() bool {
		resp, err := g.send(id)
		return err == nil && resp.status == http.StatusOK
	})
}

func TestDiskIsFull(t *testing.T) {
	t.Parallel()
	app := unstartedApp(t, freeAddress(t), nil)
	g := newGateway(t)
	g.write(queueIn, insignerSite(app.address+quick, ""))
	g.run()
	g.mustSend("before")
	g.limitFiles(2 << 20)
	taken := fill(t, g)
	g.limitFiles(0)
	g.wantStatus("one more", http.StatusServiceUnavailable)
	g.limitFiles(1 << 40)
	g.sendUntilTaken("one more")
	app.listen(t)
	app.waitForAll(t, append(taken, "before", "one more"))
}

// The directory becomes read-only while the gateway is away. That is no reason
// not to start: the site serves, and the queue comes back by itself.
func TestDirectoryIsReadOnly(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := newGateway(t)
	queue := filepath.Join(g.dir, "queue")
	if err := os.Mkdir(queue, 0o500); err != nil {
		t.Fatal(err)
	}
	g.write(queueIn, insignerSite(app.address+quick, "")+"{$HTTP} {\n respond 200\n}\n")
	minding(t, func() { g.spawn("run", "--config", g.config) })
	g.waitReady()
	g.wantStatus("a", http.StatusServiceUnavailable)
	if resp, err := g.do(http.MethodGet, "http://"+g.http, nil, nil); err != nil || resp.status != http.StatusOK {
		t.Errorf("the other site does not serve: %v", err)
	}
	if err := os.Chmod(queue, 0o700); err != nil {
		t.Fatal(err)
	}
	g.sendUntilTaken("a")
	app.waitForAll(t, []string{"a"})
}
