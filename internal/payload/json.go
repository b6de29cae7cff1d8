package payload

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// JSON is a text that is known to be one JSON value. Its values are read where they
// stand, and decoded only when they are asked for. Reading does not change a JSON.
type JSON struct {
	text  []byte
	nodes []node
}

// Parse makes d the JSON of a text, which must not change while d is in use. The
// text may nest as deep as maxDepth, which is at most MaxDepth. Parse reuses the
// memory of the text before; the values of that text are good no longer.
func (d *JSON) Parse(text []byte, maxDepth int) error {
	nodes, err := scan(text, maxDepth, d.nodes)
	d.text, d.nodes = text, nodes
	if err != nil {
		d.Reset()
	}
	return err
}

// Reset forgets the text and keeps the memory.
func (d *JSON) Reset() { d.text, d.nodes = nil, d.nodes[:0] }

// Root returns the value that is the whole text; an absent one if there is no text.
func (d *JSON) Root() Value {
	if d.text == nil {
		return Value{}
	}
	return Value{d, d.nodes[0].value, 0}
}

// Kind is the type of a value.
type Kind int

// The types of values.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// Value is a value in a JSON. The zero Value is absent: what is looked up in it is
// absent too.
type Value struct {
	in    *JSON
	start int
	node  int // negative if the value is not noted
}

// Exists reports whether there is a value.
func (v Value) Exists() bool { return v.in != nil }

// Kind returns the type of the value.
func (v Value) Kind() Kind {
	if v.in == nil {
		return Absent
	}
	switch v.in.text[v.start] {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 'n':
		return Null
	case 't', 'f':
		return Bool
	}
	return Number
}

// Raw returns the value as it is written; nil if it is absent. It is a part of the
// text.
func (v Value) Raw() []byte {
	if v.in == nil {
		return nil
	}
	return v.in.text[v.start:skipValue(v.in.text, v.start)]
}

// Text returns a string as it reads, and any other value as it is written. What is
// null or absent is "".
func (v Value) Text() string {
	switch v.Kind() {
	case String:
		return unquote(v.Raw())
	case Absent, Null:
		return ""
	}
	return string(v.Raw())
}

// Bytes returns the text of the value, which must not be changed: it is a part of the
// JSON where that is written as it reads.
func (v Value) Bytes() []byte {
	switch raw := v.Raw(); v.Kind() {
	case String:
		if inside := raw[1 : len(raw)-1]; isVerbatim(inside) {
			return inside
		}
		return appendUnquoted(nil, raw)
	case Absent, Null:
		return nil
	default:
		return raw
	}
}

// AppendText appends the text of the value.
func (v Value) AppendText(to []byte) []byte {
	switch v.Kind() {
	case String:
		return appendUnquoted(to, v.Raw())
	case Absent, Null:
		return to
	}
	return append(to, v.Raw()...)
}

// Member returns the member of an object that has the name. Of several the last
// one counts.
func (v Value) Member(name string) (found Value) {
	if v.Kind() != Object {
		return found
	}
	odd := isOdd(name)
	for k, member := range v.members() {
		if k.is(v.in.text, name, odd) {
			found = member
		}
	}
	return found
}

// Only returns the member of an object that has the name, for a proof: there must
// be no second one, and none whose name is the same in another case.
func (v Value) Only(name string) (found Value, err error) {
	if v.Kind() != Object {
		return found, nil
	}
	odd := isOdd(name)
	for k, member := range v.members() {
		if !k.folds(v.in.text, name) {
			continue
		}
		if found.Exists() || !k.is(v.in.text, name, odd) {
			return Value{}, ErrAmbiguous
		}
		found = member
	}
	return found, nil
}

// Element returns an element of an array, which are counted from 0. There are none
// before the first.
func (v Value) Element(index int) Value {
	for element := range v.Elements() {
		if index == 0 {
			return element
		}
		index--
	}
	return Value{}
}

// Elements yields the elements of an array.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		text, at := v.in.text, -1
		if v.node >= 0 && v.node+1 < v.in.nodes[v.node].next {
			at = v.node + 1 // the first element
		}
		for i := skipWhite(text, v.start+1); text[i] != ']'; i = skipComma(text, skipValue(text, i)) {
			if !yield(Value{v.in, i, at}) {
				return
			}
			at = -1
		}
	}
}

// members yields the members of an object: first those that are noted, then the
// rest.
func (v Value) members() iter.Seq2[key, Value] {
	return func(yield func(key, Value) bool) {
		text, last := v.in.text, -1
		if v.node >= 0 {
			nodes := v.in.nodes[:v.in.nodes[v.node].next]
			for i := v.node + 1; i < len(nodes); i = nodes[i].next {
				last = nodes[i].value
				if !yield(nodes[i].key, Value{v.in, last, i}) {
					return
				}
			}
			if !v.in.nodes[v.node].more {
				return
			}
		}
		i := skipWhite(text, v.start+1)
		if last >= 0 {
			i = skipComma(text, skipValue(text, last))
		}
		for text[i] != '}' {
			end, escaped := checkString(text, i)
			value := skipWhite(text, skipWhite(text, end)+1)
			if !yield(key{i, end, escaped}, Value{v.in, value, -1}) {
				return
			}
			i = skipComma(text, skipValue(text, value))
		}
	}
}

// is reports whether the key is the name.
func (k key) is(text []byte, name string, odd bool) bool {
	inside := text[k.start+1 : k.end-1]
	if k.escaped || odd {
		return sameText(inside, name, false)
	}
	return string(inside) == name
}

// folds reports whether the key is the name in this or another case.
func (k key) folds(text []byte, name string) bool {
	inside := text[k.start+1 : k.end-1]
	if len(inside) > 0 && name != "" {
		// Letters differ in one bit from their other case, unless that is not ASCII.
		a, b := inside[0], name[0]
		if a|b < utf8.RuneSelf && a != '\\' && a|0x20 != b|0x20 {
			return false
		}
	}
	return sameText(inside, name, true)
}

// isOdd reports whether a name has the character in it that decoding puts in the
// place of invalid UTF-8, or is invalid itself.
func isOdd(name string) bool { return strings.ContainsRune(name, utf8.RuneError) }

// skipComma goes to the next member or element, or to the closing bracket.
func skipComma(text []byte, i int) int {
	i = skipWhite(text, i)
	if text[i] == ',' {
		i = skipWhite(text, i+1)
	}
	return i
}

// skipString returns the end of the string that begins at i.
func skipString(text []byte, i int) int {
	end, _ := checkString(text, i)
	return end
}

// skipValue returns the end of the value that begins at i.
func skipValue(text []byte, i int) int {
	switch text[i] {
	case '"':
		return skipString(text, i)
	case '{', '[':
		return skipBrackets(text, i)
	}
	for i < len(text) && text[i] > ' ' && text[i] != ',' && text[i] != '}' && text[i] != ']' {
		i++
	}
	return i
}

// structural marks the bytes that skipBrackets looks at.
var structural = [256]bool{'"': true, '{': true, '[': true, '}': true, ']': true}

// In valid JSON brackets match, so there is no need to tell them apart.
func skipBrackets(text []byte, i int) int {
	depth := 0
	for ; i < len(text); i++ {
		if !structural[text[i]] {
			continue
		}
		switch text[i] {
		case '"':
			i = skipString(text, i) - 1
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
