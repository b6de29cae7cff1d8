package scheme

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Reading is what Observe found in a request. It holds no secret and no token, only
// their lengths.
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

// Conclude notes the outcome of Verify.
func (x *Reading) Conclude(err error) {
	if err != nil {
		x.Refusal = err.Error()
	}
	if errors.Is(err, Missing) && len(x.sizes) == 0 { // nothing to compare it with
		x.Signed = nil
	}
}

func (x *Reading) add(format string, args ...any) {
	x.Found = append(x.Found, fmt.Sprintf(format, args...))
}

// headers says how long the headers are.
func (x *Reading) headers(r *template.Request, names ...string) {
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
	size := len(template.DecodeLeniently(encoding, text))
	x.sizes = append(x.sizes, size)
	if size == 0 {
		x.add("signature: %d characters that are not %s", len(text), encoding)
		return
	}
	x.add("signature: %d bytes in %s", size, encoding)
}

func (x *Reading) signed(of string, text []byte, complete bool) {
	sum := sha256.Sum256(text)
	x.Signed = append(x.Signed, SignedText{of, len(text), hex.EncodeToString(sum[:]), !complete})
}

func (x *Reading) timestamp(t *template.Timestamp, text string) {
	if text == "" {
		return
	}
	at, err := t.Parse(text)
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

// Misshapen says in what respect the signature cannot be right: its length or its
// encoding.
func (x *Reading) Misshapen() (hints []string) {
	if x.Refusal == "" || slices.Contains(x.sizes, x.want) || x.want == 0 || len(x.sizes) == 0 {
		return nil
	}
	names := map[int]string{16: "MD5", 20: "SHA-1", 32: "SHA-256", 48: "SHA-384", 64: "SHA-512"}
	size := x.sizes[0]
	for _, encoding := range template.Encodings {
		if len(template.DecodeLeniently(encoding, x.text)) == x.want {
			return []string{"the signature is written in " + encoding + ", which is not the encoding that is wanted"}
		}
	}
	switch {
	case size == 0:
		return []string{"the signature is written in another encoding, or is cut"}
	case names[size] != "":
		return []string{fmt.Sprintf("the signature has %d bytes, as %s makes them, but should have %d (%s)", size, names[size], x.want, names[x.want])}
	}
	return []string{fmt.Sprintf("the signature has %d bytes, but should have %d: it is cut, or written in another encoding", size, x.want)}
}
