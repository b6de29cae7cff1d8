package provider

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// HMAC is the scheme of most providers: a keyed hash over the body, and often
// over a timestamp and more, in a header.
type HMAC struct {
	// The hash function: sha256 (the default), sha1, sha384, sha512 or md5.
	Hash string `json:"hash,omitempty"`

	// The header that carries the signature.
	Header string `json:"header,omitempty"`

	// How the header's value is made up, with {signature}, {timestamp} and
	// {hash}. Items may come more than once in a value. With several templates
	// any of them may match. Default: {signature}.
	Value []string `json:"value,omitempty"`

	// How the signature is written: hex (the default), base64 or base64url.
	Encoding string `json:"encoding,omitempty"`

	// What is signed, with {body}, {timestamp}, {method}, {url}, {path},
	// {query}, {id} and {header.X-Name}. Default: {body}.
	Signed string `json:"signed,omitempty"`

	// How the secret becomes a key: raw (the default), hex, or base64, which
	// ignores a leading whsec_.
	Key string `json:"key,omitempty"`

	// Where the timestamp stands if not in the value.
	Timestamp *Timestamp `json:"timestamp,omitempty"`

	header    string
	values    []valueTemplate
	signed    signedTemplate
	keys      []*macPool
	tolerance time.Duration
	external  *url.URL
}

// Timestamp says where a request carries the time of its signature.
type Timestamp struct {
	// The header that carries the time. Empty if it is part of the signature's
	// header.
	Header string `json:"header,omitempty"`

	// How the time is written: unix (seconds, the default), unix_ms or rfc3339.
	Unit string `json:"unit,omitempty"`
}

var hashes = map[string]func() hash.Hash{
	"sha256": sha256.New, "sha1": sha1.New, "sha384": sha512.New384, "sha512": sha512.New, "md5": md5.New,
}

var (
	encodings = []string{"hex", "base64", "base64url"}
	units     = []string{"unix", "unix_ms", "rfc3339"}
)

// macPool keeps keyed hashes of one secret: keying one costs as much as
// hashing a small body.
type macPool struct{ sync.Pool }

type mac struct {
	hash.Hash
	sum  []byte
	text []byte
}

// provision compiles the scheme and makes its keys.
func (h *HMAC) provision(c *Common) error {
	if err := h.compile(); err != nil {
		return err
	}
	h.tolerance, h.external = c.tolerance, c.external
	h.keys = nil
	for i, secret := range c.secrets {
		key, err := decodeKey(h.Key, secret)
		if err != nil {
			return fmt.Errorf("secret %d: %v", i+1, err)
		}
		h.keys = append(h.keys, &macPool{sync.Pool{New: func() any {
			return &mac{Hash: hmac.New(hashes[h.Hash], key)}
		}}})
	}
	return nil
}

// compile checks what is configured and compiles the templates.
func (h *HMAC) compile() (err error) {
	h.defaults()
	_, known := hashes[h.Hash]
	switch {
	case h.Header == "":
		return errors.New("hmac needs the header that carries the signature")
	case !known:
		return fmt.Errorf("unknown hash %q: want sha256, sha1, sha384, sha512 or md5", h.Hash)
	case !slices.Contains(encodings, h.Encoding):
		return fmt.Errorf("unknown encoding %q: want hex, base64 or base64url", h.Encoding)
	case !slices.Contains(units, h.Timestamp.Unit):
		return fmt.Errorf("unknown timestamp unit %q: want unix, unix_ms or rfc3339", h.Timestamp.Unit)
	}
	h.header = textproto.CanonicalMIMEHeaderKey(h.Header)
	h.values = make([]valueTemplate, len(h.Value))
	for i, template := range h.Value {
		if h.values[i], err = parseValue(template, h.Hash); err != nil {
			return err
		}
	}
	if h.signed, err = parseSigned(h.Signed); err != nil {
		return err
	}
	if h.timed() && !h.carriesTime() {
		return errors.New("hmac signs {timestamp}, so it needs a {timestamp} in its value, or a line: timestamp header <name>")
	}
	return nil
}

