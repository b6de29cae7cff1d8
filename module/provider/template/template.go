// Package template says where a value stands in a request, and makes texts from what
// requests hold: {header.X-Name}, {timestamp}.{body}, {json.a.b|lower}. It is the one
// language for that, in proofs, handshakes and keys.
package template

import (
	"fmt"
	"io"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// shorthands are the placeholders to which Caddy expands its shorthands in a site
// block, with their spelling in templates.
var shorthands = strings.NewReplacer(
	"{http.request.method}", "{method}",
	"{http.request.host}", "{host}",
	"{http.request.scheme}", "{scheme}",
	"{http.request.uri.path}", "{path}",
	"{http.request.uri.query}", "{query}",
	"{http.request.uri.query.", "{query.",
	"{http.request.header.", "{header.",
)

// Short undoes Caddy's expansion of its own shorthands: {http.request.header.X}
// becomes {header.X}.
func Short(text string) string { return shorthands.Replace(text) }

// piece is a part of a template: a placeholder or literal text.
type piece struct {
	name  string // "" for literal text
	text  string // the text, or what follows the dot in {header.X-Name}
	steps []step // what is done to the placeholder's text, in this order
}

// splitTemplate cuts a template into literals and placeholders such as {body},
// {header.X-Name} and {body|sha256|hex}. A doubled brace stands for itself.
func splitTemplate(template string) ([]piece, error) {
	var pieces []piece
	literal, rest := "", Short(template)
	for rest != "" {
		text, after, found := strings.Cut(rest, "{")
		literal += text
		if after, doubled := strings.CutPrefix(after, "{"); doubled {
			literal, rest = literal+"{", after
			continue
		}
		if !found {
			break
		}
		inside, tail, closed := strings.Cut(after, "}")
		if !closed {
			return nil, fmt.Errorf("template %q: a { is not closed", template)
		}
		p, err := parsePlaceholder(inside)
		if err != nil {
			return nil, fmt.Errorf("template %q: %v", template, err)
		}
		if literal != "" {
			pieces = append(pieces, piece{text: literal})
		}
		pieces = append(pieces, p)
		literal, rest = "", tail
	}
	if literal != "" {
		pieces = append(pieces, piece{text: literal})
	}
	return pieces, nil
}

func parsePlaceholder(inside string) (piece, error) {
	source, functions, piped := strings.Cut(inside, "|")
	name, of, _ := strings.Cut(source, ".")
	if name == "header" {
		of = textproto.CanonicalMIMEHeaderKey(of)
	}
	p := piece{name: name, text: of}
	if name == "" {
		return p, fmt.Errorf("{%s} has no name", inside)
	}
	if !piped {
		return p, nil
	}
	for text := range strings.SplitSeq(functions, "|") {
		s, err := parseStep(text)
		if err != nil {
			return p, fmt.Errorf("{%s}: %v", inside, err)
		}
		p.steps = append(p.steps, s)
	}
	return p, nil
}

// String returns the placeholder as it is written, without what is done to it.
func (p piece) String() string {
	if p.text == "" {
		return "{" + p.name + "}"
	}
	return "{" + p.name + "." + p.text + "}"
}

// Template is a compiled template.
type Template []piece

// The placeholders that stand alone, and those that need a name after a dot.
var (
	wholes = []string{"body", "timestamp", "method", "url", "scheme", "host", "path", "query", "form", "id", "secret"}
	named  = []string{"header", "query", "json", "form", "value"}
)

// Parse compiles a template.
func Parse(text string) (Template, error) {
	pieces, err := splitTemplate(text)
	if err != nil {
		return nil, err
	}
	for _, p := range pieces {
		known := wholes
		if p.text != "" {
			known = named
		}
		if p.name != "" && !slices.Contains(known, p.name) {
			return nil, fmt.Errorf("template %q: unknown placeholder %s; there are {body}, {timestamp}, {method}, {url}, {scheme}, {host}, {path}, {query}, {form}, {id}, {secret}, "+
				"{header.X-Name}, {query.name}, {form.name}, {json.path} and {value.name}", text, p)
		}
	}
	return pieces, nil
}

// ParseAll compiles several templates.
func ParseAll(texts []string) ([]Template, error) {
	templates := make([]Template, len(texts))
	for i, text := range texts {
		var err error
		if templates[i], err = Parse(text); err != nil {
			return nil, err
		}
	}
	return templates, nil
}

// Has reports whether the template contains any of the placeholders.
func (t Template) Has(names ...string) bool {
	return slices.ContainsFunc(t, func(p piece) bool { return p.name != "" && slices.Contains(names, p.name) })
}

// URLPlaceholders are the placeholders that read the URL that the provider called.
var URLPlaceholders = []string{"url", "scheme", "host", "path", "query"}

// ReadsBody reports whether the template reads anything in the body.
func (t Template) ReadsBody() bool { return t.Has("body", "json", "form") }

// Mentions reports whether any of the texts, as a template, contains any of the
// placeholders. A text that is no template contains none.
func Mentions(texts []string, names ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool {
		pieces, _ := splitTemplate(text) // what is wrong with it is said elsewhere
		return Template(pieces).Has(names...)
	})
}

