package provider

import (
	"fmt"
	"iter"
	"net/textproto"
	"strings"
	"unicode/utf8"
)

// shorthands are the placeholders of templates as Caddy spells them after it
// has expanded its own shorthands in a site block.
var shorthands = strings.NewReplacer(
	"{http.request.method}", "{method}",
	"{http.request.uri.path}", "{path}",
	"{http.request.uri.query}", "{query}",
	"{http.request.header.", "{header.",
)

// piece is a part of a template: a placeholder's name, or literal text.
type piece struct {
	name string // "" for literal text
	text string // the text, or the header of a {header.…}
}

// splitTemplate cuts a template into literals and placeholders.
func splitTemplate(template string) ([]piece, error) {
	var pieces []piece
	rest := shorthands.Replace(template)
	for rest != "" {
		literal, after, found := strings.Cut(rest, "{")
		if literal != "" {
			pieces = append(pieces, piece{text: literal})
		}
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return nil, fmt.Errorf("template %q: a { is not closed", template)
		}
		p := piece{name: name}
		if header, ok := strings.CutPrefix(name, "header."); ok {
			p = piece{name: "header", text: textproto.CanonicalMIMEHeaderKey(header)}
		}
		pieces = append(pieces, p)
		rest = tail
	}
	return pieces, nil
}

// signedTemplate says what a signature covers.
type signedTemplate []piece

func parseSigned(template string) (signedTemplate, error) {
	pieces, err := splitTemplate(template)
	if err != nil {
		return nil, err
	}
	for _, p := range pieces {
		switch p.name {
		case "", "body", "timestamp", "method", "url", "path", "query", "id", "header":
		default:
			return nil, fmt.Errorf("template %q: unknown placeholder {%s}; there are {body}, {timestamp}, {method}, {url}, {path}, {query}, {id} and {header.X-Name}", template, p.name)
		}
	}
	return pieces, nil
}

// has reports whether the template contains a placeholder.
func (t signedTemplate) has(name string) bool {
	for _, p := range t {
		if p.name == name {
			return true
		}
	}
	return false
}

// valueTemplate says how a header's value is made up: items such as
// t={timestamp} and v1={signature}, each any number of times.
type valueTemplate struct {
	items     []valueItem
	separator string // "" = white space, and commas where no prefix has one
}

type valueItem struct {
	prefix, name string // name: signature or timestamp
}

func parseValue(template, hash string) (valueTemplate, error) {
	pieces, err := splitTemplate(strings.ReplaceAll(template, "{hash}", hash))
	if err != nil {
		return valueTemplate{}, err
	}
	var v valueTemplate
	prefix, signatures := "", 0
	for i, p := range pieces {
		switch p.name {
		case "":
			prefix = p.text
			if i == len(pieces)-1 {
				return v, fmt.Errorf("template %q: text after the last placeholder", template)
			}
			continue
		case "signature":
			signatures++
		case "timestamp":
		default:
			return v, fmt.Errorf("template %q: unknown placeholder {%s}; there are {signature}, {timestamp} and {hash}", template, p.name)
		}
		if len(v.items) > 0 {
			if prefix == "" {
				return v, fmt.Errorf("template %q: nothing stands between two placeholders", template)
			}
			_, n := utf8.DecodeRuneInString(prefix)
			v.separator, prefix = prefix[:n], strings.TrimSpace(prefix[n:])
		}
		for _, item := range v.items {
			if item.prefix == prefix {
				return v, fmt.Errorf("template %q: two placeholders look alike; write something before them, as in t={timestamp},v1={signature}", template)
			}
		}
		v.items = append(v.items, valueItem{prefix, p.name})
		prefix = ""
	}
	if signatures != 1 {
		return v, fmt.Errorf("template %q: {signature} must stand in it once", template)
	}
	return v, nil
}

// split yields the items of a header's value.
func (v *valueTemplate) split(value string) iter.Seq[string] {
	if v.separator != "" {
		return strings.SplitSeq(value, v.separator)
	}
	comma := !strings.Contains(v.items[0].prefix, ",")
	return strings.FieldsFuncSeq(value, func(r rune) bool {
		return r == ' ' || r == '\t' || comma && r == ','
	})
}

// maxSignatures bounds the work that one header can ask for.
const maxSignatures = 16

// parse finds timestamp and signatures in a header's value, appending the
// latter to signatures.
func (v *valueTemplate) parse(value string, signatures []string) (timestamp string, _ []string) {
	for item := range v.split(value) {
		switch name, text := v.read(strings.TrimSpace(item)); {
		case text == "":
		case name == "timestamp" && timestamp == "":
			timestamp = text
		case name == "signature" && len(signatures) < maxSignatures:
			signatures = append(signatures, text)
		}
	}
	return timestamp, signatures
}

// read tells which placeholder an item stands for, the longest prefix deciding,
// and what it says.
func (v *valueTemplate) read(item string) (name, text string) {
	longest := -1
	for i := range v.items {
		rest, ok := strings.CutPrefix(item, v.items[i].prefix)
		if ok && len(v.items[i].prefix) > longest {
			longest, name, text = len(v.items[i].prefix), v.items[i].name, rest
		}
	}
	return name, text
}

// format makes a header's value.
func (v *valueTemplate) format(signature, timestamp string) string {
	var b strings.Builder
	for i, item := range v.items {
		if i > 0 {
			b.WriteString(v.separator)
		}
		b.WriteString(item.prefix)
		if item.name == "timestamp" {
			b.WriteString(timestamp)
		} else {
			b.WriteString(signature)
		}
	}
	return b.String()
}
