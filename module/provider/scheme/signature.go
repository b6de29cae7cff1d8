package scheme

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Signature is the common part of the public-key schemes: where the signature
// stands, and what it covers.
type Signature struct {
	// The template that gives the signature: {header.X-Name}, {query.name},
	// {json.path} or {form.name}.
	From string `json:"from,omitempty"`

	// How the value is written, with {signature} and {timestamp}. A value may have
	// several of each. With several templates, any of them may fit. Default:
	// {signature}.
	Value []string `json:"value,omitempty"`

	// How the signature is written: base64, base64url or hex. Default: base64.
	Encoding string `json:"encoding,omitempty"`

	// The text that is signed, with the placeholders and functions of hmac. Default:
	// {body}.
	Signed string `json:"signed,omitempty"`

	// Where the timestamp is. Default: in the value.
	Timestamp *template.Timestamp `json:"timestamp,omitempty"`

	header    string            // that carries the signature; "" if none does
	from      template.Template // what gives the signature then
	values    []template.Value
	signed    template.Template
	timed     bool // what is signed has a timestamp
	algorithm keys.Algorithm
	keys      *keys.Keyring
	signing   *SigningKey
	tolerance time.Duration
	external  *url.URL
}

// provisionKeys compiles the scheme for an algorithm and takes its keys.
func (s *Signature) provisionKeys(c *Credentials, a keys.Algorithm) (err error) {
	if err := s.Compile(); err != nil {
		return err
	}
	if err := c.checkSecrets(); err != nil {
		return err
	}
	s.algorithm, s.tolerance, s.external, s.signing = a, c.Tolerance, c.External, c.Signing
	if s.keys, err = c.keyring(a); err != nil {
		return err
	}
	if s.keys.Empty() {
		return errors.New("a public key is needed: public_key <key>, or keys_url <url>")
	}
	return nil
}

// Compile checks what is configured and compiles the templates.
func (s *Signature) Compile() (err error) {
	s.defaults()
	switch {
	case s.From == "":
		return errors.New("the header with the signature is missing; add a line: header <name>")
	case !slices.Contains(template.Encodings, s.Encoding):
		return fmt.Errorf("unknown encoding %q; use base64, base64url or hex", s.Encoding)
	}
	if err := s.Timestamp.Compile(); err != nil {
		return err
	}
	if s.header = template.HeaderIn(s.From); s.header != "" {
		if err := checkHeaderName(s.header); err != nil {
			return err
		}
	} else if s.from, err = parseFrom(s.From); err != nil {
		return err
	}
	if err := checkTimePlace(s.From, s.Value, s.Timestamp); err != nil {
		return err
	}
	var captured []string
	s.values = make([]template.Value, len(s.Value))
	for i, text := range s.Value {
		if s.values[i], err = template.ParseValue(text, "", "", &captured); err != nil {
			return err
		}
	}
	if s.signed, err = template.Parse(s.Signed); err == nil {
		err = checkSignedText(s.Signed, s.signed, s.from)
	}
	if err == nil && s.signed.Has("secret") {
		err = errors.New("the provider signs with a key of its own; {secret} is only for digest")
	}
	if err == nil {
		err = s.signed.LocateCaptures(captured)
	}
	if err != nil {
		return err
	}
	s.timed = s.signsTime()
	if s.timed && !s.carriesTime() {
		return errors.New("{timestamp} is signed, so it must stand in the value, or in a header: timestamp header <name>")
	}
	return nil
}

// defaults fills empty fields. It does not change values that copies of the
// Signature share.
func (s *Signature) defaults() {
	s.Encoding = cmp.Or(s.Encoding, "base64")
	s.Signed = cmp.Or(s.Signed, "{body}")
	if len(s.Value) == 0 {
		s.Value = []string{"{signature}"}
	}
	var timestamp template.Timestamp
	if s.Timestamp != nil {
		timestamp = *s.Timestamp
	}
	timestamp.Unit = cmp.Or(timestamp.Unit, "unix")
	s.Timestamp = &timestamp
}

