package provider

import (
	"net/textproto"
	"strings"
	"testing"
)

// TestKeyedMatched holds that the first key counts as the first.
func TestKeyedMatched(t *testing.T) {
	matched := 0
	for _, v := range keyedVectors(t) {
		if v.Expected != "valid" {
			continue
		}
		r := v.request(t)
		if err := mustParse(t, v.config(t)).Verify(r, v.at()); err != nil || r.Matched != 1 {
			t.Errorf("%s: key %d matched, want 1: %v", v.ID, r.Matched, err)
		}
		matched++
	}
	if matched < 15 {
		t.Errorf("there were %d vectors", matched)
	}
}

// TestKeyedRefusals changes one thing of each valid request, so that nothing
// that is signed can change and pass.
func TestKeyedRefusals(t *testing.T) {
	for _, v := range keyedVectors(t) {
		if v.Expected != "valid" {
			continue
		}
		p := mustParse(t, v.config(t))
		covered := v.ID != "rfc9421-01" && v.ID != "rfc9421-04"
		check := func(what string, change func(r *Request)) {
			t.Helper()
			r := v.request(t)
			change(r)
			if err := p.Verify(r, v.at()); err == nil {
				t.Errorf("%s: %s: taken", v.ID, what)
			}
		}
		for name := range v.Headers {
			name = textproto.CanonicalMIMEHeaderKey(name)
			if strings.HasPrefix(name, "X-Amz-") || strings.HasPrefix(name, "Content-") || name == "Host" || name == "Date" {
				continue
			}
			check(name+" twice", func(r *Request) { r.Header[name] = append(r.Header[name], r.Header[name][0]) })
			check("no "+name, func(r *Request) { delete(r.Header, name) })
		}
		if covered || strings.HasPrefix(v.Provider, "rfc") {
			check("other body", func(r *Request) { r.Body = append([]byte(nil), append(r.Body, ' ', 'x')...) })
		}
	}
}
