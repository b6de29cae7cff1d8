package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/disk"
)

// memory returns how many bytes the gateway has taken from the system. The
// queue's file, which it maps, does not count, nor does what the race detector
// needs.
func (g *gateway) memory() int64 {
	g.t.Helper()
	bytes := g.metric("go_memstats_sys_bytes")
	if bytes == 0 {
		g.t.Fatal("the gateway does not tell how much memory it uses")
	}
	return int64(bytes)
}

// Bodies that come in slowly share one budget. What does not fit is refused,
// and there is space again when the others have gone.
func TestBodiesShareABudget(t *testing.T) {
	g := newGateway(t)
	g.write(queueIn, fmt.Sprintf("{$HTTP} {\n webhook_gateway /hook {\n provider insigner %s\n insecure_http\n max_body 64MB\n route app 127.0.0.1:1\n}\n}\n", insignerSecret))
	g.run()
	before := g.memory()
	const (
		uploads = 24
		size    = 20 << 20 // for which 32 MiB are reserved
		fit     = 256 / 32
	)
	statuses := make(chan int, uploads)
	var sent sync.WaitGroup
	conns := make([]net.Conn, uploads)
	for i := range conns {
		conn, err := net.Dial("tcp", g.http)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns[i] = conn
		go func() { statuses <- answerOn(conn) }()
		sent.Go(func() {
			fmt.Fprintf(conn, "POST /hook HTTP/1.1\r\nHost: %s\r\nX-InSigner-Signature: 00\r\nContent-Length: %d\r\n\r\n", g.http, size)
			_, _ = io.CopyN(conn, zeros{}, size-1) // and then nothing
		})
	}
	sent.Wait()
	for range uploads - fit {
		if status := <-statuses; status != http.StatusServiceUnavailable {
			t.Errorf("an upload beyond the budget is answered with %d, want 503", status)
		}
	}
	grown := (g.memory() - before) >> 20
	t.Logf("%d uploads of %d MiB cost %d MiB", uploads, size>>20, grown)
	if grown > 3*256 { // what buffers have outgrown waits to be collected
		t.Errorf("bodies take %d MiB, thrice the budget", grown)
	}
	for _, conn := range conns {
		conn.Close()
	}
	eventually(t, "there is space again", func() bool {
		resp, err := g.do(http.MethodPost, "http://"+g.http+"/hook", http.Header{"X-Insigner-Signature": {"00"}}, io.LimitReader(zeros{}, size))
		return err == nil && resp.status == http.StatusUnauthorized
	})
}

// answerOn reads the answer on a connection, 0 if there is none.
func answerOn(conn net.Conn) int {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestWaitingEventsLieOnDisk(t *testing.T) {
	t.Parallel()
	const events, size = 50_000, 2 << 10
	release := make(chan struct{})
	app := newApp(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	g := newGateway(t)
	g.write(queueIn, insignerSite(app.address+" {\n concurrency 1\n}", ""))
	g.run()
	g.stop()
	g.run()
	empty := g.memory()
	g.stop()
	fillQueue(t, filepath.Join(g.dir, "queue"), events, size)
	g.run()
	app.waitFor(t, 1)
	if n := g.waiting("insigner", "app"); n != events {
		t.Fatalf("%v deliveries wait, want %d", n, events)
	}
	g.mustSend("one more")
	if n := len(g.events(url.Values{"where": {"source == 'insigner'"}})); n != events+1 {
		t.Errorf("%d events are listed, want %d", n, events+1)
	}
	g.exits(t, 0, fmt.Sprintf("%d deliveries of", events), "drop", "--state", "pending", "--dry-run")
	grown := (g.memory() - empty) >> 20
	t.Logf("%d waiting events of %d bytes cost %d MiB", events, size, grown)
	if grown > 40 {
		t.Errorf("%d waiting events take %d MiB of memory", events, grown)
	}
}

// fillQueue stores events, as a gateway does whose app is down.
func fillQueue(t *testing.T, dir string, events, size int) {
	t.Helper()
	store, err := disk.Open(dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	const writers = 500 // which share commits
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range events / writers {
				if err := appendEvent(store, size); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func appendEvent(store queue.Store, size int) error {
	id, err := queue.NewID()
	if err != nil {
		return err
	}
	now := time.Now()
	event := &queue.Event{ID: id, Source: "insigner", Provider: "insigner", DeliveryID: id.String(), ReceivedAt: now,
		Request: &queue.Request{Method: http.MethodPost, Host: "gateway", URI: "/hook", Body: make([]byte, size)}}
	event.SetRoutes([]string{"app"}, now)
	_, err = store.Append(context.Background(), []*queue.Event{event}, func() {})
	return err
}
