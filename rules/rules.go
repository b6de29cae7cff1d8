// Package rules decides over webhooks with expressions of expr-lang.
//
//	expression -> check names and types -> rewrite operands -> program     once, when the configuration loads
//	Input -> View -> Rule.Match, Value.Text, Content.Write                 for each webhook
//
// An expression sees these names: event, id, provider, source, tenant, method, path,
// query, headers, body, remote_ip, received_at and header("Name"), besides
// the builtins of the language. An operand is fetched when the program gets
// to it: a rule on event alone never looks at the body, and body.type is
// looked up in the raw JSON without decoding the rest. A View remembers what
// has been fetched, so that the next expression gets it for free.
//
// All expressions on one View share a budget of 20 million steps and 64 MiB. A
// step is what takes five nanoseconds or less: to evaluate a part of a predicate
// for one element, or to read a few bytes of a string. A loop costs its elements
// times the parts of its predicate, and is counted before it begins; so is every
// operator and builtin whose cost depends on the webhook. The bytes are those of
// the strings, lists and maps that expressions make. Decompressing the body and
// reading JSON inside of texts count, too. Not counted are the parsing of the body
// itself, which has bounds of its own, and what costs the same for any webhook
// outside of loops. Where more is wanted, ErrBudget is the result; from
// then on each expression may cost 10 thousand steps. A pattern
// of matches must be a constant.
package rules

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/expr-lang/expr/vm"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// Rule is a compiled boolean expression. It is safe for concurrent use.
type Rule struct{ *program }

// program is a compiled expression.
type program struct {
	expression string
	what       string // rule or expression
	code       *vm.Program
	operands   []*operand
}

// String returns the expression as it was written.
func (p *program) String() string { return p.expression }

// Match tells whether the rule holds. A rule that fails while it runs, say on
// a member of a field that is not there, does not hold, and the error says why:
// it is ErrBudget if the rule wanted more work than was left.
func (r *Rule) Match(v *View) (bool, error) {
	result, err := v.run(r.program)
	if err != nil {
		return false, err
	}
	holds, _ := result.(bool)
	return holds, nil
}

// Value is a compiled expression whose result is used as text. It is safe for
// concurrent use.
type Value struct{ *program }

// Text evaluates the expression. Strings come as they are, numbers in decimal
// notation, and nil is the empty string. Lists, maps and times are an error.
func (x *Value) Text(v *View) (string, error) {
	text, _, err := x.Lookup(v)
	return text, err
}

// Lookup does what Text does, and reports whether there is a value: nil is none.
func (x *Value) Lookup(v *View) (found string, exists bool, err error) {
	result, err := v.run(x.program)
	if err != nil {
		return "", false, err
	}
	found, err = text(result)
	return found, result != nil, err
}

// ReadsBody reports whether the expression looks at the body.
func (x *Value) ReadsBody() bool {
	return slices.ContainsFunc(x.operands, func(op *operand) bool { return op.body })
}

func text(result any) (string, error) {
	switch r := result.(type) {
	case nil:
		return "", nil
	case string:
		return r, nil
	case payload.Integer:
		return string(r), nil
	case bool:
		return strconv.FormatBool(r), nil
	case int:
		return strconv.Itoa(r), nil
	case float64:
		return strconv.FormatFloat(r, 'f', -1, 64), nil
	}
	switch r := reflect.ValueOf(result); {
	case r.CanInt():
		return strconv.FormatInt(r.Int(), 10), nil
	case r.CanUint():
		return strconv.FormatUint(r.Uint(), 10), nil
	}
	return "", fmt.Errorf("expected text, a number or a boolean, but got %T", result)
}
