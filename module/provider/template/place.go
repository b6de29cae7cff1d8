package template

import (
	"bytes"
	"fmt"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Place is where a value stands in a request.
type Place struct {
	// The part of the request: header, query, form (fields of an urlencoded
	// body) or body (JSON).
	In string `json:"in,omitempty"`

	// The name there. In the body it is a path, such as event.0.id.
	Name string `json:"name,omitempty"`
}

var places = []string{"header", "query", "form", "body"}

func (p *Place) Check() error {
	switch {
	case !slices.Contains(places, p.In):
		return fmt.Errorf("%q is no part of a request: want %s", p.In, strings.Join(places, ", "))
	case p.Name == "":
		return fmt.Errorf("%s needs a name", p.In)
	}
	return nil
}

func (p *Place) Canonicalize() {
	if p.In == "header" {
		p.Name = textproto.CanonicalMIMEHeaderKey(p.Name)
	}
}

func (p *Place) InBody() bool { return p.In == "body" || p.In == "form" }

// find returns the value that stands once at the place: text as it reads, any
// other JSON as it is written.
func (p *Place) Find(r *Request) (string, bool) {
	switch p.In {
	case "header":
		return r.HeaderValue(p.Name), len(r.Header[p.Name]) > 0
	case "query":
		return pairValue(r.RawQuery, p.Name)
	}
	e := NewEnv(r, nil)
	defer e.Free()
	found := ""
	switch {
	case p.In == "form":
		fields, _ := e.FormValues()
		found = Only(fields, p.Name)
	case p.mentioned(r.Body):
		found = e.json(p.Name)
	}
	return found, found != ""
}

// mentioned reports whether a JSON body may hold the value: most bodies are no
// handshake, and need not be parsed.
func (p *Place) mentioned(body []byte) bool {
	last := p.Name[strings.LastIndexByte(p.Name, '.')+1:]
	position := !plainName.MatchString(last) || last[0] <= '9' // or something else that does not stand for itself
	return position || bytes.Contains(body, []byte(last))
}

// pairValue returns the value of a name that stands once in name=value pairs as
// a URL has them.
func pairValue(pairs, name string) (found string, ok bool) {
	for pair := range strings.SplitSeq(pairs, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); err != nil || key != name {
			continue
		}
		value, err := url.QueryUnescape(value)
		if err != nil || ok {
			return "", false
		}
		found, ok = value, true
	}
	return found, ok
}

// plainName is a name that stands for itself in a path.
var plainName = regexp.MustCompile(`\A[A-Za-z0-9_-]{1,128}\z`)
