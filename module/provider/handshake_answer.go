package provider

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// HandshakeDigest is how a challenge is signed or hashed.
type HandshakeDigest struct {
	// The hash function: sha256, sha1, sha384, sha512 or md5. Default: sha256.
	Hash string `json:"hash,omitempty"`

	// How the digest is written: hex, base64 or base64url. Default: hex.
	Encoding string `json:"encoding,omitempty"`

	// How the secret becomes a key: raw, hex, base64, or sha1, which is its hash.
	// Default: raw.
	Key string `json:"key,omitempty"`

	// The text that is hashed: a template with {challenge} and options of the preset.
	// Default: the challenge.
	Of string `json:"of,omitempty"`

	// The template of the part of a webhook that is signed with the same key, such as
	// {form.name}. Default: {body}.
	From string `json:"from,omitempty"`

	from template.Template
	key  []byte
}

// part returns the template of what is signed with the same key.
func (d *HandshakeDigest) part() string { return cmp.Or(d.From, "{body}") }

// unforgeable matches the texts that the gateway signs for anybody.
var unforgeable = regexp.MustCompile(`\A` + Signable + `\z`)

func (d *HandshakeDigest) provision(kind string) (err error) {
	d.Hash = cmp.Or(d.Hash, "sha256")
	d.Encoding = cmp.Or(d.Encoding, "hex")
	d.Key = cmp.Or(d.Key, "raw")
	d.Of = cmp.Or(d.Of, "{challenge}")
	of, err := scheme.Resolve("of", []string{d.Of})
	if err != nil {
		return err
	}
	d.Of = of[0]
	if d.from, err = parseAsked(d.part()); err != nil {
		return err
	}
	switch {
	case scheme.Hashes[d.Hash] == nil:
		return fmt.Errorf("unknown hash %q; use sha256, sha1, sha384, sha512 or md5", d.Hash)
	case !slices.Contains(template.Encodings, d.Encoding):
		return fmt.Errorf("unknown encoding %q; use hex, base64 or base64url", d.Encoding)
	}
	return nil
}

// rekey takes the first of the secrets.
func (d *HandshakeDigest) rekey(secrets []string) (err error) {
	switch {
	case len(secrets) == 0:
		return fmt.Errorf("hmac needs a secret")
	case d.Key == "sha1":
		sum := sha1.Sum([]byte(secrets[0]))
		d.key = sum[:]
		return nil
	}
	d.key, err = scheme.DecodeKey(d.Key, secrets[0])
	return err
}

// sum returns the digest of a text.
func (d *HandshakeDigest) sum(text string) string {
	hash := scheme.Hashes[d.Hash]()
	if d.key != nil {
		hash = hmac.New(scheme.Hashes[d.Hash], d.key)
	}
	hash.Write([]byte(text))
	return string(template.AppendEncoded(nil, d.Encoding, hash.Sum(nil)))
}

// gaveAway reports whether the text that a webhook signs could have been a
// challenge. Anybody can have the signature of a challenge, so it proves nothing.
// The body may be only a part of the signed text, even if the body is empty.
func (h *Handshake) gaveAway(r *template.Request) bool {
	switch {
	case h.Kind != "hmac" || h.Signed == "always":
		return false
	case h.Digest.part() == "{body}":
		return unforgeable.Match(r.Body) || len(r.Body) == 0
	}
	e := template.NewEnv(r, nil) // which reads the part as the proof does
	defer e.Free()
	if part, name := h.Digest.from.Place(); part == "form" { // which makes no copy
		return h.pattern.MatchString(e.FormValue(name))
	}
	text, _ := h.Digest.from.AppendTo(nil, e)
	return h.pattern.Match(text)
}

var variable = regexp.MustCompile(`\{([a-z_]+|header\.[A-Za-z0-9-]+)\}`)

// checkTemplates refuses names that stand for nothing.
func (h *Handshake) checkTemplates() error {
	texts := []string{h.Text, h.JSON}
	for _, text := range h.Header {
		texts = append(texts, text)
	}
	if h.Digest != nil {
		texts = append(texts, h.Digest.Of)
	}
	for _, text := range texts {
		for _, match := range variable.FindAllStringSubmatch(text, -1) {
			name := match[1]
			if name != "challenge" && name != "digest" && !strings.HasPrefix(name, "header.") {
				return fmt.Errorf("unknown placeholder %s; use {challenge}, {digest} or {header.X-Name}", match[0])
			}
		}
	}
	return nil
}

// write fills the texts of the answer.
func (h *Handshake) write(a *Reply, r *template.Request, challenge string) {
	values := h.valuesOf(r, challenge)
	for name, value := range h.Header {
		if text := fill(value, values); text != "" {
			a.Header.Set(name, text)
		}
	}
	switch {
	case h.JSON != "":
		a.Header.Set("Content-Type", "application/json")
		a.Body = fill(h.JSON, func(name string) string { return quoted(values(name)) })
	case h.Text != "":
		a.Header.Set("Content-Type", "text/plain")
		a.Body = fill(h.Text, values)
	}
	if a.Body != "" {
		// A challenge is a stranger's text: no browser may take it for a page.
		a.Header.Set("X-Content-Type-Options", "nosniff")
	}
}

// valuesOf returns the values of the names in templates of the answer.
func (h *Handshake) valuesOf(r *template.Request, challenge string) func(string) string {
	var values func(name string) string
	values = func(name string) string {
		header, isHeader := strings.CutPrefix(name, "header.")
		switch {
		case isHeader:
			value := r.HeaderValue(textproto.CanonicalMIMEHeaderKey(header))
			if !reflectable.MatchString(value) {
				return ""
			}
			return value
		case name == "challenge":
			return challenge
		case name == "digest":
			return h.Digest.sum(fill(h.Digest.Of, values))
		}
		return ""
	}
	return values
}

var reflectable = regexp.MustCompile(`\A` + printable + `\z`)

func fill(text string, values func(string) string) string {
	return variable.ReplaceAllStringFunc(text, func(name string) string {
		return values(name[1 : len(name)-1])
	})
}

// quoted returns a text in the spelling of a JSON string, without the quotes.
func quoted(text string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string can always be encoded
	return strings.TrimSuffix(b.String()[1:], "\"\n")
}
