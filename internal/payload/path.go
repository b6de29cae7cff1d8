package payload

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// Path leads to values of a JSON, and reads the names on its way strictly. The zero
// Path leads to the whole. The language is a small part of gjson's:
//
//	event.0.id                          members by name, elements by number
//	value.#.state                       of each element of an array
//	items.#(kind=="a")#.name            of the elements whose kind is a
//	items.#(kinds.#(=="a"))#.name       of the elements whose kinds have an a
//	items.#(kind=="a")#|#(ok=="b")#     of these, those whose ok is b
//	a\.b                                the member a.b
type Path struct {
	text  string
	steps []step
}

// step is one step of a path: to the member or element that has a name, to each
// element, or past those for which a condition does not hold.
type step struct {
	name  string
	index int // what the name is in an array; negative if it is no number
	each  bool
	where *condition
}

// condition is what must hold for a value: the value at a path, or some element of
// the array there, is a text.
type condition struct {
	path Path
	some bool
	text string
}

// Name is the path to the member with this very name.
func Name(name string) Path { return Path{name, []step{named(name)}} }

func named(name string) step {
	index, err := strconv.ParseUint(name, 10, 31)
	if err != nil {
		return step{name: name, index: -1}
	}
	return step{name: name, index: int(index)}
}

// ParsePath compiles a path.
func ParsePath(text string) (Path, error) {
	p := Path{text: text}
	for rest, piped := text, false; ; {
		var err error
		if rest, err = p.parseStep(rest, piped); err != nil {
			return Path{}, fmt.Errorf("path %q: %w", text, err)
		}
		if rest == "" {
			return p, nil
		}
		piped, rest = rest[0] == '|', rest[1:]
	}
}

// parseStep adds the step at the beginning of a text. The rest is empty, or begins
// with the dot or bar before the next step.
func (p *Path) parseStep(text string, piped bool) (rest string, err error) {
	if inside, isWhere := strings.CutPrefix(text, "#("); isWhere {
		inside, rest, closed := strings.Cut(inside, ")#")
		if !closed || rest != "" && rest[0] != '.' && rest[0] != '|' {
			return "", errors.New("a condition is written #(...)#")
		}
		where, err := parseCondition(inside)
		p.steps = append(p.steps, step{each: !piped, where: where})
		return rest, err
	}
	name, rest, err := cutName(text)
	switch {
	case err != nil:
		return "", err
	case piped || strings.HasPrefix(rest, "|") && !strings.HasPrefix(rest, "|#("):
		return "", errors.New("only a condition stands behind a |")
	case text[0] != '#':
		p.steps = append(p.steps, named(name))
	case name != "#" || rest == "" || rest[0] != '.':
		return "", errors.New("# stands between dots")
	default:
		p.steps = append(p.steps, step{each: true})
	}
	return rest, nil
}

// cutName cuts a name off the beginning of a path.
func cutName(text string) (name, rest string, err error) {
	var b strings.Builder
	i := 0
	for ; i < len(text) && text[i] != '.' && text[i] != '|'; i++ {
		if strings.IndexByte("*?", text[i]) >= 0 || i == 0 && strings.IndexByte("@!{[", text[i]) >= 0 {
			return "", "", fmt.Errorf(`%q is written \%c, and stands for nothing else`, text[i], text[i])
		}
		if text[i] == '\\' {
			i++
		}
		if i < len(text) {
			b.WriteByte(text[i])
		}
	}
	if b.Len() == 0 {
		return "", "", errors.New("a name is missing")
	}
	return b.String(), text[min(i, len(text)):], nil
}

// parseCondition reads path=="text", or path.#(=="text").
func parseCondition(text string) (*condition, error) {
	path, value, some := strings.Cut(text, `#(=="`)
	end := `")`
	if !some {
		path, value, _ = strings.Cut(text, `=="`)
		end = `"`
	}
	value, ended := strings.CutSuffix(value, end)
	if !ended || strings.ContainsAny(value, `"\`) {
		return nil, errors.New(`a condition is #(name=="text")# or #(name.#(=="text"))#`)
	}
	if some {
		path = strings.TrimSuffix(path, ".")
	}
	c := &condition{some: some, text: value}
	if path == "" {
		return c, nil
	}
	var err error
	if c.path, err = ParsePath(path); err == nil && !c.path.Single() {
		err = errors.New("a condition is about one value")
	}
	return c, err
}

// String returns the path as it is written.
func (p Path) String() string { return p.text }

// Single reports whether the path leads to one value at most.
func (p Path) Single() bool {
	for i := range p.steps {
		if p.steps[i].each || p.steps[i].where != nil {
			return false
		}
	}
	return true
}

// Find returns the value to which a single path leads, which may be absent. The
// error is ErrAmbiguous, or nil.
func (p Path) Find(from Value) (Value, error) {
	for i := range p.steps {
		var err error
		if from, err = p.steps[i].next(from); err != nil || !from.Exists() {
			return Value{}, err
		}
	}
	return from, nil
}

// next returns the value to which a name leads.
func (s *step) next(from Value) (Value, error) {
	if from.Kind() == Array {
		return from.Element(s.index), nil
	}
	return from.Only(s.name)
}

// All yields the values to which the path leads, an absent one for each element of
// an array that has none. It ends with the first error, which is ErrAmbiguous.
func (p Path) All(from Value) iter.Seq2[Value, error] {
	return func(yield func(Value, error) bool) { follow(p.steps, from, yield) }
}

// follow reports whether there may be more to yield.
func follow(steps []step, from Value, yield func(Value, error) bool) bool {
	if len(steps) == 0 {
		return yield(from, nil)
	}
	s := &steps[0]
	switch {
	case s.each:
		for element := range from.Elements() {
			if !s.pass(element, steps[1:], yield) {
				return false
			}
		}
		return true
	case s.where != nil:
		return s.pass(from, steps[1:], yield)
	}
	to, err := s.next(from)
	if err != nil {
		yield(Value{}, err)
		return false
	}
	return follow(steps[1:], to, yield)
}

// pass goes on with a value for which the condition holds.
func (s *step) pass(v Value, steps []step, yield func(Value, error) bool) bool {
	if s.where != nil {
		holds, err := s.where.holds(v)
		if err != nil {
			yield(Value{}, err)
			return false
		}
		if !holds {
			return true
		}
	}
	return follow(steps, v, yield)
}

func (c *condition) holds(v Value) (bool, error) {
	v, err := c.path.Find(v)
	if err != nil || !c.some {
		return v.isText(c.text), err
	}
	for element := range v.Elements() {
		if element.isText(c.text) {
			return true, nil
		}
	}
	return false, nil
}

// isText reports whether the value is a string that reads as the text.
func (v Value) isText(text string) bool {
	if v.Kind() != String {
		return false
	}
	raw := v.Raw()
	return sameText(raw[1:len(raw)-1], text, false)
}

// Mentioned reports whether a text may be JSON that has a value at the path. Most
// texts have none, and need not be parsed.
func (p Path) Mentioned(text []byte) bool {
	if len(p.steps) == 0 {
		return true
	}
	last := &p.steps[len(p.steps)-1]
	if last.name == "" || last.index >= 0 || !isPlain(last.name) {
		return true
	}
	return bytes.Contains(text, []byte(last.name)) || bytes.Contains(text, []byte(`\u`))
}

// isPlain reports whether a text stands in JSON as it is, unless as escapes with u.
func isPlain(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' || r == '/' }) < 0
}