// defaults fills what is not configured, without touching what copies share.
func (h *HMAC) defaults() {
	setDefault(&h.Hash, "sha256")
	setDefault(&h.Encoding, "hex")
	setDefault(&h.Signed, "{body}")
	setDefault(&h.Key, "raw")
	if len(h.Value) == 0 {
		h.Value = []string{"{signature}"}
	}
	var timestamp Timestamp
	if h.Timestamp != nil {
		timestamp = *h.Timestamp
	}
	setDefault(&timestamp.Unit, "unix")
	h.Timestamp = &timestamp
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// profile tells a profile what Verify will ask of a request.
func (h *HMAC) profile(p *Profile) {
	p.Secrets = len(h.keys)
	p.SignsID = h.signed.has("id")
	p.SignsURL = h.signed.has("url") || h.signed.has("path") || h.signed.has("query")
}

// timed reports whether the scheme signs a timestamp.
func (h *HMAC) timed() bool { return h.signed.has("timestamp") }

// carriesTime reports whether requests carry a timestamp, signed or not.
func (h *HMAC) carriesTime() bool {
	return h.Timestamp != nil && h.Timestamp.Header != "" ||
		slices.ContainsFunc(h.Value, func(v string) bool { return strings.Contains(v, "{timestamp}") })
}

func decodeKey(encoding, secret string) (key []byte, err error) {
	switch encoding {
	case "raw":
		return []byte(secret), nil
	case "hex":
		key, err = hex.DecodeString(secret)
	case "base64":
		text := strings.TrimRight(strings.TrimPrefix(secret, "whsec_"), "=")
		key, err = base64.RawStdEncoding.DecodeString(text)
	default:
		return nil, fmt.Errorf("unknown key encoding %q: want raw, hex or base64", encoding)
	}
	if err != nil || len(key) == 0 {
		// The decoder's own error would quote the secret.
		return nil, fmt.Errorf("not a key in %s", encoding)
	}
	return key, nil
}

// verify reports whether any signature in the header was made with any key.
func (h *HMAC) verify(r *Request, now time.Time) error {
	headers := r.Header[h.header]
	if len(headers) == 0 {
		return Missing
	}
	fromHeader := r.header(textproto.CanonicalMIMEHeaderKey(h.Timestamp.Header))
	refusal := Missing
	var buf [4]string
	for _, value := range headers {
		for i := range h.values {
			timestamp, signatures := h.values[i].parse(value, buf[:0])
			if timestamp == "" {
				timestamp = fromHeader
			}
			if len(signatures) == 0 {
				continue
			}
			if timestamp == "" && (h.timed() || h.tolerance > 0) {
				refusal = NoTime
				continue
			}
			refusal = Wrong
			if r.Matched = h.match(r, timestamp, signatures); r.Matched > 0 {
				return h.checkAge(timestamp, now)
			}
		}
	}
	return refusal
}

// match compares every signature with every key's, and returns the position of
// the first key that made one; 0 if none did.
func (h *HMAC) match(r *Request, timestamp string, signatures []string) (position int) {
	for i, key := range slices.Backward(h.keys) {
		m := key.Get().(*mac)
		want := h.sum(m, r, timestamp)
		for _, signature := range signatures {
			same := subtle.ConstantTimeCompare(want, []byte(h.trim(signature)))
			position = subtle.ConstantTimeSelect(same, i+1, position)
		}
		key.Put(m)
	}
	return position
}

// trim brings a signature to the form in which sum writes its own.
func (h *HMAC) trim(signature string) string {
	switch h.Encoding {
	case "hex":
		return strings.ToLower(signature)
	case "base64url":
		return strings.TrimRight(signature, "=")
	}
	return signature
}

// sum returns the signature of a request in its encoding, in memory of m.
func (h *HMAC) sum(m *mac, r *Request, timestamp string) []byte {
	m.Reset()
	for _, p := range h.signed {
		switch p.name {
		case "body":
			m.Write(r.Body)
		case "timestamp":
			m.Write([]byte(timestamp))
		case "header":
			m.Write([]byte(r.header(p.text)))
		case "method":
			m.Write([]byte(r.Method))
		case "url":
			m.Write([]byte(r.publicURL(h.external).String()))
		case "path":
			m.Write([]byte(r.publicURL(h.external).EscapedPath()))
		case "query":
			m.Write([]byte(r.publicURL(h.external).RawQuery))
		case "id":
			if r.DeliveryID != nil {
				m.Write([]byte(r.DeliveryID()))
			}
		default:
			m.Write([]byte(p.text))
		}
	}
	m.sum = m.Hash.Sum(m.sum[:0])
	switch h.Encoding {
	case "hex":
		m.text = hex.AppendEncode(m.text[:0], m.sum)
	case "base64":
		m.text = base64.StdEncoding.AppendEncode(m.text[:0], m.sum)
	default:
		m.text = base64.RawURLEncoding.AppendEncode(m.text[:0], m.sum)
	}
	return m.text
}

// checkAge refuses a timestamp that is further from now than the tolerance.
func (h *HMAC) checkAge(timestamp string, now time.Time) error {
	if h.tolerance <= 0 {
		return nil
	}
	at, err := h.Timestamp.parse(timestamp)
	switch {
	case err != nil:
		return NoTime
	case now.Sub(at) > h.tolerance:
		return TooOld
	case at.Sub(now) > h.tolerance:
		return TooNew
	}
	return nil
}

// form returns the template that a request's signature is written in, nil if it
// has none.
func (h *HMAC) form(r *Request) *valueTemplate {
	for _, value := range r.Header[h.header] {
		for i := range h.values {
			if _, signatures := h.values[i].parse(value, nil); len(signatures) > 0 {
				return &h.values[i]
			}
		}
	}
	return nil
}

// sign sets the scheme's headers of a request, made with the first key and in
// the form that is there already.
func (h *HMAC) sign(r *Request, now time.Time) error {
	timestamp := h.Timestamp.format(now)
	if h.Timestamp.Header != "" {
		r.Header[textproto.CanonicalMIMEHeaderKey(h.Timestamp.Header)] = []string{timestamp}
	}
	m := h.keys[0].Get().(*mac)
	defer h.keys[0].Put(m)
	signature := string(h.sum(m, r, timestamp))
	form := h.form(r)
	if form == nil {
		form = &h.values[0]
	}
	r.Header[h.header] = []string{form.format(signature, timestamp)}
	return nil
}
