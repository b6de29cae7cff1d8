package scheme

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
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

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// HMAC is the scheme of most providers: a keyed hash over the body, and often over a
// timestamp and more.
type HMAC struct {
	// The hash function: sha256, sha1, sha384, sha512 or md5. Default: sha256.
	Hash string `json:"hash,omitempty"`

	// The hash functions that a request may name. The first one signs where the request
	// names none. It takes hash_from, and hash stays empty.
	Hashes []string `json:"hashes,omitempty"`

	// The template that gives the name of the hash function, such as {header.X-Name} or
	// {value.name}. Upper case and dashes in the name do not count. Default: it is always
	// hash.
	HashFrom string `json:"hash_from,omitempty"`

	// The template that gives the signature: {header.X-Name}, {query.name}, {json.path}
	// or {form.name}. In the name of a header, {n} stands for 1, 2, 3 and so on. The
	// signature in any of those headers may be right.
	From string `json:"from,omitempty"`

	// How the value is written, with {signature}, {timestamp}, {hash}, and {value.name}
	// for anything else in it. A value may have several of each. With several templates,
	// any of them may fit. If {value.name} is signed, it may be there only once.
	// Default: {signature}.
	Value []string `json:"value,omitempty"`

	// The characters between the items of a value. Default: those between the items of
	// the template, else white space and commas.
	Separators string `json:"separators,omitempty"`

	// How the signature is written: hex, base64 or base64url. Default: hex.
	Encoding string `json:"encoding,omitempty"`

	// The text that is signed, with {body}, {timestamp}, {method}, {url}, {scheme},
	// {host}, {path}, {query}, {form}, {id}, {header.X-Name}, {query.name}, {form.name},
	// {json.path}, {value.name} and, in a digest, {secret}. Functions follow a bar, as
	// in {body|sha256|hex}. With several templates, any of them may fit. Default:
	// {body}.
	Signed []string `json:"signed,omitempty"`

	// The path of a JSON array whose elements are signed one by one. {json} then reads
	// in the element. Default: the body is signed as a whole.
	Each string `json:"each,omitempty"`

	// How the secret becomes a key: raw, hex, base64 (without a leading whsec_), or a
	// template such as {secret|sha1}. Default: raw.
	Key string `json:"key,omitempty"`

	// Where the timestamp is. Default: in the value.
	Timestamp *template.Timestamp `json:"timestamp,omitempty"`

	plain     bool // a digest
	headers   []string
	each      payload.Path
	from      template.Template
	values    []template.Value
	signed    []template.Template
	timed     bool // what is signed has a timestamp
	once      bool // what is signed has a part of the value
	hashFrom  template.Template
	keys      [][]byte
	pools     map[string][]*sync.Pool // of hashes that are keyed, by hash function; nil: each is made anew
	tolerance time.Duration
	external  *url.URL
}

// Hashes are the hash functions of HMAC, by their names.
var Hashes = map[string]func() hash.Hash{
	"sha256": sha256.New, "sha1": sha1.New, "sha384": sha512.New384, "sha512": sha512.New, "md5": md5.New,
}

// HashNames returns the names of the hash functions.
func HashNames() []string { return slices.Sorted(maps.Keys(Hashes)) }

// maxHeaders is the largest number that {n} stands for.
const maxHeaders = 100

// Provision implements Scheme.
func (h *HMAC) Provision(c *Credentials) error {
	if err := h.Compile(); err != nil {
		return err
	}
	h.external, h.tolerance = c.External, 0
	if h.carriesTime() { // older versions of a scheme may have none
		h.tolerance = c.Tolerance
	}
	keys, err := decodeKeys(h.Key, c.Secrets)
	if err != nil {
		return err
	}
	h.keys, h.pools = keys, make(map[string][]*sync.Pool)
	for _, name := range h.hashes() {
		for _, key := range keys {
			h.pools[name] = append(h.pools[name], &sync.Pool{New: func() any { return h.newMAC(name, key) }})
		}
	}
	return nil
}

// With implements Rekeyer.
func (h *HMAC) With(secrets []string) (Scheme, error) { return h.with(secrets) }

func (h *HMAC) with(secrets []string) (*HMAC, error) {
	keys, err := decodeKeys(h.Key, secrets)
	own := *h
	own.keys, own.pools = keys, nil
	return &own, err
}

// kind is the name of the scheme in errors.
func (h *HMAC) kind() string {
	if h.plain {
		return "digest"
	}
	return "hmac"
}

