package sdks

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// sdk is a library for a provider's webhooks, and what the test needs to know to
// call it. An entry of a table is one sdk: those for Go are in go_*_test.go, those
// for Node in node/*.mjs.
type sdk struct {
	Name     string   `json:"name"`     // of its module or package
	Provider string   `json:"provider"` // the preset
	Others   string   `json:"others"`   // whose it is, if not the vendor's
	Secret   string   `json:"secret"`   // the kind of secret: see secretOf
	Options  []string `json:"options"`  // lines of the provider's block
	Event    string   `json:"event"`    // which of the gateway's samples; by default the first
	Sample   *message `json:"sample"`   // a webhook of its own instead
	Type     string   `json:"type"`     // where the vendor has the event type: body.a.0.b, header.Name or =text
	ID       string   `json:"id"`       // where the vendor has the delivery ID; "" if nowhere
	Tamper   string   `json:"tamper"`   // the text before what is changed in a tampered copy; by default its last digit
	ByTest   bool     `json:"byTest"`   // the test signs with a key of its own: the library only verifies
	Note     string   `json:"note"`

	Signs    bool `json:"signs"`
	Verifies bool `json:"verifies"`

	language string
	sign     func(ctx context.Context, secret string, m *message) error
	verify   func(ctx context.Context, secret string, m *message) error
}

// message is a webhook as it goes over the wire.
type message struct {
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Header map[string]string `json:"headers"` // by names in lower case
	Body   []byte            `json:"body"`
}

func (m *message) clone() *message {
	c := *m
	c.Header = make(map[string]string, len(m.Header))
	for name, value := range m.Header {
		c.Header[name] = value
	}
	c.Body = append([]byte(nil), m.Body...)
	return &c
}

// header returns the headers as net/http has them.
func (m *message) header() http.Header {
	h := make(http.Header, len(m.Header))
	for name, value := range m.Header {
		h.Set(name, value)
	}
	return h
}

// set sets a header.
func (m *message) set(name, value string) { m.Header[strings.ToLower(name)] = value }

// get returns a header.
func (m *message) get(name string) string { return m.Header[strings.ToLower(name)] }

// tampered returns a copy in which one digit of the body is another: the first one
// after a text, or the last one of all. Without a digit there, it is a letter.
func (m *message) tampered(after string) (*message, error) {
	c := m.clone()
	var from, where = 0, c.Body
	if name, ok := strings.CutPrefix(after, "header."); ok {
		where = []byte(c.get(name))
		changeLast(where)
		c.set(name, string(where))
		return c, nil
	}
	if after != "" {
		if from = strings.Index(string(c.Body), after); from < 0 {
			return nil, fmt.Errorf("there is no %s in %s", after, c.Body)
		}
		from += len(after)
		for i := from; i < len(c.Body); i++ {
			if isDigit(c.Body[i]) {
				c.Body[i] = other(c.Body[i])
				return c, nil
			}
		}
		return nil, fmt.Errorf("no digit follows %s in %s", after, c.Body)
	}
	if !changeLast(where) {
		return nil, fmt.Errorf("there is nothing to change in %q", c.Body)
	}
	return c, nil
}

// changeLast changes the last digit of a text.
func changeLast(text []byte) bool {
	for i := len(text) - 1; i >= 0; i-- {
		if isDigit(text[i]) {
			text[i] = other(text[i])
			return true
		}
	}
	return false
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// other returns another digit, never a zero, which numbers do not begin with.
func other(digit byte) byte {
	if digit == '9' {
		return '8'
	}
	return digit + 1
}

// secretOf makes the secret that one party has, in the form that the provider
// gives out.
func secretOf(kind, party string) string {
	key := fmt.Sprintf("%-32.32s", "secret-of-"+party+"-0123456789abcdefghijklmnop")
	switch kind {
	case "":
		return key
	case "none":
		return ""
	case "whsec":
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte(key))
	case "hex":
		return hex.EncodeToString([]byte(key))
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(key))
	}
	return strings.ReplaceAll(kind, "*", key) // a text around it
}

// find returns what is at a place of a message: body.a.0.b, header.Name, form.name
// or =text, or several of these joined by +.
func (m *message) find(place string) (string, error) {
	if first, rest, ok := strings.Cut(place, "+"); ok {
		before, err := m.find(first)
		if err != nil {
			return "", err
		}
		after, err := m.find(rest)
		return before + after, err
	}
	if text, ok := strings.CutPrefix(place, "="); ok {
		return text, nil
	}
	kind, path, _ := strings.Cut(place, ".")
	switch kind {
	case "header":
		return m.get(path), nil
	case "form":
		return m.form(path)
	}
	var value any
	decoder := json.NewDecoder(strings.NewReader(string(m.Body)))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	for name := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			var i int
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(v) {
				return "", fmt.Errorf("%s leads nowhere at %s", place, name)
			}
			value = v[i]
		default:
			return "", fmt.Errorf("%s leads nowhere at %s", place, name)
		}
	}
	return fmt.Sprint(value), nil
}

// form returns a field of a form.
func (m *message) form(name string) (string, error) {
	kind, params, err := mime.ParseMediaType(m.get("Content-Type"))
	if err != nil {
		return "", err
	}
	if kind == "multipart/form-data" {
		form, err := multipart.NewReader(bytes.NewReader(m.Body), params["boundary"]).ReadForm(1 << 20)
		if err != nil {
			return "", err
		}
		return strings.Join(form.Value[name], ","), nil
	}
	form, err := url.ParseQuery(string(m.Body))
	return form.Get(name), err
}
