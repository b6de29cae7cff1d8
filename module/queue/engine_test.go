package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/memory"
)

// inBubble runs a test in a bubble of package synctest: time is fake, and passes at once
// when all goroutines of the bubble wait. The queue's clock starts anew.
func inBubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		queue.ResetClock(t)
		test(t)
	})
}

// runInBubble runs a subtest in a bubble.
func runInBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { inBubble(t, test) })
}

// pass lets time pass in a bubble, and waits until all goroutines wait again.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// backend is a backend in memory, whose store can be made to fail.
type backend struct {
	*memory.Backend // newSetup makes one
	wrap            func(queue.Store) queue.Store
	applied         atomic.Int32
}

func (b *backend) Apply(queue.Store) { b.applied.Add(1) }

func (b *backend) Open(logger *zap.Logger) (queue.Store, error) {
	s, err := b.Backend.Open(logger)
	if err != nil || b.wrap == nil {
		return s, err
	}
	return b.wrap(s), nil
}

// faulty is a store that runs functions before and after methods of the real store.
type faulty struct {
	queue.Store
	update, remembered func() error
	claimed, updated   func()               // run after each claim and update
	claiming           func(queue.RouteKey) // run before each claim
}

func (f *faulty) Claim(ctx context.Context, route queue.RouteKey, now time.Time, lease time.Duration, limit int) ([]*queue.Event, time.Time, error) {
	if f.claiming != nil {
		f.claiming(route)
	}
	events, next, err := f.Store.Claim(ctx, route, now, lease, limit)
	if f.claimed != nil {
		f.claimed()
	}
	return events, next, err
}

func (f *faulty) Update(ctx context.Context, id queue.ID, change func(*queue.Event) error) error {
	if f.update != nil {
		if err := f.update(); err != nil {
			return err
		}
	}
	err := f.Store.Update(ctx, id, change)
	if f.updated != nil {
		f.updated()
	}
	return err
}

func (f *faulty) Remembered(ctx context.Context, now time.Time, yield func(string, queue.ID, queue.Dedup) bool) error {
	if f.remembered != nil {
		if err := f.remembered(); err != nil {
			return err
		}
	}
	return f.Store.Remembered(ctx, now, yield)
}

// setup is an engine on a store in memory.
type setup struct {
	*queue.Engine
	t       *testing.T
	backend *backend
	watch   *watcher
}

// newSetup opens an engine. The engine's poll is slower than eventually waits: a test
// that passes has seen a wake-up.
func newSetup(t *testing.T, b *backend, change ...func(*queue.Timing)) *setup {
	t.Helper()
	if b.Backend == nil {
		b.Backend = new(memory.Backend)
	}
	if b.Max == 0 {
		b.Max = 1 << 30
	}
	b.Lag = time.Millisecond
	timing := queue.DefaultTiming
	timing.Poll = time.Minute
	for _, c := range change {
		c(&timing)
	}
	e, err := queue.NewTimedEngine(b, zap.NewNop(), timing)
	if err != nil {
		t.Fatal(err)
	}
	s := &setup{Engine: e, t: t, backend: b, watch: new(watcher)}
	t.Cleanup(func() { e.Close() })
	return s
}

// config returns a configuration of sources that keep everything.
func (s *setup) config(sources map[string]*queue.Source) *queue.Config {
	return &queue.Config{
		Backend:   s.backend,
		Retention: queue.Retention{Done: time.Hour, Failed: time.Hour},
		Sources:   sources,
		Observer:  s.watch,
	}
}

// attach attaches a configuration of one source, shop, with one route, app.
func (s *setup) attach(r *queue.Route) *queue.Config {
	cfg := s.config(map[string]*queue.Source{"shop": {Routes: map[string]*queue.Route{"app": r}}})
	s.Attach(cfg)
	return cfg
}

// append appends an event and returns its ID.
func (s *setup) append(e *queue.Event) queue.ID {
	s.t.Helper()
	if err := s.Append(s.t.Context(), e); err != nil {
		s.t.Fatal(err)
	}
	return e.ID
}

