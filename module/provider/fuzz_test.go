package provider

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

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
		if name == "Paypal-Cert-Url" || g.takes(func(r *Request) { r.Header[name] = []string{value} }) != nil {
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
