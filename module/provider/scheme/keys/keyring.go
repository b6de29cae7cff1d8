package keys

import (
	"context"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/refusal"
)

// Keyring finds the keys of a provider.
type Keyring struct {
	Fixed   []PublicKey // from the configuration
	Fetched *Cache      // nil where there are only those
	ByName  bool        // fetched one by one, by key ID or URL, not as a set

	// shares are those of calls for names that are not known. They are the source's
	// own: what strangers ask of one source costs another one nothing.
	shares callShares
}

// name returns the name that the cache has for the key that a request names.
func (k *Keyring) name(id string) string {
	if k.ByName {
		return id
	}
	return ""
}

// Verify returns the position of the configured key that made a signature, or 0 for
// a fetched key. id is the key ID that the request names, or "", and received is when
// the request came.
//
// Where the key is not among those that are known, only a call that began later tells
// that the provider has no such key. Until then the request may be genuine.
func (k *Keyring) Verify(a *Algorithm, id string, received time.Time, digest, signature []byte) (position int, err error) {
	keys, asked := k.Fixed, received
	if k.Fetched != nil {
		keys, asked = k.Fetched.find(k.name(id))
	}
	named := k.ByName && len(keys) > 0 // the request's very key is here
	for i, key := range keys {
		if key.id != "" && id != "" && key.id != id {
			continue
		}
		named = named || key.id != "" && key.id == id
		switch {
		case !a.Verify(key.PublicKey, digest, signature):
		case k.Fetched != nil:
			k.Fetched.prove(k.name(id))
			return 0, nil
		default:
			return i + 1, nil
		}
	}
	if !named && asked.Before(received) {
		return 0, refusal.NoKey
	}
	return 0, refusal.Wrong
}

// Fetch gets the key that a request of a client names, or all of the provider's.
func (k *Keyring) Fetch(ctx context.Context, id, client string) error {
	if k.Fetched == nil {
		return nil
	}
	name := k.name(id)
	return k.Fetched.Fetch(ctx, name, func(now time.Time) bool { return k.shares.allow(name, client, now) })
}

// Count returns the number of configured keys. A nil Keyring has none.
func (k *Keyring) Count() int {
	if k == nil {
		return 0
	}
	return len(k.Fixed)
}

// Empty reports whether there is nothing to verify with.
func (k *Keyring) Empty() bool { return k.Fetched == nil && len(k.Fixed) == 0 }
