package rules

import (
	"fmt"
	"math/bits"
	"reflect"

	"github.com/expr-lang/expr/vm/runtime"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// These functions stand for operators whose cost depends on the webhook. They mean
// what the operators of expr mean, and spend what they cost.

// loopCost is what a builtin with a predicate costs for each element.
type loopCost struct {
	steps, made int
	sorts       bool
}

// loop spends the whole of a loop before it begins, and returns its list.
func (b *budget) loop(cost, list any) any {
	c, n := cost.(*loopCost), length(list)
	steps := c.steps
	if c.sorts {
		steps += sortSteps * bits.Len(uint(n))
	}
	b.spend(20+n*steps, 200+n*c.made) // expr makes a scope for each loop
	return list
}

// sortSteps is what one element costs each time that its list is halved.
const sortSteps = 5

// textCost is what one byte of a string costs, as parts of a step.
type textCost struct {
	bytesPerStep int
	made         int // bytes made for each byte
}

// text spends what an operation costs for one of its operands, and returns the
// operand.
func (b *budget) text(cost, value any) any {
	if n := textLength(value); n > 0 {
		c := cost.(*textCost)
		b.spend(n/c.bytesPerStep, n*c.made)
	}
	return value
}

// ranged spends what a range has cost. expr bounds it before it makes it.
func (b *budget) ranged(_, list any) any {
	b.spend(length(list)/4, 8*length(list))
	return list
}

// add is the operator +.
func (b *budget) add(x, y any) any {
	if n := textLength(x) + textLength(y); n > 0 {
		b.spend(n/16, n)
	}
	return runtime.Add(asNumber(x), asNumber(y))
}

// equal is the operator ==.
func (b *budget) equal(x, y any) any { return b.same(x, y, 0) }

func (b *budget) same(x, y any, depth int) bool {
	switch x := x.(type) {
	case payload.Integer:
		switch y := y.(type) {
		case payload.Integer:
			return x == y
		case string:
			return string(x) == y
		}
		return runtime.Equal(asNumber(x), y)
	case string:
		if y, ok := y.(payload.Integer); ok {
			return x == string(y)
		}
		if y, ok := y.(string); ok {
			if len(x) != len(y) {
				return false
			}
			b.spend(len(x)/comparedBytes, 0)
			return x == y
		}
	case []any:
		if y, ok := y.([]any); ok {
			return b.sameLists(x, y, depth)
		}
	case map[string]any:
		if y, ok := y.(map[string]any); ok && len(x) != len(y) {
			return false
		}
	}
	if n, ok := y.(payload.Integer); ok {
		return b.same(n, x, depth)
	}
	if isText(x) || isText(y) || length(x) == 0 || length(y) == 0 {
		return runtime.Equal(x, y)
	}
	b.spend(b.sizeOf(x).compared(), 0)
	b.spend(b.sizeOf(y).compared(), 0)
	return runtime.Equal(x, y)
}

func (b *budget) sameLists(x, y []any, depth int) bool {
	if len(x) != len(y) {
		return false
	}
	if depth > maxNesting {
		b.refuse()
	}
	for i := range x {
		b.spend(4, 0)
		if !b.same(x[i], y[i], depth+1) {
			return false
		}
	}
	return true
}

// comparedBytes is how many bytes of a string are compared in a step.
const comparedBytes = 128

// compared is how many steps a comparison of maps takes.
func (s size) compared() int { return 20*s.values + s.text/comparedBytes }

// in is the operator in.
func (b *budget) in(needle, among any) any {
	list, ok := among.([]any)
	if !ok {
		n := length(among)
		if v := reflect.ValueOf(among); v.Kind() == reflect.Map {
			n = 0
		}
		b.spend(8+5*n+(1+n)*textLength(needle)/hashedBytes, 0)
		return runtime.In(needle, among)
	}
	for _, element := range list {
		b.spend(3, 0)
		if b.same(element, needle, 0) {
			return true
		}
	}
	return false
}

// uniq is the builtin uniq, which compares each element with all different ones
// before it.
func (b *budget) uniq(_, list any) any {
	elements, ok := list.([]any)
	if v := reflect.ValueOf(list); !ok && v.Kind() == reflect.Slice {
		b.spend(2*v.Len(), 32*v.Len())
		for i := range v.Len() {
			elements = append(elements, v.Index(i).Interface())
		}
	} else if !ok {
		panic(fmt.Sprintf("cannot uniq %s", v.Kind()))
	}
	b.spend(len(elements), 32*len(elements))
	different := []any{}
next:
	for _, element := range elements {
		for _, d := range different {
			b.spend(2, 0)
			if b.same(element, d, 0) {
				continue next
			}
		}
		different = append(different, element)
	}
	return different
}

// hashedBytes is how many bytes of a key are hashed in a step.
const hashedBytes = 32

// searchedBytes is how many bytes are searched for a string in a step.
const searchedBytes = 8
