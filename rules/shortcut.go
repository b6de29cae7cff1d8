package rules

import (
	"regexp"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// Most rules compare text with constants, and most events are for other rules. A
// shortcut tells as much five times faster than the program: it tells what the
// program would, or that it cannot tell.

// verdict is what a test tells of a rule.
type verdict int8

const (
	unknown verdict = iota
	no
	yes
)

func verdictOf(holds bool) verdict {
	if holds {
		return yes
	}
	return no
}

// test is the shortcut of a condition.
type test func(v *View) verdict

// source is the shortcut of a value, and false where it cannot tell.
type source func(v *View) (value any, known bool)

// decide never panics: what would is unknown, and the program says what is wrong.
func (v *View) decide(t test) (d verdict) {
	defer func() {
		if recover() != nil {
			d = unknown
		}
	}()
	return t(v)
}

// valueOf never panics either.
func (v *View) valueOf(s source) (value any, known bool) {
	defer func() {
		if recover() != nil {
			value, known = nil, false
		}
	}()
	return s(v)
}

// testOf returns the shortcut of a condition; nil if there is none.
func testOf(node ast.Node) test {
	switch n := node.(type) {
	case *ast.UnaryNode:
		if n.Operator == "!" || n.Operator == "not" {
			return negation(testOf(n.Node))
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&":
			return connection(testOf(n.Left), testOf(n.Right), yes)
		case "or", "||":
			return connection(testOf(n.Left), testOf(n.Right), no)
		}
		return comparison(operandOf(n.Left), textTest(n.Operator, n.Right))
	case *ast.CallNode:
		return truth(operandOf(n))
	}
	return nil
}

func negation(inner test) test {
	if inner == nil {
		return nil
	}
	return func(v *View) verdict {
		switch inner(v) {
		case yes:
			return no
		case no:
			return yes
		}
		return unknown
	}
}

// connection goes on to the right side if the left one gives the verdict on.
func connection(left, right test, on verdict) test {
	if left == nil {
		return nil
	}
	return func(v *View) verdict {
		switch d := left(v); {
		case d != on:
			return d
		case right == nil:
			return unknown
		}
		return right(v)
	}
}

func comparison(op *operand, holds func(string) bool) test {
	switch {
	case op == nil || holds == nil:
		return nil
	case op.text != nil:
		return func(v *View) verdict { return verdictOf(holds(op.text(v))) }
	}
	return func(v *View) verdict {
		if text, ok := v.get(op).(string); ok {
			return verdictOf(holds(text))
		}
		return unknown
	}
}

func truth(op *operand) test {
	if op == nil {
		return nil
	}
	return func(v *View) verdict {
		if holds, ok := v.get(op).(bool); ok {
			return verdictOf(holds)
		}
		return unknown
	}
}

// textTest returns what an operator with a constant on its right means for a text;
// nil if that is not so simple.
func textTest(operator string, right ast.Node) func(string) bool {
	if set, ok := right.(*ast.ConstantNode); ok && operator == "in" {
		if texts, ok := set.Value.(map[string]struct{}); ok {
			return func(s string) bool { _, in := texts[s]; return in }
		}
	}
	constant, ok := right.(*ast.StringNode)
	if !ok {
		return nil
	}
	c := constant.Value
	switch operator {
	case "==":
		return func(s string) bool { return s == c }
	case "!=":
		return func(s string) bool { return s != c }
	case "<":
		return func(s string) bool { return s < c }
	case "<=":
		return func(s string) bool { return s <= c }
	case ">":
		return func(s string) bool { return s > c }
	case ">=":
		return func(s string) bool { return s >= c }
	case "startsWith":
		return func(s string) bool { return strings.HasPrefix(s, c) }
	case "endsWith":
		return func(s string) bool { return strings.HasSuffix(s, c) }
	case "contains":
		return func(s string) bool { return strings.Contains(s, c) }
	case "matches":
		if pattern, err := regexp.Compile(c); err == nil {
			return pattern.MatchString
		}
	}
	return nil
}

// sourceOf returns the shortcut of a value; nil if there is none.
func sourceOf(node ast.Node) source {
	if op := operandOf(node); op != nil {
		return func(v *View) (any, bool) { return v.get(op), true }
	}
	n, ok := node.(*ast.BinaryNode)
	if !ok || n.Operator != "??" {
		return nil
	}
	left, right := sourceOf(n.Left), sourceOf(n.Right)
	if left == nil || right == nil {
		return nil
	}
	return func(v *View) (any, bool) {
		if value, known := left(v); value != nil || !known {
			return value, known
		}
		return right(v)
	}
}

// operandOf returns the operand that a node fetches; nil if it does something else.
func operandOf(node ast.Node) *operand {
	call, ok := node.(*ast.CallNode)
	if !ok || len(call.Arguments) != 1 {
		return nil
	}
	callee, isName := call.Callee.(*ast.IdentifierNode)
	argument, isConstant := call.Arguments[0].(*ast.ConstantNode)
	if !isName || !isConstant || callee.Value != getter {
		return nil
	}
	op, _ := argument.Value.(*operand)
	return op
}