// Traits implements Scheme.
func (s *Signature) Traits() Traits {
	texts := []string{s.covers()}
	if s.Timestamp != nil {
		texts = append(texts, s.Timestamp.From)
	}
	return Traits{
		UsesKeys: true, NeedsKeys: true,
		CarriesTime: s.carriesTime(), SignsTime: s.signsTime(),
		SignsID: template.Mentions(texts, "id"), SignsURL: template.Mentions(texts, template.URLPlaceholders...),
		CoversContent: true, Covers: []string{s.covers()}, Unsignable: unsignableWith(s.signing), OwnKey: s.signing != nil,
		Keys: s.keys.Count(),
	}
}

// signsTime reports whether the scheme signs a timestamp.
func (s *Signature) signsTime() bool { return template.Mentions([]string{s.covers()}, "timestamp") }

// covers is what the signature covers at least, as a template.
func (s *Signature) covers() string {
	return template.Spelled(cmp.Or(s.Signed, "{body}"), s.Timestamp)
}

// carriesTime reports whether requests carry a timestamp, signed or not.
func (s *Signature) carriesTime() bool {
	return s.Timestamp.Given() || template.Mentions(s.Value, "timestamp")
}

// Headers implements Scheme.
func (s *Signature) Headers() []string { return headersIn(s.From) }

// Screen implements Scheme.
func (s *Signature) Screen(r *template.Request, _ time.Time) error {
	return screenHeaders(r, s.Headers())
}

// Holds implements Scheme.
func (s *Signature) Holds(r *template.Request) bool { return AnyHeader(r, s.Headers()) }

// describe describes the signature of an algorithm.
func (s *Signature) describe(name string) string {
	own := *s
	own.defaults()
	return fmt.Sprintf("%s signature (%s) in %s as %s, over %q", name, own.Encoding, template.Where(own.From), strings.Join(own.Value, " or "), own.Signed)
}

// read reads a scheme's block. Syntax:
//
//	{
//		header     <name>
//		from       <template>       # instead of header
//		value      <template>...
//		encoding   base64|base64url|hex
//		signed     <template>
//		timestamp  header <name> [unix|unix_ms|rfc3339|rfc1123]
//		timestamp  value [unix|unix_ms|rfc3339|rfc1123]
//	}
//
// Options of the keys may stand in the block as well.
func (s *Signature) read(d *caddyfile.Dispenser, options, more syntax.Options) error {
	own := syntax.Options{
		"header":    readHeader(&s.From),
		"from":      readFrom(&s.From),
		"value":     syntax.Strings(&s.Value),
		"encoding":  syntax.OneOf(&s.Encoding, template.Encodings...),
		"timestamp": func(d *caddyfile.Dispenser) error { return readTimestamp(d, &s.Timestamp) },
		"signed":    templates(func(text string) { s.Signed = text }, true),
	}
	maps.Copy(own, more)
	return readBlock(d, options, own)
}

// maxVerified is how many signatures of a request are verified. Verifying takes much
// longer than comparing the hashes of HMAC.
const maxVerified = 4

// Verify reports whether any signature in the header was made with any key.
func (s *Signature) Verify(r *template.Request, now time.Time) error {
	e := template.NewEnv(r, s.external)
	defer e.Free()
	values := s.find(e)
	switch at := s.Timestamp.Header(); {
	case len(values) == 0:
		return Missing
	case len(values) > 1 || at != "" && len(r.Header[at]) > 1:
		return Repeated
	}
	refusal := error(Missing)
	var found []template.Candidate
	for i := range s.values {
		found = s.values[i].Parse(values[0], found)
	}
	for i := range found[:min(len(found), maxVerified)] {
		if refusal = s.verifyOne(e, &found[i], now); refusal == nil || errors.Is(refusal, TooOld) || errors.Is(refusal, TooNew) {
			return refusal
		}
	}
	return refusal
}

// find returns the texts that must hold the signature.
func (s *Signature) find(e *template.Env) []string {
	if s.header != "" {
		return e.Request.Header[s.header]
	}
	if text := s.from.Text(e); text != "" {
		return []string{text}
	}
	return nil
}

