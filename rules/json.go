package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

const (
	// Validating and decoding recurse, and Go cannot survive a full stack.
	maxDepth = 1_000
	// A list of empty maps takes fifty times its text once it is decoded.
	maxValues = 1_000_000
)

// checkJSON tells whether data is one JSON value. All functions below rely on it.
func checkJSON(data []byte) error {
	if tooDeep(data) {
		return fmt.Errorf("body nests deeper than %d levels", maxDepth)
	}
	if !gjson.ValidBytes(data) {
		return errors.New("body is not valid JSON")
	}
	return nil
}

func tooDeep(data []byte) bool {
	if bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) <= maxDepth {
		return false
	}
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = skipString(data, i) - 1
		case '[', '{':
			if depth++; depth > maxDepth {
				return true
			}
		case ']', '}':
			depth--
		}
	}
	return false
}

var null = []byte("null")

// lookupJSON follows a path and decodes only what it finds there. Where a key
// does not fit the value, fetch knows what expr makes of it.
func lookupJSON(data []byte, path []step) any {
	data = data[skipSpace(data, 0):]
	for i, s := range path {
		switch key := s.key.(type) {
		case string:
			if data[0] == '{' {
				data = member(data, key)
				continue
			}
		case int:
			if element := element(data, key); element != nil {
				data = element
				continue
			}
		}
		return fetch(decodeJSON(data), path[i:])
	}
	return decodeJSON(data)
}

// member finds a key of an object; of equal keys the last one counts, as it
// does in encoding/json. A key that is not there is null.
func member(data []byte, key string) []byte {
	found := null
	for i := skipSpace(data, 1); data[i] != '}'; i = skipComma(data, i) {
		end := skipString(data, i)
		at := skipSpace(data, skipSpace(data, end)+1)
		if keyIs(data[i:end], key) {
			found = data[at:]
		}
		i = skipValue(data, at)
	}
	return found
}

// element finds an element of an array. It returns nil if there is none.
func element(data []byte, index int) []byte {
	if data[0] != '[' {
		return nil
	}
	for i := skipSpace(data, 1); data[i] != ']'; i = skipComma(data, i) {
		if index == 0 {
			return data[i:]
		}
		index--
		i = skipValue(data, i)
	}
	return nil
}

// decoder decodes the JSON value at the beginning of data.
type decoder struct {
	data []byte
	pos  int
	left int // how many more values it may decode
}

func decodeJSON(data []byte) any {
	d := decoder{data: data, left: maxValues}
	return d.value()
}

func (d *decoder) value() any {
	if d.left--; d.left < 0 {
		panic(fmt.Errorf("body has more than %d values to decode", maxValues))
	}
	switch d.data[d.pos] {
	case '{':
		return d.object()
	case '[':
		return d.array()
	}
	start := d.pos
	d.pos = skipValue(d.data, start)
	raw := d.data[start:d.pos]
	switch raw[0] {
	case '"':
		return unquote(raw)
	case 'n':
		return nil
	case 't':
		return true
	case 'f':
		return false
	}
	return number(string(raw))
}

func (d *decoder) object() map[string]any {
	m := make(map[string]any)
	for d.pos = skipSpace(d.data, d.pos+1); d.data[d.pos] != '}'; d.pos = skipComma(d.data, d.pos) {
		end := skipString(d.data, d.pos)
		key := unquote(d.data[d.pos:end])
		d.pos = skipSpace(d.data, skipSpace(d.data, end)+1)
		m[key] = d.value()
	}
	d.pos++
	return m
}

func (d *decoder) array() []any {
	list := []any{}
	for d.pos = skipSpace(d.data, d.pos+1); d.data[d.pos] != ']'; d.pos = skipComma(d.data, d.pos) {
		list = append(list, d.value())
	}
	d.pos++
	return list
}

// number keeps integers exact. What no Go number can hold stays text.
func number(s string) any {
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.Atoi(s); err == nil {
			return n
		}
	} else if f, err := strconv.ParseFloat(s, 64); err == nil {
		return f
	}
	return s
}

// plain tells whether a string of JSON stands for its own bytes.
func plain(quoted []byte) bool {
	return bytes.IndexByte(quoted, '\\') < 0 && utf8.Valid(quoted)
}

func unquote(quoted []byte) string {
	if plain(quoted) {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		panic(err) // not reached: the document is valid
	}
	return s
}

func keyIs(quoted []byte, key string) bool {
	if plain(quoted) {
		return string(quoted[1:len(quoted)-1]) == key
	}
	return unquote(quoted) == key
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && data[i] <= ' ' {
		i++
	}
	return i
}

// skipComma goes to the next member or element, or to the closing bracket.
func skipComma(data []byte, i int) int {
	i = skipSpace(data, i)
	if data[i] == ',' {
		i = skipSpace(data, i+1)
	}
	return i
}

// skipString returns the end of the string that begins at i.
func skipString(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(data)
}

// skipValue returns the end of the value that begins at i.
func skipValue(data []byte, i int) int {
	switch data[i] {
	case '"':
		return skipString(data, i)
	case '{', '[':
		return skipBrackets(data, i)
	}
	for i < len(data) && data[i] > ' ' && data[i] != ',' && data[i] != '}' && data[i] != ']' {
		i++
	}
	return i
}

// In valid JSON brackets match, so there is no need to tell them apart.
func skipBrackets(data []byte, i int) int {
	depth := 0
	for ; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = skipString(data, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return i
}
