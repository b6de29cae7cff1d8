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
// call it. An entry of a table is one sdk: those for Go are in modules_test.go, those
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
	Tamper   string   `json:"tamper"`   // where a tampered copy differs: see tampered
	PEM      string   `json:"pem"`      // a private key: the gateway's command signs with it, where only the provider can
	ByTest   bool     `json:"byTest"`   // the test signs, since neither library nor gateway can
	Note     string   `json:"note"`     // for README.md

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

// tampered returns a copy in which one digit is another: the last one of the body,
// of a header (header.Name) or of the URL (url), or the first one of the body after
// a text.
func (m *message) tampered(where string) (*message, error) {
	const digits = "0123456789"
	c := m.clone()
	text, at := string(c.Body), strings.LastIndexAny(string(c.Body), digits)
	header, inHeader := strings.CutPrefix(where, "header.")
	switch {
	case inHeader:
		text = c.get(header)
		at = strings.LastIndexAny(text, digits)
	case where == "url":
		text = c.URL
		at = strings.LastIndexAny(text, digits)
	case where != "":
		after := strings.Index(text, where) + len(where)
		if at = strings.IndexAny(text[after:], digits); at >= 0 {
			at += after
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("%q has no digit to change at %q", text, where)
	}
	digit := text[at] + 1 // never a zero, which numbers do not begin with
	if text[at] == '9' {
		digit = '8'
	}
	text = text[:at] + string(digit) + text[at+1:]
	switch {
	case inHeader:
		c.set(header, text)
	case where == "url":
		c.URL = text
	default:
		c.Body = []byte(text)
	}
	return c, nil
}

// odd adds a text in which libraries differ to the body, as JSON.stringify writes
// it: quotes, markup, letters beyond ASCII and beyond 16 bits, a line separator.
func (m *message) odd() {
	const jsonText, formText = `,"odd":"\"<b>&'/é😀\n` + "\u2028" + ` 1"`, `&Odd=%22%3Cb%3E%26'%2F%C3%A9%F0%9F%98%80+1~%7E`
	body := string(m.Body)
	last := strings.LastIndex(body, "}")
	switch {
	case strings.HasPrefix(m.get("Content-Type"), "application/x-www-form-urlencoded"):
		m.Body = []byte(body + formText)
	case json.Valid(m.Body) && last > 0:
		m.Body = []byte(body[:last] + jsonText + body[last:])
	}
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

// find returns what is at a place of a message: body.a.0.b, header.Name, form.name,
// jws.field.a (in a token of the body) or =text, or several of these joined by +.
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
	case "jws":
		return m.signed(path)
	}
	return inJSON(m.Body, path)
}

// inJSON returns what is at a path of a JSON text.
func inJSON(content []byte, path string) (string, error) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(content))
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
				return "", fmt.Errorf("%s leads nowhere at %s", path, name)
			}
			value = v[i]
		default:
			return "", fmt.Errorf("%s leads nowhere at %s", path, name)
		}
	}
	return fmt.Sprint(value), nil
}

// signed returns what is at a path of the token that a field of the body has.
func (m *message) signed(path string) (string, error) {
	field, path, _ := strings.Cut(path, ".")
	token, err := inJSON(m.Body, field)
	if err != nil {
		return "", err
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("%s has no token of three parts: %q", field, token)
	}
	content, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	return inJSON(content, path)
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
