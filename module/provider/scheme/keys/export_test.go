package keys

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/time/rate"
)

// What the tests outside of the package see.
var CheckChain = checkChain

// RingOf returns a keyring of keys by name that a function fetches.
func RingOf(fetch func(name string) (key []byte)) *Keyring {
	cache := newCache(&Source{
		ByName: true,
		Fetch:  func(_ context.Context, _ *http.Client, name string) ([]byte, error) { return fetch(name), nil },
		Read:   ReadKeys,
	}, "")
	return &Keyring{Fetched: cache, ByName: true}
}

// Cache is the cache of the keys that are fetched.
func (k *Keyring) Cache() *Cache { return k.Fetched }

// Held is how many names have keys.
func (c *Cache) Held() int { return c.proven.Len() + c.others.Len() }

// Addresses is how many addresses have a share.
func (k *Keyring) Addresses() int { return k.shares.addresses.Len() }

// AllowAll takes the bound off the calls of all addresses together.
func (k *Keyring) AllowAll() { k.shares.all.SetLimit(rate.Inf) }

// Prove notes that a key of a name has verified a request.
func (c *Cache) Prove(name string) { c.prove(name) }

// GetFor gets the keys of a name for a client.
func (k *Keyring) GetFor(ctx context.Context, name, client string) error {
	return k.Fetch(ctx, name, client)
}

// MarkAbsent notes that there is no key of a name.
func (c *Cache) MarkAbsent(name string) { c.absent.Add(name, c.Clock()) }

// Knows reports how many keys a name has, and whether that is known.
func (c *Cache) Knows(name string) (int, bool) {
	keys, asked := c.find(name)
	return len(keys), !asked.IsZero()
}

// Get gets the keys of a name.
func (c *Cache) Get(ctx context.Context, name string) error {
	return c.Fetch(ctx, name, func(time.Time) bool { return true })
}
