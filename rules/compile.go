package rules

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/optimizer"
	"github.com/expr-lang/expr/types"
)

const (
	// The parser recurses into parentheses without counting them.
	maxExpression = 64 << 10

	maxMessage = 200

	// What expr says where an expression makes more than a million elements.
	memoryExceeded = "memory budget exceeded"
)

// names are the names of an expression and their types.
var names = types.Map{
	"event":       types.String,
	"id":          types.String,
	"provider":    types.String,
	"source":      types.String,
	"tenant":      types.String,
	"method":      types.String,
	"path":        types.String,
	"query":       types.TypeOf(map[string]string{}),
	"headers":     types.TypeOf(map[string]string{}),
	"body":        types.Any,
	"remote_ip":   types.String,
	"received_at": types.TypeOf(time.Time{}),
	"header":      types.TypeOf(func(string) string { return "" }),
	getter:        types.TypeOf(func(any) any { return nil }),
}

// Compile compiles a rule. It must be boolean, or of a type that only the
// body tells.
func Compile(expression string) (*Rule, error) {
	compiled, err := compile(expression, names, reflect.Bool)
	if err != nil {
		return nil, err
	}
	return &Rule{compiled}, nil
}

// CompileKey compiles an expression that yields text, over all names.
func CompileKey(expression string) (*Value, error) {
	return compileValue(expression, names)
}

// CompileValue compiles an expression that finds the event type or the ID of
// a webhook: the names event and id are unknown to it.
func CompileValue(expression string) (*Value, error) {
	known := maps.Clone(names)
	delete(known, "event")
	delete(known, "id")
	return compileValue(expression, known)
}

// CompileTenant compiles an expression that finds the tenant whose webhook it is, before
// anything proves that: the names event, id and tenant are unknown to it.
func CompileTenant(expression string) (*Value, error) {
	known := maps.Clone(names)
	delete(known, "event")
	delete(known, "id")
	delete(known, "tenant")
	return compileValue(expression, known)
}

func compileValue(expression string, known types.Map) (*Value, error) {
	compiled, err := compile(expression, known, reflect.Invalid)
	if err != nil {
		return nil, err
	}
	switch t := compiled.code.Node().Type(); t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Struct, reflect.Func:
		return nil, fmt.Errorf("expected text, a number or a boolean, but got %s", t)
	}
	return &Value{compiled}, nil
}

// isTemplate matches what schemes read values with, and no expression begins with.
var isTemplate = regexp.MustCompile(`^\{(http\.request\.|header\.|json\.|query\.|form\.|body\})`)

// compile does what expr.Compile does, and lets the meter in between.
func compile(expression string, known types.Map, result reflect.Kind) (compiled *program, err error) {
	what := "expression"
	if result == reflect.Bool {
		what = "rule"
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("compiling: %v", r)
		}
	}()
	if len(expression) > maxExpression {
		return nil, fmt.Errorf("expression is longer than %d bytes", maxExpression)
	}
	p, m := newPatcher(known), new(meter)
	config := conf.New(known)
	config.Visitors = []ast.Visitor{p}
	config.Expect, config.ExpectAny = result, true
	if isTemplate.MatchString(expression) {
		return nil, fmt.Errorf(`%s is a template, and an expression is wanted: header("X-Name"), body.name, query.name`, expression)
	}
	tree, err := checker.ParseCheck(expression, config)
	if err == nil && p.err != nil {
		err = p.err.Bind(tree.Source)
	}
	if err == nil {
		err = optimizer.Optimize(&tree.Node, config)
		if at := (*file.Error)(nil); errors.As(err, &at) {
			err = at.Bind(tree.Source)
		}
	}
	if err != nil {
		return nil, oneLine(err, what)
	}
	if ast.Walk(&tree.Node, m); m.err != nil {
		return nil, oneLine(m.err.Bind(tree.Source), what)
	}
	config.WithEnv(map[string]any{}) // which is what a View has: names are looked up without reflection
	code, err := compiler.Compile(tree, config)
	if err != nil {
		return nil, oneLine(err, what)
	}
	return &program{expression, what, code, operandsOf(&tree.Node)}, nil
}

// oneLine says what an error of expr says, without the drawing below it and
// without the megabytes of a body that some builtins quote. The position is one in
// the rule or expression, not in the file around it.
func oneLine(err error, what string) error {
	if err == nil {
		return nil
	}
	message, where := err.Error(), ""
	var at *file.Error
	if errors.As(err, &at) && at.Line > 0 {
		message, where = at.Message, position(at, what)
	}
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "..."
	}
	message = strings.Join(strings.Fields(message), " ")
	if fetched := cannotFetch.FindStringSubmatch(message); fetched != nil {
		var key any = fetched[1]
		if index, err := strconv.Atoi(fetched[1]); err == nil {
			key = index
		}
		message = fmt.Sprintf("%s is looked up in something that is missing or null", shownStep(key))
	}
	message += where
	switch {
	case errors.Is(err, ErrBudget):
		return fmt.Errorf("%w%s", ErrBudget, where)
	case strings.HasPrefix(message, memoryExceeded):
		return fmt.Errorf("%w: %s", ErrBudget, message)
	}
	return errors.New(message)
}

// cannotFetch matches what expr says of a member of nothing.
var cannotFetch = regexp.MustCompile(`^cannot fetch (.+) from <nil>$`)

// position says where in a rule or expression an error is.
func position(at *file.Error, what string) string {
	if at.Line == 1 {
		return fmt.Sprintf(" (column %d of the %s)", at.Column+1, what)
	}
	return fmt.Sprintf(" (line %d, column %d of the %s)", at.Line, at.Column+1, what)
}
