package module

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// Each says that a webhook is a batch: each element of a list in its body is an event of
// its own. The expressions of the source see an element as body.
type Each struct {
	// The place of the list in the body: body, or a path of names such as body.events.
	// Default: where the provider puts its events.
	List string `json:"list,omitempty"`

	// What the app gets of an element. With element it is the element alone. Default: the
	// body as it came, with a list of that one element.
	As string `json:"as,omitempty"`

	list   *rules.List
	known  bool // the provider describes the elements
	find   finder
	whole  finder // of a list that is stored whole
	copies copies
}

// asElement is the value of Each.As for an element alone.
const asElement = "element"

// check refuses what is impossible. The provider need not be provisioned.
func (e *Each) check(h *Handler, p provider.Provider) error {
	switch {
	case e == nil:
		return nil
	case e.As != "" && e.As != asElement:
		return fmt.Errorf("each: an element is delivered as %s or in the framing of the provider, not as %q", asElement, e.As)
	case provider.CheckerOf(p) != nil:
		return errors.New("each is not possible here: the provider's proof is checked by a call, and holds for the whole webhook; remove the line")
	case len(h.Routes) == 0:
		return errors.New("each is not possible here: without a route the next handler gets the whole webhook; add a route, or remove the line")
	case h.AnswerFrom != nil:
		return errors.New("each and answer_from do not go together: one app would have to answer for several events; remove one of the lines")
	case e.List == "" && provider.EachOf(p) == nil:
		return errors.New("each needs the place of the list, since the preset knows none: write each body, or each body.<name>")
	}
	if e.List == "" {
		return nil
	}
	if _, err := rules.CompileList(e.List); err != nil {
		return fmt.Errorf("each: %v", err)
	}
	return nil
}

// provision compiles what finds the elements and what they are.
func (e *Each) provision(h *Handler) (err error) {
	if e == nil {
		return nil
	}
	own := h.profile.Each
	e.known = own != nil && (e.List == "" || e.List == own.List)
	if own == nil || !e.known {
		own = &provider.Each{List: e.List, Event: h.profile.Event, ID: h.profile.ID, Copies: h.profile.Copies}
	}
	if e.list, err = rules.CompileList(own.List); err != nil {
		return fmt.Errorf("each: %v", err)
	}
	if e.find.event, err = compileFinder("event", cmp.Or(h.Event, own.Event)); err != nil {
		return err
	}
	if e.find.id, err = compileFinder("id", cmp.Or(h.ID, own.ID)); err != nil {
		return err
	}
	if e.whole, err = e.findWhole(h); err != nil {
		return err
	}
	if h.Dedup.By != "" && e.find.id == nil {
		return fmt.Errorf("dedup by %s is not possible here: the elements have no ID; add a line: id <expression>", h.Dedup.By)
	}
	return e.copies.decide(h, own.Copies)
}

// findWhole returns what finds the event type and the ID of a list that is stored whole.
// The source's own expressions are for elements.
func (e *Each) findWhole(h *Handler) (find finder, err error) {
	if e.known && h.Event == "" {
		find.event = h.eventValue
	} else if find.event, err = compileFinder("event", `"batch"`); err != nil {
		return find, err
	}
	if e.known && h.ID == "" {
		find.id = h.idValue
	}
	return find, nil
}

// compileFinder compiles an expression that finds the event type or the delivery ID. There
// is none in an empty expression.
func compileFinder(name, expression string) (*rules.Value, error) {
	if expression == "" {
		return nil, nil
	}
	value, err := rules.CompileValue(expression)
	if err != nil {
		return nil, fmt.Errorf("%s: %v", name, err)
	}
	return value, nil
}

// read reads the line each. Syntax:
//
//	each [<expression> [as element]]
func (e *Each) read(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return syntax.End(d)
	}
	e.List = d.Val()
	_, err := rules.CompileList(e.List)
	if err != nil && e.List != "as" {
		return syntax.At(d, fmt.Errorf("each: %v", err))
	}
	if d.NextArg() {
		if d.Val() != "as" || !d.NextArg() || d.Val() != asElement {
			return errWritten(d)
		}
		e.As = asElement
	}
	if err != nil {
		return errWritten(d)
	}
	return syntax.End(d)
}

func errWritten(d *caddyfile.Dispenser) error {
	return d.Errf("each is written: each, each <list>, or each <list> as %s", asElement)
}
