package rules

import (
	"errors"
	"fmt"

	"github.com/expr-lang/expr/ast"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// List is the place of a list in the body of a webhook. It is safe for concurrent use.
type List struct {
	expression string
	names      []string
}

// CompileList compiles the expression for a list: body, or a member below it.
func CompileList(expression string) (*List, error) {
	x, err := CompileValue(expression)
	if err != nil {
		return nil, err
	}
	l := &List{expression: expression}
	operand := bodyOperandOf(x.program)
	if operand == nil {
		return nil, fmt.Errorf("%q is no place in the body: write body, or a path of names such as body.events", expression)
	}
	for _, s := range operand.path {
		name, ok := s.key.(string)
		if !ok {
			return nil, fmt.Errorf("%q leads into an element of another list: write a path of names such as body.events", expression)
		}
		l.names = append(l.names, name)
	}
	return l, nil
}

// bodyOperandOf returns the place in the body that a program is nothing but the lookup
// of; nil if it is something else.
func bodyOperandOf(p *program) *operand {
	call, ok := p.code.Node().(*ast.CallNode)
	if !ok || len(call.Arguments) != 1 || len(p.operands) != 1 {
		return nil
	}
	constant, ok := call.Arguments[0].(*ast.ConstantNode)
	if !ok {
		return nil
	}
	op, _ := constant.Value.(*operand)
	if op == nil || op.path == nil && op.shown != "body" {
		return nil
	}
	return op
}

// String returns the expression as it was written.
func (l *List) String() string { return l.expression }

// Split cuts the list in the body of a webhook into its elements. Memory of the View has
// them. decoded says that they are those of another text than the body: one without
// Content-Encoding, and in UTF-8.
func (l *List) Split(v *View) (b *payload.Batch, decoded bool, err error) {
	defer func() {
		if reason := recover(); reason != nil { // the budget is used up
			b, err = nil, payload.ErrNoList
		}
	}()
	d := v.document()
	switch {
	case d.err != nil:
		return nil, false, fmt.Errorf("%w: %w", payload.ErrNoList, d.err)
	case d.lines && len(l.names) == 0:
		b, err = d.json.Root().LinesBatch()
	case d.lines:
		err = payload.ErrNoList
	case d.isJSON:
		b, err = d.json.Root().Batch(l.names)
	default:
		return l.splitForm(v)
	}
	return b, !d.asIs, err
}

var errEncodedForm = errors.New("the form has a Content-Encoding, or is a multipart form")

func (l *List) splitForm(v *View) (*payload.Batch, bool, error) {
	media := payload.MediaType(v.in.header("Content-Type"))
	_, isForm := v.document().value.(map[string]any)
	switch {
	case !isForm:
		return nil, false, payload.ErrNoList
	case media == payload.MultipartType, !v.document().asIs:
		return nil, false, fmt.Errorf("%w: %w", payload.ErrUnframed, errEncodedForm)
	}
	b, err := payload.FormBatch(string(v.in.Body), l.names)
	return b, false, err
}
