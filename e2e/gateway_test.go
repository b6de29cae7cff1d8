// Package e2e drives the gateway from outside: a real Caddy process over real
// TLS, real files, real upstreams and real signals.
package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-webhook-gateway/caddy-webhook-gateway"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/queuetest"
)

// asCaddy makes the test binary the gateway's Caddy, so that whatever it was
// built with, the race detector say, runs in the process that is tested.
const asCaddy = "GATEWAY_E2E_CADDY"

func TestMain(m *testing.M) {
	if os.Getenv(asCaddy) != "" {
		caddycmd.Main()
		return
	}
	status := m.Run()
	printFigures()
	os.Exit(status)
}

// patience is how long a test waits for something that must happen.
const patience = 20 * time.Second

// gateway is a Caddy with the gateway, in a directory of its own.
type gateway struct {
	t      *testing.T
	dir    string
	admin  string // host:port
	https  string // host:port of the site
	http   string // host:port for plain HTTP
	config string // path of the Caddyfile
	env    []string
	files  []*os.File // that the process inherits, from number 3 on
	cmd    *exec.Cmd
	exited chan struct{}
	log    *buffer
	client *http.Client
}

// preamble is the global block of every test. %[1]s is the directory, %[2]s
// the admin address, %[3]s more options.
const preamble = `{
	admin %[2]s
	local_certs
	skip_install_trust
	auto_https disable_redirects
	default_bind 127.0.0.1
	storage file_system %[1]s/caddy
	log {
		level DEBUG
	}
	webhook_gateway {
		%[3]s
	}
}
`

// queueIn is the usual content of the global webhook_gateway block.
const queueIn = `queue disk {
	path {$GATEWAY_DIR}/queue
}`

// newGateway prepares a gateway without starting it. In the Caddyfile, {$HTTPS}
// and {$HTTP} are the addresses of its sites, {$GATEWAY_DIR} its directory.
func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir(), admin: freeAddress(t), https: freeAddress(t), http: freeAddress(t), log: new(buffer)}
	g.config = filepath.Join(g.dir, "Caddyfile")
	g.env = append(os.Environ(), asCaddy+"=1", "GATEWAY_DIR="+g.dir,
		"HTTPS=https://"+g.https, "HTTP=http://"+g.http, "XDG_CONFIG_HOME="+g.dir, "XDG_DATA_HOME="+g.dir,
		"GORACE=atexit_sleep_ms=0")
	t.Cleanup(func() {
		g.stop()
		if race := ownRace(g.log.String()); race != "" {
			t.Errorf("the race detector complained:\n%s", race)
		}
		if t.Failed() {
			t.Logf("gateway's log:\n%s", g.log.tail(6000))
		}
	})
	return g
}

// start runs a gateway with these sites and environment variables.
func start(t *testing.T, sites string, env ...string) *gateway {
	t.Helper()
	g := newGateway(t)
	g.env = append(g.env, env...)
	g.write(queueIn, sites)
	g.run()
	return g
}

