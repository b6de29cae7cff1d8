package rules

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/vm/runtime"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// maxReasons is how many operands an explanation has, and maxShown how many bytes of
// each value.
const (
	maxReasons = 6
	maxShown   = 60
)

// Why says what a rule that does not hold has seen of a webhook: the operands that it
// came to, with their values. It returns "" for a rule that holds or fails.
func (r *Rule) Why(in *Input) string {
	v := NewView(in)
	defer v.Free()
	if holds, err := r.Match(v); holds || err != nil {
		return ""
	}
	return v.reasons(r.operands, func(op *operand, value any) string {
		if value == nil {
			return v.nothing(op)
		}
		return op.shown + " is " + shown(value)
	})
}

// reasons says something of each operand that was fetched, unless that is nothing.
func (v *View) reasons(operands []*operand, say func(*operand, any) string) string {
	var all []string
	told := make(map[operandID]bool)
	for _, op := range operands {
		value, fetched := v.found[op.id]
		if _, failed := value.(failure); !fetched || failed || told[op.id] || len(all) == maxReasons {
			continue
		}
		told[op.id] = true
		if reason := say(op, value); reason != "" {
			all = append(all, reason)
		}
	}
	return strings.Join(all, ", ")
}

// nothing says why an operand is nil.
func (v *View) nothing(op *operand) string {
	return op.shown + " is " + v.nullOrMissing(op.path)
}

func (v *View) nullOrMissing(path []step) string {
	if d := v.document(); d.err == nil && v.isNull(d, path) {
		return "null"
	}
	return "missing"
}

// isNull reports whether what a path leads to stands there as null.
func (v *View) isNull(d *document, path []step) (null bool) {
	defer func() { _ = recover() }() // it was looked up already, and did not fail
	if !d.isJSON {
		form, _ := d.value.(map[string]any)
		if len(path) == 0 {
			return false
		}
		key, _ := path[0].key.(string)
		text, isField := form[key].(string)
		if isField && len(path) > 1 {
			d, path = v.insideText(text), path[1:]
		} else {
			d = v.onlyField(d, path)
		}
		return d != nil && v.isNull(d, path)
	}
	found, left := follow(d.json.Root(), path)
	if len(left) > 0 && found.Kind() == payload.String {
		inner := v.insideValue(found)
		return inner != nil && v.isNull(inner, left)
	}
	return found.Kind() == payload.Null
}

// explained adds to an error what operands it is about: those that are missing, or
// else the types of all. Values have no place in a log.
func (v *View) explained(err error, operands []*operand) error {
	message := err.Error()
	if errors.Is(err, ErrBudget) || !isAboutTypes.MatchString(message) {
		return err
	}
	why := v.reasons(operands, func(op *operand, value any) string {
		if value == nil {
			return v.nothing(op)
		}
		return ""
	})
	if why == "" || !strings.Contains(message, "nil") && !strings.Contains(message, "missing") {
		why = v.reasons(operands, func(op *operand, value any) string { return op.shown + " is " + kindOf(value) })
	}
	if why == "" {
		return err
	}
	return fmt.Errorf("%s: %w", why, err)
}

// isAboutTypes matches what expr says where an operator or function got a value that
// it cannot take.
var isAboutTypes = regexp.MustCompile(`^(invalid operation|interface conversion|invalid argument|invalid type|cannot|operator|reflect|int\(|.* is looked up in)`)

// member returns a member or an element of a value, as expr does. It panics with what
// is wrong, in words about the webhook.
func (v *View) member(value any, path []step, i int) any {
	key := path[i].key
	switch x := value.(type) {
	case map[string]any:
		if name, ok := key.(string); ok {
			return x[name]
		}
	case []any:
		index, ok := key.(int)
		if ok && index < len(x) {
			return x[index]
		}
		if ok {
			panic(fmt.Sprintf("%s has %d elements, so it has no %s", shownPath(path[:i]), len(x), shownStep(key)))
		}
	case string:
		if index, ok := key.(int); ok && index < len(x) {
			return runtime.Fetch(value, key)
		}
	}
	kind := kindOf(value)
	switch value.(type) {
	case nil:
		kind = v.nullOrMissing(path[:i])
	case string:
		kind += " that is no JSON"
	}
	panic(fmt.Sprintf("%s is %s, so it has no %s", shownPath(path[:i]), kind, shownStep(key)))
}

// kindOf says what a value is.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null or missing"
	case bool:
		return "a boolean"
	case string:
		return "text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	switch reflect.TypeOf(value).Kind() {
	case reflect.Int, reflect.Int64, reflect.Float64, reflect.String: // of payload.Integer
		return "a number"
	case reflect.Map:
		return "a map"
	}
	return fmt.Sprintf("a %T", value)
}

// shown is a value as people read it.
func shown(value any) string {
	switch x := value.(type) {
	case string:
		if len(x) > maxShown {
			return strconv.Quote(strings.ToValidUTF8(x[:maxShown], "")) + "…"
		}
		return strconv.Quote(x)
	case []any:
		return fmt.Sprintf("a list of %d", len(x))
	case map[string]any:
		return "an object"
	}
	if reflect.TypeOf(value).Kind() == reflect.Map {
		return "a map"
	}
	return fmt.Sprint(value)
}

// shownPath is a path below body as one writes it.
func shownPath(path []step) string {
	var b strings.Builder
	b.WriteString("body")
	for _, s := range path {
		if name, ok := s.key.(string); ok && isWord(name) {
			b.WriteByte('.')
		}
		b.WriteString(shownStep(s.key))
	}
	return b.String()
}

// shownStep is a key as one writes it.
func shownStep(key any) string {
	name, ok := key.(string)
	switch {
	case !ok:
		return fmt.Sprintf("[%v]", key)
	case isWord(name):
		return name
	}
	return "[" + strconv.Quote(name) + "]"
}

// isWord reports whether a name may stand behind a dot.
func isWord(name string) bool {
	for i, r := range name {
		letter := r == '_' || r == '$' || 'a' <= r|0x20 && r|0x20 <= 'z' && r < utf8.RuneSelf
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}
