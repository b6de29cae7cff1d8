package provider_test

import (
	"bytes"
	"cmp"
	"maps"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"unicode"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// mutation is a change to something that a proof covers.
type mutation struct {
	name string
	do   func(*template.Request)
}

// TestMutations takes each valid request of the vectors and changes what its
// proof covers, one thing at a time: none of them may still be valid.
func TestMutations(t *testing.T) {
	for _, v := range providertest.ReadVectors(t) {
		if v.Type != "webhook" || v.Expected != "valid" || v.NoKey {
			continue
		}
		t.Run(v.ID, func(t *testing.T) {
			k, ok := providertest.MustParse(t, v.Config(t)).(*provider.Known)
			if !ok {
				return // checked by a call
			}
			for _, m := range mutations(k, v.Request(t)) {
				r := v.Request(t)
				if m.do(r); k.Verify(r, v.At()) == nil {
					t.Errorf("valid with %s", m.name)
				}
			}
		})
	}
}

// mutations are the changes to what the proofs cover that are made in a request.
func mutations(k *provider.Known, r *template.Request) (list []mutation) {
	for _, p := range k.Counting() {
		if !p.Made(r) {
			continue
		}
		for _, name := range p.Scheme().Headers() {
			if r.Header[name] == nil {
				continue
			}
			list = append(list, mutation{"another " + name, func(r *template.Request) { garble(k, r) }})
			if !slices.ContainsFunc(k.Counting(), func(p *provider.Proof) bool { return len(p.Scheme().Headers()) == 0 && p.Made(r) }) {
				list = append(list, mutation{"no " + name, func(r *template.Request) { remove(k, r) }})
			}
		}
		switch {
		case p.HMAC != nil:
			list = append(list, signedMutations(r, p.HMAC.Signed[0], p.HMAC.Timestamp, p.HMAC.Each)...)
		case p.Ed25519 != nil:
			list = append(list, signedMutations(r, p.Ed25519.Signed, p.Ed25519.Timestamp, "")...)
		case p.ECDSA != nil:
			list = append(list, signedMutations(r, p.ECDSA.Signed, p.ECDSA.Timestamp, "")...)
		}
	}
	return list
}

// remove takes the proofs away, and garble changes each letter of them.
func remove(k *provider.Known, r *template.Request) {
	for _, p := range k.Counting() {
		maps.DeleteFunc(r.Header, func(name string, _ []string) bool { return slices.Contains(p.Scheme().Headers(), name) })
	}
}

func garble(k *provider.Known, r *template.Request) {
	changed := make(map[string]bool)
	for _, p := range k.Counting() {
		for _, name := range p.Scheme().Headers() {
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

// placeholder is one in a template, with its name and what follows the dot.
var placeholder = regexp.MustCompile(`\{(\w+)(?:\.([^}|]+))?[^}]*\}`)

// signedMutations are the changes to the parts of what is signed.
func signedMutations(r *template.Request, signed string, at *template.Timestamp, each string) (list []mutation) {
	add := func(name string, do func(*template.Request)) { list = append(list, mutation{name, do}) }
	for _, match := range placeholder.FindAllStringSubmatch(signed, -1) {
		text := match[2]
		switch match[1] {
		case "body":
			list = append(list, bodyMutations(r)...)
		case "form":
			field := cmp.Or(text, "added") // a field that stands there twice is in doubt
			add("another form", func(r *template.Request) { r.Body = append(bytes.Clone(r.Body), "&"+field+"=1"...) })
		case "header":
			name := textproto.CanonicalMIMEHeaderKey(text)
			add("another "+name, func(r *template.Request) { r.Header[name] = []string{r.HeaderValue(name) + "x"} })
		case "method":
			add("another method", func(r *template.Request) { r.Method = "PUT" })
		case "url", "path":
			add("another path", func(r *template.Request) { r.Public.Path += "x" })
		case "query":
			name := cmp.Or(text, "added")
			add("another query", func(r *template.Request) { r.Public.RawQuery += "&" + name + "=1" })
		case "timestamp":
			if at.Header() != "" {
				add("another time", func(r *template.Request) { shift(r, at.Header()) })
			}
		case "json":
			path := text
			if each != "" {
				path = each + ".0." + path
			}
			var document payload.JSON
			if providertest.JSONValue(&document, r.Body, path).Exists() {
				add("another "+path, func(r *template.Request) { r.Body = providertest.SetJSONText(r.Body, path, "added") })
			}
		}
	}
	return list
}

// shift moves a time by its last digit.
func shift(r *template.Request, name string) {
	text := []byte(r.HeaderValue(name))
	if i := bytes.LastIndexFunc(text, unicode.IsDigit); i >= 0 {
		text[i] = '0' + (text[i]-'0'+1)%10
	} else {
		text = append(text, '1') // not every vector has a real time
	}
	r.Header[name] = []string{string(text)}
}

// bodyMutations change, remove and add a byte.
func bodyMutations(r *template.Request) (list []mutation) {
	for i := 0; i < len(r.Body); i += 1 + len(r.Body)/32 {
		list = append(list, mutation{"another byte " + strconv.Itoa(i), func(r *template.Request) { r.Body[i] ^= 1 }})
	}
	return append(list,
		mutation{"a byte more", func(r *template.Request) { r.Body = append(bytes.Clone(r.Body), ' ') }},
		mutation{"a byte less", func(r *template.Request) { r.Body = r.Body[:max(0, len(r.Body)-1)] }},
	)[:len(list)+1+min(1, len(r.Body))]
}
