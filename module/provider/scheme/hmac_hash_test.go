package scheme_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
)

func macOf(hash func() hash.Hash) string {
	m := hmac.New(hash, []byte("s3cret"))
	m.Write([]byte("body"))
	return hex.EncodeToString(m.Sum(nil))
}

// TestHashFrom takes the hash that a request names, if it is listed, and no other.
func TestHashFrom(t *testing.T) {
	by256, by1 := macOf(sha256.New), macOf(sha1.New)
	header := providertest.MustParse(t, "custom s3cret {\nhmac sha256 sha1 {\nheader X-Signature\nhash_from {header.X-Hash}\n}\n}")
	inside := providertest.MustParse(t, "custom s3cret {\nhmac sha256 sha1 {\nheader X-Signature\nvalue \"a={value.a},s={signature}\"\nhash_from {value.a}\n}\n}")
	for _, test := range []struct {
		name, signature string
		valid           bool
	}{
		{"sha256", by256, true},
		{"SHA-256", by256, true},
		{"HmacSHA256", by256, true},
		{"SHA", by1, true},
		{"sha_1", by1, true},
		{"sha1", by256, false},
		{"sha256", by1, false},
		{"sha512", by256, false}, // is not listed
		{"md5", by256, false},
		{"", by256, false},
	} {
		if err := header.Verify(providertest.Hook("body", "X-Signature: "+test.signature, "X-Hash: "+test.name), providertest.Now); (err == nil) != test.valid {
			t.Errorf("X-Hash: %s: %v", test.name, err)
		}
		if err := inside.Verify(providertest.Hook("body", "X-Signature: a="+test.name+",s="+test.signature), providertest.Now); (err == nil) != test.valid {
			t.Errorf("a=%s: %v", test.name, err)
		}
	}
	if err := header.Verify(providertest.Hook("body", "X-Signature: "+by256), providertest.Now); err == nil {
		t.Error("valid without the name of a hash")
	}
}

// TestHashFromSigns signs with the hash that a request names, else with the first.
func TestHashFromSigns(t *testing.T) {
	p := providertest.MustParse(t, "custom s3cret {\nhmac sha256 sha1 {\nheader X-Signature\nhash_from {header.X-Hash}\n}\n}")
	for named, want := range map[string]string{"": macOf(sha256.New), "SHA1": macOf(sha1.New), "md5": macOf(sha256.New)} {
		r := providertest.Hook("body")
		if named != "" {
			r.Header["X-Hash"] = []string{named}
		}
		if err := p.Sign(r, providertest.Now); err != nil {
			t.Fatal(err)
		}
		if got := r.HeaderValue("X-Signature"); got != want || p.Verify(r, providertest.Now) != nil {
			t.Errorf("named %q: %v", named, r.Header)
		}
	}
}

// TestHashFromRefuses refuses what could never match.
func TestHashFromRefuses(t *testing.T) {
	for block, want := range map[string]string{
		"hmac sha256 sha1 {\nheader X-S\n}":                                                      "hash_from",
		"hmac sha256 {\nheader X-S\nhash_from {header.X-Hash}\n}":                                "two or more",
		"hmac sha256 sha3 {\nheader X-S\nhash_from {header.X-Hash}\n}":                           "unknown hash",
		"hmac sha256 sha1 {\nheader X-S\nhash_from sha1\n}":                                      "reads nothing",
		"hmac sha256 sha1 {\nheader X-S\nhash_from {value.a}\n}":                                 "no value contains it",
		"hmac sha256 sha1 {\nheader X-S\nvalue {hash}={signature}\nhash_from {header.X-Hash}\n}": "one hash",
	} {
		if _, err := providertest.Parse("custom s3cret {\n" + block + "\n}"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", block, err)
		}
	}
}
