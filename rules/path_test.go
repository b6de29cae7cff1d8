package rules

import (
	"fmt"
	"strings"
	"testing"
)

func TestPath(t *testing.T) {
	in := &Input{Body: []byte(`{"a":{"b-c":"x","\"q\"":1},"list":[{"sku":"A"},[7,8]],"n":9007199254740993,"ok":false,"none":null,"empty":"","é":2,` +
		`"payload":"{\"type\":\"inner\"}","o":{"0":"zero"}}`)}
	for path, want := range map[string]string{
		"a.b-c":        "x true <nil>",
		`a."q"`:        "1 true <nil>",
		"list.0.sku":   "A true <nil>",
		"list[0].sku":  "A true <nil>",
		"list[1][1]":   "8 true <nil>",
		"list.1.0":     "7 true <nil>",
		"n":            "9007199254740993 true <nil>",
		"ok":           "false true <nil>",
		"empty":        " true <nil>",
		"none":         " false <nil>",
		"missing":      " false <nil>",
		"é":            "2 true <nil>",
		"payload.type": "inner true <nil>",
		"a":            " true expected text, a number or a boolean, but got map[string]interface {}",
		"missing.x":    " false body.missing is missing, so it has no x",
		"list.7":       " false body.list has 2 elements, so it has no [7]",
		"o.0":          " false body.o is an object, so it has no [0]",
	} {
		x, err := CompilePath(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		v := NewView(in)
		text, exists, err := x.Lookup(v)
		if got := fmt.Sprintf("%s %v %v", text, exists, err); !strings.HasPrefix(got, want) {
			t.Errorf("%s leads to %s, want %s", path, got, want)
		}
		v.Free()
	}
	for _, path := range []string{"", ".", "a.", ".a", "a..b", "a[x]", "a[0]b", "a[-1]", "a]", "a.[0]", "a[0"} {
		if _, err := CompilePath(path); err == nil {
			t.Errorf("%q is a path", path)
		}
	}
}

// The root may be a list.
func TestPathFromAList(t *testing.T) {
	v := NewView(&Input{Body: []byte(`[{"a":1}]`)})
	defer v.Free()
	for _, path := range []string{"0.a", "[0].a"} {
		x, err := CompilePath(path)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := x.Text(v); text != "1" || err != nil {
			t.Errorf("%s leads to %q, %v", path, text, err)
		}
	}
}
