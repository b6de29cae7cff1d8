package provider

import (
	"bytes"
	"cmp"
	"maps"
	"net/textproto"
	"slices"
	"strconv"
	"testing"
	"unicode"
)

// mutation is a change to something that a proof covers.
type mutation struct {
	name string
	do   func(*Request)
}

// TestMutations takes each valid request of the vectors and changes what its
// proof covers, one thing at a time: none of them may still be valid.
func TestMutations(t *testing.T) {
	for _, v := range readVectors(t) {
		if v.Type != "webhook" || v.Expected != "valid" || v.NoKey {
			continue
		}
		t.Run(v.ID, func(t *testing.T) {
			k, ok := mustParse(t, v.config(t)).(*Known)
			if !ok {
				return // checked by a call
			}
			for _, m := range mutations(k, v.request(t)) {
				r := v.request(t)
				if m.do(r); k.Verify(r, v.at()) == nil {
					t.Errorf("valid with %s", m.name)
				}
			}
		})
	}
}

// mutations are the changes to what the proofs cover that are made in a request.
func mutations(k *Known, r *Request) (list []mutation) {
	for _, p := range k.ready.proofs.list {
		if !p.applies(r) || !p.made(r) {
			continue
		}
		for _, name := range p.scheme.Headers() {
			if r.Header[name] == nil {
				continue
			}
			list = append(list, mutation{"another " + name, func(r *Request) { garble(k, r) }})
			if !slices.ContainsFunc(k.ready.proofs.list, func(p *Proof) bool { return len(p.scheme.Headers()) == 0 && p.made(r) }) {
				list = append(list, mutation{"no " + name, func(r *Request) { remove(k, r) }})
			}
		}
		switch s := p.scheme.(type) {
		case *HMAC:
			list = append(list, s.mutations(r)...)
		case *Ed25519:
			list = append(list, s.mutations(r)...)
		case *ECDSA:
			list = append(list, s.mutations(r)...)
		}
	}
	return list
}

// remove takes the proofs away, and garble changes each letter of them.
func remove(k *Known, r *Request) {
	for _, p := range k.ready.proofs.list {
		maps.DeleteFunc(r.Header, func(name string, _ []string) bool { return slices.Contains(p.scheme.Headers(), name) })
	}
}

func garble(k *Known, r *Request) {
	changed := make(map[string]bool)
	for _, p := range k.ready.proofs.list {
		for _, name := range p.scheme.Headers() {
			for i := range r.Header[name] {
				if !changed[name] {
					r.Header[name][i] = turn(r.Header[name][i])
				}
			}
			changed[name] = true
		}
	}
}

// turn changes the last letter or digit of each word.
func turn(s string) string {
	text := []byte(s)
	for i, c := range text {
		if isWord(c) && (i+1 == len(text) || !isWord(text[i+1])) {
			text[i] = '0'
			if c == '0' || c == 'A' { // which may decode to the same
				text[i] = '7'
			}
		}
	}
	return string(text)
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '+' || c == '/'
}

// mutations are the changes to the pieces of what is signed, which are those that
// an HMAC has.
func (s *Signature) mutations(r *Request) []mutation {
	h := HMAC{signed: []template{s.signed}, Timestamp: s.Timestamp}
	return h.mutations(r)
}

// mutations are the changes to the pieces of what is signed.
func (h *HMAC) mutations(r *Request) (list []mutation) {
	add := func(name string, do func(*Request)) { list = append(list, mutation{name, do}) }
	for _, p := range h.signed[0] {
		switch p.name {
		case "body":
			list = append(list, bodyMutations(r)...)
		case "form":
			add("another form", func(r *Request) { r.Body = append(bytes.Clone(r.Body), "&added=1"...) })
		case "header":
			add("another "+p.text, func(r *Request) { r.Header[p.text] = []string{r.header(p.text) + "x"} })
		case "method":
			add("another method", func(r *Request) { r.Method = "PUT" })
		case "url", "path":
			add("another path", func(r *Request) { r.Public.Path += "x" })
		case "query":
			name := cmp.Or(p.text, "added")
			add("another query", func(r *Request) { r.Public.RawQuery += "&" + name + "=1" })
		case "timestamp":
			if t := h.Timestamp; t.Header != "" {
				add("another time", func(r *Request) { shift(r, textproto.CanonicalMIMEHeaderKey(t.Header)) })
			}
		case "json":
			path := p.text
			if h.Each != "" {
				path = h.Each + ".0." + path
			}
			e := newEnv(r, nil)
			if e.json(path) != "" {
				add("another "+path, func(r *Request) {
					e := newEnv(r, nil)
					defer e.free()
					if err := e.putJSON(path, "added"); err != nil {
						panic(err)
					}
				})
			}
			e.free()
		}
	}
	return list
}

// shift moves a time by its last digit.
func shift(r *Request, name string) {
	text := []byte(r.header(name))
	if i := bytes.LastIndexFunc(text, unicode.IsDigit); i >= 0 {
		text[i] = '0' + (text[i]-'0'+1)%10
	} else {
		text = append(text, '1') // not every vector has a real time
	}
	r.Header[name] = []string{string(text)}
}

// bodyMutations change, remove and add a byte.
func bodyMutations(r *Request) (list []mutation) {
	for i := 0; i < len(r.Body); i += 1 + len(r.Body)/32 {
		list = append(list, mutation{"another byte " + strconv.Itoa(i), func(r *Request) { r.Body[i] ^= 1 }})
	}
	return append(list,
		mutation{"a byte more", func(r *Request) { r.Body = append(bytes.Clone(r.Body), ' ') }},
		mutation{"a byte less", func(r *Request) { r.Body = r.Body[:max(0, len(r.Body)-1)] }},
	)[:len(list)+1+min(1, len(r.Body))]
}