func (s *setup) get(id queue.ID) *queue.Event {
	s.t.Helper()
	e, err := s.Get(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// ended waits until an event waits for nothing, and returns it.
func (s *setup) ended(id queue.ID) (e *queue.Event) {
	s.t.Helper()
	eventually(s.t, "the event's end", func() bool {
		e = s.get(id)
		class, _ := e.Class()
		return class != queue.Live && !s.Busy(e)
	})
	return e
}

// watcher counts what it observes.
type watcher struct {
	mu        sync.Mutex
	outcomes  map[queue.Outcome]int
	delivered []time.Duration
	failing   []string // reasons
	recovered int
	dead      []string // reasons
	enough    []int
	conflicts int
}

func (w *watcher) Attempted(_, _ string, outcome queue.Outcome, _ time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.outcomes == nil {
		w.outcomes = make(map[queue.Outcome]int)
	}
	w.outcomes[outcome]++
}

func (w *watcher) Delivered(_, _ string, after time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delivered = append(w.delivered, after)
}

func (w *watcher) Failing(_, _, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failing = append(w.failing, reason)
}

func (w *watcher) Recovered(string, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recovered++
}

func (w *watcher) Died(_ *queue.Event, d *queue.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = append(w.dead, d.Reason)
}

func (w *watcher) Evicted(_ string, enough int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.enough = append(w.enough, enough)
}

func (w *watcher) Conflicted(string, queue.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conflicts++
}

// see runs a function that reads what the watcher has counted.
func (w *watcher) see(read func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	read()
}

// newEvent returns an event of a source for some of its routes.
func newEvent(t *testing.T, source string, routes ...string) *queue.Event {
	t.Helper()
	id, err := queue.NewID()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	e := &queue.Event{
		ID: id, Source: source, Provider: "custom", ReceivedAt: now,
		Request: &queue.Request{Method: "POST", URI: "/", Body: []byte(id.String())},
	}
	e.SetRoutes(routes, now)
	return e
}

// eventually waits for a condition, for ten seconds of the bubble's time at most.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	synctest.Wait()
	for end := time.Now().Add(10 * time.Second); !done(); pass(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waiting for %s", what)
		}
	}
}

// app is a destination that records which events it got.
type app struct {
	mu      sync.Mutex
	got     []queue.ID
	running map[queue.ID]bool
	most    int // attempts at once
	twice   int // attempts that began while one of the same event ran

	answer func(ctx context.Context, e *queue.Event, attempt int) queue.Result
}

func (a *app) deliver(ctx context.Context, e *queue.Event, attempt int) queue.Result {
	a.mu.Lock()
	if a.running == nil {
		a.running = make(map[queue.ID]bool)
	}
	if a.running[e.ID] {
		a.twice++
	}
	a.got = append(a.got, e.ID)
	a.running[e.ID] = true
	a.most = max(a.most, len(a.running))
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.running, e.ID)
		a.mu.Unlock()
	}()
	if a.answer == nil {
		return queue.Result{Outcome: queue.Succeeded, Status: 200}
	}
	return a.answer(ctx, e, attempt)
}

func (a *app) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.got)
}

// route returns a route to the app.
func (a *app) route() *queue.Route {
	return &queue.Route{
		Deliver: a.deliver, Concurrency: 8, Timeout: 10 * time.Second,
		Retry: backoff(time.Hour, time.Millisecond, 10*time.Millisecond),
	}
}

func backoff(lasts, first, longest time.Duration) queue.Backoff {
	return queue.Backoff{For: lasts, First: first, Max: longest}
}

// gate lets nobody pass until it is opened.
type gate chan struct{}

func (g gate) open() { close(g) }

func (g gate) pass(ctx context.Context, _ *queue.Event, _ int) queue.Result {
	select {
	case <-g:
		return queue.Result{Outcome: queue.Succeeded, Status: 200}
	case <-ctx.Done():
		return queue.Result{Outcome: queue.Interrupted}
	}
}

func TestParkedDeliveriesGoOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		id := s.append(newEvent(t, "shop", "app"))
		var other app
		s.Attach(s.config(map[string]*queue.Source{"shop": {Routes: map[string]*queue.Route{"other": other.route()}}}))
		next := s.append(newEvent(t, "shop", "app", "other"))
		eventually(t, "the delivery to the route that is there", func() bool {
			return s.get(next).Delivery("other").State == queue.Delivered
		})
		e := s.get(id)
		if state := s.State(e, e.Delivery("app")); state != queue.Parked {
			t.Errorf("delivery to a route that is not there is %s", state)
		}

		door := make(gate)
		a := app{answer: door.pass}
		s.attach(a.route())
		eventually(t, "attempts", func() bool { return a.count() == 2 })
		if state := s.State(e, e.Delivery("app")); state != queue.Delivering {
			t.Errorf("delivery is %s while an attempt runs", state)
		}
		door.open()
		for _, id := range []queue.ID{id, next} {
			e := s.ended(id)
			if state := s.State(e, e.Delivery("app")); state != queue.Delivered {
				t.Errorf("delivery is %s at the end", state)
			}
		}
	})
}

func TestAttachWhileAttemptsRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const events = 200
		s := newSetup(t, new(backend))
		a := app{answer: func(context.Context, *queue.Event, int) queue.Result {
			time.Sleep(3 * time.Millisecond)
			return queue.Result{Outcome: queue.Succeeded}
		}}
		s.attach(a.route())
		var appending sync.WaitGroup
		for range 4 {
			appending.Go(func() {
				for range events / 4 {
					if err := s.Append(context.Background(), newEvent(t, "shop", "app")); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for i := 0; i < 30 || a.count() < events && i < 3000; i++ {
			s.attach(a.route())
			time.Sleep(2 * time.Millisecond)
		}
		appending.Wait()
		eventually(t, "all deliveries", func() bool {
			return s.Usage().Deliveries[queue.RouteKey{Source: "shop", Route: "app"}][queue.Delivered] == events
		})
		if a.count() != events || a.twice != 0 {
			t.Errorf("%d attempts at %d events, %d of them at once", a.count(), events, a.twice)
		}
		// Attempts that began under an earlier configuration count.
		if a.most > 8 {
			t.Errorf("%d attempts at once, 8 are allowed", a.most)
		}
	})
}

func TestAttachChangesHandler(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		door := make(gate)
		before, after := app{answer: door.pass}, app{}
		s.attach(before.route())
		first := s.append(newEvent(t, "shop", "app"))
		eventually(t, "the first attempt", func() bool { return before.count() == 1 })
		s.attach(after.route())
		s.ended(s.append(newEvent(t, "shop", "app")))
		if before.count() != 1 || after.count() != 1 {
			t.Errorf("the old handler made %d attempts, the new one %d", before.count(), after.count())
		}
		door.open()
		if e := s.ended(first); e.Delivery("app").State != queue.Delivered {
			t.Errorf("outcome of the old handler's attempt: %+v", e.Deliveries)
		}
		if after.count() != 1 {
			t.Error("the new handler delivered an event again that the old one had")
		}
		if n := s.backend.applied.Load(); n != 2 {
			t.Errorf("backend was applied %d times", n)
		}
	})
}

// A handler is not used any more that was replaced between the claim and the attempt:
// its configuration may be cleaned up.
func TestAttachDuringClaim(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		claimed, goOn := make(chan struct{}), make(chan struct{})
		var claims atomic.Int32
		b := &backend{wrap: func(s queue.Store) queue.Store {
			return &faulty{Store: s, claimed: func() {
				if claims.Add(1) == 1 {
					close(claimed)
					<-goOn
				}
			}}
		}}
		s := newSetup(t, b)
		var before, after app
		id := s.append(newEvent(t, "shop", "app"))
		s.attach(before.route())
		<-claimed
		s.attach(after.route())
		close(goOn)
		s.ended(id)
		if before.count() != 0 || after.count() != 1 {
			t.Errorf("the old handler made %d attempts, the new one %d", before.count(), after.count())
		}
	})
}

func TestDetachOfAnOlderConfigurationDoesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var a app
		older := s.attach(a.route())
		s.attach(a.route())
		s.Detach(older)
		s.ended(s.append(newEvent(t, "shop", "app")))
	})
}

// A reload that fails half-way attaches its configuration and detaches it
// again; the one before was never detached.
func TestDetachFallsBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var before, failed app
		older := s.attach(before.route())
		s.Detach(s.attach(failed.route()))
		s.ended(s.append(newEvent(t, "shop", "app")))
		if before.count() != 1 || failed.count() != 0 {
			t.Errorf("the configuration before made %d attempts, the failed one %d", before.count(), failed.count())
		}
		s.Detach(older)
		s.append(newEvent(t, "shop", "app"))
		pass(5 * time.Second)
		if before.count() != 1 {
			t.Error("an event was delivered after the last Detach")
		}
	})
}

func TestDetachWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		door := make(gate)
		a := app{answer: door.pass}
		cfg := s.attach(a.route())
		id := s.append(newEvent(t, "shop", "app"))
		eventually(t, "the attempt", func() bool { return a.count() == 1 })
		time.AfterFunc(50*time.Millisecond, door.open)
		s.Detach(cfg)
		if d := s.get(id).Delivery("app"); d.State != queue.Delivered || d.Attempts != 1 {
			t.Errorf("after Detach: %+v", d)
		}
		last := s.append(newEvent(t, "shop", "app"))
		pass(5 * time.Second)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Append(t.Context(), newEvent(t, "shop", "app")); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("Append after Close: %v", err)
		}
		if a.count() != 1 {
			t.Error("an event was delivered after Detach")
		}

		again := newSetup(t, s.backend)
		again.attach(a.route())
		again.ended(last)
	})
}

