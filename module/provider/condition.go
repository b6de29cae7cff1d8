package provider

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Condition is something that a request must have. A proof compares with texts of the same
// request, so Is has templates there; a handshake compares with texts of the configuration.
type Condition struct {
	// The template of the text that is compared, such as {header.X-Version} or
	// {json.type}.
	Of string `json:"of"`

	// The texts of which that text must be one. In a proof they are templates. In a
	// handshake, placeholders of Caddy are resolved in them, and {option.verify_token}
	// and the like stand for options of the preset. Default: any text that is not empty.
	Is []string `json:"is,omitempty"`

	// The condition does not count while an option that it names is not configured.
	// Default: false.
	Optional bool `json:"optional,omitempty"`

	of        template.Template
	templates []template.Template // the texts, where they are templates
	texts     []string            // the texts, where they are not
	never     bool                // no text is good: the option is not configured
}

// compileTemplates compiles the condition of a proof.
func (c *Condition) compileTemplates() (err error) {
	if c.of, err = template.Parse(c.Of); err != nil {
		return err
	}
	if c.templates, err = template.ParseAll(c.Is); err != nil {
		return err
	}
	constant := true
	for _, t := range append(slices.Clone(c.templates), c.of) {
		if t.Has("secret", "timestamp", "value") {
			return fmt.Errorf("the condition that %s reads what is not known yet; use what the request has, such as {header.X-Name}", c.describe())
		}
		constant = constant && t.Constant()
	}
	if constant {
		return fmt.Errorf("the condition that %s reads nothing in the request, so it says the same of all", c.describe())
	}
	return nil
}

// allows reports whether the condition leaves any of the methods.
func (c *Condition) allows(methods []string) bool {
	if c.Of != "{method}" || len(c.Is) == 0 || slices.ContainsFunc(c.Is, func(text string) bool { return strings.Contains(text, "{") }) {
		return true
	}
	return slices.ContainsFunc(c.Is, func(method string) bool { return slices.Contains(methods, method) })
}

// readsBody reports whether the condition depends on the body.
func (c *Condition) readsBody() bool {
	return c.of.ReadsBody() || slices.ContainsFunc(c.templates, template.Template.ReadsBody)
}

// compileOf compiles the template of a handshake's condition.
func (c *Condition) compileOf() (err error) {
	if c.Of == "" {
		return errors.New("a condition needs the template of a text, such as {json.type}")
	}
	c.of, err = parseAsked(c.Of)
	return err
}

// parseAsked compiles a template that a handshake reads. Which URL the provider
// calls need not be known for it.
func parseAsked(text string) (template.Template, error) {
	t, err := template.Parse(text)
	if err == nil && !t.HasOnly("header", "query", "form", "json", "body", "method") {
		err = fmt.Errorf("template %q: a handshake reads {header.X-Name}, {query.name}, {form.name}, {json.path}, {body} and {method}", text)
	}
	return t, err
}

// resolvedConditions returns the conditions of a handshake with their texts resolved.
func resolvedConditions(conditions []Condition) ([]Condition, error) {
	var out []Condition
	for _, c := range conditions {
		if err := c.compileOf(); err != nil {
			return nil, err
		}
		var err error
		if c.texts, err = scheme.Resolve("value", scheme.NonEmpty(c.Is)); err != nil {
			return nil, err
		}
		if len(c.texts) == 0 && len(c.Is) > 0 { // of options that are not set
			if c.Optional {
				continue
			}
			c.never = true
		}
		out = append(out, c)
	}
	return out, nil
}

// ruledOut reports, without parsing anything, that a request does not meet the
// condition.
func (c *Condition) ruledOut(r *template.Request) bool {
	if !c.of.MayHold(r) {
		return true
	}
	if part, _ := c.of.Place(); part != "json" || len(c.texts) == 0 {
		return false
	}
	for _, text := range c.texts {
		if !literal.MatchString(text) || bytes.Contains(r.Body, []byte(text)) {
			return false
		}
	}
	return true
}

// literal is text that stands in JSON as it is.
var literal = regexp.MustCompile(`\A[A-Za-z0-9_.:-]+\z`)

// holds compares in constant time: a text may be a token.
func (c *Condition) holds(e *template.Env) bool {
	if c.never {
		return false
	}
	var wanted [][]byte
	for _, t := range c.templates {
		if text, ok := t.AppendTo(nil, e); ok {
			wanted = append(wanted, text)
		}
	}
	got, ok := c.of.Bytes(e)
	if !ok || len(c.Is) == 0 {
		return ok && len(got) > 0
	}
	same := 0
	for _, text := range c.texts {
		same |= subtle.ConstantTimeCompare([]byte(text), got)
	}
	for _, text := range wanted {
		same |= subtle.ConstantTimeCompare(text, got)
	}
	return same == 1
}

// describe says what must hold.
func (c *Condition) describe() string {
	if len(c.Is) == 0 {
		return c.Of + " is not empty"
	}
	quoted := make([]string, len(c.Is))
	for i, text := range c.Is {
		quoted[i] = fmt.Sprintf("%q", text)
	}
	return c.Of + " is " + strings.Join(quoted, " or ")
}

// conditionParts are the parts of a request in the words of a Caddyfile.
var conditionParts = []string{"header", "query", "form", "body"}

// readCondition reads a condition: a template, or a part of a request and a name in
// it, and the texts.
func readCondition(to *[]Condition) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		if len(args) == 0 {
			return d.ArgErr()
		}
		of, rest, err := readOf(args)
		if err != nil {
			return syntax.At(d, err)
		}
		if of == "" {
			return d.ArgErr()
		}
		*to = append(*to, Condition{Of: of, Is: rest})
		return nil
	}
}

// readOf reads where a value stands from arguments, and returns the others: a
// template, or a part of a request and a name in it; "" if there are too few.
func readOf(args []string) (of string, rest []string, err error) {
	switch {
	case len(args) > 0 && strings.HasPrefix(args[0], "{"):
		of := template.Short(args[0])
		_, err := template.Parse(of)
		return of, args[1:], err
	case len(args) < 2:
		return "", nil, nil
	case !slices.Contains(conditionParts, args[0]):
		return "", nil, fmt.Errorf("%q is not a part of a request; use %s", args[0], strings.Join(conditionParts, ", "))
	case args[1] == "":
		return "", nil, fmt.Errorf("%s needs a name", args[0])
	}
	return template.Of(args[0], args[1]), args[2:], nil
}
