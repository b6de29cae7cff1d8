package payload

import (
	"bytes"
	"encoding/binary"
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"strings"
	"sync"
)

// Omission names parts of a body: values of JSON, and fields of a form.
type Omission struct {
	JSON []Path
	Form []string
}

var omissions = sync.Pool{New: func() any { return new(JSON) }}

// From returns what tells a body from others, without the omitted parts. That is the
// rest of the body byte for byte, but of a multipart form its fields: each time a sender
// writes such a form the boundary is another one. The result may share the memory of the
// body.
func (o *Omission) From(contentType string, body []byte) []byte {
	switch media := MediaType(contentType); {
	case media == MultipartType && !isJSON(body): // what it is declared as may be a stranger's word
		if fields, ok := o.fromMultipart(contentType, body); ok {
			return fields
		}
		return body
	case media == FormType && len(o.Form) > 0 && !isJSON(body):
		return o.fromForm(body)
	case slices.ContainsFunc(o.JSON, func(p Path) bool { return p.Mentioned(body) }):
		return o.fromJSON(body)
	}
	return body
}

func (o *Omission) fromForm(body []byte) []byte {
	var kept []string
	for pair := range Pairs(string(body)) {
		if !slices.Contains(o.Form, pair.Name) {
			kept = append(kept, pair.Raw)
		}
	}
	return []byte(strings.Join(kept, "&"))
}

// fromMultipart returns names, names of files, types and contents, each with its length.
func (o *Omission) fromMultipart(contentType string, body []byte) (fields []byte, ok bool) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return nil, false
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if err == io.EOF { // not errors.Is: an error that wraps io.EOF means that the form is cut off
			return fields, true
		}
		if err != nil || n == MaxParts {
			return nil, false
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, false
		}
		if slices.Contains(o.Form, part.FormName()) {
			continue
		}
		for _, text := range []string{part.FormName(), part.FileName(), part.Header.Get("Content-Type"), string(content)} {
			fields = binary.AppendUvarint(fields, uint64(len(text)))
			fields = append(fields, text...)
		}
	}
}

// fromJSON returns the body as it is if it is not valid JSON, or if a path does not say
// for certain what it leads to.
func (o *Omission) fromJSON(body []byte) []byte {
	doc := omissions.Get().(*JSON)
	defer func() { doc.Reset(); omissions.Put(doc) }()
	if doc.Parse(body, MaxDepth) != nil {
		return body
	}
	var spans []span
	for _, path := range o.JSON {
		for value, err := range path.All(doc.Root()) {
			if err != nil {
				return body
			}
			if value.Exists() {
				spans = append(spans, value.span())
			}
		}
	}
	return cut(body, spans)
}

// span is a part of a text.
type span struct{ start, end int }

// span returns where the value stands, with the name of a member.
func (v Value) span() span {
	text := v.in.text
	s := span{v.start, skipValue(text, v.start)}
	colon := skipWhiteBack(text, v.start)
	if colon == 0 || text[colon-1] != ':' {
		return s
	}
	quote := skipWhiteBack(text, colon-1) - 1
	for s.start = quote - 1; text[s.start] != '"' || isEscaped(text, s.start); {
		s.start--
	}
	return s
}

// isEscaped reports whether an odd number of backslashes stands before a byte.
func isEscaped(text []byte, i int) bool {
	n := 0
	for n < i && text[i-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// skipWhiteBack returns the position behind the last byte before i that is not white.
func skipWhiteBack(text []byte, i int) int {
	for i > 0 && (text[i-1] == ' ' || text[i-1] == '\n' || text[i-1] == '\r' || text[i-1] == '\t') {
		i--
	}
	return i
}

// cut returns a JSON text without members or elements, and without their commas: the text
// is what it would be if they had never been there.
func cut(text []byte, spans []span) []byte {
	if len(spans) == 0 {
		return text
	}
	slices.SortFunc(spans, func(a, b span) int { return a.start - b.start })
	kept := make([]byte, 0, len(text))
	after := 0
	for i := 0; i < len(spans); {
		s := spans[i]
		for i++; i < len(spans) && spans[i].start <= max(s.end, skipComma(text, s.end)); i++ {
			s.end = max(s.end, spans[i].end)
		}
		if before := skipWhiteBack(text, s.start); before > 0 && text[before-1] == ',' {
			s.start = before - 1
		} else if next := skipWhite(text, s.end); next < len(text) && text[next] == ',' {
			s.end = skipWhite(text, next+1)
		}
		kept = append(kept, text[after:max(after, s.start)]...)
		after = max(after, s.end)
	}
	return append(kept, text[after:]...)
}
