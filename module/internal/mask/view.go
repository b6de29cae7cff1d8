package mask

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// view is a text as somebody reads it who undoes escapes.
type view struct {
	text string
	from []int32 // for each byte of the text, and for its end, where that stands in the original; nil: at the same place
}

// origin returns where a place in the view is in the original text.
func (v *view) origin(at int) int {
	if v.from == nil {
		return at
	}
	return int(v.from[at])
}

// views returns the text as it is and with its escapes undone, those of JSON and
// those of URLs and forms, also of each in the other.
func views(text string) []*view {
	plain := &view{text: text}
	all := []*view{plain}
	json := undo(plain, '\\', unescapeJSON)
	url, form := undo(plain, '%', unescapePercent), undo(plain, '+', unescapeForm)
	all = append(all, json, url, form, undo(json, '%', unescapePercent), undo(json, '+', unescapeForm),
		undo(url, '\\', unescapeJSON), undo(form, '\\', unescapeJSON))
	kept := all[:0]
	for _, v := range all {
		if v != nil {
			kept = append(kept, v)
		}
	}
	return kept
}

// undo returns a view with escapes undone that hold a certain character; nil if
// there is none. unescape reads the escape that a text begins with: what it stands
// for, and how long it is.
func undo(v *view, sign byte, unescape func(text string) (value string, length int)) *view {
	if v == nil || strings.IndexByte(v.text, sign) < 0 {
		return nil
	}
	var text strings.Builder
	from := make([]int32, 0, len(v.text)+1)
	for at := 0; at < len(v.text); {
		value, length := unescape(v.text[at:])
		if length == 0 {
			value, length = v.text[at:at+1], 1
		}
		for range len(value) {
			from = append(from, int32(v.origin(at)))
		}
		text.WriteString(value)
		at += length
	}
	return &view{text.String(), append(from, int32(v.origin(len(v.text))))}
}

// simpleEscapes are the escapes of JSON that are a backslash and a letter.
var simpleEscapes = map[byte]string{'"': `"`, '\\': `\`, '/': "/", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t"}

func unescapeJSON(text string) (string, int) {
	if len(text) < 2 || text[0] != '\\' {
		return "", 0
	}
	if text[1] != 'u' {
		return simpleEscapes[text[1]], map[bool]int{true: 2}[simpleEscapes[text[1]] != ""]
	}
	first, ok := codeUnit(text)
	if !ok {
		return "", 0
	}
	if second, ok := codeUnit(text[6:]); ok && utf16.DecodeRune(first, second) != utf8.RuneError {
		return string(utf16.DecodeRune(first, second)), 12
	}
	return string(first), 6
}

// codeUnit reads an escape such as \u0041.
func codeUnit(text string) (rune, bool) {
	if len(text) < 6 || text[:2] != `\u` {
		return 0, false
	}
	n, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(n), err == nil
}

func unescapePercent(text string) (string, int) {
	if len(text) < 3 || text[0] != '%' {
		return "", 0
	}
	n, err := strconv.ParseUint(text[1:3], 16, 8)
	if err != nil {
		return "", 0
	}
	return string([]byte{byte(n)}), 3
}

func unescapeForm(text string) (string, int) {
	if text[0] == '+' {
		return " ", 1
	}
	return unescapePercent(text)
}
