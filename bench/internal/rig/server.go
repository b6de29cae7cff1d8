// Package rig is what the benchmarks share: the Caddy that is measured, in a
// process of its own, the client that posts webhooks, and the app that gets them.
package rig

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-webhook-gateway/caddy-webhook-gateway"
)

// asServer makes this program the Caddy that it measures.
const asServer = "WEBHOOK_GATEWAY_BENCH_SERVER"

// IsServer reports whether this process is to be the Caddy that is measured.
// Then a program must do nothing but call [Serve].
func IsServer() bool { return os.Getenv(asServer) != "" }

// Serve is what the server's process does. It ends with the benchmark,
// whatever that ends by.
func Serve() {
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	caddycmd.Main()
}

// Server is the Caddy that is measured, in a process and a directory of its own.
type Server struct {
	Dir   string
	Sites map[string]string // addresses by the words that stand for them

	admin   string
	ready   string // a site that answers when all do
	cmd     *exec.Cmd
	running bool
	stdin   io.Closer
	log     bytes.Buffer
	exited  chan error
}

// NewServer makes a server with a directory below parent. Each word gets an
// address that nobody listens on.
func NewServer(parent string, words ...string) (s *Server, err error) {
	s = &Server{Sites: make(map[string]string)}
	if s.admin, err = FreeAddress(); err != nil {
		return nil, err
	}
	for _, word := range words {
		if s.Sites[word], err = FreeAddress(); err != nil {
			return nil, err
		}
		s.ready = s.Sites[word]
	}
	s.Dir, err = os.MkdirTemp(parent, "webhook-gateway-bench-")
	return s, err
}

// config returns a Caddyfile in which words in brackets are replaced: DIR,
// ADMIN, SECRET, and those of the sites.
func (s *Server) config(caddyfile string) string {
	replace := []string{"[DIR]", s.Dir, "[ADMIN]", s.admin, "[SECRET]", Secret}
	for word, address := range s.Sites {
		replace = append(replace, "["+word+"]", address)
	}
	return strings.NewReplacer(replace...).Replace(caddyfile)
}

// Start starts the server with a Caddyfile, and waits until its last site and its admin endpoint serve.
func (s *Server) Start(caddyfile string) error {
	path := filepath.Join(s.Dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(s.config(caddyfile)), 0o600); err != nil {
		return err
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	s.exited = make(chan error, 1)
	s.cmd = exec.Command(executable, "run", "--config", path)
	s.cmd.Env = append(os.Environ(), asServer+"=1")
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.running = true
	go func() { s.exited <- s.cmd.Wait() }()
	for range 2000 {
		select {
		case err := <-s.exited:
			s.running = false
			return fmt.Errorf("starting Caddy: %v\n%s", err, s.log.Bytes())
		case <-time.After(5 * time.Millisecond):
		}
		if listens(s.ready) && listens(s.admin) {
			return nil
		}
	}
	return errors.New("starting Caddy: it does not serve")
}

func listens(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// Load gives the running server another Caddyfile.
func (s *Server) Load(caddyfile string) error {
	resp, err := http.Post("http://"+s.admin+"/load", "text/caddyfile", strings.NewReader(s.config(caddyfile)))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("loading the configuration: %s %s", resp.Status, answer)
	}
	return err
}

// Stop ends the server as an operator would.
func (s *Server) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return s.Kill()
	}
	select {
	case <-s.exited:
		s.running = false
		return nil
	case <-time.After(30 * time.Second):
		return errors.Join(errors.New("stopping Caddy: it does not end"), s.Kill())
	}
}

// Kill ends the server at once.
func (s *Server) Kill() error {
	err := s.cmd.Process.Kill()
	<-s.exited
	s.running = false
	return err
}

// Remove ends the server, if it runs, and removes its directory.
func (s *Server) Remove() error {
	if s.running {
		_ = s.Kill()
	}
	return os.RemoveAll(s.Dir)
}

// Stored asks for the number of events that a source has in the queue.
func (s *Server) Stored(source string) (int, error) {
	n, err := s.Metric(`caddy_webhook_gateway_queue_events{source="` + source + `",`)
	return int(n), err
}

// CPU asks for the CPU time that the server has used.
func (s *Server) CPU() (time.Duration, error) {
	seconds, err := s.Metric("process_cpu_seconds_total ")
	return time.Duration(seconds * float64(time.Second)), err
}

// Metric returns the sum of those metrics whose line has the prefix.
func (s *Server) Metric(prefix string) (sum float64, err error) {
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

// CPUProfile writes a CPU profile of the server to a file.
func (s *Server) CPUProfile(path string, length time.Duration) error {
	return s.record("profile", path, length)
}

// AllocProfile writes a profile of what the server allocates meanwhile to a file.
func (s *Server) AllocProfile(path string, length time.Duration) error {
	return s.record("allocs", path, length)
}

func (s *Server) record(profile, path string, length time.Duration) error {
	resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%.0f", s.admin, profile, max(1, length.Seconds())))
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

// Memory returns how many bytes of anonymous memory the server takes: what the
// system cannot drop, unlike mapped files.
func (s *Server) Memory() (int64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(content)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			var kilobytes int64
			_, err := fmt.Sscan(rest, &kilobytes)
			return kilobytes << 10, err
		}
	}
	return 0, errors.New("the system does not tell about anonymous memory")
}

// Disk returns how many bytes the files of the queue have.
func (s *Server) Disk() (bytes int64, err error) {
	err = filepath.WalkDir(filepath.Join(s.Dir, "queue"), func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}

// FreeAddress returns a loopback address that nobody listens on.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
