package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-webhook-gateway/caddy-webhook-gateway"
)

// asServer makes this program the Caddy that it measures.
const asServer = "WEBHOOK_GATEWAY_BENCH_SERVER"

const (
	acceptSource  = "accepting"
	deliverSource = "delivering"
)

// rules are ten routes such as a signing app has. None takes the webhooks that
// the client posts. [UPSTREAM] gets nothing by them.
const rules = `
		route declined  ` + "`event == \"document.declined\"`" + ` [UPSTREAM]
		route expired   ` + "`event == \"document.expired\"`" + ` [UPSTREAM]
		route voided    ` + "`event in [\"document.voided\", \"document.deleted\"]`" + ` [UPSTREAM]
		route signers   ` + "`event startsWith \"signer.\"`" + ` [UPSTREAM]
		route templates ` + "`event matches \"^template[.](created|updated)$\"`" + ` [UPSTREAM]
		route tests     ` + "`headers[\"user-agent\"] contains \"test\"`" + ` [UPSTREAM]
		route staging   ` + "`header(\"X-InSigner-Environment\") == \"staging\"`" + ` [UPSTREAM]
		route leases    ` + "`event == \"document.completed\" && body.data.document.title startsWith \"Lease\"`" + ` [UPSTREAM]
		route old       ` + "`body.api_version < \"2025-01-01\"`" + ` [UPSTREAM]
		route failed    ` + "`body.data.document.status in [\"failed\", \"blocked\"]`" + ` [UPSTREAM]
`

// caddyfile has both pairs of sites. Words in brackets are replaced.
const caddyfile = `{
	admin [ADMIN]
	auto_https off
	persist_config off
	default_bind 127.0.0.1
	storage file_system [DIR]/caddy
	log {
		level WARN
	}
	webhook_gateway {
		queue disk {
			path [DIR]/queue
		}
	}
}

http://[RESPOND] {
	respond 200
}

http://[ACCEPT] {
	webhook_gateway {
		source [ACCEPTING]
		provider insigner [SECRET]
		insecure_http
` + rules + `
	}
}

http://[PROXY] {
	reverse_proxy [UPSTREAM]
}

http://[DELIVER] {
	webhook_gateway {
		source [DELIVERING]
		provider insigner [SECRET]
		insecure_http
` + rules + `
		otherwise [UPSTREAM]
	}
}
`

// server is the Caddy that is measured, in a process and a directory of its own.
type server struct {
	dir   string
	admin string
	// The addresses of the sites.
	respond, accept, proxy, deliver string

	cmd    *exec.Cmd
	stdin  io.Closer
	log    bytes.Buffer
	exited chan error
}

// serve is what the server's process does. It ends with the benchmark,
// whatever that ends by.
func serve() {
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	caddycmd.Main()
}

// startServer starts the server and waits until it serves.
func startServer(parent, upstream string) (s *server, err error) {
	s = &server{exited: make(chan error, 1)}
	if s.dir, err = os.MkdirTemp(parent, "webhook-gateway-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(s.dir))
		}
	}()
	for _, address := range []*string{&s.admin, &s.respond, &s.accept, &s.proxy, &s.deliver} {
		if *address, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	config := filepath.Join(s.dir, "Caddyfile")
	content := strings.NewReplacer("[DIR]", s.dir, "[ADMIN]", s.admin, "[RESPOND]", s.respond, "[ACCEPT]", s.accept,
		"[PROXY]", s.proxy, "[DELIVER]", s.deliver, "[UPSTREAM]", upstream, "[SECRET]", secret,
		"[ACCEPTING]", acceptSource, "[DELIVERING]", deliverSource).Replace(caddyfile)
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		return nil, err
	}
	return s, s.start(config)
}

func (s *server) start(config string) error {
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	s.cmd = exec.Command(executable, "run", "--config", config)
	s.cmd.Env = append(os.Environ(), asServer+"=1")
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() { s.exited <- s.cmd.Wait() }()
	for range 500 {
		select {
		case err := <-s.exited:
			return fmt.Errorf("starting Caddy: %v\n%s", err, s.log.Bytes())
		case <-time.After(20 * time.Millisecond):
		}
		if conn, err := net.Dial("tcp", s.deliver); err == nil {
			return conn.Close()
		}
	}
	return errors.Join(errors.New("starting Caddy: it does not serve"), s.end())
}

// stop ends the server and removes its directory.
func (s *server) stop() error { return errors.Join(s.end(), os.RemoveAll(s.dir)) }

func (s *server) end() error {
	s.stdin.Close()
	select {
	case <-s.exited:
	case <-time.After(5 * time.Second):
		return s.cmd.Process.Kill()
	}
	return nil
}

// stored asks for the number of events that a source has in the queue.
func (s *server) stored(source string) (int, error) {
	n, err := s.metric(`caddy_webhook_gateway_queue_events{source="` + source + `",`)
	return int(n), err
}

// cpu asks for the CPU time that the server has used.
func (s *server) cpu() (time.Duration, error) {
	seconds, err := s.metric("process_cpu_seconds_total ")
	return time.Duration(seconds * float64(time.Second)), err
}

// metric returns the sum of those metrics whose line has the prefix.
func (s *server) metric(prefix string) (sum float64, err error) {
	resp, err := http.Get("http://" + s.admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), prefix) {
			continue
		}
		fields := strings.Fields(lines.Text())
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return 0, err
		}
		sum += value
	}
	return sum, lines.Err()
}

// cpuProfile writes a CPU profile of the server to a file.
func (s *server) cpuProfile(path string, length time.Duration) error {
	resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", s.admin, max(1, length.Seconds())))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("profiling: %s", resp.Status)
	}
	return os.WriteFile(path, content, 0o644)
}

// syncTime returns the median time that a synced write takes in a directory.
func syncTime(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	times := make([]time.Duration, 50)
	for i := range times {
		began := time.Now()
		if _, err := f.Write(make([]byte, 4<<10)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times[i] = time.Since(began)
	}
	slices.Sort(times)
	return times[len(times)/2].Round(10 * time.Microsecond), nil
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
