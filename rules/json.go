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
	// How many members of an object are remembered, in 3 KB.
	maxMembers = 100
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

// lookup follows a path and decodes only what it finds there. Where a key does
// not fit the value, fetch knows what expr makes of it.
func (d *document) lookup(path []step) any {
	data := d.json[skipSpace(d.json, 0):]
	for i, s := range path {
		switch key := s.key.(type) {
		case string:
			if data[0] == '{' {
				data = d.member(data, key)
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

// An object that has been gone through. Several paths lead through the same
// objects, and most of the cost of a path is to skip what does not lie on it.
type object struct {
	left    int // bytes of the document from the object on, which identify it
	members []member
	rest    int // where members end, in an object that has too many
}

// member says where a member of an object stands, counted from the object.
type member struct {
	key, colon, value int
	plain             bool // the key stands for its own bytes
}

// member finds a key of an object; of equal keys the last one counts, as it
// does in encoding/json. A key that is not there is null.
func (d *document) member(data []byte, key string) []byte {
	o := d.object(data)
	found := null
	for _, m := range o.members {
		if m.is(data, key) {
			found = data[m.value:]
		}
	}
	for i := o.rest; data[i] != '}'; {
		var m member
		if m, i = readMember(data, i); m.is(data, key) {
			found = data[m.value:]
		}
	}
	return found
}

// object goes through an object, unless that has been done.
func (d *document) object(data []byte) object {
	for _, o := range d.objects {
		if o.left == len(data) {
			return o
		}
	}
	o := object{left: len(data), rest: skipSpace(data, 1)}
	start := len(d.members)
	for data[o.rest] != '}' && len(d.members)-start < maxMembers {
		var m member
		m, o.rest = readMember(data, o.rest)
		d.members = append(d.members, m)
	}
	o.members = d.members[start:]
	d.objects = append(d.objects, o)
	return o
}

// readMember reads the member at i, and returns where the next one begins.
func readMember(data []byte, i int) (m member, next int) {
	m.key, m.colon = i, skipString(data, i)
	m.plain = plain(data[m.key:m.colon])
	m.value = skipSpace(data, skipSpace(data, m.colon)+1)
	return m, skipComma(data, skipValue(data, m.value))
}

func (m *member) is(data []byte, key string) bool {
	quoted := data[m.key:m.colon]
	if m.plain {
		return string(quoted[1:len(quoted)-1]) == key
	}
	return unquote(quoted) == key
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
	for start := i + 1; ; {
		n := bytes.IndexByte(data[i+1:], '"')
		if n < 0 {
			return len(data)
		}
		i += 1 + n
		escapes := i
		for escapes > start && data[escapes-1] == '\\' {
			escapes--
		}
		if (i-escapes)%2 == 0 {
			return i + 1
		}
	}
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

// structural marks the bytes that skipBrackets looks at.
var structural = [256]bool{'"': true, '{': true, '[': true, '}': true, ']': true}

// In valid JSON brackets match, so there is no need to tell them apart.
func skipBrackets(data []byte, i int) int {
	depth := 0
	for ; i < len(data); i++ {
		if !structural[data[i]] {
			continue
		}
		switch data[i] {
		case '"':
			i = skipString(data, i) - 1
		case '{', '[':
			depth++
		default:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return i
}
