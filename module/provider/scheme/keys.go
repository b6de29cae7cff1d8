package scheme

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
)

// Keys are the options for providers that sign with a private key. Each scheme uses
// some of them.
type Keys struct {
	// The public keys that the provider may sign with. Any of them may match, which
	// allows rotation. A key is PEM, DER in base64, a JWK, a JWK set, an X.509
	// certificate, or the 32 bytes of an Ed25519 key in hex or base64. Placeholders are
	// resolved when the configuration loads.
	PublicKeys []string `json:"public_keys,omitempty"`

	// The certificates to verify with in place of those that requests name, as PEM, or
	// DER in base64. They are trusted as they are, even after they have expired.
	Certificates []string `json:"certificates,omitempty"`

	// The https URL of the provider's public keys, a JWK set or PEM. They are fetched
	// when the first request comes, each hour after that, and when a request names an
	// unknown key. While a key cannot be fetched, its requests get status 503.
	KeysURL string `json:"keys_url,omitempty"`

	// The client ID to ask the provider's API for public keys with.
	ClientID string `json:"client_id,omitempty"`

	// The client secret to ask the provider's API for public keys with.
	ClientSecret string `json:"client_secret,omitempty"`

	// The URL of the provider's API. Default: the provider's own.
	APIURL string `json:"api_url,omitempty"`
}

// ParsedKeys returns the configured keys and certificates, in the order in
// which they are counted.
func (k *Keys) ParsedKeys() (list []keys.PublicKey, err error) {
	for _, option := range []struct {
		name       string
		configured []string
	}{{"public_key", k.PublicKeys}, {"certificate", k.Certificates}} {
		texts, err := Resolve(option.name, option.configured)
		if err != nil {
			return nil, err
		}
		for i, text := range texts {
			parsed, err := keys.ParsePublicKeys(text)
			if err != nil {
				return nil, fmt.Errorf("%s %d: %v", option.name, i+1, err)
			}
			list = append(list, parsed...)
		}
	}
	return list, nil
}

// keyring returns what verifies signatures of an algorithm: the configured
// keys, else those at keys_url.
func (c *Credentials) keyring(algorithms ...keys.Algorithm) (*keys.Keyring, error) {
	fixed, err := c.ParsedKeys()
	if err != nil {
		return nil, err
	}
	for i, key := range fixed {
		if !fitsAny(algorithms, key) {
			return nil, fmt.Errorf("public key %d is a %T, which the signature algorithm does not use", i+1, key.PublicKey)
		}
	}
	ring := &keys.Keyring{Fixed: fixed}
	if len(fixed) > 0 || c.KeysURL == "" {
		return ring, nil
	}
	address, err := ParseHTTPS("keys_url", c.KeysURL)
	if err != nil {
		return nil, err
	}
	ring.Fetched = keys.CacheOf(&keys.Source{
		Place: address.String(),
		Fetch: func(ctx context.Context, client *http.Client, _ string) ([]byte, error) {
			return keys.Download(ctx, client, address.String(), "")
		},
		Read: keys.ReadKeys,
	}, c.Dir)
	return ring, nil
}

// certificates returns the configured certificates of a provider, else what fetches
// them. genuine and names are those of NewCertificates.
func (c *Credentials) certificates(provider string, genuine func(*url.URL) bool, names func(*url.URL) []string) (*keys.Certificates, error) {
	if err := c.checkSecrets(); err != nil {
		return nil, err
	}
	fixed, err := c.ParsedKeys()
	if err != nil {
		return nil, err
	}
	return keys.NewCertificates(fixed, c.Dir, provider, genuine, names)
}

func fitsAny(algorithms []keys.Algorithm, key keys.PublicKey) bool {
	for i := range algorithms {
		if algorithms[i].Fits(key.PublicKey) {
			return true
		}
	}
	return false
}

// Given returns the names of the options that are set.
func (k *Keys) Given() (names []string) {
	for _, option := range []struct {
		name string
		set  bool
	}{
		{"public_key", len(k.PublicKeys) > 0},
		{"certificate", len(k.Certificates) > 0},
		{"keys_url", k.KeysURL != ""},
		{"client_id", k.ClientID != ""},
		{"client_secret", k.ClientSecret != ""},
		{"api_url", k.APIURL != ""},
	} {
		if option.set {
			names = append(names, option.name)
		}
	}
	return names
}

// Readers returns the readers of the options.
func (k *Keys) Readers() syntax.Options {
	return syntax.Options{
		"public_key": func(d *caddyfile.Dispenser) error {
			if len(k.PublicKeys) > 0 {
				return d.Err("the provider's public keys are given twice; put all of them on one line")
			}
			return syntax.Strings(&k.PublicKeys)(d)
		},
		"certificate":   syntax.Strings(&k.Certificates),
		"keys_url":      ReadURL(&k.KeysURL),
		"client_id":     syntax.String(&k.ClientID),
		"client_secret": syntax.String(&k.ClientSecret),
		"api_url":       ReadURL(&k.APIURL),
	}
}

// client returns the client credentials and the address of a provider's API. address
// is the default of api_url.
func (k *Keys) client(provider, address string) (id, secret string, api *url.URL, err error) {
	if id, err = resolved("client_id", k.ClientID); err != nil {
		return "", "", nil, err
	}
	if secret, err = resolved("client_secret", k.ClientSecret); err != nil {
		return "", "", nil, err
	}
	if id == "" || secret == "" {
		return "", "", nil, fmt.Errorf("the API of %s gives the public keys to registered clients: client_id <id> and client_secret <secret>; or configure one: public_key <key>", provider)
	}
	if k.APIURL != "" {
		address = k.APIURL
	}
	api, err = ParseHTTPS("api_url", address)
	return id, secret, api, err
}
