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
// URLs and forms, and in base64. The nil Mask knows none. To look for a hundred thousand
// secrets takes about as long as to look for one.
type Mask struct {
	index  index
	short  []string // give away secrets that are too short to be hidden
	others []*Mask
}

// New returns a Mask of secrets. A part of a secret is one as well: the password of
// user:password, the token of "Bearer token", the key of whsec_key.
func New(secrets []string) *Mask {
	m := new(Mask)
	var needles []string
	for _, secret := range secrets {
		for _, part := range parts(secret) {
			if texts := append(inBase64(part), part); len(part) < least {
				m.short = append(m.short, texts...)
			} else {
				needles = append(needles, texts...)
			}
		}
	}
	m.index = newIndex(needles)
	return m
}

// And returns a Mask that knows the secrets of others, too.
func (m *Mask) And(others ...*Mask) *Mask {
	both := *m
	both.others = slices.Concat(m.others, others)
	return &both
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
	slices.Sort(texts)
	return slices.Compact(texts)
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
	if m == nil || text == "" {
		return nil
	}
	for _, v := range views(text) {
		found = m.findIn(v, short, found)
		for _, other := range m.others {
			found = other.findIn(v, short, found)
		}
	}
	slices.SortFunc(found, func(a, b span) int { return a.from - b.from })
	return merge(found)
}

// findIn adds where secrets stand in a view.
func (m *Mask) findIn(v *view, short bool, found []span) []span {
	for from, to := range m.index.in(v.text) {
		found = append(found, span{v.origin(from), v.origin(to)})
	}
	if short {
		for _, text := range m.short {
			found = v.findWord(text, found)
		}
	}
	return found
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

// findWord adds where a text stands in a view by itself.
func (v *view) findWord(text string, found []span) []span {
	for at := 0; ; {
		i := strings.Index(v.text[at:], text)
		if i < 0 {
			return found
		}
		from, to := at+i, at+i+len(text)
		if !inWord(v.text, from, to) {
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
