package provider

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The reasons that only public-key schemes have.
const (
	// Repeated: a header that makes up the proof came more than once.
	Repeated Refusal = "proof given twice"
)

// Signature is what the public-key schemes have in common: where the signature
// stands, and what it covers.
type Signature struct {
	// The header that carries the signature.
	Header string `json:"header,omitempty"`

	// How the header's value is made up, with {signature} and {timestamp}.
	// Items may come more than once in a value. With several templates any of
	// them may match. Default: {signature}.
	Value []string `json:"value,omitempty"`

	// How the signature is written: base64 (the default), base64url or hex.
	Encoding string `json:"encoding,omitempty"`

	// What is signed, in the words of HMAC. Default: {body}.
	Signed string `json:"signed,omitempty"`

	// Where the timestamp stands if not in the value.
	Timestamp *Timestamp `json:"timestamp,omitempty"`

	header    string
	values    []valueTemplate
	signed    template
	algorithm algorithm
	keys      *keyring
	tolerance time.Duration
	external  *url.URL
}

// provision compiles the scheme for an algorithm and takes its keys.
func (s *Signature) provision(c *Common, a algorithm) (err error) {
	if err := s.compile(); err != nil {
		return err
	}
	if err := c.checkSecrets(); err != nil {
		return err
	}
	s.algorithm, s.tolerance, s.external = a, c.tolerance, c.external
	if s.keys, err = c.keyring(a); err != nil {
		return err
	}
	if s.keys.empty() {
		return errors.New("a public key is needed: public_key <key>, or keys_url <url>")
	}
	return nil
}

// compile checks what is configured and compiles the templates.
func (s *Signature) compile() (err error) {
	s.defaults()
	switch {
	case s.Header == "":
		return errors.New("the header that carries the signature is missing")
	case !slices.Contains(encodings, s.Encoding):
		return fmt.Errorf("unknown encoding %q: want base64, base64url or hex", s.Encoding)
	}
	if err := s.Timestamp.compile(); err != nil {
		return err
	}
	s.header = canonical(s.Header)
	s.values = make([]valueTemplate, len(s.Value))
	for i, template := range s.Value {
		if s.values[i], err = parseValue(template, "", "", new([]string)); err != nil {
			return err
		}
	}
	if s.signed, err = parseTemplate(s.Signed); err != nil {
		return err
	}
	if s.signed.has("timestamp") && !s.carriesTime() {
		return errors.New("{timestamp} is signed, so it must stand in the value, or in a header: timestamp header <name>")
	}
	return nil
}

// defaults fills what is not configured, without touching what copies share.
func (s *Signature) defaults() {
	setDefault(&s.Encoding, "base64")
	setDefault(&s.Signed, "{body}")
	if len(s.Value) == 0 {
		s.Value = []string{"{signature}"}
	}
	var timestamp Timestamp
	if s.Timestamp != nil {
		timestamp = *s.Timestamp
	}
	setDefault(&timestamp.Unit, "unix")
	s.Timestamp = &timestamp
}

// carriesTime reports whether requests carry a timestamp, signed or not.
func (s *Signature) carriesTime() bool {
	return s.Timestamp != nil && (s.Timestamp.Header != "" || s.Timestamp.From != "") ||
		slices.ContainsFunc(s.Value, func(v string) bool { return strings.Contains(v, "{timestamp}") })
}

// timed reports whether the scheme signs a timestamp.
func (s *Signature) timed() bool { return strings.Contains(s.Signed, "{timestamp}") }

// places are the headers that carry the signature.
func (s *Signature) places() []string { return []string{s.header} }

// profile tells a profile what verify will ask of a request.
func (s *Signature) profile(p *Profile) {
	p.Secrets = max(p.Secrets, len(s.keys.fixed))
	s.signed.profile(p)
}

// signs reports whether the signature covers what a placeholder stands for.
func (s *Signature) signs(placeholder string) bool { return s.signed.has(placeholder) }

// maxVerified bounds how many signatures of a request are verified: it takes
// much longer than to compare the hashes of HMAC.
const maxVerified = 4

// verify reports whether any signature in the header was made with any key.
func (s *Signature) verify(r *Request, now time.Time) error {
	header := r.Header[s.header]
	switch {
	case len(header) == 0:
		return Missing
	case len(header) > 1 || s.Timestamp.Header != "" && len(r.Header[canonical(s.Timestamp.Header)]) > 1:
		return Repeated
	}
	e := newEnv(r, s.external)
	defer e.free()
	refusal := error(Missing)
	var found []candidate
	for i := range s.values {
		found = s.values[i].parse(header[0], found)
	}
	for i := range found[:min(len(found), maxVerified)] {
		if refusal = s.verifyOne(e, &found[i], now); refusal == nil || refusal == TooOld || refusal == TooNew {
			return refusal
		}
	}
	return refusal
}

func (s *Signature) verifyOne(e *env, c *candidate, now time.Time) error {
	if e.timestamp = c.timestamp; e.timestamp == "" {
		e.timestamp = s.Timestamp.find(e)
	}
	if e.timestamp == "" && (s.timed() || s.tolerance > 0) {
		return NoTime
	}
	// What is too old need not be verified, which costs more than this.
	if err := s.Timestamp.check(e.timestamp, now, s.tolerance); err != nil {
		return err
	}
	signature, err := decodeSignature(s.Encoding, c.signature)
	if err != nil {
		return Wrong
	}
	complete := true
	digest := s.algorithm.digest(func(to io.Writer) { complete = s.signed.write(to, e) })
	if !complete {
		return Missing
	}
	position, err := s.keys.verify(&s.algorithm, "", digest, signature)
	if err == nil {
		e.r.Matched = position
	}
	return err
}

// sign implements scheme.
func (s *Signature) sign(*Request, time.Time) error { return ErrPrivateKey }

// fetch implements fetcher.
func (s *Signature) fetch(ctx context.Context, _ *Request) error { return s.keys.fetch(ctx, "") }

var errLineBreak = errors.New("a line break in a signature")

// decodeSignature reads a signature, which must be written in one way only.
func decodeSignature(encoding, text string) ([]byte, error) {
	switch {
	case strings.ContainsAny(text, "\r\n"): // which the decoders skip
		return nil, errLineBreak
	case encoding == "hex":
		return hex.DecodeString(text)
	case encoding == "base64url":
		return base64.RawURLEncoding.Strict().DecodeString(unpadded(text))
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}
