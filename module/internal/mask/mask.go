// Package mask hides known secrets in texts that people get to see.
package mask

import (
	"encoding/base64"
	"slices"
	"strings"
)

// Mark stands for what is hidden.
const Mark = "[masked]"

// least is the length of the shortest secret that Text hides. A shorter one may
// stand in a text by chance.
const least = 8

// Mask knows secrets, and finds them as they are, escaped as in JSON, escaped as in
// URLs and forms, and in base64. The nil Mask knows none.
type Mask struct {
	needles []needle
}

// needle is a text that gives a secret away.
type needle struct {
	text  string
	short bool // the secret is too short to be hidden
}

// New returns a Mask of secrets. A part of a secret is one as well: the password of
// user:password, the token of "Bearer token", the key of whsec_key.
func New(secrets []string) *Mask {
	m := new(Mask)
	for _, secret := range secrets {
		for _, part := range parts(secret) {
			short := len(part) < least
			m.needles = append(m.needles, needle{part, short})
			for _, encoded := range inBase64(part) {
				m.needles = append(m.needles, needle{encoded, short})
			}
		}
	}
	// The longest first, so that no part of a secret is what is found of it.
	slices.SortFunc(m.needles, func(a, b needle) int { return len(b.text) - len(a.text) })
	m.needles = slices.CompactFunc(m.needles, func(a, b needle) bool { return a == b })
	return m
}

// parts returns a secret and the parts of it that are worth as much.
func parts(secret string) []string {
	found := append([]string{secret, strings.TrimSpace(secret)}, strings.Fields(secret)...)
	if _, password, ok := strings.Cut(secret, ":"); ok && !strings.Contains(password, "\n") {
		found = append(found, password)
	}
	if key, ok := strings.CutPrefix(secret, "whsec_"); ok {
		found = append(found, key)
	}
	slices.Sort(found)
	found = slices.Compact(found)
	return slices.DeleteFunc(found, func(part string) bool {
		return part == "" || part != secret && len(part) < least
	})
}

// inBase64 returns what all base64 texts have in common in which a secret stands.
// Three texts are possible, since three bytes are four characters.
func inBase64(secret string) (texts []string) {
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			encoded := encoding.EncodeToString(append(make([]byte, before), secret...))
			// A character at an end may depend on a byte beside the secret.
			first, last := []int{0, 2, 3}[before], len(encoded)
			if (before+len(secret))%3 != 0 {
				last--
			}
			if last-first >= 4 {
				texts = append(texts, encoded[first:last])
			}
		}
	}
	return texts
}

// Text returns the text with Mark for each secret of eight bytes or more.
func (m *Mask) Text(text string) string {
	found := m.find(text, false)
	if found == nil {
		return text
	}
	var masked strings.Builder
	at := 0
	for _, s := range found {
		masked.WriteString(text[at:s.from])
		masked.WriteString(Mark)
		at = s.to
	}
	masked.WriteString(text[at:])
	return masked.String()
}

// Shows reports whether a secret stands in the text, whatever its length. One of
// less than eight bytes must stand there by itself, not within a word.
func (m *Mask) Shows(text string) bool { return m.find(text, true) != nil }

// span is a part of a text.
type span struct{ from, to int }

// find returns where secrets stand, in order and without overlap.
func (m *Mask) find(text string, short bool) (found []span) {
	if m == nil || len(m.needles) == 0 {
		return nil
	}
	for _, v := range views(text) {
		for _, n := range m.needles {
			if !n.short || short {
				found = v.find(n, found)
			}
		}
	}
	slices.SortFunc(found, func(a, b span) int { return a.from - b.from })
	return merge(found)
}

// merge joins spans that overlap.
func merge(spans []span) (merged []span) {
	for _, s := range spans {
		if last := len(merged) - 1; last >= 0 && s.from < merged[last].to {
			merged[last].to = max(merged[last].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// find adds where a needle stands in a view.
func (v *view) find(n needle, found []span) []span {
	for at := 0; ; {
		i := strings.Index(v.text[at:], n.text)
		if i < 0 {
			return found
		}
		from, to := at+i, at+i+len(n.text)
		if !n.short || !inWord(v.text, from, to) {
			found = append(found, span{v.origin(from), v.origin(to)})
		}
		at = from + 1
	}
}

// inWord reports whether a part of a text goes on in a letter or digit.
func inWord(text string, from, to int) bool {
	return from > 0 && isAlphanumeric(text[from-1]) || to < len(text) && isAlphanumeric(text[to])
}

func isAlphanumeric(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}
