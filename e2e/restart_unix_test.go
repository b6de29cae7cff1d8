//go:build unix

package e2e

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Between the end of one process and the start of the next, connections are refused,
// unless the socket outlives the processes: then they wait. Either way each event that
// was acknowledged is delivered.
func TestRestartRefusesConnections(t *testing.T) {
	t.Parallel()
	for name, inherits := range map[string]bool{"own socket": false, "inherited socket": true} {
		t.Run(name, func(t *testing.T) {
			app := newApp(t, nil)
			g := newGateway(t)
			site := insignerSite(app.address+quick, "")
			if inherits {
				g.files = []*os.File{socketAt(t, g.https)}
				site = strings.Replace(site, "{$HTTPS} {\n", "{$HTTPS} {\n\tbind fd/3 {\n\t\tprotocols h1 h2\n\t}\n", 1)
			}
			g.write(queueIn, site)
			g.run()
			outside := g.outside()
			transport := g.client.Transport.(*http.Transport).Clone()
			transport.DisableKeepAlives = true // each event comes over a new connection
			outside.client = &http.Client{Timeout: patience, Transport: transport}
			var refused atomic.Int32
			load := g.underLoadOf("load", 2, func(id string) (*response, error) {
				resp, err := outside.send(id)
				if errors.Is(err, syscall.ECONNREFUSED) {
					refused.Add(1)
				}
				return resp, err
			})
			load.untilTaken(t, time.Now())
			if err := g.reload(); err != nil {
				t.Fatal(err)
			}
			load.untilTaken(t, time.Now())
			if n := refused.Load(); n > 0 {
				t.Errorf("a reload refused %d connections", n)
			}
			g.stop()
			time.Sleep(200 * time.Millisecond)
			g.run()
			load.untilTaken(t, time.Now())
			app.waitForAll(t, load.stop())
			if n := refused.Load(); (n > 0) == inherits {
				t.Errorf("a restart refused %d connections", n)
			}
		})
	}
}

// socketAt returns a socket that listens on an address, as systemd would pass it on.
func socketAt(t *testing.T, address string) *os.File {
	t.Helper()
	listener := listenAt(t, address)
	defer listener.Close() // the file is the same socket, and stays open
	file, err := listener.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}
