package provider

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// HMAC is the scheme of most providers: a keyed hash over the body, and often
// over a timestamp and more. As a digest it is a plain hash over a text that
// the secret is part of.
type HMAC struct {
	// The hash function: sha256 (the default), sha1, sha384, sha512 or md5.
	Hash string `json:"hash,omitempty"`

	// The header that carries the signature. {n} in its name stands for the
	// numbers 1, 2, 3 and so on: several headers, any of which may match.
	Header string `json:"header,omitempty"`

	// What gives the signature if it is not in a header: {query.name},
	// {json.path} or {form.name}.
	From string `json:"from,omitempty"`

	// How the value is made up, with {signature}, {timestamp}, {hash}, and
	// {value.name} for what else stands in it. Items may come more than once in a
	// value. With several templates any of them may match. Default: {signature}.
	Value []string `json:"value,omitempty"`

	// The characters between the items of a value. Default: those that the
	// template has between them, else white space and commas.
	Separators string `json:"separators,omitempty"`

	// How the signature is written: hex (the default), base64 or base64url.
	Encoding string `json:"encoding,omitempty"`

	// What is signed, with {body}, {timestamp}, {method}, {url}, {scheme},
	// {host}, {path}, {query}, {form}, {id}, {header.X-Name}, {query.name},
	// {form.name}, {json.path}, {value.name} and, in a digest, {secret}. Functions
	// follow a |, as in {body|sha256|hex}. With several templates any of them may
	// match. Default: {body}.
	Signed []string `json:"signed,omitempty"`

	// The path of a JSON array each of whose elements is signed by itself: {json}
	// then reads in the element.
	Each string `json:"each,omitempty"`

	// How the secret becomes a key: raw (the default), hex, base64, which ignores
	// a leading whsec_, or a template such as {secret|sha1}.
	Key string `json:"key,omitempty"`

	// Where the timestamp stands if not in the value.
	Timestamp *Timestamp `json:"timestamp,omitempty"`

	plain     bool // a digest
	headers   []string
	from      template
	values    []valueTemplate
	signed    []template
	keys      []*macPool
	tolerance time.Duration
	external  *url.URL
}

var hashes = map[string]func() hash.Hash{
	"sha256": sha256.New, "sha1": sha1.New, "sha384": sha512.New384, "sha512": sha512.New, "md5": md5.New,
}

var hashNames = []string{"md5", "sha1", "sha256", "sha384", "sha512"}

// maxHeaders is what {n} in a header's name goes up to.
const maxHeaders = 100

func canonical(header string) string { return textproto.CanonicalMIMEHeaderKey(header) }

// macPool keeps keyed hashes of one secret: keying one costs as much as
// hashing a small body.
type macPool struct{ sync.Pool }

type mac struct {
	hash.Hash
	key  []byte
	sum  []byte
	text []byte
}

// provision implements scheme.
func (h *HMAC) provision(c *Common) error {
	if err := h.compile(); err != nil {
		return err
	}
	h.external, h.tolerance = c.external, 0
	if h.carriesTime() { // older versions of a scheme may have none
		h.tolerance = c.tolerance
	}
	h.keys = nil
	keys, err := decodeKeys(h.Key, c.secrets)
	if err != nil {
		return err
	}
	for _, key := range keys {
		h.keys = append(h.keys, &macPool{sync.Pool{New: func() any {
			if h.plain {
				return &mac{Hash: hashes[h.Hash](), key: key}
			}
			return &mac{Hash: hmac.New(hashes[h.Hash], key)}
		}}})
	}
	return nil
}

// kind is what the scheme is called in errors.
func (h *HMAC) kind() string {
	if h.plain {
		return "digest"
	}
	return "hmac"
}

// compile checks what is configured and compiles the templates.
func (h *HMAC) compile() (err error) {
	h.defaults()
	_, known := hashes[h.Hash]
	switch {
	case h.Header == "" && h.From == "":
		return fmt.Errorf("%s needs the header that carries the signature", h.kind())
	case h.Header != "" && h.From != "":
		return fmt.Errorf("%s has its signature either in a header or from %s", h.kind(), h.From)
	case !known:
		return fmt.Errorf("unknown hash %q: want sha256, sha1, sha384, sha512 or md5", h.Hash)
	case !slices.Contains(encodings, h.Encoding):
		return fmt.Errorf("unknown encoding %q: want hex, base64 or base64url", h.Encoding)
	}
	if err := h.Timestamp.compile(); err != nil {
		return err
	}
	if h.from, err = parseTemplate(h.From); err != nil {
		return err
	}
	h.headers = headersNamed(h.Header)
	if err := h.compileTemplates(); err != nil {
		return err
	}
	switch secret := h.signs("secret"); {
	case h.timed() && !h.carriesTime():
		return fmt.Errorf("%s signs {timestamp}, so it needs a {timestamp} in its value, or a line: timestamp header <name>", h.kind())
	case h.Each != "" && h.signs("body"):
		return fmt.Errorf("%s signs each element by itself, so {body}, which is all of them, is no part of it", h.kind())
	case h.plain && !secret:
		return errors.New("digest proves nothing unless {secret} is part of what is signed")
	case !h.plain && secret:
		return errors.New("hmac has the secret as its key; {secret} is for digest")
	}
	return nil
}

func headersNamed(name string) (headers []string) {
	if name == "" {
		return nil
	}
	if !strings.Contains(name, "{n}") {
		return []string{canonical(name)}
	}
	for n := range maxHeaders {
		headers = append(headers, canonical(strings.ReplaceAll(name, "{n}", strconv.Itoa(n+1))))
	}
	return headers
}

