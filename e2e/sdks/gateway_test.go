package sdks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long the test waits for something that must happen.
const patience = time.Minute

// gateway is a Caddy with the gateway, built from the parent module.
type gateway struct {
	t       *testing.T
	caddy   string // the program
	dir     string
	admin   string // host:port
	address string // host:port of its sources
	log     bytes.Buffer
}

// build builds Caddy with the gateway.
func build(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir(), admin: freeAddress(t), address: freeAddress(t)}
	g.caddy = filepath.Join(g.dir, "caddy")
	cmd := exec.Command("go", "build", "-o", g.caddy, "./cmd/caddy")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building Caddy: %v\n%s", err, out)
	}
	return g
}

// run starts it with these sources, and stops it when the test ends.
func (g *gateway) run(sources string) {
	g.t.Helper()
	config := filepath.Join(g.dir, "Caddyfile")
	content := fmt.Sprintf("{\n\tadmin %s\n\tdefault_bind 127.0.0.1\n\tstorage file_system %s\n\twebhook_gateway {\n\t\tqueue disk {\n\t\t\tpath %s\n\t\t}\n\t}\n}\n\nhttp://%s {\n%s}\n",
		g.admin, g.dir+"/storage", g.dir+"/queue", g.address, sources)
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		g.t.Fatal(err)
	}
	cmd := exec.Command(g.caddy, "run", "--config", config)
	cmd.Env, cmd.Stdout, cmd.Stderr = g.environ(), &g.log, &g.log
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	g.t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections() // Caddy waits for them
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-exited:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-exited
		}
		if g.t.Failed() {
			g.t.Logf("the gateway's log ends:\n%s", tail(g.log.String(), 4000))
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		select {
		case <-exited:
			g.t.Fatalf("the gateway exited:\n%s", tail(g.log.String(), 4000))
		default:
		}
		conn, err := net.Dial("tcp", g.address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("the gateway does not serve: %v", err)
		}
	}
}

func (g *gateway) environ() []string {
	return append(os.Environ(), "XDG_CONFIG_HOME="+g.dir, "XDG_DATA_HOME="+g.dir)
}

// webhook runs a caddy webhook command, and returns what it prints.
func (g *gateway) webhook(args ...string) ([]byte, error) {
	cmd := exec.Command(g.caddy, append([]string{"webhook"}, args...)...)
	cmd.Env = g.environ()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("caddy webhook %s: %v: %s%s", strings.Join(args, " "), err, &out, &errs)
	}
	return out.Bytes(), nil
}

// post posts a webhook to where its URL says.
func (g *gateway) post(m *message) (status int, answer string, err error) {
	req, err := http.NewRequest(m.Method, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return 0, "", err
	}
	req.Header = m.header()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// event is an event as the admin API shows it.
type event struct {
	ID         string `json:"id"`
	Type       string `json:"event"`
	DeliveryID string `json:"delivery_id"`
}

// events returns the events of a source, newest first.
func (g *gateway) events(source string) (events []event, err error) {
	resp, err := http.Get("http://" + g.admin + "/webhook_gateway/events?limit=10000&source=" + url.QueryEscape(source))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the events of %s: %s", source, resp.Status)
	}
	var list struct{ Events []event }
	err = json.NewDecoder(resp.Body).Decode(&list)
	return list.Events, err
}

// app keeps the webhooks that it gets, by path.
type app struct {
	address string
	mu      sync.Mutex
	got     map[string]chan *message
}

func newApp(t *testing.T) *app {
	a := &app{got: make(map[string]chan *message)}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.address = strings.TrimPrefix(server.URL, "http://")
	return a
}

func (a *app) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	m := &message{Method: r.Method, URL: "http://" + a.address + r.RequestURI, Header: make(map[string]string), Body: body}
	for name, values := range r.Header {
		m.set(name, strings.Join(values, ", "))
	}
	a.at(r.URL.Path) <- m
}

func (a *app) at(path string) chan *message {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.got[path] == nil {
		a.got[path] = make(chan *message, 1000)
	}
	return a.got[path]
}

// next returns the next webhook that comes to a path.
func (a *app) next(path string) (*message, error) {
	select {
	case m := <-a.at(path):
		return m, nil
	case <-time.After(patience):
		return nil, fmt.Errorf("nothing came to the app at %s", path)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func tail(text string, n int) string { return text[max(0, len(text)-n):] }
