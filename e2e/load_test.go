package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
)

// quick follows the upstream of a route that is tried again soon.
const quick = " {\n\t\t\tretry 1h 50ms 200ms\n\t\t}"

// send posts the inSigner event of an ID to /hook. There may be no answer.
func (g *gateway) send(id string) (*response, error) {
	header, body := insigner(id)
	return g.do(http.MethodPost, "https://"+g.https+"/hook", header, bytes.NewReader(body))
}

// large is the body of an event of 64 KiB.
func large(id string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"event":"document.completed","pad":"%065536d"}`, id, 0)
}

// sendLarge posts an event of 64 KiB.
func (g *gateway) sendLarge(id string) (*response, error) {
	header, _ := insigner(id)
	body := large(id)
	header.Set("X-Insigner-Signature", "sha256="+hmacHex(insignerSecret, body))
	return g.do(http.MethodPost, "https://"+g.https+"/hook", header, bytes.NewReader(body))
}

// mustSend posts events that must be acknowledged.
func (g *gateway) mustSend(ids ...string) {
	g.t.Helper()
	for _, id := range ids {
		g.wantStatus(id, http.StatusOK)
	}
}

// wantStatus posts an event that must be answered with a status.
func (g *gateway) wantStatus(id string, status int) {
	g.t.Helper()
	var resp *response
	eventually(g.t, "event "+id+" is answered", func() (answered bool) {
		var err error
		resp, err = g.send(id) // whose connection a reload may close
		return err == nil
	})
	if resp.status != status {
		g.t.Fatalf("event %s is answered with %d %s, want %d", id, resp.status, resp.body, status)
	}
	if status == http.StatusServiceUnavailable && resp.header.Get("Retry-After") == "" {
		g.t.Errorf("event %s is answered with 503 without Retry-After", id)
	}
}

// outside returns the gateway as somebody sees it who does not notice when it
// is started again.
func (g *gateway) outside() *gateway {
	same := *g
	return &same
}

// load is a provider that sends without a break. What is not acknowledged is
// sent again, like any good provider does.
type load struct {
	send    func(id string) (*response, error)
	quit    chan struct{}
	senders sync.WaitGroup

	mu    sync.Mutex
	acked []string
	busy  int // answers with 503
	other []int
}

// underLoad sends events until the load is stopped.
func (g *gateway) underLoad(name string, senders int) *load {
	return g.underLoadOf(name, senders, g.outside().send)
}

// underLoadOf sends events in a way until the load is stopped.
func (g *gateway) underLoadOf(name string, senders int, send func(id string) (*response, error)) *load {
	l := &load{send: send, quit: make(chan struct{})}
	for sender := range senders {
		l.senders.Go(func() {
			for n := 0; l.sendUntilTaken(fmt.Sprintf("%s-%d-%d", name, sender, n)); n++ {
			}
		})
	}
	g.t.Cleanup(func() { l.stop() })
	return l
}

func (l *load) sendUntilTaken(id string) bool {
	for {
		select {
		case <-l.quit:
			return false
		default:
		}
		resp, err := l.send(id)
		if err == nil && l.note(id, resp.status) {
			return true
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (l *load) note(id string, status int) (taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch status {
	case http.StatusOK:
		l.acked = append(l.acked, id)
		return true
	case http.StatusServiceUnavailable:
		l.busy++
	default:
		l.other = append(l.other, status)
	}
	return false
}

// count returns how many events were acknowledged so far.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// stop ends the load and returns the events that were acknowledged.
func (l *load) stop() []string {
	select {
	case <-l.quit:
	default:
		close(l.quit)
	}
	l.senders.Wait()
	return l.acked
}

// counts returns how often the app got each inSigner event.
func (a *app) counts() map[string]int {
	counts := make(map[string]int)
	for _, d := range a.deliveries() {
		counts[d.header.Get("X-Insigner-Deliveryid")]++
	}
	return counts
}

// waitForAll waits until the app has got all of these events.
func (a *app) waitForAll(t *testing.T, ids []string) map[string]int {
	t.Helper()
	eventually(t, "the app gets all events", func() bool {
		counts := a.counts()
		return !slices.ContainsFunc(ids, func(id string) bool { return counts[id] == 0 })
	})
	return a.counts()
}

// settle waits until no delivery is on its way any more.
func (g *gateway) settle(source, route string) {
	g.t.Helper()
	eventually(g.t, "the queue is empty", func() bool { return g.waiting(source, route) == 0 })
}

// deliveries returns how many deliveries of a route are in any of these states.
func (g *gateway) deliveries(source, route string, states ...string) float64 {
	g.t.Helper()
	var names []string
	for _, state := range states {
		names = append(names, fmt.Sprintf(`caddy_webhook_gateway_queue_deliveries{route=%q,source=%q,state=%q}`, route, source, state))
	}
	return g.metric(names...)
}

// waiting returns how many deliveries of a route have not ended.
func (g *gateway) waiting(source, route string) float64 {
	g.t.Helper()
	return g.deliveries(source, route, "pending", "delivering")
}

// event returns the only event in the queue with a delivery ID, as the admin API shows it.
func (g *gateway) event(deliveryID string) (found operate.EventInfo, ok bool) {
	g.t.Helper()
	for _, e := range g.events(nil) {
		if e.DeliveryID == deliveryID {
			if ok {
				g.t.Fatalf("event %s is in the queue more than once", deliveryID)
			}
			found, ok = e, true
		}
	}
	return found, ok
}

// waitForState waits until the event's delivery to a route is in a state.
func (g *gateway) waitForState(deliveryID, route, state string) operate.DeliveryInfo {
	g.t.Helper()
	var d operate.DeliveryInfo
	eventually(g.t, fmt.Sprintf("delivery of %s to %s is %s", deliveryID, route, state), func() bool {
		e, _ := g.event(deliveryID)
		i := slices.IndexFunc(e.Deliveries, func(d operate.DeliveryInfo) bool { return d.Route == route })
		if i >= 0 {
			d = e.Deliveries[i]
		}
		return d.State == state
	})
	return d
}
