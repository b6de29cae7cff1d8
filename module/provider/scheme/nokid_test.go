package scheme_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// TestKeysWithoutIDs verifies with fetched keys that have no IDs, or by tokens that
// name none: each key is tried.
func TestKeysWithoutIDs(t *testing.T) {
	_, private := providertest.EdKey('b')
	claims, _ := json.Marshal(map[string]any{"iat": providertest.Now.Unix(), "sha256": scheme.HashText("hex", []byte("body"))})
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	bare := signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(signed)))
	for name, keys := range map[string]string{
		"keys with IDs":    providertest.JWKS('a', 'b'),
		"keys without IDs": strings.ReplaceAll(providertest.JWKS('a', 'b'), `"kid"`, `"x-id"`),
	} {
		server := newKeyServer(t, nil)
		server.serve(200, keys)
		p := providertest.MustParse(t, jwksConfig)
		if err := deliver(p, providertest.Hook("body", "X-Token: "+bare), providertest.Now); err != nil {
			t.Errorf("%s, a token that names none: %v", name, err)
		}
		if err := deliver(p, providertest.Hook("body", "X-Token: "+edToken('b', "body")), providertest.Now); err != nil {
			t.Errorf("%s, a token that names one: %v", name, err)
		}
		if err := deliver(p, providertest.Hook("body", "X-Token: "+edToken('c', "body")), providertest.Now.Add(1)); !errors.Is(err, scheme.Wrong) {
			t.Errorf("%s, a key that is not there: %v", name, err)
		}
	}
}