// LocateCaptures replaces the name of each {value.name} by its position in the list
// of captured names.
func (t Template) LocateCaptures(captured []string) error {
	for i := range t {
		if t[i].name != "value" {
			continue
		}
		position := slices.Index(captured, t[i].text)
		if position < 0 {
			return fmt.Errorf("{value.%s} is signed, but stands in no value", t[i].text)
		}
		t[i].text = strconv.Itoa(position)
	}
	return nil
}

// After returns what stands behind the last placeholder of a name; nothing where there
// is none.
func (t Template) After(name string) Template {
	for i, p := range slices.Backward(t) {
		if p.name == name {
			return t[i+1:]
		}
	}
	return nil
}

// Write writes the template's text. It reports whether the request has everything
// that the template needs.
func (t Template) Write(to io.Writer, e *Env) bool {
	for i := range t {
		p := &t[i]
		if p.name == "body" && p.steps == nil {
			to.Write(e.Request.Body) // never copied
			continue
		}
		var ok bool
		if e.scratch, ok = p.append(e.scratch[:0], e); !ok {
			return false
		}
		to.Write(e.scratch)
	}
	return true
}

// Text returns the template's text; "" if the request lacks anything that the
// template needs.
func (t Template) Text(e *Env) string {
	if name := t.Header(); name != "" {
		return e.Request.HeaderValue(name)
	}
	text, _ := t.AppendTo(nil, e)
	return string(text)
}

// AppendTo appends the template's text, and reports whether the request has
// everything that the template needs. If not, nothing is appended.
func (t Template) AppendTo(to []byte, e *Env) (text []byte, ok bool) {
	text = to
	for i := range t {
		if text, ok = t[i].append(text, e); !ok {
			return to, false
		}
	}
	return text, true
}

// HasOnly reports whether the template contains no other placeholders than these.
func (t Template) HasOnly(names ...string) bool {
	return !slices.ContainsFunc(t, func(p piece) bool { return p.name != "" && !slices.Contains(names, p.name) })
}

// append appends the text of a piece.
func (p *piece) append(to []byte, e *Env) ([]byte, bool) {
	if !p.sound(e) {
		return to, false
	}
	if p.steps == nil {
		return e.append(to, p), true
	}
	text, ok := e.append(nil, p), true
	for i := range p.steps {
		if text, ok = p.steps[i].apply(e, text); !ok {
			return to, false
		}
	}
	return append(to, text...), true
}

// sound reports whether the placeholder has one clear meaning. A value that is given
// twice does not count as absent, which a signature may allow.
func (p *piece) sound(e *Env) bool {
	switch {
	case p.name == "json":
		return e.soundJSON()
	case p.name == "header":
		return len(e.Request.Header[p.text]) <= 1
	case p.name == "query" && p.text != "":
		values, err := e.queryValues()
		return err == nil && len(values[p.text]) <= 1
	case p.name == "form" && p.text == "":
		form, err := e.form()
		return err == nil && len(form) == len(e.Request.Body) // or the body would not be covered
	case p.name == "form":
		fields, err := e.FormValues()
		return err == nil && len(fields[p.text]) <= 1
	}
	return true
}
