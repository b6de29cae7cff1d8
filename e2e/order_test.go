package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Order is kept while the app fails at random, and over a crash.
func TestOrderIsKept(t *testing.T) {
	t.Parallel()
	app := newApp(t, status(503))
	g := start(t, insignerSite(app.address+` {
			retry 1h 10ms 20ms
			order_by `+"`split(id, \"-\")[0]`"+`
		}`, ""))
	var ids []string
	want := make(map[string][]string)
	for n := range 60 {
		key := string(rune('a' + n%4))
		id := fmt.Sprintf("%s-%d", key, n)
		ids, want[key] = append(ids, id), append(want[key], id)
	}
	g.mustSend(ids[:30]...)
	g.kill()
	g.run()
	var mu sync.Mutex
	tries, n, taken := 0, 0, make(map[string][]string)
	app.setAnswer(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if tries++; tries%3 == 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		key, _, _ := strings.Cut(idOf(r), "-")
		taken[key] = append(taken[key], idOf(r))
		n++
	})
	g.mustSend(ids[30:]...)
	eventually(t, "the app takes all events", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return n >= len(ids)
	})
	mu.Lock()
	defer mu.Unlock()
	for key, ids := range want {
		if !slices.Equal(taken[key], ids) {
			t.Errorf("sent %v, taken %v", ids, taken[key])
		}
	}
}

func TestDeadLetterHoldsItsKey(t *testing.T) {
	t.Parallel()
	refuse := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(idOf(r), "-1") {
			w.WriteHeader(http.StatusBadRequest)
		}
	}
	free, held := newApp(t, refuse), newApp(t, refuse)
	const by = " {\norder_by `split(id, \"-\")[0]`"
	g := start(t, insignerSite(free.address+by+"\n}", "route held "+held.address+by+" hold\n}\nroute none "+free.address+" {\norder_by `body.missing`\n}"))
	g.mustSend("a-1", "a-2", "b-2")
	free.waitForAll(t, []string{"a-2"})
	held.waitForAll(t, []string{"a-1", "b-2"})
	if d := g.waitForState("a-1", "held", "dead"); d.Key != "a" || !d.Holds {
		t.Errorf("the dead letter is shown as %+v", d)
	}
	if e, _ := g.event("a-1"); !strings.Contains(g.must(t, "show", e.ID), `to held: dead, in order by "a" and stops those behind it`) {
		t.Errorf("show prints:\n%s", g.must(t, "show", e.ID))
	}
	time.Sleep(100 * time.Millisecond)
	if held.counts()["a-2"] > 0 {
		t.Error("an event overtook a dead letter that holds its key")
	}
	if d := g.waitForState("a-2", "held", "pending"); d.Attempts != 0 {
		t.Errorf("an event behind a dead letter: %+v", d)
	}
	if n := g.metric(prefix + `unordered_total{route="none",source="insigner"}`); n != 3 {
		t.Errorf("%v deliveries are counted as unordered", n)
	}
	held.setAnswer(nil)
	g.mustSend("a-1") // what a provider's button to deliver again does
	g.waitForState("a-2", "held", "delivered")
	got := held.deliveries()
	if id := got[len(got)-2].header.Get("X-Insigner-Deliveryid"); id != "a-1" {
		t.Errorf("before the event that was held up came %s", id)
	}
}

// Dropped, a dead letter lets go of its key.
func TestDropOfDeadLetters(t *testing.T) {
	t.Parallel()
	refuse := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(idOf(r), "-1") {
			w.WriteHeader(http.StatusBadRequest)
		}
	}
	free, held := newApp(t, refuse), newApp(t, refuse)
	g := start(t, insignerSite(free.address, "route held "+held.address+" {\norder_by `split(id, \"-\")[0]` hold\n}"))
	g.mustSend("a-1", "a-2", "b-1", "b-2")
	for _, id := range []string{"a-1", "b-1"} {
		g.waitForState(id, "app", "dead")
		g.waitForState(id, "held", "dead")
	}
	died := g.waitForState("a-1", "held", "dead").Ended
	g.exits(t, 0, "drop would do: 1 delivery of 1 event", "drop", "--state", "dead", "--route", "held", "--dry-run", "--where", "id == 'a-1'")
	g.exits(t, 0, "drop: 1 delivery of 1 event", "drop", "--state", "dead", "--route", "held", "--yes", "--where", "id == 'a-1'")
	g.waitForState("a-2", "held", "delivered")
	if d := g.waitForState("a-1", "held", "dead"); d.Holds || d.Reason != "dropped by an operator" || d.Attempts != 1 || !d.Ended.Equal(*died) {
		t.Errorf("dropped: %+v", d)
	}
	if d := g.waitForState("b-2", "held", "pending"); d.Attempts != 0 {
		t.Errorf("behind a dead letter of another key: %+v", d)
	}

	// What waits and what stops others need no state to be named, but the rest.
	b1, _ := g.event("b-1")
	g.exits(t, 0, "drop: 1 delivery of 1 event", "drop", b1.ID)
	g.waitForState("b-2", "held", "delivered")
	g.exits(t, 1, "nothing of it waits", "drop", b1.ID)
	g.exits(t, 0, "drop: 0 deliveries of 0 events", "drop", "--source", "insigner", "--yes")
	g.exits(t, 0, "drop: 2 deliveries of 2 events", "drop", "--state", "dead", "--yes")
	g.exits(t, 0, "drop: 0 deliveries of 0 events", "drop", "--state", "dead", "--yes")
	if n := len(g.deadLetters(t, 10)); n != 4 {
		t.Errorf("%d dead letters, want 4", n)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address+" {\nrate 5/s\n}", ""))
	began := time.Now()
	g.mustSend(numbers(12)...)
	app.waitFor(t, 12)
	if took := time.Since(began); took < 1300*time.Millisecond || took > 6*time.Second {
		t.Errorf("12 attempts took %v at 5/s", took)
	}
}
