package payload

import (
	"encoding/json"
	"net/url"
	"strings"
)

// AppendString appends a text as a string of JSON, written as encoding/json does.
func AppendString(to []byte, text string) []byte {
	quoted, _ := json.Marshal(text) // a string can always be written
	return append(to, quoted...)
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
	var kept []string
	for pair := range Pairs(text) {
		if pair.Name != name {
			kept = append(kept, pair.Raw)
		}
	}
	return strings.Join(kept, "&")
}
