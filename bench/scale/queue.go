package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/bench/internal/rig"
)

const source = "scale"

// caddyfile has the source whose events wait. They are tried again soon, so that
// the time until the next attempt does not count as time of the delivery. What
// was delivered is kept for as long as it says.
const caddyfile = `{
	admin [ADMIN]
	auto_https off
	persist_config off
	default_bind 127.0.0.1
	storage file_system [DIR]/caddy
	log {
		level ERROR
	}
	webhook_gateway {
		queue disk {
			path [DIR]/queue
		}
		retain %s
	}
}

http://[SITE] {
	webhook_gateway {
		source ` + source + `
		provider insigner [SECRET]
		insecure_http
		route app [APP] {
			retry 72h 250ms 1s
		}
	}
}
`

var (
	keeping = fmt.Sprintf(caddyfile, "72h")
	passing = fmt.Sprintf(caddyfile, "1ms")
)

// queue is a gateway with a queue, an app that may be down, and a client.
type queue struct {
	*scale
	server *rig.Server
	client *rig.Client
	app    *rig.Upstream // nil while it is down
}

func (s *scale) newQueue() (*queue, error) {
	server, err := rig.NewServer(s.dir, "APP", "SITE")
	if err != nil {
		return nil, err
	}
	q := &queue{scale: s, server: server, client: rig.NewClient(rig.Load{Connections: s.connections})}
	if err := server.Start(keeping); err != nil {
		return nil, errors.Join(err, q.remove())
	}
	return q, nil
}

func (q *queue) remove() error {
	q.client.Close()
	if q.app != nil {
		q.app.Close()
	}
	return q.server.Remove()
}

func (q *queue) raiseApp() (err error) {
	q.app, err = rig.NewUpstream(q.server.Sites["APP"])
	return err
}

// post posts webhooks for a turn.
func (q *queue) post(ctx context.Context) (rig.Turn, error) {
	return q.client.Post(ctx, q.server.Sites["SITE"], q.turn)
}

// accepted returns how many events there are.
func (q *queue) accepted() int { return q.client.Answered[q.server.Sites["SITE"]] }

// pass posts webhooks for a turn. It ends when the app has got them all.
func (q *queue) pass(ctx context.Context) (rig.Turn, error) {
	began := time.Now()
	t, err := q.post(ctx)
	if err == nil {
		err = q.app.WaitFor(ctx, int64(q.accepted()))
	}
	t.Took = time.Since(began)
	return t, err
}

// fill fills the queue.
func (q *queue) fill(ctx context.Context, f *figures) error {
	defer q.watch(&f.memory.filling)()
	_, err := q.client.PostCount(ctx, q.server.Sites["SITE"], f.events)
	if err != nil {
		return err
	}
	f.peak, err = q.server.Disk()
	return err
}

// accept measures how fast a full queue takes more, by turns with an empty one.
func (s *scale) accept(ctx context.Context, f *figures) (err error) {
	q, err := s.newQueue()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.remove()) }()
	if _, err := q.client.PostCount(ctx, q.server.Sites["SITE"], f.events); err != nil {
		return err
	}
	defer q.watch(&f.memory.filling)()
	var full, empty, ratios []float64
	for range q.rounds {
		perSecond, err := q.acceptingEmpty(ctx)
		if err != nil {
			return fmt.Errorf("an empty queue: %w", err)
		}
		wait := q.record("fill")
		turn, err := q.post(ctx)
		if err != nil {
			return err
		}
		wait()
		full, empty = append(full, turn.Rate()), append(empty, perSecond)
		ratios = append(ratios, turn.Rate()/perSecond)
	}
	f.accepting, f.acceptingAt0, f.ratio = rig.Median(full), rig.Median(empty), rig.Median(ratios)
	return nil
}

// restart kills the gateway and measures how long it takes to answer again.
func (q *queue) restart(ctx context.Context, f *figures) error {
	q.client.Close()
	if err := q.server.Kill(); err != nil {
		return err
	}
	began := time.Now()
	if err := q.server.Start(keeping); err != nil {
		return err
	}
	defer q.watch(&f.memory.started)()
	if err := q.client.PostFirst(ctx, q.server.Sites["SITE"]); err != nil {
		return err
	}
	f.start = time.Since(began)
	select { // what the start leaves to do for later counts, too
	case <-time.After(q.turn):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// drain measures how fast everything is delivered once the app is up.
func (q *queue) drain(ctx context.Context, f *figures) error {
	defer q.watch(&f.memory.draining)()
	defer q.record("drain")()
	if err := q.raiseApp(); err != nil {
		return err
	}
	if err := q.app.WaitFor(ctx, 1); err != nil {
		return err
	}
	began := time.Now()
	if err := q.app.WaitFor(ctx, int64(q.accepted())); err != nil {
		return err
	}
	f.delivering = float64(q.accepted()) / time.Since(began).Seconds()
	// The last outcomes are still being recorded.
	if err := q.until(ctx, `caddy_webhook_gateway_queue_deliveries{route="app",source="`+source+`",state="delivered"}`, q.accepted()); err != nil {
		return err
	}
	var err error
	f.drained, err = q.server.Disk()
	return err
}

// clear has the gateway forget what was delivered, and measures the space that
// the queue takes after the next start.
func (q *queue) clear(ctx context.Context, f *figures) error {
	if err := q.server.Load(passing); err != nil {
		return err
	}
	if err := q.until(ctx, `caddy_webhook_gateway_queue_events{`, 0); err != nil {
		return err
	}
	if err := q.server.Stop(); err != nil {
		return err
	}
	if err := q.server.Start(passing); err != nil {
		return err
	}
	if err := q.client.PostFirst(ctx, q.server.Sites["SITE"]); err != nil {
		return err
	}
	var err error
	f.started, err = q.server.Disk()
	return err
}

// until waits until the metrics whose line has the prefix add up to a number.
func (q *queue) until(ctx context.Context, prefix string, want int) error {
	for {
		n, err := q.server.Metric(prefix)
		if err == nil && int(n) == want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s is %d, not %.0f: %w", prefix, want, n, errors.Join(err, ctx.Err()))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// watch notes the most memory that the gateway takes until it is stopped.
func (q *queue) watch(most *int64) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			if bytes, err := q.server.Memory(); err == nil {
				*most = max(*most, bytes)
			}
			select {
			case <-quit:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() { close(quit); <-done }
}

// record writes a CPU profile of the next turn, if that is asked for.
func (q *queue) record(name string) (wait func()) {
	if q.profile == "" {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := q.server.CPUProfile(q.profile+"."+name, q.turn); err != nil {
			fmt.Println("profiling:", err)
		}
	}()
	return func() { <-done }
}
