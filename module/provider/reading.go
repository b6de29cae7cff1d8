package provider

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Reading is what a proof read in a request. It holds no secret and no token,
// only how long they are.
type Reading struct {
	Proof   string       `json:"proof"`             // what the proof is
	Refusal string       `json:"refusal,omitempty"` // why it is not right; empty if it is
	Found   []string     `json:"found,omitempty"`   // what it found, and where
	Signed  []SignedText `json:"signed,omitempty"`  // what must have been signed: any of these
	Time    *time.Time   `json:"time,omitempty"`    // of the signature

	text  string // of the first signature
	sizes []int  // of the signatures, in bytes; 0 where one cannot be decoded
	want  int    // the size that they must have; 0: there are several
}

// SignedText is a text that a signature covers.
type SignedText struct {
	Template string `json:"template"`
	Bytes    int    `json:"bytes"`
	SHA256   string `json:"sha256"`
	Lacking  bool   `json:"lacking,omitempty"` // the request lacks a part of it
}

// reading tells what the proof reads in a request.
func (p *Proof) reading(r *Request, now time.Time) Reading {
	x := Reading{Proof: p.describe()}
	if !p.applies(r) {
		x.Refusal = notMade
		return x
	}
	if s, ok := p.scheme.(interface{ observe(*Request, *Reading) }); ok {
		s.observe(r, &x)
	} else {
		x.headers(r, p.places()...)
	}
	err := p.verify(r, now)
	if err != nil {
		x.Refusal = err.Error()
	}
	if err == Missing && len(x.sizes) == 0 { // nothing to compare it with
		x.Signed = nil
	}
	return x
}

// notMade is said of a proof that only other requests have.
const notMade = "not made for requests like this one"

func (x *Reading) add(format string, args ...any) {
	x.Found = append(x.Found, fmt.Sprintf(format, args...))
}

// headers says how long the headers are.
func (x *Reading) headers(r *Request, names ...string) {
	found := false
	for _, name := range names {
		for _, value := range r.Header[name] {
			x.add("header %s: %d characters", name, len(value))
			found = true
		}
	}
	if len(names) > 0 && !found {
		x.add("header %s: none", names[0])
	}
}

func (x *Reading) signature(encoding, text string) {
	if len(x.sizes) == 0 {
		x.text = text
	}
	size := len(decodeAny(encoding, text))
	x.sizes = append(x.sizes, size)
	if size == 0 {
		x.add("signature: %d characters that are not %s", len(text), encoding)
		return
	}
	x.add("signature: %d bytes in %s", size, encoding)
}

// decodeAny decodes a text leniently; nil if it cannot be decoded.
func decodeAny(encoding, text string) (decoded []byte) {
	var err error
	text = strings.TrimRight(text, "=")
	switch encoding {
	case "hex":
		decoded, err = hex.DecodeString(text)
	case "base64":
		decoded, err = base64.RawStdEncoding.DecodeString(text)
	default:
		decoded, err = base64.RawURLEncoding.DecodeString(text)
	}
	if err != nil {
		return nil
	}
	return decoded
}

func (x *Reading) signed(template string, text []byte, complete bool) {
	sum := sha256.Sum256(text)
	x.Signed = append(x.Signed, SignedText{template, len(text), hex.EncodeToString(sum[:]), !complete})
}

func (x *Reading) timestamp(t *Timestamp, text string) {
	if text == "" {
		return
	}
	at, err := t.parse(text)
	if err != nil {
		x.add("timestamp: %d characters that are no time in %s", len(text), t.Unit)
		return
	}
	x.at(at)
}

func (x *Reading) at(at time.Time) {
	at = at.UTC()
	x.Time = &at
	x.add("timestamp: %s", at.Format(time.RFC3339))
}

// observe says what the scheme reads in a request.
func (h *HMAC) observe(r *Request, x *Reading) {
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

func (s *Signature) observe(r *Request, x *Reading) {
	e := newEnv(r, s.external)
	defer e.free()
	x.headers(r, s.header)
	var candidates []candidate
	for _, value := range r.Header[s.header] {
		for i := range s.values {
			candidates = s.values[i].parse(value, candidates)
		}
	}
	for i := range candidates {
		x.signature(s.Encoding, candidates[i].signature)
	}
	if len(candidates) > 0 {
		e.timestamp = candidates[0].timestamp
	}
	if e.timestamp == "" {
		e.timestamp = s.Timestamp.find(e)
	}
	x.timestamp(s.Timestamp, e.timestamp)
	var text bytes.Buffer
	complete := s.signed.write(&text, e)
	x.signed(s.Signed, text.Bytes(), complete)
}

func (t *Token) observe(r *Request, x *Reading) {
	found := t.find(r)
	for _, text := range found {
		x.add("%s %s: %d characters", t.In, t.Name, len(text))
	}
	if len(found) == 0 {
		x.add("%s %s: none", t.In, t.Name)
	}
}

func (j *JWT) observe(r *Request, x *Reading) {
	if j.Header != "" {
		x.headers(r, j.header)
	}
	token, err := j.find(r)
	if err != nil {
		return
	}
	x.add("token: algorithm %s, key ID %q", token.algorithm, token.id)
	var c claims
	if json.Unmarshal(token.payload, &c) == nil {
		if at, given, err := c.time("iat"); given && err == nil {
			x.at(at)
		}
		for _, name := range []string{"iss", "aud"} {
			if c[name] != nil {
				x.add("claim %s: %s", name, c[name])
			}
		}
	}
	x.signed("header.claims", token.signed, true)
}

func (m *MessageSignature) observe(r *Request, x *Reading) {
	x.headers(r, "Signature-Input")
	x.headers(r, "Signature")
	proof, err := m.find(r)
	if err != nil {
		return
	}
	x.add("signature: %d bytes", len(proof.signature))
	if created, ok := proof.input.Params.Get("created"); ok {
		if seconds, ok := created.(int64); ok {
			x.at(time.Unix(seconds, 0))
		}
	}
	base, covered, err := signatureBase(r, m.external, &proof.input)
	x.add("covered: %s; must be: %s", strings.Join(covered, " "), strings.Join(m.required, " "))
	x.signed("signature base", []byte(base), err == nil)
}