// write writes the Caddyfile.
func (g *gateway) write(options, sites string) {
	g.t.Helper()
	content := fmt.Sprintf(preamble, g.dir, g.admin, options) + sites
	if err := os.WriteFile(g.config, []byte(content), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// run starts the process and waits until it serves.
func (g *gateway) run() {
	g.t.Helper()
	g.spawn("run", "--config", g.config)
	g.waitReady()
}

func (g *gateway) waitReady() {
	g.t.Helper()
	eventually(g.t, "the gateway serves", func() bool {
		select {
		case <-g.exited:
			g.t.Fatalf("the gateway exited:\n%s", g.log.tail(4000))
		default:
		}
		resp, err := http.Get("http://" + g.admin + "/config/")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return len(body) > 10
	})
	g.trust()
}

// spawn starts the process.
func (g *gateway) spawn(args ...string) {
	g.t.Helper()
	g.cmd = exec.Command(os.Args[0], args...)
	g.cmd.Env, g.cmd.Dir, g.cmd.ExtraFiles = g.env, g.dir, g.files
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	cmd, exited := g.cmd, make(chan struct{})
	g.exited = exited
	go func() { _ = cmd.Wait(); close(exited) }()
}

// trust makes a client that trusts the gateway's own CA.
func (g *gateway) trust() {
	pool := x509.NewCertPool()
	var ca struct {
		Root string `json:"root_certificate"`
	}
	g.adminJSON(http.MethodGet, "/pki/ca/local", &ca)
	pool.AppendCertsFromPEM([]byte(ca.Root))
	g.client = &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: pool},
			MaxIdleConnsPerHost: 256,
		},
	}
	if content, _ := os.ReadFile(g.config); !bytes.Contains(content, []byte("{$HTTPS}")) && !bytes.Contains(content, []byte(g.https[strings.Index(g.https, ":"):])) {
		return
	}
	eventually(g.t, "the site has its certificate", func() bool {
		conn, err := tls.Dial("tcp", g.https, &tls.Config{RootCAs: pool})
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// stop ends the process as an operator would.
func (g *gateway) stop() {
	if g.cmd == nil {
		return
	}
	if g.client != nil {
		g.client.CloseIdleConnections() // it waits five seconds for new ones
	}
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-g.exited:
	case <-time.After(patience):
		g.kill()
	}
	g.cmd = nil
}

// kill ends the process with SIGKILL.
func (g *gateway) kill() {
	_ = g.cmd.Process.Kill()
	<-g.exited
	g.cmd = nil
}

// command runs a caddy command beside the process and returns what it printed
// and its exit status.
func (g *gateway) command(args ...string) (stdout, stderr string, status int) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env, cmd.Dir = g.env, g.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		g.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// reload loads the Caddyfile as it is now, and returns the error if the gateway
// refuses it.
func (g *gateway) reload() error {
	g.t.Helper()
	_, stderr, status := g.command("reload", "--force", "--config", g.config, "--address", g.admin)
	if status != 0 {
		return fmt.Errorf("reload: exit %d: %s", status, stderr)
	}
	// Those that the servers before had are being closed, and would break a POST.
	g.client.CloseIdleConnections()
	return nil
}

// post posts a body to a path of the TLS site and returns status and body.
func (g *gateway) post(path string, header http.Header, body []byte) (int, string) {
	g.t.Helper()
	resp, err := g.do(http.MethodPost, "https://"+g.https+path, header, bytes.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	return resp.status, resp.body
}

// response is an answer that was read.
type response struct {
	status int
	header http.Header
	body   string
}

// do makes a request. A strings.Reader or bytes.Reader declares its length,
// any other reader is sent in chunks.
func (g *gateway) do(method, target string, header http.Header, body io.Reader) (*response, error) {
	req, err := http.NewRequest(method, target, body)
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header.Clone()
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return &response{resp.StatusCode, resp.Header, string(content)}, err
}

// adminJSON asks the admin API.
func (g *gateway) adminJSON(method, path string, to any) {
	g.t.Helper()
	body := g.adminCall(method, path)
	if err := json.Unmarshal(body, to); err != nil {
		g.t.Fatalf("%s %s: %v in %s", method, path, err, body)
	}
}

// adminText asks the admin API for a text.
func (g *gateway) adminText(path string) string {
	g.t.Helper()
	return string(g.adminCall(http.MethodGet, path))
}

func (g *gateway) adminCall(method, path string) []byte {
	g.t.Helper()
	req, err := http.NewRequest(method, "http://"+g.admin+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	var resp *http.Response
	var body []byte
	ask := func() bool {
		if resp, err = http.DefaultClient.Do(req); err == nil {
			defer resp.Body.Close()
			body, err = io.ReadAll(resp.Body)
		}
		return err == nil
	}
	if method == http.MethodGet {
		eventually(g.t, "the admin endpoint answers", ask) // each reload replaces it
	} else if !ask() {
		g.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		g.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, body)
	}
	return body
}

// events lists the events in the queue, newest first.
func (g *gateway) events(filter url.Values) []operate.EventInfo {
	g.t.Helper()
	if filter == nil {
		filter = url.Values{}
	}
	if filter.Get("limit") == "" {
		filter.Set("limit", "100000")
	}
	var list struct{ Events []operate.EventInfo }
	g.adminJSON(http.MethodGet, "/webhook_gateway/events?"+filter.Encode(), &list)
	return list.Events
}

// metric returns the sum of metrics, all from one scrape. A name is written as in the
// exposition format: name{label="value",…} with the labels sorted. A metric that is not
// there is 0.
func (g *gateway) metric(names ...string) (sum float64) {
	g.t.Helper()
	for line := range strings.Lines(g.adminText("/metrics")) {
		for _, name := range names {
			if rest, ok := strings.CutPrefix(line, name+" "); ok {
				var value float64
				if _, err := fmt.Sscan(rest, &value); err != nil {
					g.t.Fatal(err)
				}
				sum += value
			}
		}
	}
	return sum
}

var eventually = queuetest.Eventually

// nextPort is below the ports that outgoing connections get, so that none of
// those takes an address between its choice and its use.
var nextPort atomic.Int32

func init() { nextPort.Store(10_000 + rand.Int32N(20_000)) }

// freeAddress returns a loopback address that nobody listened on just now.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 1000 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", nextPort.Add(1)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no address is free")
	return ""
}

// buffer is an output that may be read while it is written.
type buffer struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.String()
}

// tail returns the last n bytes.
func (b *buffer) tail(n int) string {
	s := b.String()
	return s[max(0, len(s)-n):]
}
