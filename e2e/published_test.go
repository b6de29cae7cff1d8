package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// publishing is a gateway whose providers prove nothing, and whose addresses a
// server publishes.
type publishing struct {
	*gateway
	server *httptest.Server
	list   atomic.Value // what the server says
	calls  atomic.Int32 // that it got
	mark   int          // where the log of this process begins
	sent   int
}

func newPublishing(t *testing.T, list string) *publishing {
	p := &publishing{gateway: newGateway(t)}
	p.list.Store(list)
	p.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.calls.Add(1)
		fmt.Fprint(w, p.list.Load())
	}))
	t.Cleanup(p.server.Close)
	p.trustServer(p.server)
	return p
}

// source is a source of the name, with more lines for its provider.
func (p *publishing) source(name, more string) string {
	return fmt.Sprintf(`
	webhook_gateway /%[1]s {
		source %[1]s
		provider custom {
			none
			%[2]s
		}
		allow_ips published
		route app 127.0.0.1:1
	}
`, name, strings.ReplaceAll(more, "{list}", p.server.URL))
}

// sites writes the Caddyfile.
func (p *publishing) sites(sources ...string) {
	p.write(queueIn, "{$HTTPS} {"+strings.Join(sources, "")+"}\n")
}

// restart runs the process again, while the server says something else.
func (p *publishing) restart(list string) {
	p.t.Helper()
	p.stop()
	p.list.Store(list)
	p.mark = len(p.log.String())
	p.run()
}

// status posts a new webhook to a source.
func (p *publishing) status(source string) int {
	p.t.Helper()
	p.sent++
	status, _ := p.post("/"+source, jsonHeader(), fmt.Appendf(nil, `{"n":%d}`, p.sent))
	return status
}

func (p *publishing) answers(source string, want int) {
	p.t.Helper()
	if got := p.status(source); got != want {
		p.t.Errorf("source %s answers %d, want %d", source, got, want)
	}
}

// soon waits until a source answers so.
func (p *publishing) soon(source string, want int) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("source %s answers %d", source, want), func() bool { return p.status(source) == want })
}

// logs waits until the process has logged something.
func (p *publishing) logs(text string) {
	p.t.Helper()
	eventually(p.t, "the log has: "+text, func() bool { return strings.Contains(p.log.String()[p.mark:], text) })
}

// copies returns the paths of the lists that lie on disk.
func (p *publishing) copies() []string {
	p.t.Helper()
	paths, err := filepath.Glob(filepath.Join(p.dir, "queue", "ranges", "*"))
	if err != nil {
		p.t.Fatal(err)
	}
	return paths
}

const (
	notFetched   = "published ranges could not be fetched"
	notRefreshed = "published ranges could not be refreshed"
)

// TestPublishedAddresses takes a list through the life of a gateway: fetched
// late, kept over reloads and restarts, changed, and not to be had.
func TestPublishedAddresses(t *testing.T) {
	t.Parallel()
	p := newPublishing(t, "")
	p.sites(p.source("a", "ranges_from {list}"), p.source("b", "ranges_from {list}"))
	if _, complaint, status := p.command("validate", "--config", p.config); status != 0 || p.calls.Load() > 0 {
		t.Errorf("validate exits with %d after %d calls: %s", status, p.calls.Load(), complaint)
	}
	p.run()
	p.logs(notFetched)
	p.answers("a", http.StatusServiceUnavailable)
	p.list.Store("# ours\n127.0.0.0/8\n")
	p.soon("a", http.StatusOK)
	p.answers("b", http.StatusOK)
	p.logs("published ranges fetched")

	calls := p.calls.Load()
	p.list.Store("192.0.2.0/24")
	for range 3 {
		if err := p.reload(); err != nil {
			t.Fatal(err)
		}
		p.answers("a", http.StatusOK)
	}
	if got := p.calls.Load(); got != calls {
		t.Errorf("reloads led to %d calls", got-calls)
	}

	p.restart("0.0.0.0/0")
	p.logs(notRefreshed)
	p.logs("0.0.0.0/0 is wider than /8")
	p.answers("a", http.StatusOK)

	p.restart("192.0.2.0/24")
	p.soon("a", http.StatusForbidden)
	p.answers("b", http.StatusForbidden)
	p.restart("127.0.0.1")
	p.soon("a", http.StatusOK)

	p.server.Close()
	p.restart("")
	p.answers("a", http.StatusOK)
	p.logs(notRefreshed)

	copies := p.copies()
	if len(copies) != 1 {
		t.Fatalf("on disk there is %v, want one list", copies)
	}
	info, err := os.Stat(copies[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, mode %o", copies[0], err, info.Mode().Perm())
	}
	if err := os.Truncate(copies[0], info.Size()/2); err != nil {
		t.Fatal(err)
	}
	p.restart("")
	p.logs("the copy of published ranges is of no use")
	p.logs(notFetched)
	p.answers("a", http.StatusServiceUnavailable)
}

// TestPublishedJSON finds addresses in JSON, beside such as are named, and lets
// go of a list that no configuration wants.
func TestPublishedJSON(t *testing.T) {
	t.Parallel()
	p := newPublishing(t, `{"hooks":["127.0.0.1"],"web":["192.0.2.0/24"]}`)
	hooks := p.source("hooks", "ranges_from {list} json hooks")
	p.sites(hooks, p.source("web", "ranges_from {list} json web"),
		p.source("both", "ranges_from {list} json web\nranges 127.0.0.0/8"))
	p.run()
	p.soon("hooks", http.StatusOK)
	eventually(t, "both lists are there", func() bool { return len(p.copies()) == 2 })
	p.answers("web", http.StatusForbidden)
	p.answers("both", http.StatusOK)
	if got := p.calls.Load(); got != 2 {
		t.Errorf("%d calls for two lists, want 2", got)
	}

	p.sites(p.source("other", "ranges 192.0.2.0/24"))
	if err := p.reload(); err != nil {
		t.Fatal(err)
	}
	p.answers("other", http.StatusForbidden)
	p.sites(hooks)
	if err := p.reload(); err != nil {
		t.Fatal(err)
	}
	p.answers("hooks", http.StatusOK)
	eventually(t, "the list that came back is fetched", func() bool { return p.calls.Load() == 3 })
}
