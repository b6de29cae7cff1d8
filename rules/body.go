package rules

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

	"github.com/expr-lang/expr/vm/runtime"
)

// A form with more fields or parts than this is refused.
const (
	maxFields = 10_000
	maxParts  = 1_000
)

// document is a body that has been looked at: raw JSON that is known to be
// valid, or the value of anything else.
type document struct {
	read  bool
	json  []byte
	value any
	err   error

	nodes []node // of json
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
	case d.json != nil:
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
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	switch {
	case media == "application/json", strings.HasSuffix(media, "+json"):
		d.err = d.parseJSON(in.Body)
	case media == "application/x-www-form-urlencoded" && !d.mislabelled(in.Body):
		d.value, d.err = parseForm(string(in.Body))
	case media == "multipart/form-data":
		d.value, d.err = parseMultipart(contentType, in.Body)
	case media == "application/xml", media == "text/xml", strings.HasSuffix(media, "+xml"):
		d.value = string(in.Body)
	case d.json != nil, d.parseJSON(in.Body) == nil: // whatever it was declared as
	default:
		d.value = string(in.Body)
	}
}

func (d *document) parseJSON(body []byte) (err error) {
	if d.nodes, err = scan(body, d.nodes); err == nil {
		d.json = body
	}
	return err
}

// mislabelled reports whether a form is JSON after all: some senders, and curl
// by default, declare whatever they post as a form.
func (d *document) mislabelled(form []byte) bool {
	start := bytes.TrimLeft(form, " \t\r\n")
	return len(start) > 0 && (start[0] == '{' || start[0] == '[') && d.parseJSON(form) == nil
}

func parseForm(body string) (map[string]any, error) {
	if strings.Count(body, "&") >= maxFields {
		return nil, fmt.Errorf("body has more than %d fields", maxFields)
	}
	values, err := url.ParseQuery(body)
	if err != nil {
		return nil, fmt.Errorf("body is not a valid form: %v", err)
	}
	fields := make(map[string]any, len(values))
	for key := range values {
		fields[key] = values.Get(key)
	}
	return fields, nil
}

// parseMultipart reads the fields of a form; of a file it keeps the name.
func parseMultipart(contentType string, body []byte) (map[string]any, error) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return nil, errors.New("body is not a valid form: content type has no boundary")
	}
	fields := make(map[string]any)
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if err == io.EOF {
			return fields, nil
		}
		if err != nil {
			return nil, fmt.Errorf("body is not a valid form: %v", err)
		}
		if n == maxParts {
			return nil, fmt.Errorf("body has more than %d parts", maxParts)
		}
		name, value := part.FormName(), part.FileName()
		if _, ok := fields[name]; ok || name == "" {
			continue
		}
		if value == "" {
			content, err := io.ReadAll(part)
			if err != nil {
				return nil, fmt.Errorf("body is not a valid form: %v", err)
			}
			value = string(content)
		}
		fields[name] = value
	}
}

// pairs goes over a query and leaves out what cannot be decoded.
func pairs(query string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for pair := range strings.SplitSeq(query, "&") {
			if pair == "" || strings.Contains(pair, ";") {
				continue
			}
			rawKey, rawValue, _ := strings.Cut(pair, "=")
			key, errKey := url.QueryUnescape(rawKey)
			value, errValue := url.QueryUnescape(rawValue)
			if errKey == nil && errValue == nil && !yield(key, value) {
				return
			}
		}
	}
}
