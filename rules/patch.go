package rules

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
)

// getter is the function that fetches an operand. No expression can name it.
const getter = "@"

// patcher replaces the operands of an expression by calls of the getter:
// each name, each constant key of headers and query, and the longest chain of
// constant keys below body. The tree is walked from its leaves, so a chain
// grows key by key.
type patcher struct {
	names  types.Map
	maps   map[ast.Node]string // uses of headers and query
	chains map[ast.Node]*chain // uses of body
	err    *file.Error
}

// chain is a part of the tree that has become the lookup of a path.
type chain struct {
	steps []step

	// An optional step skips to the end of the ast.ChainNode around it. Until
	// that node is reached the chain is open, and may turn out to end in
	// something else than a lookup: plain is what stands there then.
	optional, closed bool
	plain            ast.Node
}

func newPatcher(names types.Map) *patcher {
	return &patcher{names: names, maps: map[ast.Node]string{}, chains: map[ast.Node]*chain{}}
}

// Visit implements ast.Visitor.
func (p *patcher) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		p.identifier(node, n)
	case *ast.MemberNode:
		if name, ok := p.maps[n.Node]; ok {
			p.mapKey(node, n, name)
		} else if base, ok := p.chains[n.Node]; ok {
			p.bodyKey(node, n, base)
		}
	case *ast.ChainNode:
		if c, ok := p.chains[n.Node]; ok {
			c.closed, c.plain = true, n.Node
			ast.Patch(node, n.Node)
		}
	case *ast.CallNode:
		p.header(node, n)
	}
}

func (p *patcher) identifier(node *ast.Node, n *ast.IdentifierNode) {
	name := n.Value
	if name == "$env" {
		p.fail(n, "unknown name $env")
	}
	typ, known := p.names[name]
	if !known || name == "header" {
		return
	}
	if name == "body" {
		p.patchChain(node, &chain{})
		return
	}
	loading := load(operands[name], typ.Nature().Type)
	if name == "headers" || name == "query" {
		p.maps[loading] = name
	}
	ast.Patch(node, loading)
}

// mapKey turns headers["x"] and query.x into a lookup of that one key.
func (p *patcher) mapKey(node *ast.Node, n *ast.MemberNode, name string) {
	key, ok := n.Property.(*ast.StringNode)
	switch {
	case !ok || n.Method:
		return
	case name == "query":
		ast.Patch(node, load(queryOperand(key.Value), stringType))
	case key.Value != strings.ToLower(key.Value):
		p.fail(key, "the keys of headers are in lower case: write headers[%q]", strings.ToLower(key.Value))
	default:
		ast.Patch(node, load(headerOperand(key.Value), stringType))
	}
}

// header turns header("Name") into a lookup of that one key.
func (p *patcher) header(node *ast.Node, n *ast.CallNode) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || callee.Value != "header" || len(n.Arguments) != 1 {
		return
	}
	if key, ok := n.Arguments[0].(*ast.StringNode); ok {
		ast.Patch(node, load(headerOperand(key.Value), stringType))
	}
}

// bodyKey lets a chain below body grow by one key.
func (p *patcher) bodyKey(node *ast.Node, n *ast.MemberNode, base *chain) {
	n.Node = base.plain
	key := constantKey(n.Property)
	if key == nil || n.Method || base.closed && !n.Optional {
		return
	}
	p.patchChain(node, &chain{
		steps:    append(slices.Clip(base.steps), step{key, n.Optional}),
		optional: base.optional || n.Optional,
		plain:    n,
	})
}

func (p *patcher) patchChain(node *ast.Node, c *chain) {
	loading := load(bodyOperand(c.steps), nil)
	if !c.optional {
		c.plain = loading
	}
	p.chains[loading] = c
	ast.Patch(node, loading)
}

func (p *patcher) fail(n ast.Node, format string, args ...any) {
	if p.err == nil {
		p.err = &file.Error{Location: n.Location(), Message: fmt.Sprintf(format, args...)}
	}
}

func constantKey(property ast.Node) any {
	switch k := property.(type) {
	case *ast.StringNode:
		return k.Value
	case *ast.IntegerNode:
		return k.Value
	}
	return nil
}

var stringType = reflect.TypeFor[string]()

// load is the call that fetches an operand; typ is nil if only the webhook
// tells its type.
func load(op *operand, typ reflect.Type) *ast.CallNode {
	loading := callOf(getter, reflect.TypeFor[func(any) any](), &ast.ConstantNode{Value: op})
	if typ != nil {
		loading.SetType(typ)
	}
	return loading
}

// callOf is a call of one of the View's own functions.
func callOf(name string, typ reflect.Type, arguments ...ast.Node) *ast.CallNode {
	callee := &ast.IdentifierNode{Value: name}
	callee.SetType(typ)
	return &ast.CallNode{Callee: callee, Arguments: arguments}
}
