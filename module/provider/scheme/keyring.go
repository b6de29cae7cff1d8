package scheme

import (
	"context"
	"time"
)

// keyring finds the keys of a provider.
type keyring struct {
	fixed   []publicKey // from the configuration
	fetched *keyCache   // nil where there are only those
	byName  bool        // fetched one by one, by key ID or URL, not as a set

	// shares are those of calls for names that are not known. They are the source's
	// own: what strangers ask of one source costs another one nothing.
	shares callShares
}

// name returns the name that the cache has for the key that a request names.
func (k *keyring) name(id string) string {
	if k.byName {
		return id
	}
	return ""
}

// verify returns the position of the configured key that made a signature, or 0 for
// a fetched key. id is the key ID that the request names, or "", and received is when
// the request came.
//
// Where the key is not among those that are known, only a call that began later tells
// that the provider has no such key. Until then the request may be genuine.
func (k *keyring) verify(a *algorithm, id string, received time.Time, digest, signature []byte) (position int, err error) {
	keys, asked := k.fixed, received
	if k.fetched != nil {
		keys, asked = k.fetched.find(k.name(id))
	}
	named := k.byName && len(keys) > 0 // the request's very key is here
	for i, key := range keys {
		if key.id != "" && id != "" && key.id != id {
			continue
		}
		named = named || key.id != "" && key.id == id
		switch {
		case !a.Verify(key.PublicKey, digest, signature):
		case k.fetched != nil:
			k.fetched.prove(k.name(id))
			return 0, nil
		default:
			return i + 1, nil
		}
	}
	if !named && asked.Before(received) {
		return 0, NoKey
	}
	return 0, Wrong
}

// fetch gets the key that a request of a client names, or all of the provider's.
func (k *keyring) fetch(ctx context.Context, id, client string) error {
	if k.fetched == nil {
		return nil
	}
	name := k.name(id)
	return k.fetched.fetch(ctx, name, func(now time.Time) bool { return k.shares.allow(name, client, now) })
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
