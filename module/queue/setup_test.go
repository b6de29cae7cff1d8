package queue_test

import (
	"context"
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

// appendOne appends an event that is all of its request.
func appendOne(ctx context.Context, e *queue.Engine, ev *queue.Event) error {
	_, err := e.Append(ctx, []*queue.Event{ev})
	return err
}

// append appends an event and returns its ID.
func (s *setup) append(e *queue.Event) queue.ID {
	s.t.Helper()
	if err := appendOne(s.t.Context(), s.Engine, e); err != nil {
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

func (w *watcher) Conflicted(string) {
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
