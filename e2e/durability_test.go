package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAcknowledgesWhateverTheAppsDo(t *testing.T) {
	down := unstartedApp(t, freeAddress(t), nil)
	release := make(chan struct{})
	stuck := newApp(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	respond /plain 200
	webhook_gateway /hook {
		provider insigner %s
		route down %s
		route stuck %s
	}
}
`, insignerSecret, down.address+quick, stuck.address))

	const n = 30
	var plain, hook []time.Duration
	for i := range n {
		plain = append(plain, timed(func() { g.post("/plain", nil, nil) }))
		hook = append(hook, timed(func() { g.mustSend(fmt.Sprint(i)) }))
	}
	slices.Sort(plain)
	slices.Sort(hook)
	t.Logf("median: respond %v, gateway %v", plain[n/2], hook[n/2])
	if limit := 10*plain[n/2] + 25*time.Millisecond; hook[n/2] > limit {
		t.Errorf("the gateway takes %v to acknowledge, respond %v", hook[n/2], plain[n/2])
	}
	down.listen(t)
	for id, count := range down.waitForAll(t, numbers(n)) {
		if count != 1 {
			t.Errorf("event %s was delivered %d times", id, count)
		}
	}
}

func timed(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

func numbers(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprint(i))
	}
	return ids
}

func TestKilledBeforeDelivery(t *testing.T) {
	t.Parallel()
	app := unstartedApp(t, freeAddress(t), nil)
	g := start(t, insignerSite(app.address, ""))
	g.mustSend("a", "b", "c")
	g.kill()
	app.listen(t)
	g.run()
	g.mustSend("a", "b", "c") // duplicates, as the disk remembers
	app.waitForAll(t, []string{"a", "b", "c"})
	g.settle("insigner", "app")
	for _, d := range app.deliveries() {
		if _, body := insigner(d.header.Get("X-Insigner-Deliveryid")); string(body) != string(d.body) {
			t.Errorf("app got %q, want %q", d.body, body)
		}
	}
	if n := len(app.deliveries()); n != 3 {
		t.Errorf("the app got %d deliveries of 3 events", n)
	}
}

func TestQueueIsFull(t *testing.T) {
	t.Parallel()
	app := unstartedApp(t, freeAddress(t), nil)
	g := newGateway(t)
	g.write("queue disk {\n path {$GATEWAY_DIR}/queue\n max_size 2MB\n}", insignerSite(app.address+quick, ""))
	g.run()
	taken := fill(t, g)
	if resp, err := g.sendLarge("one more"); err != nil || resp.status != http.StatusServiceUnavailable {
		t.Errorf("an event beyond max_size is answered with %v, %v", resp, err)
	}
	if resp, err := g.sendLarge(taken[0]); err != nil || resp.status != http.StatusOK {
		t.Errorf("a duplicate is answered with %v, %v while the queue is full", resp, err)
	}
	app.listen(t)
	app.waitForAll(t, taken)
	g.settle("insigner", "app")
	g.mustSend("one more")
	app.waitForAll(t, []string{"one more"})
	if n := len(app.deliveries()); n != len(taken)+1 {
		t.Errorf("%d events led to %d deliveries", len(taken)+1, n)
	}
}

// fill sends large events until one is refused, and returns the others.
func fill(t *testing.T, g *gateway) (taken []string) {
	t.Helper()
	for i := range 1000 {
		id := fmt.Sprintf("fill-%d", i)
		resp, err := g.sendLarge(id)
		switch {
		case err != nil:
			t.Fatal(err)
		case resp.status == http.StatusOK:
			taken = append(taken, id)
		case resp.status == http.StatusServiceUnavailable && resp.header.Get("Retry-After") != "" && len(taken) > 0:
			return taken
		default:
			t.Fatalf("event %s is answered with %d %v", id, resp.status, resp.header)
		}
	}
	t.Fatal("there is always space for one more")
	return nil
}

func TestOneProcessPerQueue(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address, ""))
	if _, stderr, status := g.command("validate", "--config", g.config); status != 0 {
		t.Errorf("validate beside the running gateway: exit %d: %s", status, stderr)
	}
	other := newGateway(t)
	other.write("queue disk {\n path "+g.dir+"/queue\n}", insignerSite(app.address, ""))
	_, stderr, status := other.command("run", "--config", other.config)
	if want := "queue directory " + g.dir + "/queue is in use by another process"; status == 0 || !strings.Contains(stderr, want) {
		t.Errorf("a second process on the queue: exit %d, and does not say %q: %s", status, want, stderr)
	}
	g.mustSend("a")
	app.waitFor(t, 1)
}

func TestQueuePathIsImpossible(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	file := filepath.Join(g.dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	g.write("queue disk {\n path {$GATEWAY_DIR}/file/queue\n}", insignerSite("127.0.0.1:1", ""))
	_, stderr, status := g.command("run", "--config", g.config)
	if status == 0 || !strings.Contains(stderr, file) || !strings.Contains(stderr, "not a directory") {
		t.Errorf("a queue below a file: exit %d, and no clear message: %s", status, stderr)
	}
}