func (s *Signature) verifyOne(e *template.Env, c *template.Candidate, now time.Time) error {
	e.Captured = c.Captured
	if e.Timestamp = c.Timestamp; e.Timestamp == "" {
		e.Timestamp = s.Timestamp.Find(e)
	}
	if e.Timestamp == "" && (s.timed || s.tolerance > 0) {
		return NoTime
	}
	// What is too old need not be verified, which costs more than this.
	if err := checkTime(s.Timestamp, e.Timestamp, now, s.tolerance); err != nil {
		return err
	}
	signature, err := decodeSignature(s.Encoding, c.Signature)
	if err != nil {
		return Wrong
	}
	complete := true
	digest := s.algorithm.Digest(func(to io.Writer) { complete = s.signed.Write(to, e) })
	if !complete {
		return Missing
	}
	position, err := s.keys.Verify(&s.algorithm, "", now, digest, signature)
	if err == nil {
		e.Request.Matched = position
	}
	return err
}

// Sign implements Scheme.
func (s *Signature) Sign(r *template.Request, now time.Time) error {
	if s.signing == nil {
		return ErrPrivateKey
	}
	e := template.NewEnv(r, s.external)
	defer e.Free()
	form, made := s.form(e)
	made.Timestamp = s.Timestamp.Stamp(e, now)
	s.signed.PrepareSigning(e, &made)
	e.Timestamp, e.Captured = made.Timestamp, made.Captured
	complete := true
	digest := s.algorithm.Digest(func(to io.Writer) { complete = s.signed.Write(to, e) })
	if !complete {
		return errIncomplete
	}
	signature, err := s.signing.sign(&s.algorithm, digest)
	if err != nil {
		return err
	}
	made.Signature = string(template.AppendEncoded(nil, s.Encoding, signature))
	if text := form.Format(&made); s.header == "" {
		return e.Put(s.from, text)
	} else {
		r.Header[s.header] = []string{text}
	}
	return nil
}

// form returns the form of the signature that the request has, with what came along with
// it; the first form if there is none.
func (s *Signature) form(e *template.Env) (*template.Value, template.Candidate) {
	for _, text := range s.find(e) {
		for i := range s.values {
			if found := s.values[i].Parse(text, nil); len(found) > 0 {
				return &s.values[i], found[0]
			}
		}
	}
	return &s.values[0], template.Candidate{}
}

// Fetch implements Fetcher.
func (s *Signature) Fetch(ctx context.Context, r *template.Request) error {
	return s.keys.Fetch(ctx, "", r.Client)
}

var errLineBreak = errors.New("a line break in a signature")

// decodeSignature decodes a signature strictly: each signature has exactly one
// spelling.
func decodeSignature(encoding, text string) ([]byte, error) {
	switch {
	case strings.ContainsAny(text, "\r\n"): // which the decoders skip
		return nil, errLineBreak
	case encoding == "hex":
		return hex.DecodeString(text)
	case encoding == "base64url":
		return base64.RawURLEncoding.Strict().DecodeString(template.Unpadded(text))
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}

// Observe implements Scheme.
func (s *Signature) Observe(r *template.Request, x *Reading) {
	e := template.NewEnv(r, s.external)
	defer e.Free()
	x.headers(r, s.Headers()...)
	var candidates []template.Candidate
	for _, value := range s.find(e) {
		for i := range s.values {
			candidates = s.values[i].Parse(value, candidates)
		}
	}
	for i := range candidates {
		x.signature(s.Encoding, candidates[i].Signature)
	}
	if len(candidates) > 0 {
		e.Timestamp, e.Captured = candidates[0].Timestamp, candidates[0].Captured
	}
	if e.Timestamp == "" {
		e.Timestamp = s.Timestamp.Find(e)
	}
	x.timestamp(s.Timestamp, e.Timestamp)
	var text bytes.Buffer
	complete := s.signed.Write(&text, e)
	x.signed(s.Signed, text.Bytes(), complete)
}
