package payload

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// AppendString appends a text as a string of JSON, written as JSON.stringify does: only
// the quote, the backslash and control characters are escaped. Senders sign what they
// write. A byte that is no text is escaped, as no text is, so that it changes what was
// signed.
func AppendString(to []byte, text string) []byte {
	return append(AppendInside(append(to, '"'), text), '"')
}

// AppendInside appends what stands between the quotes of that string. The insides of
// two texts are that of both together, if no character is cut.
func AppendInside[T string | []byte](to []byte, text T) []byte {
	for i := 0; i < len(text); {
		plain := i
		for i < len(text) && isPlainText[text[i]] {
			i++
		}
		if to = append(to, text[plain:i]...); i == len(text) {
			break
		}
		if c := text[i]; c < utf8.RuneSelf {
			to = appendEscape(to, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
		if r == utf8.RuneError && size == 1 {
			to = append(to, `\ufffd`...)
		} else {
			to = append(to, text[i:i+size]...)
		}
		i += size
	}
	return to
}

// isPlainText marks the ASCII characters that a string of JSON has as they are.
var isPlainText = func() (plain [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		plain[c] = c != '"' && c != '\\'
	}
	return plain
}()

// shortEscapes are those of one letter.
var shortEscapes = [utf8.RuneSelf]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

func appendEscape(to []byte, c byte) []byte {
	const digits = "0123456789abcdef"
	if short := shortEscapes[c]; short != 0 {
		return append(to, '\\', short)
	}
	return append(to, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
}

// Replace returns a copy of the text with a string in place of each value. The
// values exist, are of this JSON and come in the order in which they stand in it.
// The rest stays byte for byte.
func (d *JSON) Replace(values []Value, text string) (out []byte) {
	after := 0 // what was replaced last
	for _, v := range values {
		out = AppendString(append(out, d.text[after:v.start]...), text)
		after = skipValue(d.text, v.start)
	}
	return append(out, d.text[after:]...)
}

// SetPair sets a pair of a form or query, and leaves the others byte for byte.
func SetPair(text, name, value string) string {
	pair := url.QueryEscape(name) + "=" + url.QueryEscape(value)
	if text = DropPair(text, name); text == "" {
		return pair
	}
	return text + "&" + pair
}

// DropPair leaves out the pairs of a form or query that have the name, and leaves
// the others byte for byte.
func DropPair(text, name string) string {
	var kept strings.Builder
	first := true
	for pair := range Pairs(text) {
		if pair.Name == name {
			continue
		}
		if !first {
			kept.WriteByte('&')
		}
		kept.WriteString(pair.Raw)
		first = false
	}
	return kept.String()
}
