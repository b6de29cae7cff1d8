package scheme

import (
	"crypto/hmac"
	"crypto/subtle"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// mac is a hash that is keyed with one secret. Keying a hash costs as much as hashing a
// small body.
type mac struct {
	hash.Hash
	key  []byte
	sum  []byte
	text []byte
}

func (h *HMAC) newMAC(name string, key []byte) *mac {
	if h.plain {
		return &mac{Hash: Hashes[name](), key: key}
	}
	return &mac{Hash: hmac.New(Hashes[name], key)}
}

// take returns a hash of a name that is keyed with the key at an index. give gives the
// hash back.
func (h *HMAC) take(name string, i int) *mac {
	if h.pools == nil {
		return h.newMAC(name, h.keys[i])
	}
	return h.pools[name][i].Get().(*mac)
}

func (h *HMAC) give(name string, i int, m *mac) {
	if h.pools != nil {
		h.pools[name][i].Put(m)
	}
}

// Verify implements Scheme.
func (h *HMAC) Verify(r *template.Request, now time.Time) error {
	e := template.NewEnv(r, h.external)
	defer e.Free()
	if h.once && slices.ContainsFunc(h.headers, func(name string) bool { return len(r.Header[name]) > 1 }) {
		return Repeated // or the app may read other parts than the signed ones
	}
	if h.Each == "" {
		return h.verifyOne(e, now)
	}
	list, _ := e.JSON(&h.each) // in doubt there are no elements
	refusal := error(Missing)
	for e.Item = range list.Elements() {
		if refusal = h.verifyOne(e, now); refusal != nil {
			return refusal
		}
	}
	return refusal
}

// verifyOne reports whether any signature was made with any key.
func (h *HMAC) verifyOne(e *template.Env, now time.Time) error {
	var buf [4]template.Candidate
	candidates := h.candidates(e, buf[:0])
	if len(candidates) == 0 {
		return Missing
	}
	elsewhere := h.Timestamp.Find(e)
	refusal := Wrong
	for tried := 0; len(candidates) > 0 && tried < maxTimestamps; tried++ {
		first := candidates[0]
		same := alike(candidates)
		if e.Timestamp, e.Captured = first.Timestamp, first.Captured; e.Timestamp == "" {
			e.Timestamp = elsewhere
		}
		if e.Timestamp == "" && (h.timed || h.tolerance > 0) {
			refusal = NoTime
		} else if e.Request.Matched = h.match(e, candidates[:same]); e.Request.Matched > 0 {
			return checkTime(h.Timestamp, e.Timestamp, now, h.tolerance)
		} else {
			refusal = Wrong
		}
		candidates = candidates[same:]
	}
	return refusal
}

// maxTimestamps is how many timestamps of one request are tried. Each costs a hash
// of the content.
const maxTimestamps = 4

// alike returns how many candidates, from the first on, have the same timestamp and
// captures.
func alike(candidates []template.Candidate) int {
	for i := range candidates {
		if candidates[i].Timestamp != candidates[0].Timestamp || candidates[i].Captured != candidates[0].Captured {
			return i
		}
	}
	return len(candidates)
}

// candidates appends the signatures that a request carries.
func (h *HMAC) candidates(e *template.Env, to []template.Candidate) []template.Candidate {
	for i := range h.values {
		for _, name := range h.headers {
			for _, text := range e.Request.Header[name] {
				to = h.values[i].Parse(text, to)
			}
		}
		if h.from != nil {
			to = h.values[i].Parse(h.from.Text(e), to)
		}
	}
	return to
}

// match compares every signature with every key's, and returns the position of the
// first key that matches; 0 if none does.
func (h *HMAC) match(e *template.Env, candidates []template.Candidate) (position int) {
	name := h.hashOf(e)
	if name == "" {
		return 0
	}
	for i := range slices.Backward(h.keys) {
		m := h.take(name, i)
		for _, signed := range h.signed {
			want, ok := h.sum(m, e, signed)
			if !ok {
				continue
			}
			for _, c := range candidates {
				same := subtle.ConstantTimeCompare(want, []byte(h.trim(c.Signature)))
				position = subtle.ConstantTimeSelect(same, i+1, position)
			}
		}
		h.give(name, i, m)
	}
	return position
}

// trim brings a signature to the form in which sum writes its own.
func (h *HMAC) trim(signature string) string {
	switch h.Encoding {
	case "hex":
		return strings.ToLower(signature)
	case "base64url":
		return template.Unpadded(signature)
	}
	return signature
}

// sum returns the signature of the request, encoded, in memory of m. It reports
// whether the request has everything that is signed.
func (h *HMAC) sum(m *mac, e *template.Env, signed template.Template) ([]byte, bool) {
	m.Reset()
	e.Secret = m.key
	if h.plain && extended(e, signed) || !signed.Write(m.Hash, e) {
		return nil, false
	}
	m.sum = m.Hash.Sum(m.sum[:0])
	m.text = template.AppendEncoded(m.text[:0], h.Encoding, m.sum)
	return m.text, true
}

// Holds implements Scheme.
func (h *HMAC) Holds(r *template.Request) bool {
	e := template.NewEnv(r, h.external)
	defer e.Free()
	elsewhere := h.Timestamp.Find(e)
	return slices.ContainsFunc(h.candidates(e, nil), func(c template.Candidate) bool {
		return h.fits(c) && (!h.timed || c.Timestamp != "" || elsewhere != "")
	})
}

// fits reports whether a candidate can be decoded as a signature. A form of another
// proof may have taken a signature with a time before it for the signature.
func (h *HMAC) fits(c template.Candidate) bool {
	_, err := decodeSignature(h.Encoding, c.Signature)
	return err == nil
}
