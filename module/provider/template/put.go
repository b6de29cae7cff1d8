package template

import (
	"bytes"
	"errors"
	"net/url"

	"github.com/tidwall/gjson"
)

// errPlace is returned for a template that the gateway cannot write to.
var errPlace = errors.New("the request has no place for the proof")

// Items returns the elements of the JSON array at a path of the body.
func (e *Env) Items(path string) [][]byte {
	if !e.soundJSON() {
		return nil
	}
	array := gjson.GetBytes(e.Request.Body, path)
	if !array.IsArray() {
		return nil
	}
	var items [][]byte
	for _, item := range array.Array() {
		items = append(items, []byte(item.Raw))
	}
	return items
}

// Put writes a text to the place that a template reads.
func (e *Env) Put(place Template, text string) error {
	if len(place) != 1 || place[0].text == "" {
		return errPlace
	}
	p := place[0]
	if p.name == "form" && len(p.steps) == 1 && p.steps[0].name == "json" { // JSON in a field of a form
		fields, _ := e.FormValues()
		within, err := setJSON([]byte(Only(fields, p.text)), p.steps[0].args[0], text)
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
		e.Request.Header[p.text] = []string{text}
		return nil
	case "query":
		e.putQuery(p.text, text)
		return nil
	case "json":
		return e.putJSON(p.text, text)
	case "form":
		if form, _ := e.form(); form != nil {
			e.Request.Body = []byte(withPair(string(e.Request.Body), p.text, text))
			return nil
		}
	}
	return errPlace
}

func (e *Env) putQuery(name, value string) {
	e.Request.RawQuery = withPair(e.Request.RawQuery, name, value)
	if e.Request.Public != nil {
		called := *e.Request.Public
		called.RawQuery = withPair(called.RawQuery, name, value)
		e.Request.Public = &called
	}
}

// putJSON replaces the value at a path of the body, or of the array element that is
// signed by itself, by a string.
func (e *Env) putJSON(path, text string) (err error) {
	if e.Item == nil {
		e.Request.Body, err = setJSON(e.Request.Body, path, text)
		return err
	}
	item, err := setJSON(e.Item, path, text)
	if err == nil {
		e.Request.Body = bytes.Replace(e.Request.Body, e.Item, item, 1)
	}
	return err
}

// setJSON returns a copy of a JSON text in which a string replaces the value at a
// path. A path with several values has each of them replaced. The rest stays byte
// for byte.
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

// withPair sets a name=value pair in a query or form. The other pairs stay byte for
// byte.
func withPair(pairs, name, value string) string {
	var kept []string
	for _, pair := range splitPairs(pairs) {
		if other, _ := decodePair(pair); other != name {
			kept = append(kept, pair)
		}
	}
	return joinPairs(append(kept, url.QueryEscape(name)+"="+url.QueryEscape(value)))
}
