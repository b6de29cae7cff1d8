package provider

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// What tells copies of an event from other events.
const (
	ByID        = "id"          // the delivery ID alone
	ByIDAndBody = "id_and_body" // the delivery ID and the body
	ByBody      = "body"        // a hash of source, path, query and body
	ByNothing   = "nothing"     // every request is an event
)

// Copies says what tells copies of an event from other events.
type Copies struct {
	// What tells copies: id (the delivery ID alone), id_and_body, body (a hash of the
	// webhook), or nothing (every webhook is an event). Default: id_and_body where the
	// provider gives an ID, else body.
	By string `json:"by,omitempty"`

	// What tells copies if a webhook has no delivery ID: body or nothing. Default: body,
	// or nothing if by is nothing.
	WithoutID string `json:"without_id,omitempty"`

	// What the provider changes when it sends an event again, as {json.<path>},
	// {form.<name>} or {query.<name>}. Webhooks that differ in nothing else are copies.
	Volatile []string `json:"volatile,omitempty"`

	// The reason, for people who read it.
	Why string `json:"why,omitempty"`
}

// Resolve returns what holds for a provider that gives an ID or does not: its By and
// WithoutID are set.
func (c Copies) Resolve(hasID bool) Copies {
	switch {
	case c.By == "" && hasID:
		c.By = ByIDAndBody
	case c.By == "":
		c.By = ByBody
	}
	switch {
	case c.WithoutID != "":
	case c.By == ByNothing:
		c.WithoutID = ByNothing
	default:
		c.WithoutID = ByBody
	}
	return c
}

// Check returns an error if the data makes no sense.
func (c Copies) Check(hasID bool) error {
	switch c.By {
	case "", ByBody, ByNothing:
	case ByID, ByIDAndBody:
		if !hasID {
			return fmt.Errorf("copies by %s: there is no ID; add a line: id <expression>", c.By)
		}
	default:
		return fmt.Errorf("copies by %q: there are id, id_and_body, body and nothing", c.By)
	}
	switch c.WithoutID {
	case "", ByBody, ByNothing:
	default:
		return fmt.Errorf("copies without_id %q: there are body and nothing", c.WithoutID)
	}
	_, err := c.Omission()
	return err
}

// Omission returns what is left out of bodies and queries that are compared.
func (c Copies) Omission() (o Omission, err error) {
	for _, text := range c.Volatile {
		t, err := template.ParseSeveral(text)
		if err != nil {
			return o, fmt.Errorf("volatile: %w", err)
		}
		switch part, name := t.Place(); {
		case name == "":
			return o, volatilePlace(text)
		case part == "json":
			o.Body.JSON = append(o.Body.JSON, t.Path())
		case part == "form":
			o.Body.Form = append(o.Body.Form, name)
		case part == "query":
			o.Query = append(o.Query, name)
		default:
			return o, volatilePlace(text)
		}
	}
	return o, nil
}

// Omission is what is left out of bodies and queries that are compared.
type Omission struct {
	Body  payload.Omission
	Query []string
}

// volatilePlace refuses what cannot be left out.
func volatilePlace(text string) error {
	return fmt.Errorf("volatile %q: there are {json.<path>}, {form.<name>} and {query.<name>}", text)
}

// Read reads the line copies of a custom provider. Syntax:
//
//	copies by id|id_and_body|body|nothing {
//		without_id body|nothing
//		volatile   {json.<path>}|{form.<name>}|{query.<name>}...
//	}
func (c *Copies) Read(d *caddyfile.Dispenser) error {
	if !d.NextArg() || d.Val() != "by" || !d.NextArg() {
		return d.Err("it is written: copies by id|id_and_body|body|nothing")
	}
	c.By = d.Val()
	err := syntax.Block(d, syntax.Options{
		"without_id": syntax.OneOf(&c.WithoutID, ByBody, ByNothing),
		"volatile":   syntax.Strings(&c.Volatile),
	})
	if err != nil {
		return err
	}
	return syntax.At(d, c.Check(true)) // whether there is an ID is known at the end of the block
}
