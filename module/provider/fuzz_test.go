package provider

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// FuzzTemplate compiles anything as a template of what is signed and of a value, and
// makes their texts from anything. What a value is made into is read back.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{
		"{timestamp}.{body}", "{header.A|headers ; :}", "{query|sort|unique|concat}", "{form.a|json a.b|or header.A|lower}",
		"{body|unbase64 strict|unhex|crc32}", "{url|port|no_query}{{", "t={timestamp},v1={signature}", "{signature}|{value.a}", "{query|without a|unescape &=}",
	} {
		f.Add(text, "a=b&%61=c", "a b", "1")
	}
	f.Fuzz(func(t *testing.T, text, body, value, query string) {
		r := hook(body, "Content-Type: "+urlencoded, "A: "+value)
		r.Public.RawQuery = query
		if compiled, err := parseTemplate(text); err == nil {
			for i := range compiled {
				if compiled[i].name == "value" {
					return // a position, which is compiled with its value
				}
			}
			e := newEnv(r, nil)
			defer e.free()
			var written strings.Builder
			if whole := compiled.write(&written, e); whole && compiled.text(e) != written.String() {
				t.Errorf("%q is %q and %q", text, compiled.text(e), written.String())
			}
		}
		v, err := parseValue(text, "sha256", "", new([]string))
		if err != nil {
			return
		}
		for _, c := range v.parse(value, nil) {
			if c.signature == "" || !strings.Contains(value, c.signature) || !strings.Contains(value, c.timestamp) {
				t.Errorf("%q in %q is %+v", text, value, c)
			}
		}
	})
}

// FuzzCut cuts a value into the items that strings.FieldsFunc finds.
func FuzzCut(f *testing.F) {
	for _, separators := range []string{"", ",", " \t,", ";", "é,", "\xff", "\ufffd "} {
		f.Add("t=1,v1=00;v0=0é0, ,\xff\tx\ufffd", separators)
	}
	f.Fuzz(func(t *testing.T, value, separators string) {
		v := valueTemplate{separators: separators, separates: bytesOf(separators)}
		var got []string
		for text, rest := v.cut(value); text != "" || rest != ""; text, rest = v.cut(rest) {
			if text != "" {
				got = append(got, text)
			}
		}
		if want := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(separators, r) }); !slices.Equal(got, want) {
			t.Errorf("%q is cut at any of %q into %q, want %q", value, separators, got, want)
		}
	})
}

// FuzzPresets puts anything in place of a header that the request of a preset cannot
// do without. It is taken only if it has all the words of the right one, whatever
// stands between them.
func FuzzPresets(f *testing.F) {
	list := genuineRequests(f)
	for i := range list {
		for n, name := range list[i].needed() {
			if good := list[i].make().Header[name][0]; i%5 == 0 {
				f.Add(uint8(i), uint8(n), good)
			}
		}
	}
	words := func(text string) []string {
		return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '+' && r != '/' })
	}
	f.Fuzz(func(t *testing.T, i, n uint8, value string) {
		g := &list[int(i)%len(list)]
		needed := g.needed()
		if len(needed) == 0 {
			return
		}
		name := needed[int(n)%len(needed)]
		if name == paypalCertURL || g.takes(func(r *Request) { r.Header[name] = []string{value} }) != nil {
			return
		}
		got := words(value)
		for _, word := range words(g.make().Header[name][0]) {
			if !slices.Contains(got, word) {
				t.Errorf("%s: taken with %s: %q", g.name, name, value)
			}
		}
	})
}

// FuzzRead holds that what a proof covers of a body is what rules read there,
// however the body is declared.
func FuzzRead(f *testing.F) {
	read, err := rules.CompileValue(`body[header("Name")]`)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("application/json", `{"a":"x","b":{"a":"y"}}`, "a")
	f.Add("application/json", `{"a":"x","\u0061":"y"}`, "a")
	f.Add(urlencoded, "a=x&%61=y;", "a")
	f.Add(urlencoded, `{"a":"&a=x&"}`, "a")
	f.Add(multiparts+"; boundary=b", multipartOf(1, "a"), "a")
	f.Add(multiparts+`; boundary="b"`, "--b\r\nContent-Disposition: form-data; name=a; filename=b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41\r\n--b--", "a")
	f.Fuzz(func(t *testing.T, contentType, body, name string) {
		if !isKeyID(name) || !utf8.ValidString(body) {
			return
		}
		r := hook(body, "Content-Type: "+contentType, "Name: "+name)
		e := newEnv(r, nil)
		defer e.free()
		view := rules.NewView(&rules.Input{Header: r.Header, Body: r.Body})
		defer view.Free()
		seen, err := read.Text(view)
		for _, p := range []piece{{name: "json", text: name}, {name: "form", text: name}} {
			signed, sound := p.append(nil, e)
			if sound && err == nil && seen != "" && len(signed) > 0 && string(signed) != seen {
				t.Errorf("%s of %q, declared as %q: %q is signed, rules read %q", p, body, contentType, signed, seen)
			}
		}
	})
}

// FuzzTimestamp holds that no time is taken that is too far away, or no time.
func FuzzTimestamp(f *testing.F) {
	for _, text := range []string{"1760000000", "1760000000000", "-1", "+1", "2025-10-09T08:53:20Z", "9223372036854775807", "1\x00", "٣"} {
		f.Add(text)
	}
	const tolerance = 5 * time.Minute
	f.Fuzz(func(t *testing.T, text string) {
		for _, unit := range units {
			stamp := Timestamp{Unit: unit}
			if checkTime(&stamp, text, now, tolerance) != nil {
				continue
			}
			at, err := stamp.parse(text)
			if err != nil || at.Sub(now).Abs() > tolerance {
				t.Errorf("%q in %s is taken for %v: %v", text, unit, at, err)
			}
		}
	})
}

// FuzzForm reads anything as a form. Of a field that comes twice, and of a form that
// cannot be read, there is nothing, and to sort pairs loses none.
func FuzzForm(f *testing.F) {
	f.Add("a=1&b=2", "a")
	f.Add("a=1&a=2", "a")
	f.Add("%zz&a=", "a")
	f.Fuzz(func(t *testing.T, body, name string) {
		e := newEnv(hook(body, "Content-Type: "+urlencoded), nil)
		defer e.free()
		p := piece{name: "form", text: name}
		text, sound := p.append(nil, e)
		values, err := url.ParseQuery(body)
		if name != "" && sound && (err != nil || string(text) != only(values, name) || len(values[name]) > 1) {
			t.Errorf("%q in %q is %q", name, body, text)
		}
		sorted := sortPairs(splitPairs(body))
		if sorted != sortPairs(splitPairs(sorted)) || len(sorted) != len(body) {
			t.Errorf("%q sorted is %q", body, sorted)
		}
	})
}
