package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// strangers attack a gateway from an address of their own, with so many connections
// of each kind, until they are called off.
type strangers struct {
	g        *gateway
	each     int
	quit     chan struct{}
	work     sync.WaitGroup
	requests atomic.Int64
}

// The body that a stranger sends whole: JSON of many names. Its size is what the
// presets take by default.
var manyNames = sync.OnceValue(func() []byte {
	var body bytes.Buffer
	body.WriteByte('{')
	for i := 0; body.Len() < 10<<20-64; i++ {
		fmt.Fprintf(&body, `"%x":0,`, i)
	}
	body.WriteString(`"z":0}`)
	return body.Bytes()
})

// attack starts all kinds of requests.
func attack(g *gateway, each int) *strangers {
	s := &strangers{g: g, each: each, quit: make(chan struct{})}
	g.t.Cleanup(s.callOff)
	signature := "X-InSigner-Signature: sha256=" + strings.Repeat("0", 64) + "\r\n"
	token := func(n int) string {
		return fmt.Sprintf(`{"appId":"app-1","appEnv":"TEST","topic":"T","action":"A","msgNature":"SUCCESS","verificationToken":"junk-%d"}`, n)
	}
	address := 2
	kind := func(run func(conn net.Conn, n int) error) {
		for i := range each {
			s.start(fmt.Sprintf("127.0.0.%d", address), i, run)
		}
		address++
	}
	// A body that does not come, with and without what its proof needs.
	kind(func(conn net.Conn, _ int) error { return s.stall(conn, "/hook", signature, 1<<20, 0) })
	kind(func(conn net.Conn, _ int) error { return s.stall(conn, "/hook", "", 1<<20, 1) })
	// A body that stops half-way.
	kind(func(conn net.Conn, _ int) error { return s.stall(conn, "/hook", signature, 2<<20, 1<<20) })
	kind(func(conn net.Conn, _ int) error { return s.stall(conn, "/graph", "", 10<<20, 5<<20) })
	// A body that is whole, and costs something to read.
	kind(func(conn net.Conn, _ int) error { return s.post(conn, "/graph", "", manyNames()) })
	// Small ones, one after the other, to a source that holds events.
	kind(func(conn net.Conn, n int) error { return s.post(conn, "/ignisign", "", []byte(token(n))) })
	kind(func(conn net.Conn, _ int) error { return s.post(conn, "/hook", signature, []byte(`{"id":"1"}`)) })
	return s
}

// start sends requests over connections from an address, one after the other.
func (s *strangers) start(from string, i int, run func(conn net.Conn, n int) error) {
	s.work.Go(func() {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
		for n := i << 20; !s.calledOff(); {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			conn, err := (&tls.Dialer{NetDialer: &dialer, Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", s.g.https)
			cancel()
			if err != nil {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			stop := context.AfterFunc(s.context(), func() { conn.Close() })
			for err == nil && !s.calledOff() {
				err = run(conn, n)
				n++
				s.requests.Add(1)
			}
			stop()
			conn.Close()
		}
	})
}

func (s *strangers) calledOff() bool {
	select {
	case <-s.quit:
		return true
	default:
		return false
	}
}

// context ends when the strangers are called off.
func (s *strangers) context() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-s.quit; cancel() }()
	return ctx
}

// stall announces a body, sends a part of it and waits for whatever comes.
func (s *strangers) stall(conn net.Conn, path, header string, announced, sent int64) error {
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", path, s.g.https, header, announced); err != nil {
		return err
	}
	if _, err := io.CopyN(conn, zeros{}, sent); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, conn)
	if err == nil {
		err = io.EOF
	}
	return err
}

// post sends a whole request and reads the answer's first part.
func (s *strangers) post(conn net.Conn, path, header string, body []byte) error {
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", path, s.g.https, header, len(body)); err != nil {
		return err
	}
	if _, err := conn.Write(body); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 4<<10))
	return err
}

// callOff ends all requests.
func (s *strangers) callOff() {
	if !s.calledOff() {
		close(s.quit)
	}
	s.work.Wait()
}

// TestFaultStrangers has strangers do all that they can do without a secret,
// against three sources, while genuine webhooks come in to each of them. No genuine
// one is refused or lost.
func TestFaultStrangers(t *testing.T) {
	if !*full {
		t.Parallel()
	}
	app := newInbox(t)
	api := newApp(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, `{"isValid":%v,"notFound":%[2]v}`, bytes.Contains(body, []byte("good")), !bytes.Contains(body, []byte("good")))
	})
	other := newApp(t, nil)
	g := start(t, fmt.Sprintf("{$HTTPS} {\n webhook_gateway /hook {\n provider insigner %s\n route app %s%s\n}\n", insignerSecret, app.address, quick)+
		" webhook_gateway /graph {\n provider microsoft_graph client-state-of-ours\n dedup off\n route app "+other.address+"\n}\n"+
		ignisignSource("ignisign", other.address, api, "")+"respond 404\n}\n")
	baseline := g.resident()
	s := attack(g, rounds(10, 200))
	eventually(t, "the strangers are at work", func() bool { return s.requests.Load() > int64(s.each) })

	var most atomic.Int64
	watching := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-watching:
				return
			case <-time.After(100 * time.Millisecond):
				most.Store(max(most.Load(), g.resident()))
			}
		}
	})
	l := g.underLoad("genuine", 4)
	graph := g.underLoadOf("graph", 2, func(id string) (*response, error) {
		resp, err := g.do(http.MethodPost, "https://"+g.https+"/graph", jsonHeader(), strings.NewReader(`{"value":[{"id":"`+id+`","clientState":"client-state-of-ours"}]}`))
		return asOK(resp), err
	})
	held := g.underLoadOf("good", 1, func(id string) (*response, error) {
		return g.do(http.MethodPost, "https://"+g.https+"/ignisign", jsonHeader(), strings.NewReader(
			`{"appId":"app-1","appEnv":"TEST","topic":"T","action":"A","msgNature":"SUCCESS","verificationToken":"`+id+`"}`))
	})
	began := time.Now()
	for time.Since(began) < time.Duration(rounds(3, 60))*time.Second {
		time.Sleep(100 * time.Millisecond)
	}
	taken := len(graph.stop()) + len(held.stop())
	busy := graph.busy + held.busy
	l.stop()
	s.callOff()
	close(watching)
	watch.Wait()
	if len(graph.other) > 0 || len(held.other) > 0 {
		t.Errorf("genuine webhooks were answered with %v, %v", graph.other, held.other)
	}
	app.account(t, g, l, figures{fault: fmt.Sprintf("strangers, %d connections of each kind", s.each), times: int(s.requests.Load())})
	other.waitFor(t, taken)
	if l.busy+busy > 0 {
		t.Errorf("%d genuine webhooks were refused with 503", l.busy+busy)
	}
	t.Logf("%d genuine webhooks to the attacked sources beside %d requests of strangers; memory %d MiB at first, %d MiB at most",
		len(l.acked)+taken, s.requests.Load(), baseline>>20, most.Load()>>20)
	if *full && most.Load() > 400<<20 {
		t.Errorf("the gateway took %d MiB of memory", most.Load()>>20)
	}
}

// asOK makes the answer that a provider wants a plain 200.
func asOK(resp *response) *response {
	if resp != nil && resp.status == http.StatusAccepted {
		resp.status = http.StatusOK
	}
	return resp
}

// resident returns how many bytes of memory the process has that are no file's.
func (g *gateway) resident() int64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(content)) {
		if value, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			var kib int64
			fmt.Sscan(value, &kib)
			return kib << 10
		}
	}
	return 0
}
