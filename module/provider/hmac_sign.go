package provider

import (
	"errors"
	"net/textproto"
	"time"
)

// Sign implements Scheme: it makes the signature with the first key and in the
// form that is there already.
func (h *HMAC) Sign(r *Request, now time.Time) error {
	if h.Each == "" {
		return h.signOne(r, now, "", 0)
	}
	e := newEnv(r, h.external)
	n := len(e.items(h.Each))
	e.free()
	for i := range n {
		if err := h.signOne(r, now, h.Each, i); err != nil {
			return err
		}
	}
	return nil
}

// signOne signs the request, or the element i of the array at a path.
func (h *HMAC) signOne(r *Request, now time.Time, each string, i int) error {
	e := newEnv(r, h.external)
	defer e.free()
	if each != "" {
		e.item = e.items(each)[i]
	}
	form, made := h.form(e)
	made.timestamp = h.Timestamp.format(now)
	switch t := h.Timestamp; {
	case t.Header != "":
		r.Header[textproto.CanonicalMIMEHeaderKey(t.Header)] = []string{made.timestamp}
	case t.From != "":
		// The time is part of the content, which is not ours to change.
		made.timestamp = t.find(e)
	}
	e.timestamp, e.captured = made.timestamp, made.captured
	m := h.keys[0].Get().(*mac)
	defer h.keys[0].Put(m)
	sum, ok := h.sum(m, e, h.signed[0])
	if !ok {
		return errors.New("the request lacks a part of what is signed")
	}
	made.signature = string(sum)
	return h.put(e, form.format(&made))
}

// form returns the template that a signature is written in, with what came
// along with it; the first template where there is none.
func (h *HMAC) form(e *env) (*valueTemplate, candidate) {
	for i := range h.values {
		for _, name := range h.headers {
			for _, text := range e.r.Header[name] {
				if c := h.values[i].parse(text, nil); len(c) > 0 {
					return &h.values[i], c[0]
				}
			}
		}
	}
	return &h.values[0], candidate{}
}

// fits reports whether a signature is written as the scheme's are. What another
// template takes for the signature may be one with a time before it.
func (h *HMAC) fits(c candidate) bool {
	_, err := decodeSignature(h.Encoding, c.signature)
	return err == nil
}

// put writes the signature's text where it belongs.
func (h *HMAC) put(e *env, text string) error {
	if h.Header == "" {
		return e.put(h.from, text)
	}
	for _, name := range h.headers {
		delete(e.r.Header, name)
	}
	e.r.Header[h.headers[0]] = []string{text}
	return nil
}
