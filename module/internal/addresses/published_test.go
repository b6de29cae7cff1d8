package addresses

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/httpclient"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/queuetest"
)

// listServer serves a list over TLS.
type listServer struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
	calls  atomic.Int32
	conns  atomic.Int32
}

func newListServer(t *testing.T, list string) *listServer {
	s := new(listServer)
	s.says(list)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		(*s.answer.Load())(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.conns.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *listServer) does(f http.HandlerFunc) { s.answer.Store(&f) }

func (s *listServer) says(list string) {
	s.does(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, list) })
}

func (s *listServer) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

// list returns the list at the server, with short times.
func (s *listServer) list(t *testing.T, path string) *Published {
	l := newPublished(&provider.Ranges{URL: s.URL + "/list?key=hidden"}, path)
	l.roots, l.period, l.pause = s.roots, 10*time.Millisecond, time.Millisecond
	t.Cleanup(func() {
		if err := l.Destruct(); err != nil {
			t.Error(err)
		}
	})
	return l
}

var (
	inFirst  = netip.MustParseAddr("192.0.2.1")
	inSecond = netip.MustParseAddr("198.51.100.1")
)

// TestPublishedListIsRefreshed has a list that comes late, changes, and is no
// list for a while.
func TestPublishedListIsRefreshed(t *testing.T) {
	server := newListServer(t, "")
	path := filepath.Join(t.TempDir(), "ranges", "list.json")
	l := server.list(t, path)
	l.Start()
	l.Start() // by the next configuration
	queuetest.Eventually(t, "several attempts", func() bool { return server.calls.Load() > 3 })
	if l.Contains(inFirst) {
		t.Error("an address is in a list that was never there")
	}
	server.says("192.0.2.0/24")
	queuetest.Eventually(t, "the first list", func() bool { return l.Contains(inFirst) })
	server.says("198.51.100.0/24")
	queuetest.Eventually(t, "the second list", func() bool { return l.Contains(inSecond) && !l.Contains(inFirst) })

	before := server.calls.Load()
	server.says("0.0.0.0/0")
	queuetest.Eventually(t, "several attempts", func() bool { return server.calls.Load() > before+3 })
	if !l.Contains(inSecond) || l.Contains(inFirst) {
		t.Error("a list that is refused took the place of a good one")
	}
	if err := l.Destruct(); err != nil {
		t.Fatal(err)
	}
	before = server.calls.Load()
	time.Sleep(50 * time.Millisecond)
	if server.calls.Load() != before {
		t.Error("the list is fetched when nobody uses it any more")
	}

	again := server.list(t, path)
	if !again.Contains(inSecond) || again.Contains(inFirst) {
		t.Error("the copy on disk is not the last good list")
	}
	content, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(content), "hidden") {
		t.Errorf("the copy is %s, %v", content, err)
	}
}

// TestPublishedListPauses has a server that is down: the pauses grow.
func TestPublishedListPauses(t *testing.T) {
	server := newListServer(t, "")
	l := server.list(t, filepath.Join(t.TempDir(), "list.json"))
	l.pause = 10 * time.Millisecond
	began := time.Now()
	l.Start()
	queuetest.Eventually(t, "several attempts", func() bool { return server.calls.Load() == 6 })
	if took := time.Since(began); took < (10+20+40+80+160)*time.Millisecond {
		t.Errorf("six attempts took %v", took)
	}
}

// TestPublishedListIsRefused has answers that are no list, each after a good one.
func TestPublishedListIsRefused(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "198.51.100.0/24") }))
	defer plain.Close()
	server := newListServer(t, "192.0.2.0/24")
	l := server.list(t, filepath.Join(t.TempDir(), "ranges", "list.json"))
	if err := l.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"error": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, "198.51.100.0/24")
		}, "the answer is 500"},
		"page":  {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html>") }, "is neither an address"},
		"empty": {func(http.ResponseWriter, *http.Request) {}, "the list is empty"},
		"large": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.Repeat("198.51.100.0/24\n", maxListBytes/16)+"#")
		}, "larger than"},
		"cut short": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "198.51.100.0/24\n")
		}, "unexpected EOF"},
		"to plain HTTP": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL, http.StatusFound) }, "not at an https URL"},
		"in a circle":   {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/list", http.StatusFound) }, "too many redirects"},
	} {
		server.does(test.answer)
		err := l.refresh(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: the error has the query: %v", name, err)
		}
		if !l.Contains(inFirst) || l.Contains(inSecond) {
			t.Errorf("%s: the list of before is not in use", name)
		}
	}

	server.does(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/moved" {
			http.Redirect(w, r, "/moved", http.StatusFound)
			return
		}
		fmt.Fprint(w, strings.Repeat("198.51.100.0/24\n", maxListBytes/16))
	})
	if err := l.refresh(t.Context()); err != nil || !l.Contains(inSecond) {
		t.Errorf("a redirect to a list that is as large as may be: %v", err)
	}

	over := newPublished(&provider.Ranges{URL: plain.URL}, filepath.Join(t.TempDir(), "list.json"))
	if err := over.refresh(t.Context()); err == nil || over.Contains(inSecond) {
		t.Errorf("over plain HTTP: got %v", err)
	}

	l.roots = httpclient.GatewayRoots
	err := l.refresh(t.Context())
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("from a stranger: got %v", err)
	}
}

// TestPublishedCopy starts from what lies on disk.
func TestPublishedCopy(t *testing.T) {
	server := newListServer(t, "")
	path := filepath.Join(t.TempDir(), "list.json")
	for content, want := range map[string]bool{
		`{"from":"x","ranges":["192.0.2.0/24"]}`:             true,
		`{"from":"x","ranges":["192.0.2.0/24"`:               false,
		`{"from":"x","ranges":["192.0.2.0/24","0.0.0.0/0"]}`: false,
		`{"from":"x","ranges":["192.0.2.0/24",""]}`:          false,
		`{"from":"x","ranges":[]}`:                           false,
		``:                                                   false,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := server.list(t, path).Contains(inFirst); got != want {
			t.Errorf("%s: the address is in it: %t, want %t", content, got, want)
		}
	}
}

// TestPublishedListWaitsForStart keeps the network out of a configuration that is
// only looked at.
func TestPublishedListWaitsForStart(t *testing.T) {
	l, err := UsePublished(&provider.Ranges{URL: "https://ranges.example.com/"}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	waits := false
	l.begin.Do(func() { waits = true })
	if !waits {
		t.Error("the list is fetched before anybody starts it")
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}

// TestPublishedListIsShared holds one list for each thing that can be published,
// as long as somebody uses it.
func TestPublishedListIsShared(t *testing.T) {
	server := newListServer(t, "")
	dir := t.TempDir()
	use := func(config string) *Published {
		ranges := &provider.Ranges{URL: server.URL}
		if err := json.Unmarshal([]byte(config), ranges); err != nil {
			t.Fatal(err)
		}
		l, err := UsePublished(ranges, dir)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	release := func(l *Published) {
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
	first, second := use(`{}`), use(`{"list":["192.0.2.0/24"]}`)
	other := use(`{"format":"json"}`)
	if first != second || first == other {
		t.Error("lists are not shared by URL, format and path")
	}
	release(first)
	third := use(`{}`)
	if third != second {
		t.Error("the list went while it was in use")
	}
	release(second)
	release(third)
	release(other)
	if fresh := use(`{}`); fresh == third {
		t.Error("the list stays when nobody uses it")
	} else {
		release(fresh)
	}
}
