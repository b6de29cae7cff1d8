package scheme

import (
	"errors"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Sign implements Scheme: it signs with the first key, in the form of the signature
// that the request has already.
func (h *HMAC) Sign(r *template.Request, now time.Time) error {
	e := template.NewEnv(r, h.external)
	defer e.Free()
	if h.Each == "" {
		return h.signOne(e, now)
	}
	for i := 0; ; i++ { // each of which makes another body
		e.Item = payload.Value{}
		list, _ := e.JSON(&h.each)
		if e.Item = list.Element(i); !e.Item.Exists() {
			return nil
		}
		if err := h.signOne(e, now); err != nil {
			return err
		}
	}
}

var errIncomplete = errors.New("the request lacks a part of what is signed")

// signOne signs the request, or the item of it.
func (h *HMAC) signOne(e *template.Env, now time.Time) error {
	form, made := h.form(e)
	made.Timestamp = h.Timestamp.Stamp(e, now)
	h.signed[0].PrepareSigning(e, &made)
	name := h.nameHash(e, &made)
	e.Timestamp, e.Captured = made.Timestamp, made.Captured
	m := h.take(name, 0)
	defer h.give(name, 0, m)
	sum, ok := h.sum(m, e, h.signed[0])
	if !ok {
		return errIncomplete
	}
	made.Signature = string(sum)
	return h.put(e, form.Format(&made))
}

// form returns the form of the signature that the request has, with the values that
// came along with it; the first form if there is no signature.
func (h *HMAC) form(e *template.Env) (*template.Value, template.Candidate) {
	for i := range h.values {
		for _, name := range h.headers {
			for _, text := range e.Request.Header[name] {
				if c := h.values[i].Parse(text, nil); len(c) > 0 {
					return &h.values[i], c[0]
				}
			}
		}
	}
	return &h.values[0], template.Candidate{}
}

// put writes the text that carries the signature.
func (h *HMAC) put(e *template.Env, text string) error {
	if h.headers == nil {
		return e.Put(h.from, text)
	}
	for _, name := range h.headers {
		delete(e.Request.Header, name)
	}
	e.Request.Header[h.headers[0]] = []string{text}
	return nil
}