// Compile checks what is configured and compiles the templates.
func (h *HMAC) Compile() (err error) {
	h.defaults()
	for _, name := range h.hashes() {
		if err := checkHash(name); err != nil {
			return err
		}
	}
	switch {
	case h.From == "":
		return fmt.Errorf("%s needs the header with the signature; add a line: header <name>", h.kind())
	case !slices.Contains(template.Encodings, h.Encoding):
		return fmt.Errorf("unknown encoding %q; use hex, base64 or base64url", h.Encoding)
	}
	if err := h.Timestamp.Compile(); err != nil {
		return err
	}
	h.from = nil
	if h.headers = headersIn(h.From); len(h.headers) > 0 {
		if err := checkHeaderName(h.headers[0]); err != nil {
			return err
		}
	} else if h.from, err = parseFrom(h.From); err != nil {
		return err
	}
	if err := checkTimePlace(h.From, h.Value, h.Timestamp); err != nil {
		return err
	}
	if h.Each != "" {
		if h.each, err = payload.ParsePath(h.Each); err != nil {
			return fmt.Errorf("each: %w", err)
		}
		if !h.each.Single() {
			return fmt.Errorf("each %s: the path must lead to one list", h.Each)
		}
	}
	captured, err := h.compileTemplates()
	if err != nil {
		return err
	}
	if err := h.compileHashFrom(captured); err != nil {
		return err
	}
	h.timed, h.once = h.signsTime(), template.Mentions(append(slices.Clone(h.Signed), h.HashFrom), "value")
	secret := template.Mentions(h.Signed, "secret")
	switch {
	case h.timed && !h.carriesTime():
		return fmt.Errorf("%s signs {timestamp}, so it needs a {timestamp} in its value, or a line: timestamp header <name>", h.kind())
	case h.Each != "" && template.Mentions(h.Signed, "body"):
		return fmt.Errorf("%s signs each element by itself, so {body}, which is all of them, is no part of it", h.kind())
	case h.Each != "" && template.Mentions(h.Signed, "form"):
		return fmt.Errorf("%s signs elements of JSON, and {form} is for bodies that are none", h.kind())
	case h.plain && !secret:
		return errors.New("digest proves nothing unless {secret} is part of what is signed")
	case !h.plain && secret:
		return errors.New("hmac uses the secret as its key; {secret} is only for digest")
	}
	return nil
}

// compileTemplates returns the names of what the values capture.
func (h *HMAC) compileTemplates() (captured []string, err error) {
	h.values = make([]template.Value, len(h.Value))
	for i, text := range h.Value {
		if h.values[i], err = template.ParseValue(text, h.Hash, h.Separators, &captured); err != nil {
			return nil, err
		}
	}
	if h.signed, err = template.ParseAll(h.Signed); err != nil {
		return nil, err
	}
	for i, t := range h.signed {
		if err := checkSignedText(h.Signed[i], t, h.from); err != nil {
			return nil, err
		}
		if err := t.LocateCaptures(captured); err != nil {
			return nil, err
		}
	}
	return captured, nil
}

// errConstant says that a text to sign has no placeholder.
func errConstant(signed string) error {
	return fmt.Errorf("signed %q has no placeholder, so one signature would be good for every request; write {body}, {timestamp} and the like", signed)
}

// headersIn returns the canonical names of the headers that a template reads
// unchanged; nil if the template reads anything else. A {n} in the name makes
// several.
func headersIn(text string) (headers []string) {
	name := template.HeaderIn(text)
	if name == "" {
		return nil
	}
	before, after, numbered := strings.Cut(name, "{n}")
	if !numbered {
		return []string{name}
	}
	for n := range maxHeaders {
		headers = append(headers, textproto.CanonicalMIMEHeaderKey(before+strconv.Itoa(n+1)+after))
	}
	return headers
}

// Traits implements Scheme.
func (h *HMAC) Traits() Traits {
	signed := h.covers()
	texts := append(slices.Clone(signed), h.From)
	if h.Timestamp != nil {
		texts = append(texts, h.Timestamp.From)
	}
	t := Traits{
		UsesSecret: true, NeedsSecret: true, KeyEncoding: cmp.Or(h.Key, "raw"),
		CarriesTime: h.carriesTime(), SignsTime: h.signsTime(),
		SignsID: template.Mentions(texts, "id"), SignsURL: template.Mentions(texts, template.URLPlaceholders...),
		CoversContent: true, From: h.From,
		Unsignable: unsignableIn(h.From),
	}
	if h.Timestamp.Given() {
		t.TimeFrom = h.Timestamp.From
	}
	if !h.plain {
		t.HMACOf = signed
	}
	for _, text := range signed {
		if h.Each != "" {
			text = strings.ReplaceAll(text, "{json.", "{json."+h.Each+".#.")
		}
		t.Covers = append(t.Covers, text)
	}
	return t
}

// covers is what the signature covers at least, as templates.
func (h *HMAC) covers() []string {
	if len(h.Signed) == 0 {
		return []string{"{body}"}
	}
	texts := make([]string, len(h.Signed))
	for i, text := range h.Signed {
		texts[i] = template.Spelled(text, h.Timestamp)
	}
	return texts
}

// signsTime reports whether the scheme signs a timestamp.
func (h *HMAC) signsTime() bool { return template.Mentions(h.covers(), "timestamp") }

// carriesTime reports whether requests carry a timestamp, signed or not.
func (h *HMAC) carriesTime() bool {
	return h.Timestamp.Given() || template.Mentions(h.Value, "timestamp")
}

// Headers implements Scheme.
func (h *HMAC) Headers() []string { return headersIn(h.From) }

