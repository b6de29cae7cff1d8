package template

import (
	"errors"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// errPlace is returned for a template that the gateway cannot write to.
var errPlace = errors.New("the request has no place for the proof")

// Put writes a text where a placeholder reads it.
func (e *Env) Put(place Template, text string) error {
	if len(place) != 1 || place[0].text == "" {
		return errPlace
	}
	p := place[0]
	if p.name == "form" && len(p.steps) == 1 && p.steps[0].name == "json" { // JSON in a field of a form
		var within payload.JSON
		if within.Parse([]byte(e.FormValue(p.text)), payload.MaxDepth) != nil {
			return errPlace
		}
		replaced, err := replace(&within, within.Root(), &p.steps[0].path, text)
		if err != nil {
			return err
		}
		text, p.steps = string(replaced), nil
	}
	if p.steps != nil {
		return errPlace
	}
	switch p.name {
	case "header":
		e.Request.Header[p.text] = []string{text}
		return nil
	case "query":
		e.putQuery(p.text, text)
		return nil
	case "json":
		return e.putJSON(&p.path, text)
	case "form":
		if form, _ := e.form(); form != nil {
			e.setBody([]byte(payload.SetPair(string(form), p.text, text)))
			return nil
		}
	}
	return errPlace
}

func (e *Env) putQuery(name, value string) {
	e.Request.RawQuery = payload.SetPair(e.Request.RawQuery, name, value)
	if e.Request.Public != nil {
		called := *e.Request.Public
		called.RawQuery = payload.SetPair(called.RawQuery, name, value)
		e.Request.Public = &called
	}
	e.queryRead, e.madeOf = false, ""
}

// putJSON puts a string in place of each value at a path of the body, or of the item.
func (e *Env) putJSON(path *payload.Path, text string) error {
	from, err := e.Root()
	if err != nil {
		return errPlace
	}
	if e.Item.Exists() {
		from = e.Item
	}
	body, err := replace(&e.body, from, path, text)
	if err == nil {
		e.setBody(body)
	}
	return err
}

// replace returns a copy of a JSON with a string in place of each value at a path.
func replace(in *payload.JSON, from payload.Value, path *payload.Path, text string) ([]byte, error) {
	var values []payload.Value
	for value, err := range path.All(from) {
		if err != nil || !value.Exists() {
			return nil, errPlace
		}
		values = append(values, value)
	}
	if len(values) == 0 {
		return nil, errPlace
	}
	return in.Replace(values, text), nil
}
