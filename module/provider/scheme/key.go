package scheme

import (
	"crypto/hmac"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

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
		return nil, fmt.Errorf("not a key in %s", encoding)
	}
	return key, nil
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
		return nil, fmt.Errorf("not a key for %s", text)
	}
	if len(key) == 0 {
		return nil, fmt.Errorf("an empty key by %s", text)
	}
	return key, nil
}

// matchMAC returns the position of the first secret that made an HMAC.
func matchMAC(a algorithm, secrets [][]byte, signed, signature []byte) (position int, err error) {
	for i, secret := range slices.Backward(secrets) {
		same := subtle.ConstantTimeCompare(sumOf(a, secret, signed), signature)
		position = subtle.ConstantTimeSelect(same, i+1, position)
	}
	if position == 0 {
		return 0, Wrong
	}
	return position, nil
}

func sumOf(a algorithm, secret, signed []byte) []byte {
	m := hmac.New(a.Hash.New, secret)
	m.Write(signed)
	return m.Sum(nil)
}
