package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// MaxContent is how many bytes a Content may have.
const MaxContent = 16 << 20

// Content is a compiled expression whose result is the content of a message. It is safe
// for concurrent use.
type Content struct{ *program }

// CompileContent compiles an expression that yields content, over all names.
func CompileContent(expression string) (*Content, error) {
	program, err := compile(expression, names, reflect.Invalid)
	if err != nil {
		return nil, err
	}
	if t := program.code.Node().Type(); t.Kind() == reflect.Func {
		return nil, fmt.Errorf("expected text or a value for JSON, but got %s", t)
	}
	return &Content{program}, nil
}

// Write evaluates the expression. A string is the content as it is, which isText reports.
// Any other value is written as JSON.stringify writes it, with the names of an object in
// order. What is written counts against the budget of the View.
func (c *Content) Write(v *View) (content []byte, isText bool, err error) {
	result, err := v.run(c.program)
	if err != nil {
		return nil, false, err
	}
	defer func() {
		if r := recover(); r != nil {
			content, err = nil, reasonOf(r)
		}
	}()
	w := writer{budget: &v.budget}
	if text, ok := result.(string); ok {
		w.reserve(len(text))
		return append(w.content, text...), true, nil
	}
	w.value(result, 0)
	return w.content, false, nil
}

func reasonOf(panicked any) error {
	if err, ok := panicked.(error); ok {
		return err
	}
	return fmt.Errorf("evaluating: %v", panicked)
}

var errContent = fmt.Errorf("the result is longer than %d bytes", MaxContent)

// writer writes a value as JSON. It panics where that is impossible or too much.
type writer struct {
	budget  *budget
	content []byte
	members []member // of the objects that are being written
}

// What it costs to write a value, and besides that a number with a fraction and a name.
const (
	valueSteps  = 8
	numberSteps = 16
	nameSteps   = 20
)

// reserve spends what n more bytes cost, and makes room for them. Growing content is
// copied each time that it doubles.
func (w *writer) reserve(n int) {
	if len(w.content)+n > MaxContent {
		panic(errContent)
	}
	w.budget.spend(n/2, 3*n)
	if cap(w.content)-len(w.content) < n {
		w.content = slices.Grow(w.content, max(n, len(w.content)))
	}
}

func (w *writer) raw(text string) {
	w.reserve(len(text))
	w.content = append(w.content, text...)
}

// text writes a string. What escapes add is known only when they are written, and is six
// times the string at most.
func (w *writer) text(s string) {
	w.reserve(len(s) + 2)
	before := len(w.content)
	w.content = payload.AppendString(w.content, s)
	if added := len(w.content) - before - len(s) - 2; added > 0 {
		w.budget.spend(4*added, 3*added)
	}
	if len(w.content) > MaxContent {
		panic(errContent)
	}
}

func (w *writer) value(value any, depth int) {
	w.budget.spend(valueSteps, 0)
	if depth > maxNesting {
		w.budget.refuse()
	}
	switch x := value.(type) {
	case nil:
		w.raw("null")
	case bool:
		w.raw(strconv.FormatBool(x))
	case string:
		w.text(x)
	case int:
		w.raw(strconv.Itoa(x))
	case float64:
		w.number(x)
	case payload.Integer:
		w.raw(string(x))
	case []any:
		w.raw("[")
		for i, element := range x {
			w.comma(i)
			w.value(element, depth+1)
		}
		w.raw("]")
	case map[string]any:
		w.expect(len(x))
		for name, value := range x {
			w.members = append(w.members, member{name, value})
		}
		w.object(len(x), depth)
	default:
		w.other(value, depth)
	}
}

// number writes a number as JSON.stringify does, but for those that are none.
func (w *writer) number(f float64) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		panic(fmt.Errorf("JSON has no number %v", f))
	}
	w.budget.spend(numberSteps, 0)
	format := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	text := strconv.FormatFloat(f, format, -1, 64)
	w.raw(strings.Replace(text, "e-0", "e-", 1))
}

func (w *writer) comma(i int) {
	if i > 0 {
		w.raw(",")
	}
}

// member is a member of an object.
type member struct {
	name  string
	value any
}

// expect spends what an object of n members costs.
func (w *writer) expect(n int) { w.budget.spend(n*(nameSteps+2*bits.Len(uint(n))), 64*n) }

// object writes the last n members as an object, and forgets them.
func (w *writer) object(n, depth int) {
	first := len(w.members) - n
	if n > 1 {
		slices.SortFunc(w.members[first:], func(a, b member) int { return strings.Compare(a.name, b.name) })
	}
	w.raw("{")
	for i := range n {
		m := w.members[first+i] // members within this one may move the others
		w.comma(i)
		w.text(m.name)
		w.raw(":")
		w.value(m.value, depth+1)
	}
	w.raw("}")
	w.members = w.members[:first]
}

// other writes what only expressions make, such as the groups of groupBy, a time or the
// day of a week.
func (w *writer) other(value any, depth int) {
	v := reflect.ValueOf(value)
	_, writesItself := value.(json.Marshaler)
	switch kind := v.Kind(); {
	case !writesItself && (kind == reflect.Slice || kind == reflect.Array):
		w.raw("[")
		for i := range v.Len() {
			w.comma(i)
			w.value(v.Index(i).Interface(), depth+1)
		}
		w.raw("]")
	case !writesItself && kind == reflect.Map:
		w.expect(v.Len())
		for entries := v.MapRange(); entries.Next(); {
			w.members = append(w.members, member{nameOf(entries.Key().Interface()), entries.Value().Interface()})
		}
		w.object(v.Len(), depth)
	case kind == reflect.Func:
		panic(errors.New("a function cannot be written as JSON"))
	default:
		text, err := json.Marshal(value)
		if err != nil || string(text) == "{}" { // nothing of it is for others
			panic(fmt.Errorf("a %T cannot be written as JSON", value))
		}
		w.raw(string(text))
	}
}

// nameOf is the name that a key of a map has in JSON.
func nameOf(key any) string {
	if key == nil {
		return "null"
	}
	name, err := text(key)
	if err != nil {
		panic(err)
	}
	return name
}
