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

	"github.com/tidwall/gjson"
)

// json returns the value at a path of the body: the text of a string, and any other
// value as it is written. A null and a missing value give "".
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

// TextOf returns the text of a JSON value: that of a string, nothing for null, and
// anything else as it is written.
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

// maxDepth is how deep arrays and objects may be nested.
const maxDepth = 256

// SoundJSON reports whether a text is JSON in which no object has a name twice. Of
// two values with one name, the app may take the one that was not signed.
func SoundJSON(text []byte) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var objects []map[string]bool // one for each open object, nil for an array
	name := false                 // whether the next token is a field's name
	for first := true; ; first = false {
		token, err := d.Token()
		switch {
		case err != nil:
			return errors.Is(err, io.EOF) && len(objects) == 0 && !first
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

// errMislabelled refuses JSON that is declared as a form. Rules read such a body as
// JSON, so a proof must not read a field in one of its strings.
var errMislabelled = errors.New("the form is JSON")

func isJSON(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 0 && (text[0] == '{' || text[0] == '[') && json.Valid(text)
}

func mediaType(contentType string) string {
	before, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(before))
}

// FormValues returns the fields of the body, if the body is a form. A form that
// cannot be read is an error.
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

// ParsePairs reads the name=value pairs of a query or form. If any pair cannot be
// read, ParsePairs returns none.
func ParsePairs(text string) (url.Values, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, err
	}
	return values, nil
}

// maxParts is how many parts of a multipart form are read.
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
		if errors.Is(err, io.EOF) {
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
