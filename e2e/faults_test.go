package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// The tests whose names begin with TestFault run at two sizes: small, with all
// others, and full, by `go run ./bench/faults`.
var (
	full = flag.Bool("full", false, "run the fault tests at full size, and print what they found")
	seed = flag.Uint64("seed", rand.Uint64(), "`seed` of what the fault tests leave to chance")
)

// rounds returns how often something is to be done.
func rounds(small, atFullSize int) int {
	if *full {
		return atFullSize
	}
	return small
}

// dice returns a source of chance of the test's own.
func dice(t *testing.T) *rand.Rand {
	t.Helper()
	t.Logf("run it again with -seed %d", *seed)
	name := fnv.New64()
	_, _ = io.WriteString(name, t.Name())
	return rand.New(rand.NewPCG(*seed, name.Sum64()))
}

// figures are what a fault test found.
type figures struct {
	fault          string
	times          int             // that the fault was made
	acked          int             // events acknowledged
	missing, twice int             // of those: that the app never got, and got more than once
	busy           int             // requests that were answered with 503
	recoveries     []time.Duration // from the fault's end to the first 200, or to the delivery
}

// found collects the figures of all fault tests.
var found struct {
	mu  sync.Mutex
	all []figures
}

// report notes figures, and fails the test if an event is missing.
func (f figures) report(t *testing.T) {
	t.Helper()
	slices.Sort(f.recoveries)
	t.Logf("%s, %d times: %d events acknowledged, %d missing, %d came twice, %d answers with 503; recovery %s",
		f.fault, f.times, f.acked, f.missing, f.twice, f.busy, f.recovery())
	if f.missing > 0 {
		t.Errorf("%d events of %d acknowledged ones are missing", f.missing, f.acked)
	}
	if f.acked == 0 {
		t.Error("no event was acknowledged")
	}
	found.mu.Lock()
	defer found.mu.Unlock()
	found.all = append(found.all, f)
}

// recovery returns the median and the longest recovery.
func (f figures) recovery() string {
	if len(f.recoveries) == 0 {
		return "–"
	}
	last := len(f.recoveries) - 1
	return fmt.Sprintf("%.2f s, %.2f s", f.recoveries[last/2].Seconds(), f.recoveries[last].Seconds())
}

// printFigures prints what the fault tests found.
func printFigures() {
	if len(found.all) == 0 || !*full {
		return
	}
	fmt.Printf("\nseed %d\n\n", *seed)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(out, "FAULT\tTIMES\tACKNOWLEDGED\tMISSING\tCAME TWICE\t503\tRECOVERY, MEDIAN AND LONGEST")
	for _, f := range found.all {
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%d\t%s\n", f.fault, f.times, f.acked, f.missing, f.twice, f.busy, f.recovery())
	}
	_ = out.Flush()
}

// inbox is an app that counts the events it has answered with 200. It takes its
// time, and one delivery of twenty it refuses at first.
type inbox struct {
	address string

	mu     sync.Mutex
	counts map[string]int
	spoilt int // bodies that are not what was sent
	closed bool
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	i := &inbox{address: freeAddress(t), counts: make(map[string]int)}
	l := listenAt(t, i.address)
	server := &http.Server{Handler: i}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	return i
}

// ServeHTTP implements http.Handler.
func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	time.Sleep(rand.N(5 * time.Millisecond))
	id := idOf(r)
	i.mu.Lock()
	defer i.mu.Unlock()
	_, sent := insigner(id)
	if len(body) > 64<<10 {
		sent = large(id)
	}
	if !bytes.Equal(body, sent) {
		i.spoilt++
	}
	if i.closed || rand.IntN(20) == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	i.counts[id]++
}

// refuse has the app refuse everything, or take it again.
func (i *inbox) refuse(closed bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = closed
}

// has reports whether the app has got an event.
func (i *inbox) has(id string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.counts[id] > 0
}

// total returns how many deliveries the app has taken.
func (i *inbox) total() (n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, count := range i.counts {
		n += count
	}
	return n
}

// account waits until the app has got what was acknowledged, as long as more
// comes in, and completes the figures.
func (i *inbox) account(t *testing.T, g *gateway, l *load, f figures) {
	t.Helper()
	f.acked, f.busy = len(l.stop()), l.busy
	missing := slices.Clone(l.acked)
	for last := time.Now(); len(missing) > 0 && time.Since(last) < patience; time.Sleep(50 * time.Millisecond) {
		before := len(missing)
		missing = slices.DeleteFunc(missing, i.has)
		if len(missing) < before {
			last = time.Now()
		}
	}
	f.missing = len(missing)
	g.settle("insigner", "app")
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, n := range i.counts {
		f.twice += min(1, n-1)
	}
	if i.spoilt > 0 {
		t.Errorf("%d deliveries had not the body that was sent", i.spoilt)
	}
	if len(l.other) > 0 {
		t.Errorf("requests were answered with %d", l.other)
	}
	if stored := g.stored("insigner"); f.missing == 0 && stored != len(i.counts) {
		t.Errorf("%d events are stored, and %d were delivered: a copy was not recognized", stored, len(i.counts))
	}
	f.report(t)
}

// stored returns how many events of a source are in the queue.
func (g *gateway) stored(source string) int {
	g.t.Helper()
	return int(g.metric(fmt.Sprintf(`caddy_webhook_gateway_queue_events{source=%q,state="routed"}`, source)))
}

// unsettled reloads the gateway all the time, each time with another
// configuration, and now and then with one that is refused.
type unsettled struct {
	quit chan struct{}
	done sync.WaitGroup
	took int // reloads that worked
}

// reloading starts to reload. The sites must deliver from the source insigner
// to the route app.
func (g *gateway) reloading(sites func(more string) string) *unsettled {
	u := &unsettled{quit: make(chan struct{})}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	address := g.admin
	u.done.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-u.quit:
				return
			case <-time.After(200 * time.Millisecond):
			}
			more := fmt.Sprintf("dedup 72h %d", 100_000+n)
			if n%5 == 4 {
				more = "route broken `nobody == 1` " + address
			}
			content := fmt.Sprintf(preamble, g.dir, address, queueIn) + sites(more)
			resp, err := client.Post("http://"+address+"/load", "text/caddyfile", bytes.NewReader([]byte(content)))
			if err != nil {
				continue // it is dead at the moment
			}
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				u.took++
			}
		}
	})
	g.t.Cleanup(func() { u.stop() })
	return u
}

// stop ends the reloads and returns how many worked.
func (u *unsettled) stop() int {
	select {
	case <-u.quit:
	default:
		close(u.quit)
	}
	u.done.Wait()
	return u.took
}

// untilTaken waits until one more event of the load is acknowledged, and
// returns how long that took since began.
func (l *load) untilTaken(t *testing.T, began time.Time) time.Duration {
	t.Helper()
	before := l.count()
	eventually(t, "events are acknowledged", func() bool { return l.count() > before })
	return time.Since(began)
}
