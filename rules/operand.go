package rules

import (
	"fmt"
	"net/textproto"
	"strconv"
	"strings"
	"unique"

	"github.com/expr-lang/expr/ast"
)

// operand is one thing that expressions ask of a webhook.
type operand struct {
	id    operandID
	shown string // as one writes it
	body  bool
	path  []step // below body
	load  func(*View) any
}

// operandID is an operand's name. Equal names mean equal values.
type operandID = unique.Handle[string]

func newOperand(name string, load func(*View) any) *operand {
	return &operand{id: unique.Make(name), shown: name, load: load}
}

// MarshalText makes expr print an operand by its name, which it does to find
// out whether two predicates go over the same list.
func (o *operand) MarshalText() ([]byte, error) { return []byte(o.id.Value()), nil }

// operands are the names that stand for themselves.
var operands = map[string]*operand{
	"event":       newOperand("event", func(v *View) any { return v.in.Event }),
	"id":          newOperand("id", func(v *View) any { return v.in.ID }),
	"provider":    newOperand("provider", func(v *View) any { return v.in.Provider }),
	"source":      newOperand("source", func(v *View) any { return v.in.Source }),
	"tenant":      newOperand("tenant", func(v *View) any { return v.in.Tenant }),
	"method":      newOperand("method", func(v *View) any { return v.in.Method }),
	"path":        newOperand("path", func(v *View) any { return v.in.Path }),
	"query":       newOperand("query", func(v *View) any { return v.in.query() }),
	"headers":     newOperand("headers", func(v *View) any { return v.in.headers() }),
	"remote_ip":   newOperand("remote_ip", func(v *View) any { return v.in.RemoteIP }),
	"received_at": newOperand("received_at", func(v *View) any { return v.in.ReceivedAt }),
}

func headerOperand(key string) *operand {
	key = textproto.CanonicalMIMEHeaderKey(key)
	op := newOperand("headers."+key, func(v *View) any { return v.in.header(key) })
	op.shown = fmt.Sprintf("header(%q)", key)
	return op
}

func queryOperand(key string) *operand {
	op := newOperand("query."+strconv.Quote(key), func(v *View) any { return v.in.queryValue(key) })
	op.shown = "query." + shownStep(key)
	return op
}

func bodyOperand(steps []step) *operand {
	op := newOperand("body"+pathName(steps), func(v *View) any { return v.lookup(steps) })
	op.shown, op.body, op.path = shownPath(steps), true, steps
	return op
}

// step is one key on a path into the body: a string, or an index.
type step struct {
	key      any
	optional bool
}

func pathName(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		if s.optional {
			b.WriteByte('?')
		}
		b.WriteByte('.')
		switch key := s.key.(type) {
		case string:
			b.WriteString(strconv.Quote(key))
		case int:
			b.WriteString(strconv.Itoa(key))
		}
	}
	return b.String()
}

// collector collects the operands of an expression.
type collector struct{ operands []*operand }

// Visit implements ast.Visitor.
func (c *collector) Visit(node *ast.Node) {
	if constant, ok := (*node).(*ast.ConstantNode); ok {
		if op, ok := constant.Value.(*operand); ok {
			c.operands = append(c.operands, op)
		}
	}
}

func operandsOf(node *ast.Node) []*operand {
	var c collector
	ast.Walk(node, &c)
	return c.operands
}
