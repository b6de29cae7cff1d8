package provider

// Each describes the list in a webhook that carries several events. The expressions see
// an element of the list as body.
type Each struct {
	// The place of the list: body, or a path of names such as body.events.
	List string `json:"list,omitempty"`

	// The expression for the event type of an element. Default: elements have no type.
	Event string `json:"event,omitempty"`

	// The expression for the ID of an element. Default: a hash of the element, with what
	// stands around the list, takes the place of an ID.
	ID string `json:"id,omitempty"`

	// What tells copies of an element from other elements. Default: as for webhooks with
	// one event.
	Copies Copies `json:"copies,omitzero"`
}

// check returns an error if the data makes no sense. A nil Each describes nothing.
func (e *Each) check() error {
	if e == nil {
		return nil
	}
	return e.Copies.Check(e.ID != "")
}

// Resolved returns the description with what holds where nothing is said.
func (e *Each) Resolved() *Each {
	if e == nil {
		return nil
	}
	full := *e
	full.Copies = e.Copies.Resolve(e.ID != "")
	return &full
}

// EachOf returns what the provider says of webhooks that carry several events; nil if it
// says nothing. The provider need not be provisioned.
func EachOf(p Provider) *Each {
	switch p := p.(type) {
	case *Known:
		return p.preset.Each
	case *Custom:
		return p.Each
	}
	return nil
}
