package scheme

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// hashes returns the names of the hash functions that may make the signature.
func (h *HMAC) hashes() []string {
	if len(h.Hashes) > 0 {
		return h.Hashes
	}
	return []string{h.Hash}
}

func checkHash(name string) error {
	if Hashes[name] == nil {
		return fmt.Errorf("unknown hash %q; use sha256, sha1, sha384, sha512 or md5", name)
	}
	return nil
}

// compileHashFrom compiles what names the hash function.
func (h *HMAC) compileHashFrom(captured []string) (err error) {
	h.hashFrom = nil
	switch {
	case h.HashFrom == "" && len(h.Hashes) > 0:
		return errors.New("several hashes need a line that says which one a request has: hash_from {header.X-Name}, or {value.name}")
	case h.HashFrom == "":
		return nil
	case h.Hash != "":
		return errors.New("hash_from chooses among the hashes that are listed; name two or more of them")
	}
	for _, value := range h.Value {
		if strings.Contains(value, "{hash}") {
			return errors.New("{hash} in a value stands for one hash; with hash_from write {value.name}, and hash_from {value.name}")
		}
	}
	if h.hashFrom, err = template.Parse(h.HashFrom); err != nil {
		return err
	}
	if h.hashFrom.Constant() {
		return fmt.Errorf("hash_from %q reads nothing in the request; write {header.X-Name} or {value.name}", h.HashFrom)
	}
	return h.hashFrom.LocateCaptures(captured)
}

// hashOf returns the hash function that a request names; "" if it names none of those
// that are listed.
func (h *HMAC) hashOf(e *template.Env) string {
	if h.hashFrom == nil {
		return h.Hash
	}
	if name := plainHash(h.hashFrom.Text(e)); slices.Contains(h.Hashes, name) {
		return name
	}
	return ""
}

// plainHash returns our name of a hash function: SHA-256, HmacSHA256 and SHA_256 are
// sha256, and SHA is sha1, as in Java.
func plainHash(name string) string {
	name = hashSigns.Replace(strings.ToLower(name))
	if name = strings.TrimPrefix(name, "hmac"); name == "sha" {
		return "sha1"
	}
	return name
}

var hashSigns = strings.NewReplacer("-", "", "_", "")

// nameHash has a request that is to be signed name its hash function, which it
// returns. What the request names already stays.
func (h *HMAC) nameHash(e *template.Env, made *template.Candidate) string {
	if h.hashFrom == nil {
		return h.Hash
	}
	e.Captured = made.Captured
	if name := h.hashOf(e); name != "" {
		return name
	}
	name := h.Hashes[0]
	switch at, text := h.hashFrom.Header(), strings.ToUpper(name); {
	case at != "":
		e.Request.Header[at] = []string{text}
	default:
		made.SetCapture(h.hashFrom, text)
	}
	return name
}