func (h *HMAC) compileTemplates() (err error) {
	var captured []string
	h.values = make([]valueTemplate, len(h.Value))
	for i, text := range h.Value {
		if h.values[i], err = parseValue(text, h.Hash, h.Separators, &captured); err != nil {
			return err
		}
	}
	if h.signed, err = parseTemplates(h.Signed); err != nil {
		return err
	}
	for _, t := range h.signed {
		for i := range t {
			if t[i].name != "value" {
				continue
			}
			position := slices.Index(captured, t[i].text)
			if position < 0 {
				return fmt.Errorf("{value.%s} is signed, but stands in no value", t[i].text)
			}
			t[i].text = strconv.Itoa(position)
		}
	}
	return nil
}

// defaults fills what is not configured, without touching what copies share.
func (h *HMAC) defaults() {
	setDefault(&h.Hash, "sha256")
	setDefault(&h.Encoding, "hex")
	setDefault(&h.Key, "raw")
	if len(h.Value) == 0 {
		h.Value = []string{"{signature}"}
	}
	if len(h.Signed) == 0 {
		h.Signed = []string{"{body}"}
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

// profile implements scheme.
func (h *HMAC) profile(p *Profile) {
	for _, t := range append(h.signed[:len(h.signed):len(h.signed)], h.from, h.Timestamp.template) {
		t.profile(p)
	}
}

// signs reports whether a placeholder is part of what is signed.
func (h *HMAC) signs(name string) bool {
	return slices.ContainsFunc(h.signed, func(t template) bool { return t.has(name) })
}

// timed reports whether the scheme signs a timestamp.
func (h *HMAC) timed() bool { return h.signs("timestamp") }

// carriesTime reports whether requests carry a timestamp, signed or not.
func (h *HMAC) carriesTime() bool {
	return h.Timestamp != nil && (h.Timestamp.Header != "" || h.Timestamp.From != "") ||
		slices.ContainsFunc(h.Value, func(v string) bool { return strings.Contains(v, "{timestamp}") })
}

// places are the headers that carry the signature.
func (h *HMAC) places() []string { return h.headers }

// inHeader reports whether the signature stands in a header.
func (h *HMAC) inHeader() bool { return h.Header != "" }

// verify implements scheme.
func (h *HMAC) verify(r *Request, now time.Time) error {
	e := newEnv(r, h.external)
	defer e.free()
	if h.Each == "" {
		return h.verifyOne(e, now)
	}
	items := e.items(h.Each)
	if len(items) == 0 {
		return Missing
	}
	for _, e.item = range items {
		if err := h.verifyOne(e, now); err != nil {
			return err
		}
	}
	return nil
}

// verifyOne reports whether any signature was made with any key.
func (h *HMAC) verifyOne(e *env, now time.Time) error {
	var buf [4]candidate
	candidates := h.candidates(e, buf[:0])
	if len(candidates) == 0 {
		return Missing
	}
	elsewhere := h.Timestamp.find(e)
	refusal := Wrong
	for tried := 0; len(candidates) > 0 && tried < maxTimestamps; tried++ {
		first := candidates[0]
		same := alike(candidates)
		if e.timestamp, e.captured = first.timestamp, first.captured; e.timestamp == "" {
			e.timestamp = elsewhere
		}
		if e.timestamp == "" && (h.timed() || h.tolerance > 0) {
			refusal = NoTime
		} else if e.r.Matched = h.match(e, candidates[:same]); e.r.Matched > 0 {
			return h.Timestamp.check(e.timestamp, now, h.tolerance)
		} else {
			refusal = Wrong
		}
		candidates = candidates[same:]
	}
	return refusal
}

// maxTimestamps bounds how often one request can have its content hashed.
const maxTimestamps = 4

// alike returns how many candidates, from the first on, share what came along.
func alike(candidates []candidate) int {
	for i := range candidates {
		if candidates[i].timestamp != candidates[0].timestamp || candidates[i].captured != candidates[0].captured {
			return i
		}
	}
	return len(candidates)
}

// candidates appends the signatures that a request carries.
func (h *HMAC) candidates(e *env, to []candidate) []candidate {
	for i := range h.values {
		for _, name := range h.headers {
			for _, text := range e.r.Header[name] {
				to = h.values[i].parse(text, to)
			}
		}
		if h.from != nil {
			to = h.values[i].parse(h.from.text(e), to)
		}
	}
	return to
}

// match compares every signature with every key's, and returns the position of
// the first key that made one; 0 if none did.
func (h *HMAC) match(e *env, candidates []candidate) (position int) {
	for i, key := range slices.Backward(h.keys) {
		m := key.Get().(*mac)
		for _, signed := range h.signed {
			want, ok := h.sum(m, e, signed)
			if !ok {
				continue
			}
			for _, c := range candidates {
				same := subtle.ConstantTimeCompare(want, []byte(h.trim(c.signature)))
				position = subtle.ConstantTimeSelect(same, i+1, position)
			}
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
		return unpadded(signature)
	}
	return signature
}

// sum returns a signature in its encoding, in memory of m. It reports whether
// the request has what is signed.
func (h *HMAC) sum(m *mac, e *env, signed template) ([]byte, bool) {
	m.Reset()
	e.secret = m.key
	if !signed.write(m.Hash, e) {
		return nil, false
	}
	m.sum = m.Hash.Sum(m.sum[:0])
	m.text = appendEncoded(m.text[:0], h.Encoding, m.sum)
	return m.text, true
}
