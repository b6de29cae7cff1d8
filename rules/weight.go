package rules

import (
	"reflect"

	"github.com/expr-lang/expr/ast"
)

// loopCosts are what a builtin with a predicate costs for each element, besides
// its predicate.
var loopCosts = map[string]loopCost{
	"all": {steps: 3}, "none": {steps: 3}, "any": {steps: 3}, "one": {steps: 4}, "count": {steps: 5, made: 8}, "sum": {steps: 8, made: 8},
	"find": {steps: 4}, "findIndex": {steps: 4}, "findLast": {steps: 5, made: 64}, "findLastIndex": {steps: 5, made: 64}, // expr leaves a value on its stack
	"filter": {steps: 6, made: 48}, "map": {steps: 5, made: 48}, "reduce": {steps: 4, made: 8},
	"groupBy": {steps: 40, made: 128}, "sortBy": {steps: 8, made: 64, sorts: true},
}

// costOfLoop returns what a loop costs for each element, nil if the builtin is no
// loop. Loops in its predicate spend for themselves.
func costOfLoop(n *ast.BuiltinNode) *loopCost {
	cost, ok := loopCosts[n.Name]
	if !ok {
		return nil
	}
	for _, argument := range n.Arguments {
		if predicate, ok := argument.(*ast.PredicateNode); ok {
			cost.add(predicate.Node)
		}
	}
	if n.Map != nil {
		cost.add(n.Map)
	}
	return &cost
}

// add adds what nodes cost each time that they are evaluated.
func (c *loopCost) add(nodes ...ast.Node) {
	for _, node := range nodes {
		if node != nil {
			c.steps++
			c.addNode(node)
		}
	}
}

func (c *loopCost) addNode(node ast.Node) {
	switch n := node.(type) {
	case *ast.PointerNode:
		if n.Name == "index" {
			c.made += 8
		}
	case *ast.UnaryNode:
		if n.Operator == "-" {
			c.made += 8
		}
		c.add(n.Node)
	case *ast.BinaryNode:
		c.steps++
		switch n.Operator {
		case "in":
			c.steps += 8
		case "+", "-", "*", "/", "%", "**", "^":
			c.made += 8
		}
		c.add(n.Left, n.Right)
	case *ast.ChainNode:
		c.add(n.Node)
	case *ast.MemberNode:
		c.steps += 12
		c.made += 16
		c.add(n.Node, n.Property)
	case *ast.SliceNode:
		c.steps += 8
		c.made += 24
		c.add(n.Node, n.From, n.To)
	case *ast.CallNode:
		c.addCall(n)
	case *ast.BuiltinNode:
		c.addBuiltin(n)
	case *ast.VariableDeclaratorNode:
		c.add(n.Value, n.Expr)
	case *ast.SequenceNode:
		c.add(n.Nodes...)
	case *ast.ConditionalNode:
		c.add(n.Cond, n.Exp1, n.Exp2)
	case *ast.ArrayNode:
		c.steps += 15
		c.made += 32 + 16*len(n.Nodes)
		c.add(n.Nodes...)
	case *ast.MapNode:
		c.steps += 10 + 10*len(n.Pairs)
		c.made += 320 + 64*len(n.Pairs)
		c.add(n.Pairs...)
	case *ast.PairNode:
		c.add(n.Key, n.Value)
	case *ast.ConstantNode:
		if v := reflect.ValueOf(n.Value); v.Kind() == reflect.Slice { // which in goes over
			c.steps += 4 * v.Len()
		}
	}
}

// addCall adds a call of a method, or of a function of the View: those spend for
// the size of their arguments.
func (c *loopCost) addCall(n *ast.CallNode) {
	if !ownCall(n) {
		c.steps += 30
		if _, ok := n.Callee.(*ast.IdentifierNode); !ok { // a method, which is looked up by its name
			c.steps += 150
		}
		c.made += 200
		c.add(n.Callee)
		c.add(n.Arguments...)
		return
	}
	c.steps += 3
	if n.Callee.(*ast.IdentifierNode).Value == adder {
		c.made += 8
	}
	for _, argument := range n.Arguments {
		if constant, ok := argument.(*ast.ConstantNode); !ok {
			c.add(argument)
		} else if called, ok := constant.Value.(*call); ok {
			c.addFunction(called.name, len(n.Arguments)-1)
		}
	}
}

func (c *loopCost) addBuiltin(n *ast.BuiltinNode) {
	if _, loops := loopCosts[n.Name]; !loops {
		c.addFunction(n.Name, len(n.Arguments))
	} else {
		c.steps += 20
	}
	for _, argument := range n.Arguments {
		if _, ok := argument.(*ast.PredicateNode); !ok {
			c.add(argument)
		}
	}
}

func (c *loopCost) addFunction(name string, arguments int) {
	steps, ok := functionSteps[name]
	if !ok {
		steps = 15
	}
	if name == "date" && arguments > 2 {
		steps += zoneSteps
	}
	c.steps += steps
	c.made += 64
}

// zoneSteps are what it costs to load a time zone.
const zoneSteps = 3_000

// functionSteps are what builtins cost besides the size of their arguments.
var functionSteps = map[string]int{
	"len": 4, "type": 5, "int": 4, "float": 4, "abs": 4, "string": 20, "now": 10, "duration": 20,
	"date": 300, "timezone": zoneSteps, "toJSON": 80, "fromJSON": 80,
}
