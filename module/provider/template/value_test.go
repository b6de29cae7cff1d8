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

// TestFormatKeepsTheSpaces writes a value with the separators of its template.
func TestFormatKeepsTheSpaces(t *testing.T) {
	for text, want := range map[string]string{
		"sign={signature}, env={value.env}, t={timestamp}":  "sign=S, env=E, t=1",
		"t={timestamp},v1={signature}":                      "t=1,v1=S",
		"{timestamp}.{signature}":                           "1.S",
		"a={timestamp};\t b={signature}":                    "a=1;\t b=S",
		"t={timestamp};s={signature}; ":                     "t=1;s=S; ",
		`<{timestamp}>, <{signature}>`:                      "<1>, <S>",
		`k="{value.env}", t="{timestamp}", s="{signature}"`: `k="E", t="1", s="S"`,
	} {
		var names []string
		v, err := ParseValue(text, "", "", &names)
		if err != nil {
			t.Fatal(err)
		}
		sent := Candidate{Signature: "S", Timestamp: "1", Captured: captures{"E"}}
		got := v.Format(&sent)
		if got != want {
			t.Errorf("%s is written %q, want %q", text, got, want)
		}
		if read := v.Parse(got, nil); len(read) != 1 || read[0].Signature != "S" || read[0].Timestamp != "1" {
			t.Errorf("%q reads %v", got, read)
		}
	}
}

// TestOwnSeparators reads a value that has more separators than its template shows.
func TestOwnSeparators(t *testing.T) {
	v, err := ParseValue("t={timestamp},v1={signature}", "", ", ", new([]string))
	if err != nil {
		t.Fatal(err)
	}
	found := v.Parse("t=1,v1=A t=1,v1=B", nil)
	if len(found) != 2 || found[0].Signature != "A" || found[1].Signature != "B" || found[1].Timestamp != "1" {
		t.Errorf("found %+v", found)
	}
}

// TestQuotes reads a value whose parts stand in quotes.
func TestQuotes(t *testing.T) {
	var names []string
	v, err := ParseValue(`k="{value.k}",s="{signature}", l="{value.l}"`, "", "", &names)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`k="1", s="S", l="a, b c"`: "S 1 a, b c",
		`l="a",x="s=",s="S"`:       "S  a",
		`k="1,s="S",l="a"`:         "", // the quotes do not close where they should
		`s="S, l="a"`:              "",
		`s=S`:                      "",
		`s="S"x`:                   "",
	} {
		got := ""
		if found := v.Parse(text, nil); len(found) > 0 {
			got = found[0].Signature + " " + found[0].Captured[0] + " " + found[0].Captured[1]
		}
		if got != want {
			t.Errorf("%s reads %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"{signature}, end": "", "t={timestamp},s={signature},end": "separator"} {
		if _, err := ParseValue(text, "", "", new([]string)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
