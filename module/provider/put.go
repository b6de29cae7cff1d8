package provider

import (
	"bytes"
	"errors"
	"net/url"

	"github.com/tidwall/gjson"
)

// errPlace is for places in which the gateway cannot put a proof.
var errPlace = errors.New("the request has no place for the proof")

// items returns the elements of the JSON array at a path of the body.
func (e *env) items(path string) [][]byte {
	if !e.soundJSON() {
		return nil
	}
	array := gjson.GetBytes(e.r.Body, path)
	if !array.IsArray() {
		return nil
	}
	var items [][]byte
	for _, item := range array.Array() {
		items = append(items, []byte(item.Raw))
	}
	return items
}

// put writes a text where a placeholder reads it.
func (e *env) put(place template, text string) error {
	if len(place) != 1 || place[0].text == "" || place[0].steps != nil {
		return errPlace
	}
	switch p := place[0]; p.name {
	case "header":
		e.r.Header[p.text] = []string{text}
		return nil
	case "query":
		e.r.RawQuery = withPair(e.r.RawQuery, p.text, text)
		if e.r.Public != nil {
			called := *e.r.Public
			called.RawQuery = withPair(called.RawQuery, p.text, text)
			e.r.Public = &called
		}
		return nil
	case "json":
		return e.putJSON(p.text, text)
	case "form":
		if mediaType(e.r.header("Content-Type")) == urlencoded {
			e.r.Body = []byte(withPair(string(e.r.Body), p.text, text))
			return nil
		}
	}
	return errPlace
}

// putJSON puts a string in place of the value at a path of the body, or of the
// element that is signed by itself.
func (e *env) putJSON(path, text string) error {
	start, in := 0, e.r.Body
	if e.item != nil {
		if start = bytes.Index(e.r.Body, e.item); start < 0 {
			return errPlace
		}
		in = e.item
	}
	value := gjson.GetBytes(in, path)
	if value.Index <= 0 || value.Raw == "" {
		return errPlace
	}
	at := start + value.Index
	var body []byte
	body = append(body, e.r.Body[:at]...)
	body = gjson.AppendJSONString(body, text)
	e.r.Body = append(body, e.r.Body[at+len(value.Raw):]...)
	return nil
}

// withPair sets a name=value pair in a query or form, and leaves the rest byte
// for byte.
func withPair(pairs, name, value string) string {
	var kept []string
	for _, pair := range splitPairs(pairs) {
		if other, _ := decodePair(pair); other != name {
			kept = append(kept, pair)
		}
	}
	return joinPairs(append(kept, url.QueryEscape(name)+"="+url.QueryEscape(value)))
}
