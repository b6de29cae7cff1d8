package template

import (
	"slices"
	"strings"
	"testing"
)

// FuzzCut cuts a value into the items that strings.FieldsFunc finds.
func FuzzCut(f *testing.F) {
	for _, separators := range []string{"", ",", " \t,", ";", "é,", "\xff", "\ufffd "} {
		f.Add("t=1,v1=00;v0=0é0, ,\xff\tx\ufffd", separators)
	}
	f.Fuzz(func(t *testing.T, value, separators string) {
		v := Value{separators: separators, separates: bytesOf(separators)}
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
