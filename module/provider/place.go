package provider

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"net/url"
	"regexp"
	"slices"
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

// find returns the value that stands once at the place: text as it reads, any
// other JSON as it is written.
func (p *Place) find(r *Request) (string, bool) {
	switch p.In {
	case "header":
		return r.header(p.Name), len(r.Header[p.Name]) > 0
	case "query":
		return pairValue(r.RawQuery, p.Name)
	}
	e := newEnv(r, nil)
	defer e.free()
	found := ""
	switch {
	case p.In == "form":
		fields, _ := e.formValues()
		found = only(fields, p.Name)
	case p.mentioned(r.Body):
		found = e.json(p.Name)
	}
	return found, found != ""
}

// mentioned reports whether a JSON body may hold the value: most bodies are no
// handshake, and need not be parsed.
func (p *Place) mentioned(body []byte) bool {
	last := p.Name[strings.LastIndexByte(p.Name, '.')+1:]
	position := !isKeyID(last) || last[0] <= '9' // or something else that does not stand for itself
	return position || bytes.Contains(body, []byte(last))
}

// pairValue returns the value of a name that stands once in name=value pairs as
// a URL has them.
func pairValue(pairs, name string) (found string, ok bool) {
	for pair := range strings.SplitSeq(pairs, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); err != nil || key != name {
			continue
		}
		value, err := url.QueryUnescape(value)
		if err != nil || ok {
			return "", false
		}
		found, ok = value, true
	}
	return found, ok
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
