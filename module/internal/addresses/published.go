package addresses

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/durable"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/httpclient"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// Published is the list of addresses at a provider's URL. The addresses that
// were fetched last are in use, and lie on disk for the next start. Configurations
// share a Published, so that a reload neither loses the addresses nor fetches
// them again.
type Published struct {
	ranges *provider.Ranges
	path   string // of the copy on disk
	set    atomic.Pointer[Set]
	known  atomic.Bool

	roots  func() *x509.CertPool
	period time.Duration // between fetches
	pause  time.Duration // after the first fetch that fails; it doubles up to maxListPause

	begin   sync.Once
	cancel  context.CancelFunc
	running sync.WaitGroup
}

const (
	listPeriod   = 24 * time.Hour
	listPause    = 5 * time.Second
	maxListPause = time.Hour
	listTime     = 30 * time.Second // for one fetch
	maxListBytes = 1 << 20
)

// published holds one Published for each copy on disk.
var published = caddy.NewUsagePool()

// UsePublished returns the list of ranges that have a URL. The caller gives the
// list back with Release.
func UsePublished(ranges *provider.Ranges, dir string) (*Published, error) {
	id := sha256.Sum256([]byte(ranges.URL + "\n" + ranges.Format + "\n" + ranges.Path))
	path := filepath.Join(dir, "ranges", fmt.Sprintf("%x.json", id[:8]))
	list, _, err := published.LoadOrNew(path, func() (caddy.Destructor, error) {
		return newPublished(ranges, path), nil
	})
	if err != nil {
		return nil, err
	}
	return list.(*Published), nil
}

func newPublished(ranges *provider.Ranges, path string) *Published {
	l := &Published{ranges: ranges, path: path, roots: httpclient.GatewayRoots, period: listPeriod, pause: listPause, cancel: func() {}}
	l.set.Store(new(Set))
	networks, err := l.readCopy()
	switch {
	case err == nil:
		l.use(networks)
	case !errors.Is(err, fs.ErrNotExist):
		l.logger().Warn("the copy of published ranges is of no use", zap.String("file", path), zap.Error(err))
	}
	return l
}

// Release gives a list back.
func (l *Published) Release() error {
	_, err := published.Delete(l.path)
	return err
}

// Destruct implements caddy.Destructor.
func (l *Published) Destruct() error {
	l.cancel()
	l.running.Wait()
	return nil
}

// Known reports whether the addresses were fetched once, or lay on disk.
func (l *Published) Known() bool { return l.known.Load() }

// Contains reports whether an address is in the list.
func (l *Published) Contains(ip netip.Addr) bool { return l.set.Load().Contains(ip) }

// Start fetches the list, and again each period until nobody uses the list any
// more.
func (l *Published) Start() {
	l.begin.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		l.cancel = cancel
		l.running.Go(func() { l.run(ctx) })
	})
}

func (l *Published) run(ctx context.Context) {
	pause := l.pause
	for ctx.Err() == nil {
		wait := l.period
		if err := l.refresh(ctx); err == nil {
			pause = l.pause
		} else if ctx.Err() == nil {
			wait, pause = pause, min(2*pause, maxListPause)
			l.warn(err, wait)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// refresh fetches the list. If that fails, the addresses of before stay in use.
func (l *Published) refresh(ctx context.Context) error {
	content, err := l.download(ctx)
	if err != nil {
		return err
	}
	networks, err := l.ranges.Parse(content)
	if err != nil {
		return err
	}
	if l.use(networks) {
		l.logger().Info("published ranges fetched", zap.Int("ranges", len(networks)))
	}
	if err := l.writeCopy(networks); err != nil {
		return fmt.Errorf("keeping a copy: %w", err)
	}
	return nil
}

// use puts networks in use, and reports whether they differ from those of before.
func (l *Published) use(networks []netip.Prefix) bool {
	set := NewSet(networks)
	l.known.Store(true)
	return !slices.Equal(*l.set.Swap(&set), set)
}

// logger returns the logger of the process: the list outlives a configuration and
// its logger.
func (l *Published) logger() *zap.Logger {
	return caddy.Log().Named("webhook_gateway").With(zap.String("from", l.source()))
}

func (l *Published) warn(err error, wait time.Duration) {
	text := "published ranges could not be refreshed; those of before stay in use"
	if len(*l.set.Load()) == 0 {
		text = "published ranges could not be fetched; senders in them are refused until they are"
	}
	l.logger().Warn(text, zap.Error(err), zap.Duration("retry_in", wait))
}

// source returns the URL without a query, which may be a secret.
func (l *Published) source() string {
	u, err := url.Parse(l.ranges.URL)
	if err != nil {
		return ""
	}
	u.RawQuery, u.Fragment = "", ""
	return u.Redacted()
}

// download fetches the content of the URL.
func (l *Published) download(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.ranges.URL, nil)
	if err != nil {
		return nil, httpclient.WithoutURL(err)
	}
	if err := onlyHTTPS(req, nil); err != nil {
		return nil, err
	}
	roundTripper := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		TLSClientConfig:   &tls.Config{RootCAs: l.roots()},
		ForceAttemptHTTP2: true,
	}
	defer roundTripper.CloseIdleConnections()
	client := &http.Client{Transport: roundTripper, CheckRedirect: onlyHTTPS}
	resp, err := client.Do(req)
	if err != nil {
		return nil, httpclient.WithoutURL(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %d", resp.StatusCode)
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxListBytes+1))
	if len(content) > maxListBytes {
		return nil, fmt.Errorf("the list is larger than %d bytes", maxListBytes)
	}
	return content, err
}

// onlyHTTPS refuses a request, or a redirect, over a connection that does not prove
// who answers. It also refuses too many redirects.
func onlyHTTPS(req *http.Request, via []*http.Request) error {
	switch {
	case req.URL.Scheme != "https":
		return errors.New("the list is not at an https URL")
	case len(via) >= 5:
		return errors.New("too many redirects")
	}
	return nil
}

// fetchedCopy is a Published as it lies on disk.
type fetchedCopy struct {
	From    string         `json:"from"`
	Fetched time.Time      `json:"fetched"`
	Ranges  []netip.Prefix `json:"ranges"`
}

func (l *Published) writeCopy(networks []netip.Prefix) error {
	content, err := json.MarshalIndent(fetchedCopy{l.source(), time.Now().UTC(), networks}, "", "\t")
	if err != nil {
		return err
	}
	return durable.WriteFile(l.path, append(content, '\n'))
}

// readCopy reads the copy on disk, which it trusts no more than a fetched list.
func (l *Published) readCopy() ([]netip.Prefix, error) {
	content, err := os.ReadFile(l.path)
	if err != nil {
		return nil, err
	}
	return (&provider.Ranges{Format: "json", Path: "ranges"}).Parse(content)
}
