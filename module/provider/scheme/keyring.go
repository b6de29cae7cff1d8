package scheme

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// keyring finds the keys of a provider.
type keyring struct {
	fixed   []publicKey // from the configuration
	fetched *keyCache   // nil where there are only those
	byName  bool        // fetched one by one, by key ID or URL, not as a set
}

// name returns the name that the cache has for the key that a request names.
func (k *keyring) name(id string) string {
	if k.byName {
		return id
	}
	return ""
}

// verify returns the position of the configured key that made a signature, or 0 for
// a fetched key. id is the key ID that the request names, or "".
func (k *keyring) verify(a *algorithm, id string, digest, signature []byte) (position int, err error) {
	keys := k.fixed
	if k.fetched != nil {
		var known bool
		if keys, known = k.fetched.find(k.name(id)); !known {
			return 0, NoKey
		}
	}
	named := false // the request's very key is here
	for i, key := range keys {
		if key.id != "" && id != "" && key.id != id {
			continue
		}
		named = named || key.id != "" && key.id == id
		switch {
		case !a.Verify(key.PublicKey, digest, signature):
		case k.fetched != nil:
			return 0, nil
		default:
			return i + 1, nil
		}
	}
	if k.fetched != nil && !named && !k.byName && k.fetched.age("") > minRefresh {
		return 0, NoKey // the provider may have a new one
	}
	return 0, Wrong
}

// fetch gets the key that a request names, or all of the provider's.
func (k *keyring) fetch(ctx context.Context, id string) error {
	if k.fetched == nil {
		return nil
	}
	return k.fetched.fetch(ctx, k.name(id))
}

// count returns the number of configured keys. A nil keyring has none.
func (k *keyring) count() int {
	if k == nil {
		return 0
	}
	return len(k.fixed)
}

// empty reports whether there is nothing to verify with.
func (k *keyring) empty() bool { return k.fetched == nil && len(k.fixed) == 0 }

// The times and sizes that bound the fetching of keys.
const (
	keyLife     = time.Hour        // after it a key is fetched again, and used meanwhile
	minRefresh  = time.Minute      // between two fetches of one thing
	fetchTime   = 10 * time.Second // for a call
	maxKeyBytes = 256 << 10        // of an answer
	maxKeys     = 64               // that are remembered
	fetchBurst  = 8                // calls at once; strangers can cause them
	fetchPause  = 5 * time.Second  // between two calls after that
)

// A keyFetch makes the call that gets keys by a name. No keys and no error mean
// that the provider says that there are none of this name.
type keyFetch func(ctx context.Context, client *http.Client, name string) ([]publicKey, error)

// keyCache keeps fetched keys by name: a URL, a key ID, or "" for a whole set.
type keyCache struct {
	client *http.Client
	call   keyFetch
	limit  *rate.Limiter
	clock  func() time.Time

	// What strangers make up must not drive out what is good.
	copies *lru.Cache[string, *keyCopy]
	absent *lru.Cache[string, time.Time]

	mu      sync.Mutex
	running map[string]*fetching
}

// keyCopy is the result of a call.
type keyCopy struct {
	keys []publicKey
	at   time.Time
}

// fetching is a call that runs. Its outcome is err once done is closed.
type fetching struct {
	done chan struct{}
	err  error
}

func newKeyCache(call keyFetch) *keyCache {
	copies, _ := lru.New[string, *keyCopy](maxKeys) // these fail only for a size below one
	absent, _ := lru.New[string, time.Time](maxKeys)
	return &keyCache{
		client: &http.Client{
			Transport: http.DefaultTransport,
			// A redirect would lead away from the host that is trusted.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		call:    call,
		limit:   rate.NewLimiter(rate.Every(fetchPause), fetchBurst),
		copies:  copies,
		absent:  absent,
		clock:   time.Now,
		running: make(map[string]*fetching),
	}
}

// find returns the keys of a name. Keys that are older than keyLife are fetched
// again in the background. known is false if the keys must be fetched first.
func (c *keyCache) find(name string) (keys []publicKey, known bool) {
	if held, ok := c.copies.Get(name); ok {
		if c.clock().Sub(held.at) > keyLife {
			c.begin(name)
		}
		return held.keys, true
	}
	since, ok := c.absent.Get(name)
	return nil, ok && c.clock().Sub(since) <= minRefresh
}

// age returns how old the copy of a name is.
func (c *keyCache) age(name string) time.Duration {
	if held, known := c.copies.Peek(name); known {
		return c.clock().Sub(held.at)
	}
	return 0
}

var errManyKeys = errors.New("fetching a key: requests name too many keys that are not known")

// fetch gets the keys of a name, or joins the call that does.
func (c *keyCache) fetch(ctx context.Context, name string) error {
	f := c.begin(name)
	if f == nil {
		return errManyKeys
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return fmt.Errorf("fetching a key: %w", ctx.Err())
	}
}

// begin starts a call, or returns the one that runs. It returns nil after too many
// calls.
func (c *keyCache) begin(name string) *fetching {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.running[name]; f != nil {
		return f
	}
	if !c.limit.Allow() {
		return nil
	}
	f := &fetching{done: make(chan struct{})}
	c.running[name] = f
	go c.run(name, f)
	return f
}

// run makes a call. If the call fails, the keys of the last good call stay.
func (c *keyCache) run(name string, f *fetching) {
	// The request that waits may go away: the key will be there for the next.
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	keys, err := c.call(ctx, c.client, name)
	switch {
	case err == nil && len(keys) > 0:
		c.copies.Add(name, &keyCopy{keys, c.clock()})
	case err == nil:
		c.copies.Remove(name)
		c.absent.Add(name, c.clock())
	}
	c.mu.Lock()
	delete(c.running, name)
	c.mu.Unlock()
	f.err = err
	close(f.done)
}

// get returns the call that gets keys from one address, whatever name is asked for.
func get(address string) keyFetch {
	return func(ctx context.Context, client *http.Client, _ string) ([]publicKey, error) {
		content, err := download(ctx, client, address, "")
		if err != nil || content == nil {
			return nil, err
		}
		return parsePublicKeys(string(content))
	}
}

// download gets a document. The document is nil if the server says that there is
// none.
func download(ctx context.Context, client *http.Client, address, authorization string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("preparing to fetch a key: %v", err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return do(client, req)
}

// post sends a body and gets a document.
func post(ctx context.Context, client *http.Client, address, contentType string, body []byte, prepare func(*http.Request)) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("preparing to fetch a key: %v", err)
	}
	req.Header.Set("Content-Type", contentType)
	if prepare != nil {
		prepare(req)
	}
	return do(client, req)
}

func do(client *http.Client, req *http.Request) ([]byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetching a key: %w", err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxKeyBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("fetching a key from %s: %w", req.URL.Host, err)
	case len(content) > maxKeyBytes:
		return nil, fmt.Errorf("fetching a key: the answer of %s is larger than %d bytes", req.URL.Host, maxKeyBytes)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return content, nil
	case http.StatusNotFound, http.StatusGone:
		return nil, nil
	}
	return nil, fmt.Errorf("fetching a key: %s answered %d", req.URL.Host, resp.StatusCode)
}
