package scheme

import (
	"crypto/hmac"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// DecodeKey makes a secret into a key. Its errors do not quote the secret.
func DecodeKey(encoding, secret string) (key []byte, err error) {
	switch encoding {
	case "raw":
		return []byte(secret), nil
	case "hex":
		key, err = hex.DecodeString(secret)
	case "base64":
		text := strings.TrimRight(strings.TrimPrefix(secret, "whsec_"), "=")
		key, err = base64.RawStdEncoding.DecodeString(text)
	default:
		return deriveKey(encoding, secret)
	}
	if err != nil || len(key) == 0 {
		return nil, notKey(encoding, secret)
	}
	return key, nil
}

// shown are the beginnings of keys in the shapes in which consoles show them, with what to
// do about one that is not decoded.
var shown = []struct{ prefix, advice string }{
	{"polar_whs_", "as Polar's secrets do, whose whole text is the key; use: provider polar"},
	{"whsk_", "as private keys of Standard Webhooks do; configure the public half of it: public_key whpk_…"},
	{"whpk_", "as public keys of Standard Webhooks do; write: public_key whpk_…"},
	{"-----BEGIN ", "as PEM does; a public key goes on a line of its own: public_key <key>"},
	{"whsec_", "which is cut off; what follows is not whole, or the text itself is the key"},
	{"0x", "which is no part of the key; write only what follows"},
	{"base64:", "which is no part of the key; write only what follows"},
	{"hex:", "which is no part of the key; write only what follows"},
}

// notKey says why a secret cannot be decoded, without quoting more of the secret than a
// beginning that many have.
func notKey(encoding, secret string) error {
	for _, s := range shown {
		if strings.HasPrefix(secret, s.prefix) {
			return fmt.Errorf("not a key in %s: it begins with %s, %s", encoding, strings.TrimSpace(s.prefix), s.advice)
		}
	}
	digits := map[string]string{"hex": "0123456789abcdefABCDEF", "base64": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="}[encoding]
	other := strings.IndexFunc(secret, func(r rune) bool { return !strings.ContainsRune(digits, r) })
	switch {
	case other >= 0 && encoding == "base64" && strings.Trim(secret, digits+"-_") == "":
		return fmt.Errorf("not a key in base64: character %d of %d is - or _, as in base64url, or in a name before the key; write the key as the provider shows it, without the name", other+1, len(secret))
	case other >= 0:
		return fmt.Errorf("not a key in %s: character %d of %d is none of %s; write only the key, without what stands before or behind it", encoding, other+1, len(secret), encoding)
	}
	return fmt.Errorf("not a key in %s: it has %d characters, which is not a whole number of bytes; some of them are missing", encoding, len(secret))
}

// decodeKeys makes secrets into keys.
func decodeKeys(encoding string, secrets []string) (keys [][]byte, err error) {
	for i, secret := range secrets {
		key, err := DecodeKey(encoding, secret)
		if err != nil {
			return nil, fmt.Errorf("secret %d: %v", i+1, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// parseKey compiles a template over {secret}.
func parseKey(text string) (template.Template, error) {
	if !strings.Contains(text, "{secret") {
		return nil, fmt.Errorf("unknown key encoding %q; use raw, hex, base64, or a template such as {secret|sha1}", text)
	}
	t, err := template.Parse(text)
	if err != nil {
		return nil, err
	}
	if !t.HasOnly("secret") {
		return nil, fmt.Errorf("key %q: only {secret} is known before a request", text)
	}
	return t, nil
}

// deriveKey makes a key by a template.
func deriveKey(text, secret string) (key []byte, err error) {
	t, err := parseKey(text)
	if err != nil {
		return nil, err
	}
	e := template.NewEnv(new(template.Request), nil)
	defer e.Free()
	e.Secret = []byte(secret)
	key, ok := t.AppendTo(nil, e)
	if !ok {
		return nil, fmt.Errorf("not a key: %s cannot be made of it; write the secret whole, as the provider shows it", text)
	}
	if len(key) == 0 {
		return nil, fmt.Errorf("an empty key by %s", text)
	}
	return key, nil
}

// matchMAC returns the position of the first secret that made an HMAC.
func matchMAC(a keys.Algorithm, secrets [][]byte, signed, signature []byte) (position int, err error) {
	for i, secret := range slices.Backward(secrets) {
		same := subtle.ConstantTimeCompare(sumOf(a, secret, signed), signature)
		position = subtle.ConstantTimeSelect(same, i+1, position)
	}
	if position == 0 {
		return 0, Wrong
	}
	return position, nil
}

func sumOf(a keys.Algorithm, secret, signed []byte) []byte {
	m := hmac.New(a.Hash.New, secret)
	m.Write(signed)
	return m.Sum(nil)
}
