package template

import (
	"cmp"
	"net/textproto"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// Of returns the template of a named value in a part of a request. The parts have
// the words of a Caddyfile: header, query, form, json (or body), and path, which is
// the last segment of the path.
func Of(part, name string) string {
	switch part {
	case "path":
		return "{path|last}"
	case "body":
		part = "json"
	}
	return "{" + part + "." + name + "}"
}

// Place returns the part of the request, and the name there, that the template
// reads. The part is path for {path|last}, and "" for every template that is more
// than one bare placeholder.
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

// Header returns the header that the template reads unchanged; "" if the template
// reads anything else.
func (t Template) Header() string {
	if part, name := t.Place(); part == "header" {
		return name
	}
	return ""
}

// HeaderIn returns the canonical name of the header that a template reads unchanged;
// "" if the template reads anything else. The template need not be compiled, and its
// name may hold braces.
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

// Where says where a template reads a value: the name of a header as it is written,
// or the template itself.
func Where(text string) string { return cmp.Or(headerName(text), text) }

// Words says where a template reads a value in the words of a Caddyfile: header
// X-Name, query name, path.
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

// MayHold reports whether a request may hold what the template reads, without
// parsing body or query. Most requests are no handshake and end here.
func (t Template) MayHold(r *Request) bool {
	if len(t) != 1 {
		return true
	}
	switch p := &t[0]; {
	case p.text == "":
		return true
	case p.name == "json":
		return p.path.Mentioned(r.Body)
	case p.name == "query":
		return strings.ContainsAny(r.RawQuery, "%+") || strings.Contains(r.RawQuery, p.text)
	}
	return true
}

// Path returns the path of the value that the template reads in JSON. There is none,
// which leads to the whole, if the template is not one {json.…} as it is.
func (t Template) Path() payload.Path {
	if part, _ := t.Place(); part == "json" {
		return t[0].path
	}
	return payload.Path{}
}
