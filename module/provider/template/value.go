package template

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Value is the compiled form of the text that carries a signature: items such as
// t={timestamp} and v1={signature}, each any number of times.
type Value struct {
	items      []valueItem
	separators string     // "" = white space and commas, as far as no prefix has them
	positional bool       // prefixes tell nothing, so the order does
	separates  *[256]bool // the bytes of separators; nil if not all are ASCII
	quoted     bool       // what stands in quotes is not cut
	end        string     // separators behind the last item, as they are written
}

type valueItem struct {
	before  string // the separator as it is written, with white space behind it; "" of the first item
	prefix  string
	suffix  string
	name    string // signature, timestamp or value
	capture int    // of {value.name}: its position among the captures
}

// ParseValue compiles the form of a value. It adds the names of its {value.name} to
// captured.
func ParseValue(template, hash, separators string, captured *[]string) (Value, error) {
	v := Value{separators: separators}
	pieces, err := splitTemplate(strings.ReplaceAll(template, "{hash}", hash))
	if err != nil {
		return v, err
	}
	prefix, signatures := "", 0
	for _, p := range pieces {
		if p.name == "" {
			prefix = v.unquote(p.text)
			continue
		}
		item := valueItem{name: p.name}
		switch {
		case p.steps != nil:
			return v, fmt.Errorf("template %q: a value takes no functions", template)
		case p.name == "signature" && p.text == "":
			signatures++
		case p.name == "timestamp" && p.text == "":
		case p.name == "value" && p.text != "":
			item.capture = capturePosition(captured, p.text)
			if item.capture >= len(captures{}) {
				return v, fmt.Errorf("template %q: more than %d different {value.…}", template, len(captures{}))
			}
		default:
			return v, fmt.Errorf("template %q: unknown placeholder %s; there are {signature}, {timestamp}, {hash} and {value.name}", template, p)
		}
		if len(v.items) > 0 {
			if prefix == "" {
				return v, fmt.Errorf("template %q: nothing stands between two placeholders", template)
			}
			_, n := utf8.DecodeRuneInString(prefix)
			if separators != "" && !strings.Contains(separators, prefix[:n]) {
				return v, fmt.Errorf("template %q: %q stands between two placeholders, which is none of the separators %q", template, prefix[:n], separators)
			}
			item.before = prefix[:n] + prefix[n:len(prefix)-len(strings.TrimLeft(prefix[n:], " \t"))]
			v.separators, prefix = cmp.Or(separators, prefix[:n]), strings.TrimSpace(prefix[n:])
		}
		v.positional = v.positional || slices.ContainsFunc(v.items, func(other valueItem) bool { return other.prefix == prefix })
		item.prefix = prefix
		v.items = append(v.items, item)
		prefix = ""
	}
	if signatures != 1 {
		return v, fmt.Errorf("template %q: {signature} must stand in it once", template)
	}
	if v.separators == "" {
		v.separators = v.defaultSeparators(prefix)
	}
	v.separates = bytesOf(v.separators)
	for _, item := range v.items {
		if strings.ContainsAny(item.prefix, v.separators) {
			return v, fmt.Errorf("template %q: %q before a placeholder has a separator in it, where a value is cut, so no value would ever match", template, item.prefix)
		}
	}
	if !v.finish(prefix) {
		return v, fmt.Errorf("template %q: %q behind the last placeholder has a separator in it, where a value is cut, so no value would ever match", template, prefix)
	}
	return v, nil
}

// unquote gives the quote that a text begins with to the last item, if that item begins
// with a quote. It returns the rest of the text.
func (v *Value) unquote(text string) string {
	last := len(v.items) - 1
	if last < 0 || !strings.HasSuffix(v.items[last].prefix, `"`) || !strings.HasPrefix(text, `"`) {
		return text
	}
	v.items[last].suffix, v.quoted = `"`, true
	return text[1:]
}

// finish takes the text behind the last placeholder. It reports whether a value can end
// with it.
func (v *Value) finish(text string) bool {
	if strings.Trim(text, v.separators+" \t") == "" {
		v.end = text
		return true
	}
	v.items[len(v.items)-1].suffix += text
	return !strings.ContainsAny(text, v.separators)
}

// bytesOf returns which bytes there are in a text; nil if not all are ASCII.
func bytesOf(text string) *[256]bool {
	var set [256]bool
	for _, c := range []byte(text) {
		if c >= utf8.RuneSelf {
			return nil
		}
		set[c] = true
	}
	return &set
}

