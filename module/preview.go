package module

import (
	"maps"
	"slices"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// Preview is what a route makes of a webhook.
type Preview struct {
	// Body is what rewrite_body makes, nil for a route without it.
	Body *BodyPreview `json:"rewrite_body,omitempty"`

	// Placeholders are those of the webhook in the route's handlers.
	Placeholders []PlaceholderPreview `json:"placeholders,omitempty"`
}

// BodyPreview is the body that an app gets, or why it gets none.
type BodyPreview struct {
	ContentType string `json:"content_type,omitempty"`
	Text        string `json:"text"`
	Error       string `json:"error,omitempty"`
}

// PlaceholderPreview is the value of a placeholder, or why there is none.
type PlaceholderPreview struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Error string `json:"error,omitempty"`
}

// Texts returns what a webhook has a part in, to be masked.
func (p *Preview) Texts() (texts []*string) {
	if p == nil {
		return nil
	}
	if p.Body != nil {
		texts = append(texts, &p.Body.Text, &p.Body.Error)
	}
	for i := range p.Placeholders {
		texts = append(texts, &p.Placeholders[i].Value, &p.Placeholders[i].Error)
	}
	return texts
}

// preview makes what the route would send of an event, nil if that is the event.
func (r *Route) preview(input *rules.Input) *Preview {
	if r.RewriteBody == nil && r.placeholders == nil {
		return nil
	}
	p := new(Preview)
	view := rules.NewView(input) // with a budget of its own, as an attempt has
	defer view.Free()
	if r.RewriteBody != nil {
		p.Body = new(BodyPreview)
		if body, err := r.RewriteBody.of(view); err != nil {
			p.Body.Error = err.Error()
		} else {
			p.Body.Text, p.Body.ContentType = string(body.Content), body.ContentType
		}
	}
	found := findValues(r.placeholders, &subject{input: input, view: view})
	for _, name := range slices.Sorted(maps.Keys(found)) {
		value := PlaceholderPreview{Name: "{" + webhookPrefix + name + "}", Value: found[name].text}
		if err := found[name].err; err != nil {
			value.Error = err.Error()
		}
		p.Placeholders = append(p.Placeholders, value)
	}
	return p
}
