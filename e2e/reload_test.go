package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loadSites has the gateway load sites, and returns the error if it refuses
// them.
func (g *gateway) loadSites(sites string) error {
	g.t.Helper()
	g.write(queueIn, sites)
	status, message := g.load()
	g.client.CloseIdleConnections() // before the gateway does, in the middle of a request
	if status != http.StatusOK {
		return fmt.Errorf("load: %d %s", status, message)
	}
	return nil
}

// mustLoad has the gateway load sites that are good.
func (g *gateway) mustLoad(sites string) {
	g.t.Helper()
	if err := g.loadSites(sites); err != nil {
		g.t.Fatal(err)
	}
}

// occupied returns an address that somebody listens on. A configuration with a
// site there can be provisioned, but not started.
func occupied(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// siteAt is a site that only answers.
func siteAt(address string) string {
	return fmt.Sprintf("http://%s {\n\trespond 200\n}\n", address)
}

func TestReloadsUnderLoad(t *testing.T) {
	app := newApp(t, nil)
	variants := []func(n int) string{
		func(n int) string { return insignerSite(app.address, fmt.Sprintf("respond 200 answer-%d", n)) },
		func(n int) string {
			return insignerSite(app.address, fmt.Sprintf("route other `body.id == \"none-%d\"` %s", n, app.address))
		},
		func(n int) string {
			return strings.Replace(insignerSite(app.address, ""), insignerSecret, fmt.Sprintf("old-secret-%d %s", n, insignerSecret), 1)
		},
		func(n int) string {
			return insignerSite(fmt.Sprintf("%s {\n timeout %ds\n concurrency %d\n}", app.address, 5+n, 1+n%64), "")
		},
	}
	inUse := occupied(t)
	broken := []func(n int) string{
		func(n int) string {
			return insignerSite(app.address, fmt.Sprintf("route other `nobody == %d` %s", n, app.address))
		},
		func(n int) string { // the app that would get the events is not the right one
			return insignerSite("127.0.0.1:1", fmt.Sprintf("respond 200 broken-%d", n)) + siteAt(inUse)
		},
	}
	g := start(t, insignerSite(app.address, ""))
	load := g.underLoad("load", 8)
	for n := range 200 {
		if n%10 == 9 {
			if err := g.loadSites(broken[n/10%2](n)); err == nil {
				t.Fatalf("reload %d succeeded with a broken configuration", n)
			}
			continue
		}
		g.mustLoad(variants[n%len(variants)](n))
	}
	acked := load.stop()
	counts := app.waitForAll(t, acked)
	g.settle("insigner", "app")
	t.Logf("%d events acknowledged", len(acked))
	for id, count := range counts {
		if count != 1 {
			t.Errorf("event %s was delivered %d times", id, count)
		}
	}
	if load.busy > 0 || len(load.other) > 0 {
		t.Errorf("during reloads %d requests were answered with 503 and others with %d", load.busy, load.other)
	}
	if n := len(acked); n < 200 {
		t.Errorf("%d events are no load", n)
	}
}

func TestFailedReloadChangesNothing(t *testing.T) {
	t.Parallel()
	right, wrong := newApp(t, nil), newApp(t, nil)
	g := start(t, insignerSite(right.address, ""))
	bad := map[string]string{
		"starts not":      insignerSite(wrong.address, "") + siteAt(occupied(t)),
		"rule":            insignerSite(wrong.address, "route other `nobody == 1` "+wrong.address),
		"no source at it": siteAt(occupied(t)),
	}
	for range 4 { // apps start in random order
		for name, sites := range bad {
			if g.loadSites(sites) == nil {
				t.Fatalf("%s: the reload succeeded", name)
			}
			g.mustSend(name)
		}
	}
	file := filepath.Join(g.dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	g.write("queue disk {\n path "+file+"/queue\n}", insignerSite(wrong.address, ""))
	if status, message := g.load(); status != http.StatusBadRequest || !strings.Contains(message, "not a directory") {
		t.Errorf("a queue below a file is refused with %d %s", status, message)
	}
	g.mustSend("afterwards")
	right.waitForAll(t, []string{"starts not", "rule", "no source at it", "afterwards"})
	if n := len(wrong.deliveries()); n > 0 {
		t.Errorf("the configuration that was refused got %d deliveries", n)
	}
}

func TestRouteComesAndGoes(t *testing.T) {
	t.Parallel()
	app := unstartedApp(t, freeAddress(t), nil)
	other := newApp(t, nil)
	with := insignerSite(app.address+quick, "route other "+other.address)
	g := start(t, with)
	g.mustSend("a")
	g.waitForState("a", "other", "delivered")
	g.mustLoad(strings.Replace(with, "route app "+app.address+quick, "", 1))
	d := g.waitForState("a", "app", "parked")
	if d.Attempts == 0 {
		t.Error("the attempt that was made is forgotten")
	}
	app.listen(t)
	g.mustSend("b")
	g.waitForState("b", "other", "delivered")
	g.mustLoad(with)
	app.waitForAll(t, []string{"a"})
	g.waitForState("a", "app", "delivered")
	if counts := app.counts(); counts["b"] > 0 {
		t.Error("the route got an event of the time when it was not there")
	}
	if n := len(other.deliveries()); n != 2 {
		t.Errorf("the other route got %d deliveries of 2 events", n)
	}
}

func TestSourceComesAndGoes(t *testing.T) {
	t.Parallel()
	app := unstartedApp(t, freeAddress(t), nil)
	with, without := insignerSite(app.address+quick, ""), "{$HTTPS} {\n\trespond 204\n}\n"
	g := start(t, with)
	g.mustSend("a")
	g.mustLoad(without)
	g.waitForState("a", "app", "parked")
	g.wantStatus("b", http.StatusNoContent)
	app.listen(t)
	g.mustLoad(with)
	app.waitForAll(t, []string{"a"})
	g.mustSend("a", "b")
	app.waitForAll(t, []string{"b"})
	g.settle("insigner", "app")
	if n := len(app.deliveries()); n != 2 {
		t.Errorf("2 events led to %d deliveries", n)
	}
}

func TestSecretChangesInItsFile(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := newGateway(t)
	file := filepath.Join(g.dir, "secret")
	change := func(secret string) {
		if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change("another secret")
	g.write(queueIn, strings.Replace(insignerSite(app.address, ""), insignerSecret, "{file."+file+"}", 1))
	g.run()
	g.wantStatus("a", http.StatusUnauthorized)
	change(insignerSecret)
	g.wantStatus("a", http.StatusUnauthorized)
	if err := g.reload(); err != nil {
		t.Fatal(err)
	}
	g.mustSend("a")
	app.waitForAll(t, []string{"a"})
	change("") // nobody could sign with it, or anybody could
	if g.reload() == nil {
		t.Error("the gateway loads with an empty secret")
	}
	g.mustSend("b")
}
