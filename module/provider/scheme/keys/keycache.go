package keys

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
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/internal/trust"
)

// The times and sizes that bound the fetching of keys.
const (
	KeyLife     = time.Hour        // after it a key is fetched again, and used meanwhile
	MinRefresh  = time.Minute      // between two calls for a key that the provider has not got
	fetchTime   = 10 * time.Second // for a call
	MaxKeyBytes = 256 << 10        // of an answer
	MaxKeys     = 64               // that are remembered
)

// Source is where the keys of a Cache come from.
type Source struct {
	Place  string // what is asked; it has no secret, but may have a query
	Secret string // that the calls are made with

	// ByName says that requests name what is fetched, NamesURL that these names are
	// URLs. What strangers name so is fetched from public addresses only.
	ByName, NamesURL bool

	// Fetch makes the call for a name. No text and no error mean that the provider
	// says that there is nothing of this name.
	Fetch func(ctx context.Context, client *http.Client, name string) ([]byte, error)

	// Read returns the keys of a text that Fetch got, now or before the last start.
	Read func(name string, text []byte) ([]PublicKey, error)
}

// client returns what makes the calls.
func (s *Source) client() *http.Client {
	if s.NamesURL {
		return trust.Client
	}
	return &http.Client{Transport: http.DefaultTransport, CheckRedirect: public.NoRedirect}
}

// Cache keeps fetched keys by name: a URL, a key ID, or "" for a whole set, which
// the configuration names.
//
// What strangers make up must neither drive out what is good nor delay it: the keys
// that have verified a request are kept apart from the others, are fetched again
// whatever strangers do, and lie on disk.
type Cache struct {
	source  *Source
	client  *http.Client
	Clock   func() time.Time // tests set it
	limiter *rate.Limiter    // of calls for the whole set
	path    string           // of the copy on disk; "" if there is none

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
	keys    []PublicKey
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

// newCache returns a cache that keeps a copy at a path, unless that is "".
func newCache(source *Source, path string) *Cache {
	proven, _ := lru.New[string, *keyCopy](MaxKeys) // these fail only for a size below one
	others, _ := lru.New[string, *keyCopy](MaxKeys)
	absent, _ := lru.New[string, time.Time](MaxKeys)
	c := &Cache{
		source:  source,
		client:  source.client(),
		Clock:   time.Now,
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
func (c *Cache) find(name string) (keys []PublicKey, asked time.Time) {
	held, ok := c.proven.Get(name)
	if !ok {
		held, ok = c.others.Get(name)
	}
	if ok {
		if c.Clock().Sub(held.at) > KeyLife {
			c.begin(name, nil)
		}
		return held.keys, held.at
	}
	asked, _ = c.absent.Get(name)
	return nil, asked
}

// peek returns the copy of a name; nil if there is none.
func (c *Cache) peek(name string) *keyCopy {
	if held, known := c.proven.Peek(name); known {
		return held
	}
	held, _ := c.others.Peek(name)
	return held
}

// prove notes that a key of a name has verified a request.
func (c *Cache) prove(name string) {
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

// The errors of calls that are not made.
var (
	ErrManyKeys error = share.UsedUp("fetching a key: requests name too many keys that are not known")
	ErrPause          = errors.New("fetching a key: the provider was asked a moment ago")
)

// Fetch gets the keys of a name, or joins the call that does. allow takes a call of the
// shares that the caller has for names that are not known.
func (c *Cache) Fetch(ctx context.Context, name string, allow func(now time.Time) bool) error {
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
func (c *Cache) begin(name string, allow func(now time.Time) bool) (*fetching, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.running[name]; f != nil {
		return f, nil
	}
	began := c.Clock()
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
func (c *Cache) may(name string, allow func(now time.Time) bool, now time.Time) error {
	limiter := c.limiter
	if held := c.peek(name); held != nil {
		limiter = held.limiter
	} else if name != "" {
		if asked, ok := c.absent.Peek(name); ok && now.Sub(asked) <= MinRefresh {
			return ErrPause
		}
		if allow == nil || !allow(now) {
			return ErrManyKeys
		}
		return nil
	}
	if !limiter.AllowN(now, 1) {
		return ErrPause
	}
	return nil
}

// run makes a call. A copy that was good stays when it fails.
func (c *Cache) run(name string, f *fetching, began time.Time) {
	// The request that waits may go away: the key will be there for the next.
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	var keys []PublicKey
	text, err := c.source.Fetch(ctx, c.client, name)
	if err == nil && text != nil {
		keys, err = c.source.Read(name, text)
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
func (c *Cache) keep(name string, fresh *keyCopy) {
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
	if fresh.at.Sub(fresh.kept) > KeyLife {
		c.writeLater(fresh)
	}
}

// drop forgets a name of which there is nothing any more.
func (c *Cache) drop(name string, asked time.Time) {
	c.others.Remove(name)
	c.absent.Add(name, asked)
	if c.proven.Remove(name) {
		c.writeLater(nil)
	}
}
