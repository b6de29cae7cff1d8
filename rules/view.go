package rules

import (
	"fmt"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr/vm"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// Input is what expressions see of a webhook.
type Input struct {
	Event    string // event type
	ID       string // delivery ID
	Provider string
	Source   string
	Tenant   string // whose webhook it is, where the source has tenants
	Method   string
	Path     string
	RawQuery string

	// Header has canonical keys, as in net/http.
	Header map[string][]string

	// Forms says that the body is JSON or an urlencoded form, whatever it is declared to be.
	Forms bool

	// Element says that the body is one JSON value, whatever the headers say: they are
	// those of a request that has it in a list.
	Element bool

	// Unproven says that nothing proves yet who sent the webhook: its body is not
	// decompressed, and all expressions together may cost 10 thousand steps.
	Unproven bool

	// Body must not change while a View of the Input is in use.
	Body       []byte
	RemoteIP   string
	ReceivedAt time.Time
}

// View is an Input prepared for several expressions: what one of them has
// fetched, the next ones reuse. A View is for one goroutine at a time.
type View struct {
	in    *Input
	body  document
	texts map[place]*document // the JSON inside of texts
	found map[operandID]any
	env   map[string]any
	vm    vm.VM

	budget budget
	purse  *Purse // which pays for the budget; nil: the webhook has it for itself
}

var views = sync.Pool{New: func() any {
	v := &View{found: make(map[operandID]any)}
	v.env = map[string]any{
		getter:   v.get,
		"header": func(name string) string { return v.in.header(textproto.CanonicalMIMEHeaderKey(name)) },

		looper: v.budget.loop, texter: v.budget.text, ranger: v.budget.ranged, adder: v.budget.add, equaler: v.budget.equal,
		finder: v.budget.in, matcher: v.budget.matches, uniquer: v.budget.uniq, opener: v.open, counter: asNumber, caller1: v.budget.call1, caller: v.budget.call,
	}
	return v
}}

// maxKeptStack is how long a stack may be that the next View gets.
const maxKeptStack = 1 << 10

// NewView prepares in for expressions. Free the View after use.
func NewView(in *Input) *View {
	v := views.Get().(*View)
	v.in, v.budget = in, newBudget()
	if in.Unproven {
		v.budget = budget{steps: reservedSteps, made: reservedMade}
	}
	return v
}

// Purse is what the expressions on all parts of one request may cost together. It is for
// one goroutine at a time.
type Purse struct{ steps, made int }

// Each part of a request adds so much to what a webhook may cost that has one event.
const stepsPerPart, madePerPart = 20_000, 32 << 10

// NewPurse returns what that is for a request with so many parts.
func NewPurse(parts int) *Purse {
	return &Purse{maxSteps + parts*stepsPerPart, maxMade + parts*madePerPart}
}

// NewView prepares a part for expressions. No part costs more than a webhook may that
// has one event.
func (p *Purse) NewView(in *Input) *View {
	v := NewView(in)
	v.purse = p
	v.budget.steps, v.budget.made = min(v.budget.steps, p.steps), min(v.budget.made, p.made)
	p.steps -= v.budget.steps
	p.made -= v.budget.made
	return v
}

// Free gives the View back. Neither it nor a copy may be used afterwards.
func (v *View) Free() {
	stack := v.vm.Stack[:cap(v.vm.Stack)]
	if len(stack) > maxKeptStack {
		stack = nil
	}
	clear(stack)
	v.vm = vm.VM{Stack: stack[:0]}
	if v.purse != nil && !v.budget.refused {
		v.purse.steps += v.budget.steps
		v.purse.made += v.budget.made
	}
	v.budget, v.purse = budget{}, nil
	clear(v.found)
	v.texts = nil
	v.body.json.Reset()
	v.in, v.body = nil, document{json: v.body.json}
	views.Put(v)
}

// SetIdentity sets the event type and the ID of the Input, once they have
// been found with the help of the View.
func (v *View) SetIdentity(event, id string) {
	v.in.Event, v.in.ID = event, id
	delete(v.found, operands["event"].id)
	delete(v.found, operands["id"].id)
}

// run never panics: expr recovers, and what it lets through ends here.
func (v *View) run(p *program) (result any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("evaluating: %v", r)
		}
	}()
	v.budget.begin()
	result, err = v.vm.Run(p.code, v.env)
	if err != nil {
		return nil, v.explained(oneLine(err, p.what), p.operands)
	}
	return result, nil
}

// get fetches an operand. It panics where expr does: in the middle of a run.
func (v *View) get(arg any) any {
	op := arg.(*operand)
	value, ok := v.found[op.id]
	if !ok {
		value = v.load(op)
		v.found[op.id] = value
	}
	if f, ok := value.(failure); ok {
		panic(f.reason)
	}
	return value
}

// failure stands for an operand that it is an error to ask for.
type failure struct{ reason any }

func (v *View) load(op *operand) (value any) {
	defer func() {
		if reason := recover(); reason != nil {
			value = failure{reason}
		}
	}()
	return op.load(v)
}

func (in *Input) header(key string) string {
	if values := in.Header[key]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func (in *Input) headers() map[string]string {
	m := make(map[string]string, len(in.Header))
	for key, values := range in.Header {
		if len(values) > 0 {
			m[strings.ToLower(key)] = values[0]
		}
	}
	return m
}

// A pair of the query that cannot be decoded is left out, as net/url does.
func (in *Input) queryValue(key string) string {
	for pair, err := range payload.Pairs(in.RawQuery) {
		if err == nil && pair.Name == key && pair.Raw != "" {
			return pair.Value
		}
	}
	return ""
}

func (in *Input) query() map[string]string {
	m := make(map[string]string)
	for pair, err := range payload.Pairs(in.RawQuery) {
		if _, ok := m[pair.Name]; !ok && err == nil && pair.Raw != "" {
			m[pair.Name] = pair.Value
		}
	}
	return m
}
