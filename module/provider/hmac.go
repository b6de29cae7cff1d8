package provider

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"maps"
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
	timed     bool // what is signed has a timestamp
	keys      []*macPool
	tolerance time.Duration
	external  *url.URL
}

var hashes = map[string]func() hash.Hash{
	"sha256": sha256.New, "sha1": sha1.New, "sha384": sha512.New384, "sha512": sha512.New, "md5": md5.New,
}

// HashNames returns the names of the hash functions.
func HashNames() []string { return slices.Sorted(maps.Keys(hashes)) }

// maxHeaders is what {n} in a header's name goes up to.
const maxHeaders = 100

// macPool keeps keyed hashes of one secret: keying one costs as much as
// hashing a small body.
type macPool struct{ sync.Pool }

type mac struct {
	hash.Hash
	key  []byte
	sum  []byte
	text []byte
}

// Provision implements Scheme.
func (h *HMAC) Provision(c *Credentials) error {
	if err := h.Compile(); err != nil {
		return err
	}
	h.external, h.tolerance = c.External, 0
	if h.carriesTime() { // older versions of a scheme may have none
		h.tolerance = c.Tolerance
	}
	h.keys = nil
	keys, err := decodeKeys(h.Key, c.Secrets)
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
func (h *HMAC) Compile() (err error) {
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
	h.timed = h.signsTime()
	secret := mentions(h.Signed, "secret")
	switch {
	case h.timed && !h.carriesTime():
		return fmt.Errorf("%s signs {timestamp}, so it needs a {timestamp} in its value, or a line: timestamp header <name>", h.kind())
	case h.Each != "" && mentions(h.Signed, "body"):
		return fmt.Errorf("%s signs each element by itself, so {body}, which is all of them, is no part of it", h.kind())
	case h.plain && !secret:
		return errors.New("digest proves nothing unless {secret} is part of what is signed")
	case !h.plain && secret:
		return errors.New("hmac has the secret as its key; {secret} is for digest")
	}
	return nil
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
		if err := t.locateCaptures(captured); err != nil {
			return err
		}
	}
	return nil
}

// headersNamed returns the canonical names of the headers that a name stands for.
func headersNamed(name string) (headers []string) {
	if name == "" {
		return nil
	}
	if !strings.Contains(name, "{n}") {
		return []string{textproto.CanonicalMIMEHeaderKey(name)}
	}
	for n := range maxHeaders {
		headers = append(headers, textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(name, "{n}", strconv.Itoa(n+1))))
	}
	return headers
}

// Traits implements Scheme.
func (h *HMAC) Traits() Traits {
	texts := append(slices.Clone(h.Signed), h.From)
	if h.Timestamp != nil {
		texts = append(texts, h.Timestamp.From)
	}
	t := Traits{
		UsesSecret: true, NeedsSecret: true, KeyEncoding: cmp.Or(h.Key, "raw"),
		CarriesTime: h.carriesTime(), SignsTime: h.signsTime(),
		SignsID: mentions(texts, "id"), SignsURL: mentions(texts, urlPlaceholders...),
		CoversContent: true,
		Resigns:       h.Header != "",
	}
	if !h.plain {
		if t.HMACOf = h.Signed; len(h.Signed) == 0 {
			t.HMACOf = []string{"{body}"}
		}
	}
	return t
}

// signsTime reports whether the scheme signs a timestamp.
func (h *HMAC) signsTime() bool { return mentions(h.Signed, "timestamp") }

// carriesTime reports whether requests carry a timestamp, signed or not.
func (h *HMAC) carriesTime() bool {
	return h.Timestamp.given() || mentions(h.Value, "timestamp")
}

// Headers implements Scheme.
func (h *HMAC) Headers() []string { return headersNamed(h.Header) }

// Holds implements Scheme.
func (h *HMAC) Holds(r *Request) bool {
	e := newEnv(r, h.external)
	defer e.free()
	return slices.ContainsFunc(h.candidates(e, nil), h.fits)
}

// Describe implements Scheme.
func (h *HMAC) Describe() string {
	own := *h
	own.defaults()
	what, place := "HMAC", own.From
	if own.plain {
		what = "hash"
	}
	if own.Header != "" {
		place = own.Header
	}
	return fmt.Sprintf("%s-%s (%s) in %s as %s, over %s", what, strings.ToUpper(own.Hash), own.Encoding, place,
		strings.Join(own.Value, " or "), quoteEach(own.Signed))
}

// defaults fills what is not configured, without touching what copies share.
func (h *HMAC) defaults() {
	h.Hash = cmp.Or(h.Hash, "sha256")
	h.Encoding = cmp.Or(h.Encoding, "hex")
	h.Key = cmp.Or(h.Key, "raw")
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
	timestamp.Unit = cmp.Or(timestamp.Unit, "unix")
	h.Timestamp = &timestamp
}

// Verify implements Scheme.
func (h *HMAC) Verify(r *Request, now time.Time) error {
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
		if e.timestamp == "" && (h.timed || h.tolerance > 0) {
			refusal = NoTime
		} else if e.r.Matched = h.match(e, candidates[:same]); e.r.Matched > 0 {
			return checkTime(h.Timestamp, e.timestamp, now, h.tolerance)
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

// Observe implements Scheme.
func (h *HMAC) Observe(r *Request, x *Reading) {
	e := newEnv(r, h.external)
	defer e.free()
	if x.headers(r, h.headers...); h.from != nil {
		x.add("%s: %d characters", h.From, len(h.from.text(e)))
	}
	candidates := h.candidates(e, nil)
	for i := range candidates {
		x.signature(h.Encoding, candidates[i].signature)
	}
	if x.want = hashes[h.Hash]().Size(); len(candidates) > 0 {
		e.timestamp, e.captured = candidates[0].timestamp, candidates[0].captured
	}
	if e.timestamp == "" {
		e.timestamp = h.Timestamp.find(e)
	}
	x.timestamp(h.Timestamp, e.timestamp)
	if h.Each != "" {
		if items := e.items(h.Each); len(items) > 0 {
			e.item = items[0]
		}
	}
	for i, t := range h.signed {
		var text bytes.Buffer
		complete := t.write(&text, e) // without the secret, which e has not
		x.signed(h.Signed[i], text.Bytes(), complete)
	}
}

func quoteEach(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = fmt.Sprintf("%q", text)
	}
	return strings.Join(quoted, " or ")
}
