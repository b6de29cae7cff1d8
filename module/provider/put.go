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
	if len(place) != 1 || place[0].text == "" {
		return errPlace
	}
	p := place[0]
	if p.name == "form" && len(p.steps) == 1 && p.steps[0].name == "json" { // JSON in a field of a form
		fields, _ := e.formValues()
		within, err := setJSON([]byte(only(fields, p.text)), p.steps[0].args[0], text)
		if err != nil {
			return err
		}
		text, p.steps = string(within), nil
	}
	if p.steps != nil {
		return errPlace
	}
	switch p.name {
	case "header":
		e.r.Header[p.text] = []string{text}
		return nil
	case "query":
		e.putQuery(p.text, text)
		return nil
	case "json":
		return e.putJSON(p.text, text)
	case "form":
		if form, _ := e.form(); form != nil {
			e.r.Body = []byte(withPair(string(e.r.Body), p.text, text))
			return nil
		}
	}
	return errPlace
}

func (e *env) putQuery(name, value string) {
	e.r.RawQuery = withPair(e.r.RawQuery, name, value)
	if e.r.Public != nil {
		called := *e.r.Public
		called.RawQuery = withPair(called.RawQuery, name, value)
		e.r.Public = &called
	}
}

// putJSON puts a string in place of the value at a path of the body, or of the
// element that is signed by itself.
func (e *env) putJSON(path, text string) (err error) {
	if e.item == nil {
		e.r.Body, err = setJSON(e.r.Body, path, text)
		return err
	}
	item, err := setJSON(e.item, path, text)
	if err == nil {
		e.r.Body = bytes.Replace(e.r.Body, e.item, item, 1)
	}
	return err
}

// setJSON returns a copy of a JSON text with a string in place of the value at a
// path, or of each value where the path gives several. The rest stays byte for
// byte.
func setJSON(in []byte, path, text string) (out []byte, err error) {
	value := gjson.GetBytes(in, path)
	values, places := []gjson.Result{value}, []int{value.Index}
	if value.Indexes != nil {
		values, places = value.Array(), value.Indexes
	}
	after := 0 // what was replaced last
	for i, at := range places {
		if at <= 0 || values[i].Raw == "" {
			return nil, errPlace
		}
		out = gjson.AppendJSONString(append(out, in[after:at]...), text)
		after = at + len(values[i].Raw)
	}
	return append(out, in[after:]...), nil
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
