package scheme_test

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// FuzzPresets puts anything in place of a header that the request of a preset cannot
// do without. It is taken only if it has all the words of the right one, whatever
// stands between them.
func FuzzPresets(f *testing.F) {
	list := providertest.GenuineRequests(f)
	for i := range list {
		for n, name := range list[i].Needed() {
			if good := list[i].Make().Header[name][0]; i%5 == 0 {
				f.Add(uint8(i), uint8(n), good)
			}
		}
	}
	words := func(text string) []string {
		return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '+' && r != '/' })
	}
	f.Fuzz(func(t *testing.T, i, n uint8, value string) {
		g := &list[int(i)%len(list)]
		needed := g.Needed()
		if len(needed) == 0 {
			return
		}
		name := needed[int(n)%len(needed)]
		if name == "Paypal-Cert-Url" || g.Takes(func(r *template.Request) { r.Header[name] = []string{value} }) != nil {
			return
		}
		got := words(value)
		for _, word := range words(g.Make().Header[name][0]) {
			if !slices.Contains(got, word) {
				t.Errorf("%s: taken with %s: %q", g.Name, name, value)
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
		for _, unit := range template.Units {
			stamp := template.Timestamp{Unit: unit}
			if scheme.CheckTime(&stamp, text, providertest.Now, tolerance) != nil {
				continue
			}
			at, err := stamp.Parse(text)
			if err != nil || at.Sub(providertest.Now).Abs() > tolerance {
				t.Errorf("%q in %s is taken for %v: %v", text, unit, at, err)
			}
		}
	})
}
