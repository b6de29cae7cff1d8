package template

import (
	"net/url"
	"sync"
)

// Env is what the placeholders of templates read: a request, and the parts of the
// request that were parsed so far.
type Env struct {
	Request   *Request
	external  *url.URL
	ownQuery  bool   // {query.name} reads the request's own query
	Item      []byte // the part of the body that {json.…} reads; nil: all of it
	Timestamp string
	Captured  captures // {value.…}
	Secret    []byte

	jsonChecked, jsonSound bool
	fields                 url.Values // of the form; nil until it is read
	params                 url.Values // of the query; nil until it is read
	badQuery, badForm      error
	scratch                []byte
}

// captures are the {value.name} of a header, by position.
type captures [4]string

var envs = sync.Pool{New: func() any { return new(Env) }}

// NewEnv returns the environment of a request. Free gives the environment back.
func NewEnv(r *Request, external *url.URL) *Env {
	e := envs.Get().(*Env)
	*e = Env{Request: r, external: external, scratch: e.scratch[:0]}
	return e
}

// NewOwnEnv returns the environment of a handshake. There {query.name} reads the
// query of the request itself, not that of the public URL.
func NewOwnEnv(r *Request) *Env {
	e := NewEnv(r, nil)
	e.ownQuery = true
	return e
}

// maxScratch is the largest scratch buffer that is kept for the next request.
const maxScratch = 16 << 10

// Free gives the environment back. Texts that were made with it stay as they are.
func (e *Env) Free() {
	*e = Env{scratch: e.scratch}
	if cap(e.scratch) > maxScratch {
		e.scratch = nil
	}
	envs.Put(e)
}

// append appends the text of a placeholder or literal.
func (e *Env) append(to []byte, p *piece) []byte {
	switch p.name {
	case "":
		return append(to, p.text...)
	case "body":
		return append(to, e.Request.Body...)
	case "timestamp":
		return append(to, e.Timestamp...)
	case "method":
		return append(to, e.Request.Method...)
	case "header":
		return append(to, e.Request.HeaderValue(p.text)...)
	case "id":
		if e.Request.DeliveryID == nil {
			return to
		}
		return append(to, e.Request.DeliveryID()...)
	case "secret":
		return append(to, e.Secret...)
	case "value":
		return append(to, e.Captured[p.text[0]-'0']...) // compiled to a position
	case "json":
		return append(to, e.json(p.text)...)
	case "form":
		if p.text == "" {
			form, _ := e.form()
			return append(to, form...)
		}
		fields, _ := e.FormValues()
		return append(to, Only(fields, p.text)...)
	}
	return e.appendURL(to, p)
}

func (e *Env) appendURL(to []byte, p *piece) []byte {
	if p.name == "query" && p.text != "" {
		values, _ := e.queryValues()
		return append(to, Only(values, p.text)...)
	}
	if e.Request.Public == nil && e.external == nil {
		return to
	}
	u := e.Request.PublicURL(e.external)
	switch p.name {
	case "url":
		return append(to, u.String()...)
	case "scheme":
		return append(to, u.Scheme...)
	case "host":
		return append(to, u.Host...)
	case "path":
		return append(to, u.EscapedPath()...)
	}
	return append(to, u.RawQuery...)
}

// queryValues returns the parameters of the URL that the provider called, or those
// of the request's own query where that URL is not known.
func (e *Env) queryValues() (url.Values, error) {
	if e.params == nil && e.badQuery == nil {
		query := e.Request.RawQuery
		if !e.ownQuery && (e.Request.Public != nil || e.external != nil) {
			query = e.Request.PublicURL(e.external).RawQuery
		}
		e.params, e.badQuery = ParsePairs(query)
	}
	return e.params, e.badQuery
}

// Only returns the value of a name that has exactly one value. Of several values,
// the app may take another one than the signed one.
func Only(values map[string][]string, name string) string {
	if v := values[name]; len(v) == 1 {
		return v[0]
	}
	return ""
}
