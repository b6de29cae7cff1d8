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
		text, ok := (&template.Place{In: "body", Name: name}).Find(providertest.Hook(body))
		var object map[string]any
		exact := utf8.ValidString(body) && !strings.Contains(body, `\u`) // what is no text is read in more than one way
		if exact && ok && template.PlainName.MatchString(name) && json.Unmarshal([]byte(body), &object) == nil {
			if want, there := object[name].(string); there && text != want || object[name] == nil {
				t.Errorf("%q in %q is %q", name, body, text)
			}
		}
		values, err := url.ParseQuery(body)
		got, ok := template.PairValue(body, name)
		if err == nil && (ok != (len(values[name]) == 1) || got != template.Only(values, name)) {
			t.Errorf("%q in %q is %q, want %q", name, body, got, values[name])
		}
		form := providertest.Hook(body, "Content-Type: "+providertest.FormType)
		if got, _ := (&template.Place{In: "form", Name: name}).Find(form); err == nil && got != template.Only(values, name) {
			t.Errorf("form field %q of %q is %q, want %q", name, body, got, values[name])
		}
	})
}
