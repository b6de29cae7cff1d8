package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A list of empty maps takes fifty times its text once it is decoded.
const maxValues = 1_000_000

// lookup follows a path and decodes only what it finds there. Where a key does
// not fit the value, fetch knows what expr makes of it.
func (d *document) lookup(path []step) any {
	at, left := d.find(path)
	return fetch(d.decode(at), left)
}

// find follows a path as far as the keys fit, and returns what is left of it.
func (d *document) find(path []step) (at place, left []step) {
	at = place{d.nodes[0].value, 0}
	for i, s := range path {
		next, fits := absent, false
		switch key := s.key.(type) {
		case string:
			if at != absent && d.json[at.value] == '{' {
				next, fits = d.member(at, key), true
			}
		case int:
			if at != absent {
				next = d.element(at, key)
				fits = next != absent
			}
		}
		if !fits {
			return at, path[i:]
		}
		at = next
	}
	return at, nil
}

// decode decodes what stands in a place; what is absent is null.
func (d *document) decode(at place) any {
	if at == absent {
		return nil
	}
	return decodeJSON(d.json[at.value:])
}

// place is a value of the document.
type place struct {
	value int // where it begins
	node  int // negative if it is not noted
}

var absent = place{-1, -1}

// member finds a key of an object; of equal keys the last one counts, as it
// does in encoding/json. A key that is not there is null.
func (d *document) member(object place, key string) place {
	found, last, more := absent, -1, true
	odd := strings.ContainsRune(key, utf8.RuneError)
	if object.node >= 0 {
		nodes := d.nodes[:d.nodes[object.node].next]
		for i := object.node + 1; i < len(nodes); i = nodes[i].next {
			if last = i; nodes[i].isKey(d.json, key, odd) {
				found = place{nodes[i].value, i}
			}
		}
		more = nodes[object.node].more
	}
	if !more {
		return found
	}
	for i := d.rest(object, last); d.json[i] != '}'; {
		n := readMember(d.json, i)
		if n.isKey(d.json, key, odd) {
			found = place{n.value, -1}
		}
		i = skipComma(d.json, skipValue(d.json, n.value))
	}
	return found
}

// rest is where the members begin that are not noted, behind the last one that is.
func (d *document) rest(object place, last int) int {
	if last < 0 {
		return skipWhite(d.json, object.value+1)
	}
	return skipComma(d.json, skipValue(d.json, d.nodes[last].value))
}

// readMember reads the member at i.
func readMember(data []byte, i int) node {
	colon, escaped := checkString(data, i)
	return node{key: i, colon: colon, value: skipWhite(data, skipWhite(data, colon)+1), escaped: escaped}
}

// isKey tells whether the value's key is this one. An odd one has the character in
// it that decoding puts in the place of invalid UTF-8, or is invalid itself.
func (n *node) isKey(data []byte, key string, odd bool) bool {
	quoted := data[n.key:n.colon]
	if n.escaped || odd {
		return unquote(quoted) == key
	}
	return string(quoted[1:len(quoted)-1]) == key
}

// element finds an element of an array.
func (d *document) element(array place, index int) place {
	if d.json[array.value] != '[' {
		return absent
	}
	node := -1
	if array.node >= 0 && array.node+1 < d.nodes[array.node].next {
		node = array.node + 1 // the first element
	}
	for i := skipWhite(d.json, array.value+1); d.json[i] != ']'; i = skipComma(d.json, skipValue(d.json, i)) {
		if index == 0 {
			return place{i, node}
		}
		index, node = index-1, -1
	}
	return absent
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
	for d.pos = skipWhite(d.data, d.pos+1); d.data[d.pos] != '}'; d.pos = skipComma(d.data, d.pos) {
		end := skipString(d.data, d.pos)
		key := unquote(d.data[d.pos:end])
		d.pos = skipWhite(d.data, skipWhite(d.data, end)+1)
		m[key] = d.value()
	}
	d.pos++
	return m
}

func (d *decoder) array() []any {
	list := []any{}
	for d.pos = skipWhite(d.data, d.pos+1); d.data[d.pos] != ']'; d.pos = skipComma(d.data, d.pos) {
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

// skipComma goes to the next member or element, or to the closing bracket.
func skipComma(data []byte, i int) int {
	i = skipWhite(data, i)
	if data[i] == ',' {
		i = skipWhite(data, i+1)
	}
	return i
}

// skipString returns the end of the string that begins at i.
func skipString(data []byte, i int) int {
	end, _ := checkString(data, i)
	return end
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
