package rules

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// Names of the functions that spend from the budget of a View. No expression can
// name them.
const (
	looper  = getter + "loop"
	texter  = getter + "text"
	ranger  = getter + "range"
	adder   = getter + "+"
	equaler = getter + "=="
	finder  = getter + "in"
	matcher = getter + "matches"
	uniquer = getter + "uniq"
	opener  = getter + "open"
	counter = getter + "number"
	caller1 = getter + "call1"
	caller  = getter + "call"
)

var (
	unary    = reflect.TypeFor[func(any) any]()
	binary   = reflect.TypeFor[func(any, any) any]()
	variadic = reflect.TypeFor[func(...any) any]()
)

// meter has an expression spend what it costs. It goes over the tree when that is
// checked and optimized, from its leaves: operators and builtins whose cost
// depends on the webhook become calls, and the list of a loop spends what the
// predicate costs for all elements. What stands outside of loops and costs the
// same for any webhook is not counted.
type meter struct{ err *file.Error }

// Visit implements ast.Visitor.
func (m *meter) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		m.operator(node, n)
	case *ast.UnaryNode:
		if n.Operator == "-" || n.Operator == "+" {
			count(&n.Node)
		}
	case *ast.BuiltinNode:
		m.builtin(node, n)
	case *ast.MemberNode:
		if !n.Method && n.Node.Type().Kind() == reflect.Interface {
			become(&n.Node, callOf(opener, unary, n.Node))
		}
		measure(&n.Property, &textCost{bytesPerStep: hashedBytes})
	case *ast.CallNode:
		if !ownCall(n) {
			for i := range n.Arguments {
				measure(&n.Arguments[i], &textCost{1, 8})
			}
		}
	}
}

func (m *meter) operator(node *ast.Node, n *ast.BinaryNode) {
	switch n.Operator {
	case "<", "<=", ">", ">=", "-", "*", "/", "**", "^":
		count(&n.Left)
		count(&n.Right)
	case "==", "!=", "+":
		if isScalar(n.Right) {
			count(&n.Left)
		}
		if isScalar(n.Left) {
			count(&n.Right)
		}
	}
	switch n.Operator {
	case "==", "!=":
		if (isSmall(n.Left) || isSmall(n.Right)) && !isLongInteger(n.Left) && !isLongInteger(n.Right) {
			return
		}
		equal := callOf(equaler, binary, n.Left, n.Right)
		if n.Operator == "==" {
			become(node, equal)
			return
		}
		equal.SetLocation(n.Location())
		equal.SetType(reflect.TypeFor[bool]())
		become(node, &ast.UnaryNode{Operator: "not", Node: equal})
	case "+":
		if !isScalar(n.Left) && !isScalar(n.Right) {
			become(node, callOf(adder, binary, n.Left, n.Right))
		}
	case "<", "<=", ">", ">=":
		if !isSmall(n.Left) && !isSmall(n.Right) {
			measure(&n.Left, &textCost{bytesPerStep: comparedBytes})
		}
	case "startsWith", "endsWith":
		measure(&n.Right, &textCost{bytesPerStep: comparedBytes})
	case "contains":
		cost := &textCost{bytesPerStep: searchedBytes}
		if !isConstant(n.Right) { // it may be hard to search for
			cost.bytesPerStep /= 2
		}
		measure(&n.Left, cost)
		measure(&n.Right, cost)
	case "in":
		if isConstant(n.Right) {
			measure(&n.Left, &textCost{bytesPerStep: hashedBytes})
		} else {
			become(node, callOf(finder, binary, n.Left, n.Right))
		}
	case "..":
		become(node, callOf(ranger, binary, &ast.NilNode{}, n))
	case "matches":
		m.pattern(node, n)
	}
}

// pattern compiles the pattern of matches, which must be the configuration's: a
// pattern can cost far more than its text.
func (m *meter) pattern(node *ast.Node, n *ast.BinaryNode) {
	constant, ok := n.Right.(*ast.StringNode)
	if !ok {
		m.fail(n.Right, "the pattern of matches must be a constant, not something that a webhook says")
		return
	}
	p, err := newPattern(constant.Value)
	if err != nil {
		m.fail(n.Right, "%v", err)
		return
	}
	become(node, callOf(matcher, binary, &ast.ConstantNode{Value: p}, n.Left))
}

func (m *meter) fail(n ast.Node, format string, args ...any) {
	if m.err == nil {
		m.err = &file.Error{Location: n.Location(), Message: fmt.Sprintf(format, args...)}
	}
}

func (m *meter) builtin(node *ast.Node, n *ast.BuiltinNode) {
	if n.Map != nil {
		ast.Walk(&n.Map, m)
	}
	if cost := costOfLoop(n); cost != nil {
		list := callOf(looper, binary, &ast.ConstantNode{Value: cost}, n.Arguments[0])
		become(&n.Arguments[0], list)
		if n.Name == "groupBy" || n.Name == "sortBy" { // which hash or compare what the predicate yields
			predicate := n.Arguments[1].(*ast.PredicateNode)
			measure(&predicate.Node, &textCost{bytesPerStep: 4})
		}
		return
	}
	constant := true
	for _, argument := range n.Arguments {
		constant = constant && isConstant(argument)
	}
	if constant {
		return
	}
	if n.Name == "uniq" && len(n.Arguments) == 1 {
		become(node, callOf(uniquer, binary, &ast.NilNode{}, n.Arguments[0]))
		return
	}
	switch n.Name {
	case "float", "abs", "ceil", "floor", "round", "type":
		count(&n.Arguments[0])
	}
	c := newCall(n.Name)
	if c == nil {
		return
	}
	arguments := append([]ast.Node{&ast.ConstantNode{Value: c}}, n.Arguments...)
	if len(n.Arguments) == 1 {
		become(node, callOf(caller1, binary, arguments...))
	} else {
		become(node, callOf(caller, variadic, arguments...))
	}
}

// longInteger matches an integer as text that may be one beyond 64 bits.
var longInteger = regexp.MustCompile(`^-?[0-9]{19,}$`)

func isLongInteger(n ast.Node) bool {
	text, ok := n.(*ast.StringNode)
	return ok && longInteger.MatchString(text.Value)
}

// count has an operand be a number where it is an integer beyond 64 bits.
func count(node *ast.Node) {
	if (*node).Type().Kind() == reflect.Interface {
		become(node, callOf(counter, unary, *node))
	}
}

// measure has an operand spend what its text costs.
func measure(node *ast.Node, cost *textCost) {
	if !isSmall(*node) {
		become(node, callOf(texter, binary, &ast.ConstantNode{Value: cost}, *node))
	}
}

// become keeps what is known of a node: its place and its type.
func become(node *ast.Node, by ast.Node) {
	by.SetNature(*(*node).Nature())
	ast.Patch(node, by)
}

func ownCall(n *ast.CallNode) bool {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	return ok && strings.HasPrefix(callee.Value, getter)
}

// isSmall reports whether it costs the same for any webhook to compare a node.
func isSmall(n ast.Node) bool { return isConstant(n) || isScalar(n) }

func isConstant(n ast.Node) bool {
	switch n.(type) {
	case *ast.NilNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.StringNode, *ast.BytesNode, *ast.ConstantNode:
		return true
	}
	return false
}

// isScalar reports whether a node is known to be a number, a boolean or a time.
func isScalar(n ast.Node) bool {
	t := n.Type()
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return true
	}
	return t == reflect.TypeFor[time.Time]()
}
