package payload

import (
	"errors"
	"net/url"
	"slices"
)

// MaxElements is how many elements a list may have that is cut into them.
const MaxElements = 10_000

// Why a body is not cut into elements.
var (
	ErrNoList       = errors.New("there is no list")
	ErrEmptyList    = errors.New("the list is empty")
	ErrManyElements = errors.New("the list has more than 10,000 elements")
	ErrUnframed     = errors.New("an element cannot be put into the framing of the body")
)

// Batch is a list in a body, with what stands around an element that is alone in it.
// Nothing is written anew: all of it is a part of the body.
type Batch struct {
	// Elements are the elements as they are written.
	Elements [][]byte

	// Form says that the list is the value of a field of a form.
	Form bool

	// Lines says that each element has a line.
	Lines bool

	before, after         []byte // in JSON
	beforeField, restForm string // in the form around the JSON
}

// Batch returns the list to which the names of members lead from a value.
func (v Value) Batch(names []string) (*Batch, error) {
	for _, name := range names {
		v = v.Member(name)
	}
	if v.Kind() != Array {
		return nil, ErrNoList
	}
	b := new(Batch)
	for element := range v.Elements() {
		if len(b.Elements) == MaxElements {
			return nil, ErrManyElements
		}
		b.Elements = append(b.Elements, element.Raw())
	}
	if b.Elements == nil {
		return nil, ErrEmptyList
	}
	text := v.in.text
	b.before, b.after = text[:v.start+1], text[skipValue(text, v.start)-1:]
	return b, nil
}

// FormBatch returns the list to which the names lead in a form: the first one is that of
// a field, whose value is JSON, and the others are those of members.
func FormBatch(form string, names []string) (*Batch, error) {
	if len(names) == 0 {
		return nil, ErrNoList
	}
	at := 0
	for pair, err := range Pairs(form) {
		if err != nil {
			return nil, ErrNoList
		}
		if pair.Name != names[0] {
			at += len(pair.Raw) + 1
			continue
		}
		var doc JSON
		if doc.Parse([]byte(pair.Value), MaxDepth) != nil {
			return nil, ErrNoList
		}
		b, err := doc.Root().Batch(names[1:])
		if err != nil {
			return nil, err
		}
		name := len(pair.Raw)
		for i := range len(pair.Raw) {
			if pair.Raw[i] == '=' {
				name = i + 1
				break
			}
		}
		b.Form, b.beforeField, b.restForm = true, form[:at+name], form[at+len(pair.Raw):]
		return b, nil
	}
	return nil, ErrNoList
}

// LinesBatch returns the JSON values in lines as a list, of which the text is the list
// that Lines has made.
func (v Value) LinesBatch() (*Batch, error) {
	b, err := v.Batch(nil)
	if err == nil {
		b.Lines, b.before, b.after = true, nil, []byte("\n")
	}
	return b, err
}

// Size returns how many bytes the body has that holds an element alone.
func (b *Batch) Size(i int) int {
	if b.Form {
		return len(b.beforeField) + escapedSize(b.before) + escapedSize(b.Elements[i]) + escapedSize(b.after) + len(b.restForm)
	}
	return len(b.before) + len(b.Elements[i]) + len(b.after)
}

// Around returns what stands in the body beside the list.
func (b *Batch) Around() []byte {
	return slices.Concat([]byte(b.beforeField), b.before, []byte{0}, b.after, []byte(b.restForm))
}

// AppendFramed appends the body that holds an element alone, and returns where the element
// stands in that body.
func (b *Batch) AppendFramed(to []byte, i int) (_ []byte, start, end int) {
	first := len(to)
	write := func(text []byte) { to = append(to, text...) }
	if b.Form {
		write = func(text []byte) { to = append(to, url.QueryEscape(string(text))...) }
		to = append(to, b.beforeField...)
	}
	write(b.before)
	start = len(to) - first
	write(b.Elements[i])
	end = len(to) - first
	write(b.after)
	return append(to, b.restForm...), start, end
}

// escapedSize returns the length of a text in a form.
func escapedSize(text []byte) (n int) {
	for _, c := range text {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~', c == ' ':
			n++
		default:
			n += 3
		}
	}
	return n
}
