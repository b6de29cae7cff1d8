package payload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
)

// Pair is a name=value pair of a form or query.
type Pair struct {
	Raw         string // as it is written
	Name, Value string // decoded; as they are written where they cannot be decoded
}

// Pairs yields the pairs of a form or query, also those of which nothing is written,
// which say nothing. The error says that a pair cannot be decoded.
func Pairs(text string) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		if text == "" {
			return
		}
		for raw := range strings.SplitSeq(text, "&") {
			if !yield(decodePair(raw)) {
				return
			}
		}
	}
}

var errSemicolon = errors.New("invalid semicolon separator")

func decodePair(raw string) (p Pair, err error) {
	p.Raw = raw
	p.Name, p.Value, _ = strings.Cut(raw, "=")
	if strings.Contains(raw, ";") {
		err = errSemicolon
	}
	for _, part := range []*string{&p.Name, &p.Value} {
		decoded, bad := url.QueryUnescape(*part)
		if bad != nil {
			err = bad
			continue
		}
		*part = decoded
	}
	return p, err
}

// Field is a field of a form, or a parameter of a query.
type Field struct {
	Name, Value string
	File        string // the name of a file, whose content is no value
}

// Fields are those of a form or query, in their order.
type Fields []Field

// Only returns the value of the name, for a proof: it must not stand twice. A name
// that is not there has the value "".
func (f Fields) Only(name string) (value string, err error) {
	found := false
	for i := range f {
		if f[i].Name != name {
			continue
		}
		if found {
			return "", ErrAmbiguous
		}
		value, found = f[i].Value, true
	}
	return value, nil
}

// Query reads the parameters of a query. Nothing of it counts if any cannot be
// decoded.
func Query(text string) (Fields, error) {
	count := strings.Count(text, "&") + 1
	if count > MaxFields {
		return nil, fmt.Errorf("more than %d fields", MaxFields)
	}
	fields := make(Fields, 0, count)
	for pair, err := range Pairs(text) {
		if err != nil {
			return nil, err
		}
		if pair.Raw != "" {
			fields = append(fields, Field{Name: pair.Name, Value: pair.Value})
		}
	}
	return fields, nil
}

// Form reads the fields of a form of either kind; there are none in a body that is
// declared as something else. Nothing of it counts if any cannot be read.
func Form(contentType string, body []byte) (fields Fields, err error) {
	if MediaType(contentType) == MultipartType {
		fields, err = multipartForm(contentType, body)
	} else {
		if body, err = URLEncoded(contentType, body); err != nil {
			return nil, err
		}
		fields, err = Query(string(body))
	}
	if err != nil {
		return nil, fmt.Errorf("not a valid form: %w", err)
	}
	return fields, nil
}

// URLEncoded returns the body if it is a form that is no multipart one, else nil.
// The error is ErrMislabelled, or nil.
func URLEncoded(contentType string, body []byte) ([]byte, error) {
	switch {
	case MediaType(contentType) != FormType:
		return nil, nil
	case isJSON(body):
		return nil, ErrMislabelled
	}
	return body, nil
}

// isJSON reports whether a form is JSON after all: some senders, and curl by
// default, declare whatever they post as a form.
func isJSON(form []byte) bool {
	i := skipWhite(form, 0)
	return i < len(form) && (form[i] == '{' || form[i] == '[') && valid(form, MaxDepth) == nil
}

// ErrNoBoundary says that a multipart form does not say what is between its parts.
var ErrNoBoundary = errors.New("content type has no boundary")

// WithBoundary adds the boundary to a Content-Type that lacks it: the first line of a
// multipart form is one. Proofs do not do so, since apps cannot read such a form.
func WithBoundary(contentType string, body []byte) string {
	_, params, _ := mime.ParseMediaType(contentType)
	line, _, _ := bytes.Cut(body, []byte("\n"))
	boundary, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r"), []byte("--"))
	if params["boundary"] != "" || !ok || len(boundary) == 0 || len(boundary) > 70 {
		return contentType
	}
	return mime.FormatMediaType(MultipartType, map[string]string{"boundary": string(boundary)})
}

// multipartForm reads the fields of a multipart form. Parts without a name are none.
func multipartForm(contentType string, body []byte) (fields Fields, err error) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return nil, ErrNoBoundary
	}
	var values strings.Builder
	buffer := make([]byte, 4<<10)
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if err == io.EOF { // not errors.Is: an error that wraps io.EOF means that the form is cut off
			return fields, nil
		}
		if err != nil {
			return nil, err
		}
		if n == MaxParts {
			return nil, fmt.Errorf("more than %d parts", MaxParts)
		}
		field := Field{Name: part.FormName(), File: part.FileName()}
		if field.File == "" {
			start := values.Len()
			values.Grow(max(0, len(body)-start)) // for all of them, once
			if _, err := io.CopyBuffer(&values, part, buffer); err != nil {
				return nil, err
			}
			field.Value = values.String()[start:]
		}
		if field.Name != "" {
			fields = append(fields, field)
		}
	}
}
