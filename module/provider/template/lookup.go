package template

import (
	"bytes"
	"cmp"
	"net/textproto"
	"regexp"
	"strings"
)

// Of returns the template of what stands under a name in a part of a request, in the
// words of a Caddyfile: header, query, form, json (or body), or path, which is the
// last segment of the path.
func Of(part, name string) string {
	switch part {
	case "path":
		return "{path|last}"
	case "body":
		part = "json"
	}
	return "{" + part + "." + name + "}"
}

// Place returns the part of a request, and the name there, of a template that is one
// placeholder as it is. The part is path for {path|last}, and "" for any other
// template.
func (t Template) Place() (part, name string) {
	if len(t) != 1 || t[0].name == "" {
		return "", ""
	}
	p := &t[0]
	switch {
	case p.steps == nil:
		return p.name, p.text
	case p.name == "path" && len(p.steps) == 1 && p.steps[0].name == "last":
		return "path", ""
	}
	return "", ""
}

// Header returns the header that the template reads, as it is; "" if the template
// reads anything else.
func (t Template) Header() string {
	if part, name := t.Place(); part == "header" {
		return name
	}
	return ""
}

// HeaderIn returns the canonical name of the header that a text, as a template,
// reads as it is; "" if it reads anything else. The name may hold braces.
func HeaderIn(text string) string {
	return textproto.CanonicalMIMEHeaderKey(headerName(text))
}

func headerName(text string) string {
	name, is := strings.CutPrefix(text, "{header.")
	name, ends := strings.CutSuffix(name, "}")
	if !is || !ends || strings.Contains(name, "|") {
		return ""
	}
	return name
}

// Where says where a text, as a template, reads a value: the name of a header as it
// is written, or the template.
func Where(text string) string { return cmp.Or(headerName(text), text) }

// Words says the same in words: header X-Name, query name, path.
func Words(text string) string {
	if name := headerName(text); name != "" {
		return "header " + name
	}
	inside := strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	switch {
	case inside == "path|last":
		return "path"
	case strings.ContainsAny(inside, "{|}"):
		return text
	}
	part, name, named := strings.Cut(inside, ".")
	if !named {
		return part
	}
	return part + " " + name
}

// MayHold reports, without parsing the body or the query, whether a request may hold
// what the template reads: most requests are no handshake.
func (t Template) MayHold(r *Request) bool {
	if len(t) != 1 {
		return true
	}
	switch p := &t[0]; {
	case p.text == "":
		return true
	case p.name == "json":
		last := p.text[strings.LastIndexByte(p.text, '.')+1:]
		position := !plainName.MatchString(last) || last[0] <= '9' // or something else that does not stand for itself
		return position || bytes.Contains(r.Body, []byte(last))
	case p.name == "query":
		return strings.ContainsAny(r.RawQuery, "%+") || strings.Contains(r.RawQuery, p.text)
	}
	return true
}

// plainName is a name that stands for itself in a path.
var plainName = regexp.MustCompile(`\A[A-Za-z0-9_-]{1,128}\z`)
