// Package template says where a value stands in a request, and makes texts from what
// requests hold: {header.X-Name}, {timestamp}.{body}, {json.a.b|lower}. It is the one
// language for that, in proofs, handshakes and keys.
package template

import (
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
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
	name  string       // "" for literal text
	text  string       // the text, or what follows the dot in {header.X-Name}
	path  payload.Path // of {json.…}
	steps []step       // what is done to the placeholder's text, in this order
	whole string       // the placeholder as it is written, if making its text takes much
}

// splitTemplate cuts a template into literals and placeholders such as {body},
// {header.X-Name} and {body|sha256|hex}. A doubled brace stands for itself.
func splitTemplate(template string) ([]piece, error) {
	if err := checkEscapes(template); err != nil {
		return nil, err
	}
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

// checkEscapes refuses what other languages write for a line break and the like. To a
// Caddyfile it is a backslash and a letter, which no provider signs.
func checkEscapes(template string) error {
	for _, escape := range []struct{ text, name string }{{`\n`, "line break"}, {`\r`, "carriage return"}, {`\t`, "tab"}} {
		if strings.Contains(template, escape.text) {
			return fmt.Errorf("template `%s`: %s is a backslash and a letter here, and no %s; write the template in backquotes, with a real %s in it",
				template, escape.text, escape.name, escape.name)
		}
	}
	return nil
}

func parsePlaceholder(inside string) (piece, error) {
	source, functions, piped := strings.Cut(inside, "|")
	p, err := parseSource(source)
	if err != nil || !piped {
		return p, err
	}
	for text := range strings.SplitSeq(functions, "|") {
		s, err := parseStep(text)
		if err != nil {
			return p, fmt.Errorf("{%s}: %v", inside, err)
		}
		if last := len(p.steps) - 1; last >= 0 && p.steps[last].join(&s) {
			continue
		}
		p.steps = append(p.steps, s)
	}
	content := p.name == "body" || p.name == "form" // which may be long
	if content && slices.ContainsFunc(p.steps, func(s step) bool { return s.pairs != nil }) {
		p.whole = inside
	}
	return p, nil
}

// parseSource reads what a placeholder stands for before anything is done to it.
func parseSource(source string) (p piece, err error) {
	dotted := false
	p.name, p.text, dotted = strings.Cut(source, ".")
	switch {
	case p.name == "" || dotted && p.text == "":
		err = fmt.Errorf("{%s} has no name", source)
	case p.name == "header" && p.text != "" && !httpguts.ValidHeaderFieldName(strings.TrimSuffix(p.text, "{n")): // of several
		err = fmt.Errorf("{%s}: no header has the name %q", source, p.text)
	case p.name == "header":
		p.text = textproto.CanonicalMIMEHeaderKey(p.text)
		if err = CheckHeader(p.text); err != nil {
			err = fmt.Errorf("{%s}: %v", source, err)
		}
	case p.name == "json" && p.text != "":
		p.path, err = payload.ParsePath(p.text)
	}
	return p, err
}

// CheckHeader refuses a header that no request has by the time it is read.
func CheckHeader(name string) error {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Host":
		return errors.New("net/http takes Host out of the headers, so it would never be found; write {host}")
	case "Transfer-Encoding":
		return errors.New("net/http removes the header Transfer-Encoding, so it would never be found; leave it out")
	}
	return nil
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

// Parse compiles a template. Its paths lead to one value each.
func Parse(text string) (Template, error) {
	t, err := ParseSeveral(text)
	if err == nil && t.Several() {
		err = fmt.Errorf("template %q: the path leads to several values, which only a token may", text)
	}
	return t, err
}

// Several reports whether a path in the template leads to several values.
func (t Template) Several() bool {
	return slices.ContainsFunc(t, func(p piece) bool { return !p.path.Single() })
}

// ParseSeveral compiles a template whose path may lead to several values.
func ParseSeveral(text string) (Template, error) {
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

// HasWhole reports whether the template contains all that one of the placeholders stands
// for, as it is, encoded or as a hash.
func (t Template) HasWhole(names ...string) bool {
	return slices.ContainsFunc(t, func(p piece) bool {
		return p.text == "" && slices.Contains(names, p.name) && !slices.ContainsFunc(p.steps, func(s step) bool { return !slices.Contains(wholeSteps, s.name) })
	})
}

// wholeSteps are functions whose text depends on each byte of what they are given.
var wholeSteps = []string{"sha1", "sha256", "sha384", "sha512", "md5", "hex", "base64", "base64url"}

// Source returns the part of the request that the template reads, and the name there, if
// it is one placeholder for which nothing stands in.
func (t Template) Source() (part, name string) {
	if len(t) != 1 || slices.ContainsFunc(t[0].steps, func(s step) bool { return s.or != nil }) {
		return "", ""
	}
	return t[0].name, t[0].text
}

// Constant reports whether the template gives the same text for every request.
func (t Template) Constant() bool {
	return !slices.ContainsFunc(t, func(p piece) bool { return p.name != "" })
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

// CaptureNames returns the names of the {value.name} in the template, each once.
func (t Template) CaptureNames() (names []string) {
	for _, p := range t {
		if p.name == "value" && !slices.Contains(names, p.text) {
			names = append(names, p.text)
		}
	}
	return names
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
			return fmt.Errorf("{value.%s} is signed, but no value contains it", t[i].text)
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
		p := t[i]
		write := plainly
		if last := len(p.steps) - 1; last >= 0 && inPieces[p.steps[last].name] != nil {
			write, p.steps = inPieces[p.steps[last].name], p.steps[:last]
		}
		text, ok := p.read(e)
		if !ok || !write(to, text) {
			return false
		}
	}
	return true
}

// inPieces are the functions whose text may take several times the memory, and is written
// piece by piece.
var inPieces = map[string]func(to io.Writer, text []byte) bool{"quote": writeQuoted, "ascii": writeASCII}

func appendEscape(to []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(to, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

func plainly(to io.Writer, text []byte) bool {
	to.Write(text)
	return true
}

// writeASCII writes a text with escapes of JSON for what is beyond ASCII. It reports
// whether there was any, and no byte that is no text.
func writeASCII(to io.Writer, text []byte) bool {
	if !utf8.Valid(text) || !slices.ContainsFunc(text, func(c byte) bool { return c >= utf8.RuneSelf }) {
		return false
	}
	const pieceSize = 4 << 10
	memory := make([]byte, 0, pieceSize+12)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch high, low := utf16.EncodeRune(r); {
		case size == 1:
			memory = append(memory, text[0])
		case high != utf8.RuneError:
			memory = appendEscape(appendEscape(memory, high), low)
		default:
			memory = appendEscape(memory, r)
		}
		if text = text[size:]; len(memory) >= pieceSize || len(text) == 0 {
			to.Write(memory)
			memory = memory[:0]
		}
	}
	return true
}

// writeQuoted writes a text as a string of JSON, piece by piece.
func writeQuoted(to io.Writer, text []byte) bool {
	const pieceSize = 2 << 10
	memory := make([]byte, 0, 6*pieceSize)
	io.WriteString(to, `"`)
	for len(text) > 0 {
		end := len(text)
		if end > pieceSize {
			end = pieceSize
			for back := range utf8.UTFMax { // no character is cut
				if utf8.RuneStart(text[pieceSize-back]) {
					end = pieceSize - back
					break
				}
			}
		}
		to.Write(payload.AppendInside(memory, text[:end]))
		text = text[end:]
	}
	io.WriteString(to, `"`)
	return true
}

// MaxText is the longest text, in bytes, that a value of the content may have where
// it is a signature, a token, a time or the like.
const MaxText = 16 << 10

// ShortText returns the text of a value; "" if it is longer than MaxText.
func ShortText(v payload.Value) string {
	if len(v.Raw()) > 6*MaxText { // a character of one byte is written with six at most
		return ""
	}
	if text := v.Text(); len(text) <= MaxText {
		return text
	}
	return ""
}

// Text returns the template's text, "" where the request lacks what it needs, or
// where the text is longer than MaxText.
func (t Template) Text(e *Env) string {
	if name := t.Header(); name != "" {
		return e.Request.HeaderValue(name)
	}
	if path := t.Path(); path.String() != "" && path.Single() {
		value, _ := e.JSON(&path)
		return ShortText(value)
	}
	text, ok := t.Bytes(e)
	if !ok || len(text) > MaxText {
		return ""
	}
	return string(text)
}

// Bytes returns the template's text, which is good until the next text is made and
// must not be changed. It reports whether the request has what the template needs.
func (t Template) Bytes(e *Env) (text []byte, ok bool) {
	if len(t) == 1 {
		return t[0].read(e)
	}
	return t.AppendTo(nil, e)
}

// AppendTo appends the template's text, and reports whether the request has
// everything that the template needs. If not, nothing is appended.
func (t Template) AppendTo(to []byte, e *Env) (text []byte, ok bool) {
	text = to
	for i := range t {
		more, ok := t[i].read(e)
		if !ok {
			return to, false
		}
		text = append(text, more...)
	}
	return text, true
}

// HasOnly reports whether the template contains no other placeholders than these.
func (t Template) HasOnly(names ...string) bool {
	return !slices.ContainsFunc(t, func(p piece) bool { return p.name != "" && !slices.Contains(names, p.name) })
}

// read returns the text of a piece, which is good until the next one is read. It may
// be the request's own, and must not be changed.
func (p *piece) read(e *Env) (text []byte, ok bool) {
	switch {
	case !p.sound(e):
		return nil, false
	case p.whole != "" && p.whole == e.madeOf:
		return e.made, true
	case p.name == "body":
		text = e.Request.Body
	case p.name == "form" && p.text == "":
		text, _ = e.form()
	case p.name == "json":
		value, _ := e.JSON(&p.path)
		text = value.Bytes()
	default:
		e.scratch = e.append(e.scratch[:0], p)
		text = e.scratch
	}
	for i := range p.steps {
		if text, ok = p.steps[i].apply(e, text); !ok {
			return nil, false
		}
	}
	if p.whole != "" {
		e.madeOf, e.made = p.whole, text
	}
	return text, true
}

// sound reports whether there is no doubt about what the placeholder stands for.
// What is given twice is not as good as absent, which a signature may allow.
func (p *piece) sound(e *Env) (ok bool) {
	var fields payload.Fields
	var err error
	switch {
	case p.name == "json":
		_, err = e.JSON(&p.path)
		return err == nil && p.path.Single()
	case p.name == "header":
		return len(e.Request.Header[p.text]) <= 1
	case p.name == "form" && p.text == "":
		form, err := e.form()
		return err == nil && len(form) == len(e.Request.Body) // or the body would not be covered
	case p.name == "query" && p.text != "":
		fields, err = e.query()
	case p.name == "form":
		fields, err = e.formFields()
	default:
		return true
	}
	if err == nil {
		_, err = fields.Only(p.text)
	}
	return err == nil
}
