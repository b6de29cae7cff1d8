package rules

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr/vm/runtime"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// maxValues is how many values of a body are decoded.
const maxValues = 1_000_000

// document is a body that has been looked at: JSON, or the value of anything else.
type document struct {
	read   bool
	isJSON bool
	json   payload.JSON
	value  any
	err    error
}

// document returns the body, which is read when it is first asked for.
func (v *View) document() *document {
	if !v.body.read {
		v.body.parse(v.in)
	}
	return &v.body
}

// lookup follows a path into the body. It panics where expr does.
func (v *View) lookup(path []step) any {
	d := v.document()
	switch {
	case d.err != nil:
		panic(d.err)
	case d.isJSON:
		return d.lookup(path)
	}
	return fetch(d.value, path)
}

// fetch is what expr does with a chain of members.
func fetch(value any, path []step) any {
	for _, s := range path {
		if s.optional && value == nil {
			return nil
		}
		value = runtime.Fetch(value, s.key)
	}
	return value
}

func (d *document) parse(in *Input) {
	d.read = true
	contentType := in.header("Content-Type")
	media := payload.MediaType(contentType)
	// The declaration may be a stranger's, where the proof covers the body alone.
	isJSON := looksLikeJSON(in.Body) && d.parseJSON(in.Body) == nil
	if in.Forms {
		media, contentType = payload.FormType, payload.FormType
	}
	switch {
	case isJSON: // whatever it was declared as
	case media == "application/json", strings.HasSuffix(media, "+json"):
		d.err = d.parseJSON(in.Body)
	case media == payload.FormType, media == payload.MultipartType:
		d.parseForm(contentType, in.Body)
	case media == "application/xml", media == "text/xml", strings.HasSuffix(media, "+xml"):
		d.value = string(in.Body)
	case d.parseJSON(in.Body) == nil:
	default:
		d.value = string(in.Body)
	}
}

// looksLikeJSON reports whether the body begins as objects and arrays do.
func looksLikeJSON(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && (body[0] == '{' || body[0] == '[')
}

func (d *document) parseJSON(body []byte) error {
	if err := d.json.Parse(body, payload.MaxDepth); err != nil {
		return fmt.Errorf("body is %w", err)
	}
	d.isJSON = true
	return nil
}

// parseForm keeps the first of equal fields, and of a file the name.
func (d *document) parseForm(contentType string, body []byte) {
	fields, err := payload.Form(contentType, body)
	if errors.Is(err, payload.ErrMislabelled) {
		d.err = d.parseJSON(body)
		return
	}
	if err != nil {
		d.err = fmt.Errorf("body is %w", err)
		return
	}
	m := make(map[string]any, len(fields))
	for _, f := range fields {
		if _, ok := m[f.Name]; !ok {
			m[f.Name] = cmp.Or(f.File, f.Value)
		}
	}
	d.value = m
}

// lookup follows a path and decodes only what it finds there. Where a key does
// not fit the value, fetch knows what expr makes of it.
func (d *document) lookup(path []step) any {
	found, left := follow(d.json.Root(), path)
	value, err := found.Decode(maxValues)
	if err != nil {
		panic(fmt.Errorf("body is %w", err))
	}
	return fetch(value, left)
}

// follow follows a path as far as the keys fit, and returns what is left of it. A
// member that is not there is null.
func follow(at payload.Value, path []step) (found payload.Value, left []step) {
	for i, s := range path {
		next, fits := payload.Value{}, false
		switch key := s.key.(type) {
		case string:
			next, fits = at.Member(key), at.Kind() == payload.Object
		case int:
			next = at.Element(key)
			fits = next.Exists()
		}
		if !fits {
			return at, path[i:]
		}
		at = next
	}
	return at, nil
}