func capturePosition(captured *[]string, name string) int {
	if i := slices.Index(*captured, name); i >= 0 {
		return i
	}
	*captured = append(*captured, name)
	return len(*captured) - 1
}

// defaultSeparators are those that stand neither before nor behind the only placeholder.
func (v *Value) defaultSeparators(behind string) string {
	separators := ""
	for _, set := range []string{" \t", ","} {
		if !strings.ContainsAny(v.items[0].prefix+behind, set) {
			separators += set
		}
	}
	return separators
}

// cut returns the text up to the first separator, and what is behind that.
func (v *Value) cut(value string) (text, rest string) {
	if v.separates == nil {
		return v.cutRune(value)
	}
	inside := false
	for i := range len(value) {
		if value[i] == '"' {
			inside = v.quoted && !inside
		}
		if v.separates[value[i]] && !inside {
			return value[:i], value[i+1:]
		}
	}
	return value, ""
}

func (v *Value) cutRune(value string) (text, rest string) {
	inside := false
	i := strings.IndexFunc(value, func(r rune) bool {
		if r == '"' {
			inside = v.quoted && !inside
		}
		return !inside && strings.ContainsRune(v.separators, r)
	})
	if i < 0 {
		return value, ""
	}
	_, n := utf8.DecodeRuneInString(value[i:])
	return value[:i], value[i+n:]
}

// Candidate is a signature with the values that came along with it.
type Candidate struct {
	Signature, Timestamp string
	Captured             captures
}

// SetCapture sets the {value.name} that a template is, after LocateCaptures.
func (c *Candidate) SetCapture(place Template, text string) {
	if part, at := place.Place(); part == "value" {
		c.Captured[at[0]-'0'] = text
	}
}

// capture returns the {value.name} that a template is.
func (c *Candidate) capture(place Template) string {
	_, at := place.Place()
	return c.Captured[at[0]-'0']
}

const (
	MaxSignatures = 16  // in one text
	maxCandidates = 128 // in one request
)

// Parse appends the signatures of a text.
func (v *Value) Parse(value string, to []Candidate) []Candidate {
	first, position := len(to), 0
	var common Candidate
	for rest := value; rest != ""; {
		var text string
		if text, rest = v.cut(rest); text == "" {
			continue
		}
		item, text := v.read(strings.TrimSpace(text), position)
		position++
		switch {
		case text == "":
		case item.name == "timestamp" && common.Timestamp == "":
			common.Timestamp = text
		case item.name == "value" && common.Captured[item.capture] == "":
			common.Captured[item.capture] = text
		case item.name == "signature" && len(to)-first < MaxSignatures && len(to) < maxCandidates:
			to = append(to, Candidate{Signature: text})
		}
	}
	for i := range to[first:] {
		to[first+i].Timestamp, to[first+i].Captured = common.Timestamp, common.Captured
	}
	return to
}

// read tells which placeholder an item stands for and what it says. The longest
// prefix decides; where they are the same, the position does, and the last
// placeholder may come more than once.
func (v *Value) read(text string, position int) (item valueItem, said string) {
	if v.positional {
		item = v.items[min(position, len(v.items)-1)]
		said, _ := item.cut(text)
		return item, said
	}
	longest := -1
	for i := range v.items {
		rest, ok := v.items[i].cut(text)
		if ok && len(v.items[i].prefix) > longest {
			longest, item, said = len(v.items[i].prefix), v.items[i], rest
		}
	}
	return item, said
}

// cut returns what stands between prefix and suffix; "" and false without them.
func (i *valueItem) cut(text string) (said string, ok bool) {
	said, begins := strings.CutPrefix(text, i.prefix)
	said, ends := strings.CutSuffix(said, i.suffix)
	if !begins || !ends || strings.HasPrefix(i.suffix, `"`) && strings.Contains(said, `"`) {
		return "", false
	}
	return said, true
}

// Format writes the text that carries a signature, as the template has it: receivers
// may cut it at nothing but the separator that the provider writes.
func (v *Value) Format(c *Candidate) string {
	var b strings.Builder
	for _, item := range v.items {
		b.WriteString(item.before)
		b.WriteString(item.prefix)
		switch item.name {
		case "timestamp":
			b.WriteString(c.Timestamp)
		case "value":
			b.WriteString(c.Captured[item.capture])
		default:
			b.WriteString(c.Signature)
		}
		b.WriteString(item.suffix)
	}
	b.WriteString(v.end)
	return b.String()
}
