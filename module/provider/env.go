package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/tidwall/gjson"
)

// env is what the placeholders of templates read: a request, and what has been
// found in it so far.
type env struct {
	r         *Request
	external  *url.URL
	item      []byte // the part of the body that {json.…} reads; nil: all of it
	timestamp string
	captured  captures // {value.…}
	secret    []byte

	jsonChecked, jsonSound bool
	fields                 url.Values // of the form; nil until it is read
	params                 url.Values // of the query; nil until it is read
	badQuery, badForm      error
	scratch                []byte
}

// captures are what a header's value has besides timestamp and signature.
type captures [4]string

var envs = sync.Pool{New: func() any { return new(env) }}

// newEnv returns the environment of a request, to be freed.
func newEnv(r *Request, external *url.URL) *env {
	e := envs.Get().(*env)
	*e = env{r: r, external: external, scratch: e.scratch[:0]}
	return e
}

// maxScratch is the largest buffer that is kept.
const maxScratch = 16 << 10

func (e *env) free() {
	*e = env{scratch: e.scratch}
	if cap(e.scratch) > maxScratch {
		e.scratch = nil
	}
	envs.Put(e)
}

// append appends what a placeholder, or literal text, stands for.
func (e *env) append(to []byte, p *piece) []byte {
	switch p.name {
	case "":
		return append(to, p.text...)
	case "body":
		return append(to, e.r.Body...)
	case "timestamp":
		return append(to, e.timestamp...)
	case "method":
		return append(to, e.r.Method...)
	case "header":
		return append(to, e.r.header(p.text)...)
	case "id":
		if e.r.DeliveryID == nil {
			return to
		}
		return append(to, e.r.DeliveryID()...)
	case "secret":
		return append(to, e.secret...)
	case "value":
		return append(to, e.captured[p.text[0]-'0']...) // compiled to a position
	case "json":
		return append(to, e.json(p.text)...)
	case "form":
		if p.text == "" {
			form, _ := e.form()
			return append(to, form...)
		}
		fields, _ := e.formValues()
		return append(to, only(fields, p.text)...)
	}
	return e.appendURL(to, p)
}

func (e *env) appendURL(to []byte, p *piece) []byte {
	if e.r.Public == nil && e.external == nil {
		return to
	}
	u := e.r.publicURL(e.external)
	switch {
	case p.name == "url":
		return append(to, u.String()...)
	case p.name == "scheme":
		return append(to, u.Scheme...)
	case p.name == "host":
		return append(to, u.Host...)
	case p.name == "path":
		return append(to, u.EscapedPath()...)
	case p.text == "":
		return append(to, u.RawQuery...)
	}
	values, _ := e.queryValues()
	return append(to, only(values, p.text)...)
}

// queryValues returns the parameters of the URL that the provider called.
func (e *env) queryValues() (url.Values, error) {
	if e.params == nil && e.badQuery == nil && (e.r.Public != nil || e.external != nil) {
		e.params, e.badQuery = parsePairs(e.r.publicURL(e.external).RawQuery)
	}
	return e.params, e.badQuery
}

// only returns the value of a name that is given once. Of several, the app may
// take another one than what was signed.
func only(values map[string][]string, name string) string {
	if v := values[name]; len(v) == 1 {
		return v[0]
	}
	return ""
}

// json returns the value at a path of the body: the text of a string, and
// anything else as it is written. null and what is missing are "".
func (e *env) json(path string) string {
	if !e.soundJSON() {
		return ""
	}
	in := e.item
	if in == nil {
		in = e.r.Body
	}
	return textOf(gjson.GetBytes(in, path))
}

func textOf(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return v.Str
	case gjson.Null:
		return ""
	}
	return v.Raw
}

func (e *env) soundJSON() bool {
	if !e.jsonChecked {
		e.jsonChecked, e.jsonSound = true, soundJSON(e.r.Body)
	}
	return e.jsonSound
}

// maxDepth is how deep arrays and objects may stand in each other.
const maxDepth = 256

// soundJSON reports whether a text is JSON in which no object names a field
// twice. Of two, the app may take the one that was not signed.
func soundJSON(text []byte) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var objects []map[string]bool // one for each open object, nil for an array
	name := false                 // whether the next token is a field's name
	for first := true; ; first = false {
		token, err := d.Token()
		switch {
		case err != nil:
			return err == io.EOF && len(objects) == 0 && !first
		case len(objects) == 0 && !first: // a second text behind the first
			return false
		case len(objects) > maxDepth:
			return false
		}
		switch delim, _ := token.(json.Delim); {
		case delim == '{':
			objects = append(objects, make(map[string]bool))
			name = true
			continue
		case delim == '[':
			objects = append(objects, nil)
			name = false
			continue
		case delim == '}' || delim == ']':
			objects = objects[:len(objects)-1]
		case name:
			field, seen := token.(string), objects[len(objects)-1]
			if seen[field] {
				return false
			}
			seen[field] = true
			name = false
			continue
		}
		name = len(objects) > 0 && objects[len(objects)-1] != nil
	}
}

const (
	urlencoded = "application/x-www-form-urlencoded"
	multiparts = "multipart/form-data"
)

// form returns the body if it is an urlencoded form.
func (e *env) form() ([]byte, error) {
	switch {
	case mediaType(e.r.header("Content-Type")) != urlencoded:
		return nil, nil
	case isJSON(e.r.Body):
		return nil, errMislabelled
	}
	return e.r.Body, nil
}

// errMislabelled is for JSON that is declared as a form. Rules read it as JSON: what
// is signed must not stand in a string of it.
var errMislabelled = errors.New("the form is JSON")

func isJSON(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 0 && (text[0] == '{' || text[0] == '[') && json.Valid(text)
}

func mediaType(contentType string) string {
	before, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(before))
}

// formValues returns the fields of the form that the body is. There is an error if
// it is one that cannot be read.
func (e *env) formValues() (url.Values, error) {
	if e.fields == nil && e.badForm == nil {
		e.fields, e.badForm = e.readForm()
	}
	return e.fields, e.badForm
}

func (e *env) readForm() (url.Values, error) {
	if contentType := e.r.header("Content-Type"); mediaType(contentType) == multiparts {
		return parseMultipart(contentType, e.r.Body)
	}
	form, err := e.form()
	if err != nil {
		return nil, err
	}
	return parsePairs(string(form))
}

// parsePairs reads the name=value pairs of a query or form. Nothing of it counts if
// any cannot be read.
func parsePairs(text string) (url.Values, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, err
	}
	return values, nil
}

// maxParts bounds the parts of a multipart form that are looked at.
const maxParts = 256

func parseMultipart(contentType string, body []byte) (url.Values, error) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, err
	}
	if params["boundary"] == "" {
		return nil, http.ErrMissingBoundary
	}
	values := make(url.Values)
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for range maxParts {
		part, err := parts.NextPart()
		if err == io.EOF {
			return values, nil
		}
		if err != nil {
			return nil, err
		}
		var value []byte
		if part.FileName() == "" { // a file only counts, as one of its name
			if value, err = io.ReadAll(part); err != nil {
				return nil, err
			}
		}
		values.Add(part.FormName(), string(value))
	}
	return nil, multipart.ErrMessageTooLarge
}
