package scheme

import "context"

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
			k.fetched.prove(k.name(id))
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

// fetch gets the key that a request of a client names, or all of the provider's.
func (k *keyring) fetch(ctx context.Context, id, client string) error {
	if k.fetched == nil {
		return nil
	}
	return k.fetched.fetch(ctx, k.name(id), client)
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
