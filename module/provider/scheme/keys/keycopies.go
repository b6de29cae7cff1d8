package keys

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/durable"
)

// maxCaches is how many caches outlive the configurations that have them.
const maxCaches = 256

// caches are the caches of all configurations, so that a reload neither loses
// keys nor fetches them again.
var (
	cachesMu  sync.Mutex
	caches, _ = lru.New[cacheID, *Cache](maxCaches) // which fails only for a size below one
)

// cacheID tells caches apart: by their copy on disk, and by the secret that their
// calls are made with.
type cacheID struct {
	path   string
	secret [sha256.Size]byte
}

// CacheOf returns the cache of a source's keys, with its copy in a directory. Without a
// directory the cache is its owner's alone, and nothing is kept.
func CacheOf(source *Source, dir string) *Cache {
	if dir == "" {
		return newCache(source, "")
	}
	name := sha256.Sum256([]byte(source.Place))
	path := filepath.Join(dir, "keys", fmt.Sprintf("%x.json", name[:8]))
	id := cacheID{path, sha256.Sum256([]byte(source.Secret))}
	cachesMu.Lock()
	defer cachesMu.Unlock()
	cache, known := caches.Get(id)
	if !known {
		cache = newCache(source, path)
		caches.Add(id, cache)
	}
	return cache
}

// keptKeys are the keys of a cache as they lie on disk: the set that the
// configuration names, or the keys that have verified a request. No stranger can
// have anything written.
type keptKeys struct {
	From string    `json:"from"`
	Keys []keptKey `json:"keys"` // those that were used last come last
}

// keptKey is what a call has got for a name.
type keptKey struct {
	Name    string    `json:"name,omitempty"`
	Fetched time.Time `json:"fetched"`
	Text    string    `json:"text"`
}

// writeLater has the copies written to disk. changed is the one that is not there
// yet. The request that caused this does not wait: if the copy is lost, the keys are
// fetched again.
func (c *Cache) writeLater(changed *keyCopy) {
	if c.path == "" {
		return
	}
	if changed != nil {
		changed.kept = changed.at
	}
	c.writes.Go(func() {
		c.writing.Lock()
		defer c.writing.Unlock()
		if err := c.writeCopies(); err != nil {
			c.logger().Warn("fetched keys could not be kept for the next start", zap.String("file", c.path), zap.Error(err))
		}
	})
}

// Kept waits until the copies lie on disk that were to be written.
func (c *Cache) Kept() { c.writes.Wait() }

// Forget drops the caches of all configurations, as the end of the process does: what is
// not on disk is gone. Only tests call it.
func Forget() {
	for _, c := range caches.Values() {
		c.Kept()
	}
	caches.Purge()
}

func (c *Cache) writeCopies() error {
	kept := keptKeys{From: c.where()}
	for _, name := range c.proven.Keys() {
		if held, known := c.proven.Peek(name); known {
			kept.Keys = append(kept.Keys, keptKey{name, held.at.UTC(), string(held.text)})
		}
	}
	content, err := json.MarshalIndent(kept, "", "\t")
	if err != nil {
		return err
	}
	return durable.WriteFile(c.path, append(content, '\n'))
}

// readCopies reads what lies on disk, and trusts it no more than what is fetched.
func (c *Cache) readCopies() {
	if c.path == "" {
		return
	}
	kept, err := readKeptKeys(c.path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.logger().Warn("the copy of fetched keys is of no use; they will be fetched again", zap.String("file", c.path), zap.Error(err))
		}
		return
	}
	for _, k := range kept.Keys {
		if (k.Name != "") != c.source.ByName || len(k.Text) > maxKeyText {
			continue
		}
		keys, err := c.source.Read(k.Name, []byte(k.Text))
		if err != nil || len(keys) == 0 {
			continue // such as a certificate that has expired
		}
		if k.Fetched.After(c.Clock()) {
			k.Fetched = time.Time{} // so that they are fetched again
		}
		held := &keyCopy{keys: keys, text: []byte(k.Text), at: k.Fetched, kept: k.Fetched, limiter: newLimiter()}
		if k.Name == "" {
			held.limiter = c.limiter
		}
		c.proven.Add(k.Name, held)
	}
}

// maxKeyText is how large the text of a key may be on disk: that of an answer, with
// the issuers of a certificate.
const maxKeyText = 2 * MaxKeyBytes

func readKeptKeys(path string) (*keptKeys, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	kept := new(keptKeys)
	return kept, json.NewDecoder(io.LimitReader(file, 2*MaxKeys*maxKeyText)).Decode(kept)
}

// where returns what is asked, without a query, which may be a secret.
func (c *Cache) where() string {
	u, err := url.Parse(c.source.Place)
	if err != nil || u.Host == "" {
		return c.source.Place
	}
	u.RawQuery, u.Fragment = "", ""
	return u.Redacted()
}

// logger returns the logger of the process: the cache outlives a configuration and
// its logger.
func (c *Cache) logger() *zap.Logger {
	return caddy.Log().Named("webhook_gateway").With(zap.String("from", c.where()))
}
