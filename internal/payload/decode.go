package payload

import (
	"fmt"
	"strconv"
	"strings"
)

// Decode returns the value as encoding/json decodes it, with exact integers; nil if
// it is absent. A value that holds more than maxValues, itself included, is an
// error: a list of empty maps takes fifty times its text once it is decoded.
func (v Value) Decode(maxValues int) (any, error) {
	if v.in == nil {
		return nil, nil
	}
	d := decoder{text: v.in.text, at: v.start, left: maxValues}
	value := d.value()
	if d.left < 0 {
		return nil, fmt.Errorf("JSON that has more than %d values to decode", maxValues)
	}
	return value, nil
}

// decoder decodes the value at a position, and stops when it has decoded too much.
type decoder struct {
	text []byte
	at   int
	left int // how many more values it may decode
}

func (d *decoder) value() any {
	if d.left--; d.left < 0 {
		return nil
	}
	switch d.text[d.at] {
	case '{':
		return d.object()
	case '[':
		return d.array()
	}
	start := d.at
	d.at = skipValue(d.text, start)
	raw := d.text[start:d.at]
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
	for d.at = skipWhite(d.text, d.at+1); d.text[d.at] != '}'; d.at = skipComma(d.text, d.at) {
		end := skipString(d.text, d.at)
		name := unquote(d.text[d.at:end])
		d.at = skipWhite(d.text, skipWhite(d.text, end)+1)
		m[name] = d.value()
		if d.left < 0 {
			return nil
		}
	}
	d.at++
	return m
}

func (d *decoder) array() []any {
	list := []any{}
	for d.at = skipWhite(d.text, d.at+1); d.text[d.at] != ']'; d.at = skipComma(d.text, d.at) {
		list = append(list, d.value())
		if d.left < 0 {
			return nil
		}
	}
	d.at++
	return list
}

// Integer is an integer beyond 64 bits, as it is written.
type Integer string

// MarshalJSON writes the integer as a number.
func (n Integer) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// maxDigits is how long an integer may be. No floating-point number is as large.
const maxDigits = 400

// number keeps integers exact. What no number can hold stays text.
func number(s string) any {
	if strings.ContainsAny(s, ".eE") {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f
		}
		return s
	}
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	if len(s) > maxDigits {
		return s
	}
	return Integer(s)
}
