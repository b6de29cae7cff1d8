package rules

import (
	"strings"
	"unsafe"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// place is where a text stands. It keeps the text where it is.
type place struct {
	first  *byte
	length int
}

// inside returns the JSON object or array that a text holds; nil if it holds none.
// What has been read stays read. The budget pays for the reading.
func (v *View) inside(at place, text func() []byte) *document {
	if d, ok := v.texts[at]; ok {
		return d
	}
	v.budget.read(at.length)
	var d *document
	if content := text(); looksLikeJSON(content) {
		inner := &document{read: true, inside: true}
		if inner.parseJSON(content) == nil {
			d = inner
		}
	}
	if v.texts == nil {
		v.texts = make(map[place]*document)
	}
	v.texts[at] = d
	return d
}

// insideText is inside for a string.
func (v *View) insideText(text string) *document {
	if !opensLikeJSON(text) {
		return nil
	}
	return v.inside(place{unsafe.StringData(text), len(text)}, func() []byte { return []byte(text) })
}

// insideValue is inside for a string in JSON.
func (v *View) insideValue(value payload.Value) *document {
	raw := value.Raw()
	return v.inside(place{&raw[0], len(raw)}, value.Bytes)
}

// opensLikeJSON reports whether a text begins as objects and arrays do.
func opensLikeJSON(text string) bool {
	for i := range len(text) {
		switch text[i] {
		case ' ', '\t', '\r', '\n':
		case '{', '[':
			return true
		default:
			return false
		}
	}
	return false
}

// open stands between a value and a key that is looked up in it: of a text that
// holds JSON it makes that JSON, and leaves all else as it is.
func (v *View) open(value any) any {
	if text, ok := value.(string); ok {
		if d := v.insideText(text); d != nil {
			return v.reach(d, nil, 0)
		}
	}
	return value
}

// reach follows a path, from one of its steps, into a document and on into the JSON
// that its texts hold. It decodes only what it finds.
func (v *View) reach(d *document, path []step, i int) any {
	if !d.isJSON {
		if inner := v.onlyField(d, path[i:]); inner != nil {
			return v.reach(inner, path, i)
		}
		return v.fetch(d.value, path, i)
	}
	if d.decoded && i == len(path) {
		return d.value
	}
	found, left := follow(d.json.Root(), path[i:])
	whole := i == len(path)
	i = len(path) - len(left)
	if len(left) > 0 && found.Kind() == payload.String {
		if inner := v.insideValue(found); inner != nil {
			return v.reach(inner, path, i)
		}
	}
	if d.inside {
		v.budget.decode(readOnly(found.Raw()))
	}
	value, err := d.decode(found)
	if err != nil {
		panic(err)
	}
	if d.inside && whole {
		d.value, d.decoded = value, true
	}
	return v.fetch(value, path, i)
}

// onlyField returns what is inside of a form that is nothing but a JSON object in a
// field, if a path leads to no field: GitHub, for one, sends the same webhook either
// way.
func (v *View) onlyField(d *document, path []step) *document {
	form, _ := d.value.(map[string]any)
	if len(form) != 1 || len(path) == 0 {
		return nil
	}
	for name, value := range form {
		text, _ := value.(string)
		if name == path[0].key {
			return nil
		}
		if inner := v.insideText(text); inner != nil && inner.json.Root().Kind() == payload.Object {
			return inner
		}
	}
	return nil
}

// fetch is what expr does with a chain of members, and goes on into texts that hold
// JSON.
func (v *View) fetch(value any, path []step, i int) any {
	for ; i < len(path); i++ {
		if path[i].optional && value == nil {
			return nil
		}
		if text, ok := value.(string); ok {
			if inner := v.insideText(text); inner != nil {
				return v.reach(inner, path, i)
			}
		}
		value = v.member(value, path, i)
	}
	return value
}

// read spends what it costs to check a text of n bytes, to copy it, and to note what
// is in it.
func (b *budget) read(n int) { b.spend(150+n/2, 256+n+16*min(n, 4<<10)) }

// decode spends what it costs to decode JSON. A map takes some three hundred bytes for
// the two of its text.
func (b *budget) decode(text string) {
	b.spend(len(text)/searchedBytes, 0)
	maps := strings.Count(text, "{")
	values := maps + strings.Count(text, ",") + strings.Count(text, "[")
	b.spend(len(text)+20*values+30*maps, len(text)+48*values+320*maps)
}

// readOnly is bytes that do not change, as text.
func readOnly(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