// Screen implements Scheme.
func (h *HMAC) Screen(r *template.Request, _ time.Time) error {
	if h.headers != nil {
		return screenHeaders(r, h.headers)
	}
	if h.from.ReadsBody() {
		return nil
	}
	e := template.NewEnv(r, h.external)
	defer e.Free()
	if h.from.Text(e) == "" {
		return Missing
	}
	return nil
}

// Describe implements Scheme.
func (h *HMAC) Describe() string {
	own := *h
	own.defaults()
	what := "HMAC"
	if own.plain {
		what = "hash"
	}
	return fmt.Sprintf("%s-%s (%s) in %s as %s, over %s", what, strings.ToUpper(strings.Join(own.hashes(), "/")), own.Encoding, template.Where(own.From),
		strings.Join(own.Value, " or "), quoteEach(own.Signed))
}

// defaults fills empty fields. It does not change values that copies of the HMAC
// share.
func (h *HMAC) defaults() {
	if len(h.Hashes) == 0 {
		h.Hash = cmp.Or(h.Hash, "sha256")
	}
	h.Encoding = cmp.Or(h.Encoding, "hex")
	h.Key = cmp.Or(h.Key, "raw")
	if len(h.Value) == 0 {
		h.Value = []string{"{signature}"}
	}
	if len(h.Signed) == 0 {
		h.Signed = []string{"{body}"}
	}
	var timestamp template.Timestamp
	if h.Timestamp != nil {
		timestamp = *h.Timestamp
	}
	timestamp.Unit = cmp.Or(timestamp.Unit, "unix")
	h.Timestamp = &timestamp
}

// Observe implements Scheme.
func (h *HMAC) Observe(r *template.Request, x *Reading) {
	e := template.NewEnv(r, h.external)
	defer e.Free()
	if x.headers(r, h.headers...); h.from != nil {
		x.add("%s: %d characters", h.From, len(h.from.Text(e)))
	}
	candidates := h.candidates(e, nil)
	for i := range candidates {
		x.signature(h.Encoding, candidates[i].Signature)
	}
	if len(candidates) > 0 {
		e.Timestamp, e.Captured = candidates[0].Timestamp, candidates[0].Captured
	}
	if name := h.hashOf(e); name != "" {
		x.want = Hashes[name]().Size()
	} else {
		x.add("hash function: %q, which is none of %s", h.hashFrom.Text(e), strings.Join(h.hashes(), ", "))
	}
	if e.Timestamp == "" {
		e.Timestamp = h.Timestamp.Find(e)
	}
	x.timestamp(h.Timestamp, e.Timestamp)
	if h.Each != "" {
		list, _ := e.JSON(&h.each)
		e.Item = list.Element(0)
	}
	for i, t := range h.signed {
		var text bytes.Buffer
		complete := t.Write(&text, e) // without the secret, which e has not
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

// Read implements Scheme. Syntax:
//
//	hmac [<hash>...] {
//		hash_from     <template>         # with several hashes: which one is it?
//		header        <name>
//		from          <template>         # instead of header: {query.x}, {json.x} or {form.x}
//		value         <template>...
//		separators    <characters>
//		encoding      hex|base64|base64url
//		signed        <template>...
//		each          <path>
//		key           raw|hex|base64|<template>
//		timestamp     header|from <name> [unix|unix_ms|rfc3339|rfc1123]
//		timestamp     value [unix|unix_ms|rfc3339|rfc1123]
//	}
//
// A digest has the same block.
func (h *HMAC) Read(d *caddyfile.Dispenser, options syntax.Options) error {
	names := d.RemainingArgs()
	for _, name := range names {
		if err := checkHash(name); err != nil {
			return syntax.At(d, err)
		}
	}
	switch len(names) {
	case 0:
	case 1:
		h.Hash = names[0]
	default:
		h.Hashes = names
	}
	return readBlock(d, options, syntax.Options{
		"hash_from":  templates(func(text string) { h.HashFrom = text }, true),
		"header":     readHeader(&h.From),
		"from":       readFrom(&h.From),
		"value":      h.readValue,
		"separators": syntax.String(&h.Separators),
		"encoding":   syntax.OneOf(&h.Encoding, template.Encodings...),
		"signed":     templates(func(text string) { h.Signed = append(h.Signed, text) }, false),
		"each":       syntax.String(&h.Each),
		"key":        h.readKey,
		"timestamp":  func(d *caddyfile.Dispenser) error { return readTimestamp(d, &h.Timestamp) },
	})
}

func (h *HMAC) readValue(d *caddyfile.Dispenser) error {
	if err := syntax.Strings(&h.Value)(d); err != nil {
		return err
	}
	for _, text := range h.Value {
		if _, err := template.ParseValue(text, h.Hash, "", new([]string)); err != nil {
			return syntax.At(d, err)
		}
	}
	return nil
}

func (h *HMAC) readKey(d *caddyfile.Dispenser) error {
	if err := syntax.String(&h.Key)(d); err != nil || slices.Contains([]string{"raw", "hex", "base64"}, h.Key) {
		return err
	}
	_, err := parseKey(h.Key)
	return syntax.At(d, err)
}
