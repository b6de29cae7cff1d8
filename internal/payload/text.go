package payload

import (
	"bytes"
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// unquote decodes a string of JSON as encoding/json does.
func unquote(quoted []byte) string {
	inside := quoted[1 : len(quoted)-1]
	if isVerbatim(inside) {
		return string(inside)
	}
	var text strings.Builder
	text.Grow(decodedSize(inside))
	for r := range characters(inside) {
		text.WriteRune(r)
	}
	return text.String()
}

// isVerbatim reports whether the inside of a string of JSON is written as it reads.
func isVerbatim(inside []byte) bool {
	return bytes.IndexByte(inside, '\\') < 0 && utf8.Valid(inside)
}

// appendUnquoted appends what unquote returns.
func appendUnquoted(to, quoted []byte) []byte {
	inside := quoted[1 : len(quoted)-1]
	if isVerbatim(inside) {
		return append(to, inside...)
	}
	to = slices.Grow(to, decodedSize(inside))
	for r := range characters(inside) {
		to = utf8.AppendRune(to, r)
	}
	return to
}

// characters yields what the inside of a string of JSON is decoded to.
func characters(inside []byte) iter.Seq[rune] {
	return func(yield func(rune) bool) {
		for len(inside) > 0 {
			r, size := firstRune(inside)
			if !yield(r) {
				return
			}
			inside = inside[size:]
		}
	}
}

// decodedSize returns how many bytes the inside of a string of JSON has once it is
// decoded: more than before where invalid UTF-8 is replaced.
func decodedSize(inside []byte) (n int) {
	for r := range characters(inside) {
		n += utf8.RuneLen(r)
	}
	return n
}

// sameText reports whether the inside of a string of JSON reads as a text, where
// fold says that case does not matter.
func sameText(inside []byte, text string, fold bool) bool {
	for len(inside) > 0 && text != "" {
		a, width := firstRune(inside)
		b, size := utf8.DecodeRuneInString(text)
		if b == utf8.RuneError && size == 1 { // which nothing is decoded to
			return false
		}
		if a != b && !(fold && sameFold(a, b)) {
			return false
		}
		inside, text = inside[width:], text[size:]
	}
	return len(inside) == 0 && text == ""
}

// sameFold reports whether a character is another one in some case, as
// strings.EqualFold sees them.
func sameFold(a, b rune) bool {
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return false
}

// firstRune decodes the first character of the inside of a valid string of JSON.
// Half a surrogate pair and invalid UTF-8 are utf8.RuneError.
func firstRune(inside []byte) (r rune, size int) {
	switch c := inside[0]; {
	case c >= utf8.RuneSelf:
		return utf8.DecodeRune(inside)
	case c != '\\':
		return rune(c), 1
	}
	switch c := inside[1]; c {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return firstUnit(inside)
	default:
		return rune(c), 2
	}
}

// firstUnit decodes an escape with u at the start of a text, and the one after it
// where the two are a surrogate pair.
func firstUnit(inside []byte) (r rune, size int) {
	r = hexadecimal(inside[2:6])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(inside) >= 12 && inside[6] == '\\' && inside[7] == 'u' {
		if pair := utf16.DecodeRune(r, hexadecimal(inside[8:12])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

func hexadecimal(digits []byte) (r rune) {
	for _, c := range digits {
		if c <= '9' {
			c -= '0'
		} else {
			c = c | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}
