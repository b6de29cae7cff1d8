package provider

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/textproto"
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

// errProvidersKey says why a proof cannot be made.
var errProvidersKey = errors.New("only the provider has the key that signs")

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

	header, timeHeader string
	values             []valueTemplate
	signed             signedTemplate
	algorithm          algorithm
	keys               *keyring
	tolerance          time.Duration
	external           *url.URL
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
	case !slices.Contains(units, s.Timestamp.Unit):
		return fmt.Errorf("unknown timestamp unit %q: want %s", s.Timestamp.Unit, strings.Join(units, ", "))
	}
	s.header = textproto.CanonicalMIMEHeaderKey(s.Header)
	s.timeHeader = textproto.CanonicalMIMEHeaderKey(s.Timestamp.Header)
	s.values = make([]valueTemplate, len(s.Value))
	for i, template := range s.Value {
		if s.values[i], err = parseValue(template, ""); err != nil {
			return err
		}
	}
	if s.signed, err = parseSigned(s.Signed); err != nil {
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
	return s.Timestamp != nil && s.Timestamp.Header != "" ||
		slices.ContainsFunc(s.Value, func(v string) bool { return strings.Contains(v, "{timestamp}") })
}

// timed reports whether the scheme signs a timestamp.
func (s *Signature) timed() bool { return strings.Contains(s.Signed, "{timestamp}") }

// profile tells a profile what verify will ask of a request.
func (s *Signature) profile(p *Profile) {
	p.Secrets = len(s.keys.fixed)
	p.SignsID = s.signed.has("id")
	p.SignsURL = s.signed.has("url") || s.signed.has("path") || s.signed.has("query")
}

// verify reports whether any signature in the header was made with any key.
func (s *Signature) verify(r *Request, now time.Time) error {
	header := r.Header[s.header]
	switch {
	case len(header) == 0:
		return Missing
	case len(header) > 1 || s.timeHeader != "" && len(r.Header[s.timeHeader]) > 1:
		return Repeated
	}
	refusal := Missing
	var buf [4]string
	for i := range s.values {
		timestamp, signatures := s.values[i].parse(header[0], buf[:0])
		if timestamp == "" && s.timeHeader != "" {
			timestamp = r.header(s.timeHeader)
		}
		if len(signatures) == 0 {
			continue
		}
		if timestamp == "" && (s.timed() || s.tolerance > 0) {
			refusal = NoTime
			continue
		}
		// What is too old need not be verified, which costs more than this.
		if err := s.Timestamp.checkAge(timestamp, now, s.tolerance); err != nil {
			return err
		}
		position, err := s.match(r, timestamp, signatures)
		if err == nil {
			r.Matched = position
			return nil
		}
		refusal = err.(Refusal)
	}
	return refusal
}

// maxVerified bounds how many signatures of a request are verified: it takes
// much longer than to compare the hashes of HMAC.
const maxVerified = 4

// match returns the position of the key that made one of the signatures.
func (s *Signature) match(r *Request, timestamp string, signatures []string) (position int, err error) {
	digest := s.algorithm.digest(func(to io.Writer) { s.signed.write(to, r, timestamp, s.external) })
	err = Wrong
	for _, text := range signatures[:min(len(signatures), maxVerified)] {
		signature, decodeErr := decodeSignature(s.Encoding, text)
		if decodeErr != nil {
			continue
		}
		if position, err = s.keys.verify(&s.algorithm, "", digest, signature); err == nil {
			return position, nil
		}
	}
	return 0, err
}

// sign implements scheme.
func (s *Signature) sign(*Request, time.Time) error { return errProvidersKey }

// fetch implements fetcher.
func (s *Signature) fetch(ctx context.Context, _ *Request) error { return s.keys.fetch(ctx, "") }

// checkAge refuses a timestamp that is further from now than the tolerance.
func (t *Timestamp) checkAge(text string, now time.Time, tolerance time.Duration) error {
	if tolerance <= 0 {
		return nil
	}
	at, err := t.parse(text)
	if err != nil {
		return NoTime
	}
	return checkAge(at, now, tolerance)
}

// checkAge refuses a time that is further from now than the tolerance.
func checkAge(at, now time.Time, tolerance time.Duration) error {
	switch {
	case tolerance <= 0:
	case now.Sub(at) > tolerance:
		return TooOld
	case at.Sub(now) > tolerance:
		return TooNew
	}
	return nil
}

// decodeSignature reads a signature, which must be written in one way only.
func decodeSignature(encoding, text string) ([]byte, error) {
	switch encoding {
	case "hex":
		return hex.DecodeString(text)
	case "base64url":
		return base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}

// write writes what is signed of a request.
func (t signedTemplate) write(to io.Writer, r *Request, timestamp string, external *url.URL) {
	for _, p := range t {
		switch p.name {
		case "body":
			to.Write(r.Body)
		case "timestamp":
			io.WriteString(to, timestamp)
		case "header":
			io.WriteString(to, r.header(p.text))
		case "method":
			io.WriteString(to, r.Method)
		case "url":
			io.WriteString(to, r.publicURL(external).String())
		case "path":
			io.WriteString(to, r.publicURL(external).EscapedPath())
		case "query":
			io.WriteString(to, r.publicURL(external).RawQuery)
		case "id":
			if r.DeliveryID != nil {
				io.WriteString(to, r.DeliveryID())
			}
		default:
			io.WriteString(to, p.text)
		}
	}
}
