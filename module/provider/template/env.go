package template

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
type Env struct {
	Request   *Request
	external  *url.URL
	ownQuery  bool   // {query.name} reads the request's own query
	Item      []byte // the part of the body that {json.…} reads; nil: all of it
	Timestamp string
	Captured  captures // {value.…}
	Secret    []byte

	jsonChecked, jsonSound bool
	fields                 url.Values // of the form; nil until it is read
	params                 url.Values // of the query; nil until it is read
	badQuery, badForm      error
	scratch                []byte
}

// captures are what a header's value has besides timestamp and signature.
type captures [4]string

var envs = sync.Pool{New: func() any { return new(Env) }}

// newEnv returns the environment of a request, to be freed.
func NewEnv(r *Request, external *url.URL) *Env {
	e := envs.Get().(*Env)
	*e = Env{Request: r, external: external, scratch: e.scratch[:0]}
	return e
}

// NewOwnEnv returns the environment of a request whose own query counts, whatever the
// provider called: that of a handshake.
func NewOwnEnv(r *Request) *Env {
	e := NewEnv(r, nil)
	e.ownQuery = true
	return e
}

// maxScratch is the largest buffer that is kept.
const maxScratch = 16 << 10

func (e *Env) Free() {
	*e = Env{scratch: e.scratch}
	if cap(e.scratch) > maxScratch {
		e.scratch = nil
	}
	envs.Put(e)
}

// append appends what a placeholder, or literal text, stands for.
func (e *Env) append(to []byte, p *piece) []byte {
	switch p.name {
	case "":
		return append(to, p.text...)
	case "body":
		return append(to, e.Request.Body...)
	case "timestamp":
		return append(to, e.Timestamp...)
	case "method":
		return append(to, e.Request.Method...)
	case "header":
		return append(to, e.Request.HeaderValue(p.text)...)
	case "id":
		if e.Request.DeliveryID == nil {
			return to
		}
		return append(to, e.Request.DeliveryID()...)
	case "secret":
		return append(to, e.Secret...)
	case "value":
		return append(to, e.Captured[p.text[0]-'0']...) // compiled to a position
	case "json":
		return append(to, e.json(p.text)...)
	case "form":
		if p.text == "" {
			form, _ := e.form()
			return append(to, form...)
		}
		fields, _ := e.FormValues()
		return append(to, Only(fields, p.text)...)
	}
	return e.appendURL(to, p)
}

func (e *Env) appendURL(to []byte, p *piece) []byte {
	if p.name == "query" && p.text != "" {
		values, _ := e.queryValues()
		return append(to, Only(values, p.text)...)
	}
	if e.Request.Public == nil && e.external == nil {
		return to
	}
	u := e.Request.PublicURL(e.external)
	switch p.name {
	case "url":
		return append(to, u.String()...)
	case "scheme":
		return append(to, u.Scheme...)
	case "host":
		return append(to, u.Host...)
	case "path":
		return append(to, u.EscapedPath()...)
	}
	return append(to, u.RawQuery...)
}

// queryValues returns the parameters of the URL that the provider called, or those
// of the request's own query where that URL is not known.
func (e *Env) queryValues() (url.Values, error) {
	if e.params == nil && e.badQuery == nil {
		query := e.Request.RawQuery
		if !e.ownQuery && (e.Request.Public != nil || e.external != nil) {
			query = e.Request.PublicURL(e.external).RawQuery
		}
		e.params, e.badQuery = ParsePairs(query)
	}
	return e.params, e.badQuery
}

// only returns the value of a name that is given once. Of several, the app may
// take another one than what was signed.
func Only(values map[string][]string, name string) string {
	if v := values[name]; len(v) == 1 {
		return v[0]
	}
	return ""
}

// json returns the value at a path of the body: the text of a string, and
// anything else as it is written. null and what is missing are "".
func (e *Env) json(path string) string {
	if !e.soundJSON() {
		return ""
	}
	in := e.Item
	if in == nil {
		in = e.Request.Body
	}
	return TextOf(gjson.GetBytes(in, path))
}

func TextOf(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return v.Str
	case gjson.Null:
		return ""
	}
	return v.Raw
}

func (e *Env) soundJSON() bool {
	if !e.jsonChecked {
		e.jsonChecked, e.jsonSound = true, SoundJSON(e.Request.Body)
	}
	return e.jsonSound
}

// maxDepth is how deep arrays and objects may stand in each other.
const maxDepth = 256

// soundJSON reports whether a text is JSON in which no object names a field
// twice. Of two, the app may take the one that was not signed.
func SoundJSON(text []byte) bool {
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
func (e *Env) form() ([]byte, error) {
	switch {
	case mediaType(e.Request.HeaderValue("Content-Type")) != urlencoded:
		return nil, nil
	case isJSON(e.Request.Body):
		return nil, errMislabelled
	}
	return e.Request.Body, nil
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
func (e *Env) FormValues() (url.Values, error) {
	if e.fields == nil && e.badForm == nil {
		e.fields, e.badForm = e.readForm()
	}
	return e.fields, e.badForm
}

func (e *Env) readForm() (url.Values, error) {
	if contentType := e.Request.HeaderValue("Content-Type"); mediaType(contentType) == multiparts {
		return parseMultipart(contentType, e.Request.Body)
	}
	form, err := e.form()
	if err != nil {
		return nil, err
	}
	return ParsePairs(string(form))
}

// parsePairs reads the name=value pairs of a query or form. Nothing of it counts if
// any cannot be read.
func ParsePairs(text string) (url.Values, error) {
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
