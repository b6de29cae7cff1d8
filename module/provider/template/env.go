package template

import (
	"net/url"
	"sync"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// Env is what the placeholders of templates read: a request, and the parts of the
// request that were parsed so far.
type Env struct {
	Request   *Request
	external  *url.URL
	ownQuery  bool          // {query.name} reads the request's own query
	Item      payload.Value // the part of the body that {json.…} reads; absent: all of it
	Timestamp string
	Captured  captures // {value.…}
	Secret    []byte

	body, inner                   payload.JSON // inner: the last one that a function read
	bodyRead, formRead, queryRead bool
	fields, params                payload.Fields // of the form, and of the query
	badBody, badForm, badQuery    error
	scratch                       []byte
	made                          []byte // of the placeholder madeOf
	madeOf                        string
}

// captures are the {value.name} of a header, by position.
type captures [4]string

var envs = sync.Pool{New: func() any { return new(Env) }}

// NewEnv returns the environment of a request. Free gives the environment back.
func NewEnv(r *Request, external *url.URL) *Env {
	e := envs.Get().(*Env)
	e.Request, e.external = r, external
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
	e.body.Reset()
	e.inner.Reset()
	*e = Env{body: e.body, inner: e.inner, scratch: e.scratch[:0]}
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
	case "form":
		return append(to, e.FormValue(p.text)...)
	}
	return e.appendURL(to, p)
}

func (e *Env) appendURL(to []byte, p *piece) []byte {
	if p.name == "query" && p.text != "" {
		params, _ := e.query()
		value, _ := params.Only(p.text)
		return append(to, value...)
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

// query returns the parameters of the URL that the provider called, or those of the
// request's own query where that URL is not known.
func (e *Env) query() (payload.Fields, error) {
	if !e.queryRead {
		query := e.Request.RawQuery
		if !e.ownQuery && (e.Request.Public != nil || e.external != nil) {
			query = e.Request.PublicURL(e.external).RawQuery
		}
		e.queryRead = true
		e.params, e.badQuery = payload.Query(query)
	}
	return e.params, e.badQuery
}

// JSON returns the value at a path of the body, or of the item. The error says that
// the body is no JSON, or that there is doubt about the value.
func (e *Env) JSON(path *payload.Path) (payload.Value, error) {
	if e.Item.Exists() {
		return path.Find(e.Item)
	}
	root, err := e.Root()
	if err != nil {
		return payload.Value{}, err
	}
	return path.Find(root)
}

// Root returns the JSON that the body is.
func (e *Env) Root() (payload.Value, error) {
	if !e.bodyRead {
		e.bodyRead = true
		e.badBody = e.body.Parse(e.Request.Body, payload.MaxDepth)
	}
	return e.body.Root(), e.badBody
}

// jsonIn returns the text of the value at a path of a JSON text.
func (e *Env) jsonIn(text []byte, path *payload.Path) ([]byte, bool) {
	if e.inner.Parse(text, payload.MaxDepth) != nil {
		return nil, false
	}
	value, err := path.Find(e.inner.Root())
	return value.Bytes(), err == nil
}

// form returns the body if it is a form that is no multipart one.
func (e *Env) form() ([]byte, error) {
	return payload.URLEncoded(e.Request.HeaderValue("Content-Type"), e.Request.Body)
}

// formFields returns the fields of the form that the body is. There is an error if
// it is one that cannot be read.
func (e *Env) formFields() (payload.Fields, error) {
	if !e.formRead {
		e.formRead = true
		e.fields, e.badForm = payload.Form(e.Request.HeaderValue("Content-Type"), e.Request.Body)
	}
	return e.fields, e.badForm
}

// FormValue returns the value of a field that the form has once, else "".
func (e *Env) FormValue(name string) string {
	fields, _ := e.formFields()
	value, _ := fields.Only(name)
	return value
}

// setBody gives the request another body.
func (e *Env) setBody(body []byte) {
	e.Request.Body = body
	e.body.Reset()
	e.Item, e.fields, e.madeOf = payload.Value{}, nil, ""
	e.bodyRead, e.formRead = false, false
}