func TestDetachInterrupts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), func(p *queue.Timing) { p.Grace = 50 * time.Millisecond })
		var sloppy atomic.Bool
		a := app{answer: func(ctx context.Context, _ *queue.Event, attempt int) queue.Result {
			if sloppy.Load() {
				return queue.Result{Outcome: queue.Succeeded}
			}
			<-ctx.Done()
			return queue.Result{Outcome: queue.Retry, Reason: ctx.Err().Error()}
		}}
		cfg := s.attach(a.route())
		id := s.append(newEvent(t, "shop", "app"))
		due := s.get(id).Delivery("app").Due
		eventually(t, "the attempt", func() bool { return a.count() == 1 })
		s.Detach(cfg)
		if d := s.get(id).Delivery("app"); d.State != queue.Pending || d.Attempts != 0 || !d.Due.Equal(due) {
			t.Errorf("after an interruption: %+v", d)
		}
		s.watch.see(func() {
			if s.watch.outcomes[queue.Interrupted] != 1 {
				t.Errorf("observed %v", s.watch.outcomes)
			}
		})
		sloppy.Store(true)
		s.Attach(cfg)
		if d := s.ended(id).Delivery("app"); d.State != queue.Delivered || d.Attempts != 1 {
			t.Errorf("after the next attempt: %+v", d)
		}
	})
}

func TestInterruptedByNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := app{answer: func(context.Context, *queue.Event, int) queue.Result {
			return queue.Result{Outcome: queue.Interrupted}
		}}
		s.attach(a.route())
		id := s.append(newEvent(t, "shop", "app"))
		eventually(t, "the requeued delivery", func() bool { return s.get(id).Delivery("app").Due.After(time.Now()) })
		if d := s.get(id).Delivery("app"); d.Attempts != 0 || a.count() != 1 {
			t.Errorf("after %d attempts: %+v", a.count(), d)
		}
	})
}

func TestListAndGauges(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.Attach(s.config(map[string]*queue.Source{"login": {Window: time.Hour, Entries: 10}}))
		for i := range 3 {
			flight, _, err := s.Enter(t.Context(), "login", queue.DedupKey{byte(i)}, 0)
			if err != nil {
				t.Fatal(err)
			}
			flight.Keep(queue.ID{}, time.Now().Add(time.Hour))
		}
		if n := s.Remembered()["login"]; n != 3 {
			t.Errorf("%d dedup entries", n)
		}
		want := s.append(newEvent(t, "shop", "app"))
		var got []queue.ID
		err := s.List(t.Context(), queue.ID{}, func(e *queue.Event) bool {
			got = append(got, e.ID)
			return true
		})
		if err != nil || fmt.Sprint(got) != fmt.Sprint([]queue.ID{want}) {
			t.Errorf("listed %v, %v", got, err)
		}
	})
}

func TestOldest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		door := make(gate)
		a := app{answer: door.pass}
		s.attach(a.route())
		old := newEvent(t, "shop", "app", "gone")
		s.append(old)
		pass(50 * time.Millisecond)
		s.append(newEvent(t, "shop", "app", "gone"))
		ages := s.Oldest(t.Context())
		for route, state := range map[string]queue.DeliveryState{"app": queue.Pending, "gone": queue.Parked} {
			age := ages[queue.RouteKey{Source: "shop", Route: route}]
			if since := old.ReceivedAt.Sub(age.Since); age.State != state || since < 0 || since > 40*time.Millisecond {
				t.Errorf("%s: %+v, want %s since %v", route, age, state, old.ReceivedAt)
			}
		}
		pass(time.Second)
		door.open()
		var after []time.Duration
		eventually(t, "deliveries", func() bool {
			s.watch.see(func() { after = slices.Clone(s.watch.delivered) })
			return len(after) == 2
		})
		if slices.Sort(after); !slices.Equal(after, []time.Duration{time.Second, time.Second + 50*time.Millisecond}) {
			t.Errorf("delivered after %v", after)
		}
		if len(s.Oldest(t.Context())) != 2 {
			t.Error("the store is asked each time")
		}
	})
}
