package rules

import (
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/vm/runtime"
)

// call is a call of a builtin whose cost depends on the webhook.
type call struct {
	name  string
	cost  func(b *budget, args []any)
	fast  func(any) any
	other func(...any) (any, error)
}

func newCall(name string) *call {
	cost, ok := costs[name]
	if !ok {
		return nil
	}
	f := builtin.Builtins[builtin.Index[name]]
	c := &call{name: name, cost: cost, fast: f.Fast, other: f.Func}
	if f.Safe != nil {
		c.other = func(args ...any) (any, error) {
			result, _, err := f.Safe(args...)
			return result, err
		}
	}
	return c
}

// call1 calls a builtin that takes one argument.
func (b *budget) call1(c, arg any) any {
	b.arg[0] = arg
	return b.run(c.(*call), b.arg[:])
}

// call calls a builtin; args begin with the call.
func (b *budget) call(args ...any) any { return b.run(args[0].(*call), args[1:]) }

func (b *budget) run(c *call, args []any) any {
	c.cost(b, args)
	if c.fast != nil {
		return c.fast(args[0])
	}
	result, err := c.other(args...)
	if err != nil {
		panic(err)
	}
	return result
}

// costs are the costs of builtins. Those that are missing cost the same for any
// arguments, or go over their list with a predicate. Arguments of a wrong type
// cost nothing, since the builtin refuses them.
var costs = map[string]func(b *budget, args []any){
	"len":         perByte(8, 0),
	"int":         perByte(4, 0),
	"float":       perByte(2, 0),
	"duration":    perByte(1, 2),
	"date":        perByte(1, 16), // each layout that does not fit makes an error
	"timezone":    perByte(1, 2),
	"upper":       changeCase,
	"lower":       changeCase,
	"trim":        trim,
	"trimPrefix":  perByte(comparedBytes, 0),
	"trimSuffix":  perByte(comparedBytes, 0),
	"hasPrefix":   perByte(comparedBytes, 0),
	"hasSuffix":   perByte(comparedBytes, 0),
	"indexOf":     perByte(4, 0),
	"lastIndexOf": perByte(4, 0),
	"toBase64":    perByte(8, 3),
	"fromBase64":  perByte(4, 3),
	"get":         perByte(hashedBytes, 0),
	"split":       split,
	"splitAfter":  split,
	"replace":     replace,
	"repeat":      repeat,
	"join":        join,
	"string":      printed,
	"toJSON":      toJSON,
	"fromJSON":    fromJSON,
	"min":         perValue(6, 0),
	"max":         perValue(6, 0),
	"mean":        perValue(6, 0),
	"median":      median,
	"keys":        perElement(10, 64),
	"values":      perElement(15, 64),
	"toPairs":     perElement(20, 128),
	"fromPairs":   perElement(40, 200),
	"reverse":     perElement(4, 32),
	"concat":      perElement(6, 96),
	"flatten":     flatten,
	"sort":        sorted,
}

func perByte(bytesPerStep, made int) func(*budget, []any) {
	return func(b *budget, args []any) {
		for _, arg := range args {
			n := textLength(arg)
			b.spend(n/bytesPerStep, n*made)
		}
	}
}

func perElement(steps, made int) func(*budget, []any) {
	return func(b *budget, args []any) {
		for _, arg := range args {
			n := length(arg)
			b.spend(n*steps, n*made)
		}
	}
}

func perValue(steps, made int) func(*budget, []any) {
	return func(b *budget, args []any) {
		for _, arg := range args {
			n := b.sizeOf(arg).values
			b.spend(n*steps, n*made)
		}
	}
}

func changeCase(b *budget, args []any) {
	s, _ := args[0].(string)
	if isASCII(s) {
		b.spend(len(s)/2, len(s))
	} else {
		b.spend(len(s)*3/2, 3*len(s))
	}
}

// A set of characters that is not ASCII is searched for each character.
func trim(b *budget, args []any) {
	n, set := textLength(args[0]), 0
	if len(args) > 1 {
		if s, _ := args[1].(string); !isASCII(s) {
			set = len(s)
		}
	}
	b.spend(n/4, 0)
	if set > 0 {
		b.spend(n+n*set/8, 0)
	}
}

// pieces is how many pieces a separator makes of a text, at most limit if that is
// greater than zero.
func pieces(b *budget, args []any, limit int) (text string, n int) {
	text, _ = args[0].(string)
	separator, ok := args[1].(string)
	b.spend(len(text)/searchedBytes, 0)
	if !ok || text == "" {
		return text, 0
	}
	if separator == "" {
		n = utf8.RuneCountInString(text) + 1
	} else {
		n = strings.Count(text, separator) + 1
	}
	if len(args) > limit {
		if most := runtime.ToInt(args[limit]); most >= 0 {
			n = min(n, most+1)
		}
	}
	return text, n
}

func split(b *budget, args []any) {
	text, n := pieces(b, args, 2)
	b.spend(len(text)/searchedBytes+3*n, 16*n)
}

func replace(b *budget, args []any) {
	text, n := pieces(b, args, 3)
	made := len(text) + n*textLength(args[2])
	b.spend(3*n+made/16, made)
}

func repeat(b *budget, args []any) {
	n, most := textLength(args[0]), runtime.ToInt(args[1])
	if n > 0 && most > maxMade/n {
		b.refuse()
	}
	if most > 0 {
		b.spend(n*most/16, n*most)
	}
}

func join(b *budget, args []any) {
	n, made := length(args[0]), textOf(args[0])
	if len(args) > 1 {
		made += n * textLength(args[1])
	}
	b.spend(4*n+made/16, made+64*n)
}

func printed(b *budget, args []any) {
	s := b.sizeOf(args[0])
	b.spend(20*s.values+s.text/8, 32*s.values+4*s.text)
}

// JSON is made, escaped, then indented.
func toJSON(b *budget, args []any) {
	s := b.sizeOf(args[0])
	written := 30*s.values + 2*s.levels + 6*s.text
	b.spend(20*s.values+written*3/2, 4*written)
}

func fromJSON(b *budget, args []any) {
	text, _ := args[0].(string)
	b.decode(text)
}

func median(b *budget, args []any) {
	for _, arg := range args {
		n := b.sizeOf(arg).values
		b.spend(n*(6+2*bits.Len(uint(n))), 32*n)
	}
}

// Each list copies what the lists in it hold.
func flatten(b *budget, args []any) {
	s := b.sizeOf(args[0])
	b.spend(10*s.values+2*s.levels, 64*s.values+16*s.levels)
}

func sorted(b *budget, args []any) {
	n := length(args[0])
	b.spend(n*(4+sortSteps*bits.Len(uint(n)))+textOf(args[0])/4, 64*n)
}
