package provider

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Place is where a value stands in a request.
type Place struct {
	// The part of the request: header, query, form (fields of an urlencoded
	// body) or body (JSON).
	In string `json:"in,omitempty"`

	// The name there. In the body it is a path, such as event.0.id.
	Name string `json:"name,omitempty"`
}

var places = []string{"header", "query", "form", "body"}

func (p *Place) check() error {
	switch {
	case !slices.Contains(places, p.In):
		return fmt.Errorf("%q is no part of a request: want %s", p.In, strings.Join(places, ", "))
	case p.Name == "":
		return fmt.Errorf("%s needs a name", p.In)
	}
	return nil
}

func (p *Place) canonicalize() {
	if p.In == "header" {
		p.Name = canonical(p.Name)
	}
}

func (p *Place) inBody() bool { return p.In == "body" || p.In == "form" }

// find returns the first value at the place: text as it reads, any other JSON
// as it is written.
func (p *Place) find(r *Request) (string, bool) {
	switch p.In {
	case "header":
		values := r.Header[p.Name]
		return r.header(p.Name), len(values) > 0
	case "query":
		return pairValue(r.RawQuery, p.Name)
	case "form":
		// A JSON body may have anything between two ampersands.
		if !strings.HasPrefix(r.header("Content-Type"), urlencoded) {
			return "", false
		}
		return pairValue(string(r.Body), p.Name)
	}
	return jsonValue(r.Body, p.Name)
}

// pairValue returns the first value of a name.
func pairValue(pairs, name string) (string, bool) {
	for value := range pairValues(pairs, name) {
		return value, true
	}
	return "", false
}

// pairValues returns the values of a name in name=value pairs as a URL has them.
func pairValues(pairs, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for pair := range strings.SplitSeq(pairs, "&") {
			key, value, _ := strings.Cut(pair, "=")
			if key, err := url.QueryUnescape(key); err != nil || key != name {
				continue
			}
			if value, err := url.QueryUnescape(value); err == nil && !yield(value) {
				return
			}
		}
	}
}

// jsonValue returns the value at a path of names and positions.
func jsonValue(body []byte, path string) (string, bool) {
	at := json.RawMessage(body)
	for name := range strings.SplitSeq(path, ".") {
		if at = member(at, name); at == nil {
			return "", false
		}
	}
	if at[0] != '"' {
		return string(at), true
	}
	var text string
	err := json.Unmarshal(at, &text)
	return text, err == nil
}

// member returns a member of a JSON object or array, nil if there is none.
func member(value json.RawMessage, name string) json.RawMessage {
	value = bytes.TrimLeft(value, " \t\r\n")
	switch {
	case len(value) == 0:
	case value[0] == '{' && bytes.Contains(value, []byte(name)): // most bodies are no handshake
		var object map[string]json.RawMessage
		if json.Unmarshal(value, &object) == nil {
			return object[name]
		}
	case value[0] == '[':
		position, err := strconv.Atoi(name)
		var array []json.RawMessage
		if err == nil && json.Unmarshal(value, &array) == nil && 0 <= position && position < len(array) {
			return array[position]
		}
	}
	return nil
}

// Condition is what must stand at a place.
type Condition struct {
	Place

	// The values, any of which is good. Without one, anything but nothing is.
	// {option.verify_token} and the like stand for options of the provider.
	Values []string `json:"values,omitempty"`

	// It need not hold while the options it asks for are not configured.
	Optional bool `json:"optional,omitempty"`

	never bool // no value is good: the option is not configured
}

// resolvedConditions returns conditions with the values of options in them.
func resolvedConditions(conditions []Condition) ([]Condition, error) {
	var out []Condition
	for _, condition := range conditions {
		condition.canonicalize()
		var values []string
		for _, value := range condition.Values {
			if value == "" { // of an option that is not set
				continue
			}
			known, err := resolve("value", []string{value})
			if err != nil {
				return nil, err
			}
			values = append(values, known...)
		}
		if len(values) == 0 && len(condition.Values) > 0 {
			if condition.Optional {
				continue
			}
			condition.never = true
		}
		condition.Values = values
		out = append(out, condition)
	}
	return out, nil
}

// ruledOut reports, without parsing it, that a JSON body has none of the values.
func (c *Condition) ruledOut(body []byte) bool {
	if c.In != "body" || len(c.Values) == 0 {
		return false
	}
	for _, value := range c.Values {
		if !literal.MatchString(value) || bytes.Contains(body, []byte(value)) {
			return false
		}
	}
	return true
}

// literal is text that stands in JSON as it is.
var literal = regexp.MustCompile(`\A[A-Za-z0-9_.:-]+\z`)

// holds compares in constant time: a value may be a token.
func (c *Condition) holds(r *Request) bool {
	if c.never {
		return false
	}
	got, ok := c.find(r)
	if !ok || len(c.Values) == 0 {
		return got != ""
	}
	same := 0
	for _, value := range c.Values {
		same |= subtle.ConstantTimeCompare([]byte(value), []byte(got))
	}
	return same == 1
}
