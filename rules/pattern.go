package rules

import (
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/expr-lang/expr/vm/runtime"
)

// pattern is the constant right side of matches.
type pattern struct {
	re       *regexp.Regexp
	size     int  // instructions: any of them may run for each character
	literal  bool // there is nothing but text to search for
	anchored bool // ^ stands first, so that the reading may end early
	most     int  // characters that an anchored pattern reads; -1: any number
}

func newPattern(expression string) (*pattern, error) {
	re, err := regexp.Compile(expression)
	if err != nil {
		return nil, err
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, err
	}
	parsed = parsed.Simplify()
	compiled, err := syntax.Compile(parsed)
	if err != nil {
		return nil, err
	}
	p := &pattern{re: re, size: len(compiled.Inst), anchored: compiled.StartCond()&syntax.EmptyBeginText != 0, most: longest(parsed)}
	_, p.literal = re.LiteralPrefix()
	return p, nil
}

// longest is how many characters a pattern matches at most, -1 for any number.
func longest(re *syntax.Regexp) int {
	n := 0
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat:
		return -1
	}
	for _, sub := range re.Sub {
		switch m := longest(sub); {
		case m < 0:
			return -1
		case re.Op == syntax.OpAlternate:
			n = max(n, m)
		default:
			n += m
		}
	}
	return n
}

// shortText is what an anchored pattern reads without counting.
const shortText = 1 << 10

// matches is the operator matches.
func (b *budget) matches(constant, text any) any {
	p := constant.(*pattern)
	if raw, ok := text.([]byte); ok {
		text = string(raw)
	}
	if runtime.IsNil(text) {
		return false
	}
	s, ok := text.(string)
	if !ok {
		panic(fmt.Sprintf("interface conversion: interface {} is %T, not string", text))
	}
	n := len(s)
	switch {
	case p.literal:
		b.spend(n/searchedBytes, 0)
	case !p.anchored:
		b.spend(5+n*p.stepsPerCharacter(), 0)
	case p.most >= 0 && p.most < shortText:
		b.spend(5+min(n, p.most+1)*(1+p.size/16), 0)
	case n <= shortText:
		b.spend(5+n*(1+p.size/16), 0)
	default:
		return p.re.MatchReader(&spendingReader{b, p.stepsPerCharacter(), strings.NewReader(s)})
	}
	return p.re.MatchString(s)
}

func (p *pattern) stepsPerCharacter() int { return 3 + p.size/2 }

// spendingReader spends for each character that a pattern reads.
type spendingReader struct {
	budget *budget
	steps  int
	io.RuneReader
}

func (r *spendingReader) ReadRune() (rune, int, error) {
	r.budget.spend(r.steps, 0)
	return r.RuneReader.ReadRune()
}
