package template_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// FuzzPlace finds values in anything, as the standard library finds them where
// they stand once.
func FuzzPlace(f *testing.F) {
	f.Add(`{"a":[{"b":"\u0041"}]}`, "a.0.b")
	f.Add(`{"a":1,"\u0061":2}`, "a")
	f.Add(`[1,2`, "-1")
	f.Add(`a=1&a=%31`, "a")
	f.Fuzz(func(t *testing.T, body, name string) {
		read := func(part string, r *template.Request) string {
			compiled, err := template.Parse(template.Of(part, name))
			if err != nil || strings.ContainsAny(name, "{}|") || name == "" {
				return ""
			}
			if p, n := compiled.Place(); p != part || n != name {
				t.Fatalf("%s %q is compiled to %s %q", part, name, p, n)
			}
			e := template.NewEnv(r, nil)
			defer e.Free()
			return compiled.Text(e)
		}
		if strings.ContainsAny(name, "{}|") || name == "" {
			return
		}
		text := read("json", providertest.Hook(body))
		var object map[string]any
		exact := utf8.ValidString(body) && !strings.Contains(body, `\u`) // what is no text is read in more than one way
		if exact && text != "" && plainName.MatchString(name) && json.Unmarshal([]byte(body), &object) == nil {
			if want, there := object[name].(string); there && text != want || object[name] == nil {
				t.Errorf("%q in %q is %q", name, body, text)
			}
		}
		values, err := url.ParseQuery(body)
		asked := providertest.Hook("")
		asked.RawQuery, asked.Public = body, nil
		if got := read("query", asked); err == nil && got != only(values, name) {
			t.Errorf("%q in %q is %q, want %q", name, body, got, values[name])
		}
		form := providertest.Hook(body, "Content-Type: "+providertest.FormType)
		if got := read("form", form); err == nil && got != only(values, name) {
			t.Errorf("form field %q of %q is %q, want %q", name, body, got, values[name])
		}
	})
}

// only returns the value of a name that is given once.
func only(values url.Values, name string) string {
	if len(values[name]) > 1 {
		return ""
	}
	return values.Get(name)
}
