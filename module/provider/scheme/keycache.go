package scheme

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/public"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
)

// The times and sizes that bound the fetching of keys.
const (
	keyLife     = time.Hour        // after it a key is fetched again, and used meanwhile
	minRefresh  = time.Minute      // between two calls for a key that the provider has not got
	fetchTime   = 10 * time.Second // for a call
	maxKeyBytes = 256 << 10        // of an answer
	maxKeys     = 64               // that are remembered
)

// keySource is where the keys of a keyCache come from.
type keySource struct {
	place  string // what is asked; it has no secret, but may have a query
	secret string // that the calls are made with

	// byName says that requests name what is fetched, namesURL that these names are
	// URLs. What strangers name so is fetched from public addresses only.
	byName, namesURL bool

	// fetch makes the call for a name. No text and no error mean that the provider
	// says that there is nothing of this name.
	fetch func(ctx context.Context, client *http.Client, name string) ([]byte, error)

	// read returns the keys of a text that fetch got, now or before the last start.
	read func(name string, text []byte) ([]publicKey, error)
}

// publicClient fetches what requests name.
var publicClient = public.Client()

// client returns what makes the calls.
func (s *keySource) client() *http.Client {
	if s.namesURL {
		return publicClient
	}
	return &http.Client{Transport: http.DefaultTransport, CheckRedirect: public.NoRedirect}
}

// keyCache keeps fetched keys by name: a URL, a key ID, or "" for a whole set, which
// the configuration names.
//
// What strangers make up must neither drive out what is good nor delay it: the keys
// that have verified a request are kept apart from the others, are fetched again
// whatever strangers do, and lie on disk.
type keyCache struct {
	source  *keySource
	client  *http.Client
	clock   func() time.Time
	limiter *rate.Limiter // of calls for the whole set
	path    string        // of the copy on disk; "" if there is none

	proven *lru.Cache[string, *keyCopy] // a request was verified with them
	others *lru.Cache[string, *keyCopy]
	absent *lru.Cache[string, time.Time]

	mu      sync.Mutex // of changes
	running map[string]*fetching

	writes  sync.WaitGroup
	writing sync.Mutex
}

// keyCopy is what a call has got.
type keyCopy struct {
	keys    []publicKey
	text    []byte
	at      time.Time     // when the call began
	kept    time.Time     // at, as it is on disk; zero if the keys are not there
	limiter *rate.Limiter // of further calls
}

// fetching is a call that runs. Its outcome is err once done is closed.
type fetching struct {
	done chan struct{}
	err  error
}

// newKeyCache returns a cache that keeps a copy at a path, unless that is "".
func newKeyCache(source *keySource, path string) *keyCache {
	proven, _ := lru.New[string, *keyCopy](maxKeys) // these fail only for a size below one
	others, _ := lru.New[string, *keyCopy](maxKeys)
	absent, _ := lru.New[string, time.Time](maxKeys)
	c := &keyCache{
		source:  source,
		client:  source.client(),
		clock:   time.Now,
		limiter: newLimiter(),
		path:    path,
		proven:  proven,
		others:  others,
		absent:  absent,
		running: make(map[string]*fetching),
	}
	c.readCopies()
	return c
}

// find returns the keys of a name, and when the call for them began: never, if no call
// has told anything. Keys that are older than their life are fetched again in the
// background.
func (c *keyCache) find(name string) (keys []publicKey, asked time.Time) {
	held, ok := c.proven.Get(name)
	if !ok {
		held, ok = c.others.Get(name)
	}
	if ok {
		if c.clock().Sub(held.at) > keyLife {
			c.begin(name, nil)
		}
		return held.keys, held.at
	}
	asked, _ = c.absent.Get(name)
	return nil, asked
}

// peek returns the copy of a name; nil if there is none.
func (c *keyCache) peek(name string) *keyCopy {
	if held, known := c.proven.Peek(name); known {
		return held
	}
	held, _ := c.others.Peek(name)
	return held
}

// prove notes that a key of a name has verified a request.
func (c *keyCache) prove(name string) {
	if c.proven.Contains(name) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if held, known := c.others.Peek(name); known {
		c.others.Remove(name)
		c.proven.Add(name, held)
		c.writeLater(held)
	}
}

var (
	errManyKeys error = share.UsedUp("fetching a key: requests name too many keys that are not known")
	errPause          = errors.New("fetching a key: the provider was asked a moment ago")
)

// fetch gets the keys of a name, or joins the call that does. allow takes a call of the
// shares that the caller has for names that are not known.
func (c *keyCache) fetch(ctx context.Context, name string, allow func(now time.Time) bool) error {
	f, err := c.begin(name, allow)
	if err != nil {
		return err
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return fmt.Errorf("fetching a key: %w", ctx.Err())
	}
}

// begin starts a call unless one runs, or there were too many.
func (c *keyCache) begin(name string, allow func(now time.Time) bool) (*fetching, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.running[name]; f != nil {
		return f, nil
	}
	began := c.clock()
	if err := c.may(name, allow, began); err != nil {
		return nil, err
	}
	f := &fetching{done: make(chan struct{})}
	c.running[name] = f
	go c.run(name, f, began)
	return f, nil
}

// may returns nil if a call for a name is allowed now. A known name has its own limit, and
// the whole set has one; only unknown names use the caller's share.
func (c *keyCache) may(name string, allow func(now time.Time) bool, now time.Time) error {
	limiter := c.limiter
	if held := c.peek(name); held != nil {
		limiter = held.limiter
	} else if name != "" {
		if asked, ok := c.absent.Peek(name); ok && now.Sub(asked) <= minRefresh {
			return errPause
		}
		if allow == nil || !allow(now) {
			return errManyKeys
		}
		return nil
	}
	if !limiter.AllowN(now, 1) {
		return errPause
	}
	return nil
}

// run makes a call. A copy that was good stays when it fails.
func (c *keyCache) run(name string, f *fetching, began time.Time) {
	// The request that waits may go away: the key will be there for the next.
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	var keys []publicKey
	text, err := c.source.fetch(ctx, c.client, name)
	if err == nil && text != nil {
		keys, err = c.source.read(name, text)
	}
	c.mu.Lock()
	switch {
	case err == nil && len(keys) > 0:
		c.keep(name, &keyCopy{keys: keys, text: text, at: began})
	case err == nil:
		c.drop(name, began)
	}
	delete(c.running, name)
	c.mu.Unlock()
	f.err = err
	close(f.done)
}

// keep puts a copy in use.
func (c *keyCache) keep(name string, fresh *keyCopy) {
	before := c.peek(name)
	switch {
	case before != nil:
		fresh.limiter = before.limiter
		if string(before.text) == string(fresh.text) {
			fresh.kept = before.kept
		}
	case name == "":
		fresh.limiter = c.limiter
	default:
		fresh.limiter = newLimiter()
	}
	if name != "" && !c.proven.Contains(name) {
		c.others.Add(name, fresh)
		return
	}
	c.proven.Add(name, fresh)
	if fresh.at.Sub(fresh.kept) > keyLife {
		c.writeLater(fresh)
	}
}

// drop forgets a name of which there is nothing any more.
func (c *keyCache) drop(name string, asked time.Time) {
	c.others.Remove(name)
	c.absent.Add(name, asked)
	if c.proven.Remove(name) {
		c.writeLater(nil)
	}
}
