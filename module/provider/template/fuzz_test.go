package template_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// plainName is a name that stands for itself in a path.
var plainName = regexp.MustCompile(`\A[A-Za-z0-9_-]{1,128}\z`)

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
		r := providertest.Hook(body, "Content-Type: "+providertest.FormType, "A: "+value)
		r.Public.RawQuery = query
		if compiled, err := template.Parse(text); err == nil {
			if compiled.Has("value") {
				return // a position, which is compiled with its value
			}
			e := template.NewEnv(r, nil)
			defer e.Free()
			var written strings.Builder
			whole := compiled.Write(&written, e)
			appended, ok := compiled.AppendTo(nil, e)
			if whole != ok || whole && string(appended) != written.String() {
				t.Errorf("%q is %q and %q", text, appended, written.String())
			}
			if short := compiled.Text(e); len(appended) <= template.MaxText && short != string(appended) {
				t.Errorf("%q is %q and %q", text, short, appended)
			}
		}
		v, err := template.ParseValue(text, "sha256", "", new([]string))
		if err != nil {
			return
		}
		for _, c := range v.Parse(value, nil) {
			if c.Signature == "" || !strings.Contains(value, c.Signature) || !strings.Contains(value, c.Timestamp) {
				t.Errorf("%q in %q is %+v", text, value, c)
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
	f.Add(providertest.FormType, "a=x&%61=y;", "a")
	f.Add(providertest.FormType, `{"a":"&a=x&"}`, "a")
	f.Add(providertest.MultipartType+"; boundary=b", providertest.MultipartOf(1, "a"), "a")
	f.Add(providertest.MultipartType+`; boundary="b"`, "--b\r\nContent-Disposition: form-data; name=a; filename=b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41\r\n--b--", "a")
	f.Fuzz(func(t *testing.T, contentType, body, name string) {
		if !plainName.MatchString(name) || !utf8.ValidString(body) {
			return
		}
		r := providertest.Hook(body, "Content-Type: "+contentType, "Name: "+name)
		e := template.NewEnv(r, nil)
		defer e.Free()
		view := rules.NewView(&rules.Input{Header: r.Header, Body: r.Body})
		defer view.Free()
		seen, err := read.Text(view)
		for _, part := range []string{"json", "form"} {
			signed, sound := compiled(t, template.Of(part, name)).AppendTo(nil, e)
			if sound && err == nil && seen != "" && len(signed) > 0 && string(signed) != seen {
				t.Errorf("{%s.%s} of %q, declared as %q: %q is signed, rules read %q", part, name, body, contentType, signed, seen)
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
		if strings.ContainsAny(name, "{}|") {
			return
		}
		e := template.NewEnv(providertest.Hook(body, "Content-Type: "+providertest.FormType), nil)
		defer e.Free()
		text, sound := compiled(t, formOf(name)).AppendTo(nil, e)
		values, err := url.ParseQuery(body)
		if name != "" && sound && (err != nil || string(text) != values.Get(name) || len(values[name]) > 1) {
			t.Errorf("%q in %q is %q", name, body, text)
		}
		sorted, _ := compiled(t, "{body|sort}").AppendTo(nil, e)
		e.Request.Body = sorted
		again, _ := compiled(t, "{body|trim|sort}").AppendTo(nil, e)
		if strings.TrimSpace(string(sorted)) == string(sorted) && string(sorted) != string(again) || len(sorted) != len(body) {
			t.Errorf("%q sorted is %q, then %q", body, sorted, again)
		}
	})
}

// compiled compiles a template that must be one.
func compiled(t *testing.T, text string) template.Template {
	t.Helper()
	c, err := template.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// formOf is the template of a form's field, or of the whole form where it has no name.
func formOf(name string) string {
	if name == "" {
		return "{form}"
	}
	return template.Of("form", name)
}
