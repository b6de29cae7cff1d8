package rules

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"

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

	asIs    bool // the text is that of the body, maybe without a byte order mark
	lines   bool // it is a list of JSON values in lines
	inside  bool // it is the JSON that a text of the webhook holds
	decoded bool // value is the whole JSON
}

// document returns the body, which is read when it is first asked for.
func (v *View) document() *document {
	if !v.body.read {
		v.parse(&v.body)
	}
	return &v.body
}

// lookup follows a path into the body. It panics where expr does.
func (v *View) lookup(path []step) any {
	d := v.document()
	if d.err != nil {
		panic(d.err)
	}
	return v.reach(d, path, 0)
}

func (v *View) parse(d *document) {
	d.read = true
	if v.in.Element {
		d.err = d.parseJSON(v.in.Body)
		return
	}
	contentType := v.in.header("Content-Type")
	media := payload.MediaType(contentType)
	body, err := v.text(contentType)
	if err != nil {
		d.err = err
		return
	}
	d.asIs = len(body) > 0 && len(v.in.Body) > 0 && &body[len(body)-1] == &v.in.Body[len(v.in.Body)-1]
	if payload.IsLines(media) {
		d.lines, d.asIs = true, false
		d.parseLines(body)
		return
	}
	// The declaration may be a stranger's, where the proof covers the body alone.
	isJSON := looksLikeJSON(body) && d.parseJSON(body) == nil
	if v.in.Forms {
		media, contentType = payload.FormType, payload.FormType
	}
	switch {
	case isJSON: // whatever it was declared as
	case media == "application/json", strings.HasSuffix(media, "+json"):
		d.err = d.parseJSON(body)
	case media == payload.FormType, media == payload.MultipartType:
		d.parseForm(contentType, body)
	case media == "application/xml", media == "text/xml", strings.HasSuffix(media, "+xml"):
		d.value = string(body)
	case d.parseJSON(body) == nil:
	default:
		d.value = string(body)
	}
}

// text returns the body decompressed and in UTF-8, for which the budget pays.
func (v *View) text(contentType string) ([]byte, error) {
	body, err := v.decompressed()
	if err != nil {
		return nil, err
	}
	text := payload.UTF8(contentType, body)
	if len(text) > 0 && &text[len(text)-1] != &body[len(body)-1] {
		if len(text) > v.budget.steps || len(text) > v.budget.made {
			return nil, ErrBudget
		}
		v.budget.spend(len(text), len(text))
	}
	return text, nil
}

// decompressed returns the body without its Content-Encoding. That header may be a
// stranger's, or left from before a proxy decompressed the body: where the body is not
// encoded like that, it counts as it is.
func (v *View) decompressed() ([]byte, error) {
	body, declared := v.in.Body, v.in.header("Content-Encoding")
	if v.in.Unproven {
		return body, nil
	}
	sniffed := payload.Sniff(body)
	if looksLikeJSON(body) || declared == "" && sniffed == "" {
		return body, nil
	}
	left := min(v.budget.steps, v.budget.made)
	decoded, err := payload.Decompress(declared, body, left)
	if sniffed != "" && (declared == "" || err != nil && !errors.Is(err, payload.ErrTooLarge)) {
		decoded, err = payload.Decompress(sniffed, body, left)
	} else if err != nil && !errors.Is(err, payload.ErrTooLarge) {
		return body, nil
	}
	switch {
	case errors.Is(err, payload.ErrTooLarge) && left < payload.MaxDecoded:
		return nil, ErrBudget
	case err != nil:
		return nil, fmt.Errorf("body is %w", err)
	}
	v.budget.spend(len(decoded), len(decoded))
	return decoded, nil
}

func (d *document) parseLines(body []byte) {
	list, err := payload.Lines(body)
	if err != nil {
		d.err = fmt.Errorf("body is %w", err)
		return
	}
	d.err = d.parseJSON(list)
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
	if payload.MediaType(contentType) == payload.MultipartType {
		contentType = payload.WithBoundary(contentType, body)
	}
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
	for _, f := range fields.InCharset(contentType) {
		if _, ok := m[f.Name]; !ok {
			m[f.Name] = cmp.Or(f.File, f.Value)
		}
	}
	d.value = m
}

// decode decodes what a path leads to.
func (d *document) decode(found payload.Value) (any, error) {
	value, err := found.Decode(maxValues)
	if err != nil {
		return nil, fmt.Errorf("body is %w", err)
	}
	return value, nil
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
