package provider

import (
	"bytes"
	"crypto/subtle"
	"regexp"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Condition is what must stand at a place.
type Condition struct {
	template.Place

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
		condition.Canonicalize()
		var values []string
		for _, value := range condition.Values {
			if value == "" { // of an option that is not set
				continue
			}
			known, err := scheme.Resolve("value", []string{value})
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
func (c *Condition) holds(r *template.Request) bool {
	if c.never {
		return false
	}
	got, ok := c.Find(r)
	if !ok || len(c.Values) == 0 {
		return got != ""
	}
	same := 0
	for _, value := range c.Values {
		same |= subtle.ConstantTimeCompare([]byte(value), []byte(got))
	}
	return same == 1
}
