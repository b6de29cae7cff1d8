package rules

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"
)

// What finds the tenant sees the request before anything proves it: no body is
// decompressed for it, and it costs little.
func TestUnproven(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(`{"account":"a"}`))
	w.Close()
	tenant, err := CompileTenant(`body.account`)
	if err != nil || !tenant.ReadsBody() {
		t.Fatal(err)
	}
	find := func(x *Value, in *Input) (string, error) {
		v := NewView(in)
		defer v.Free()
		return x.Text(v)
	}
	gzipped := map[string][]string{"Content-Encoding": {"gzip"}}
	for _, test := range []struct {
		in   Input
		want string
	}{
		{Input{Body: []byte(`{"account":"a"}`)}, "a"},
		{Input{Body: []byte(`{"account":"a"}`), Header: gzipped}, "a"},
		{Input{Body: packed.Bytes(), Header: gzipped}, ""},
		{Input{Body: packed.Bytes()}, ""},
		{Input{Body: []byte(`{"account":`)}, ""},
	} {
		test.in.Unproven = true
		if got, _ := find(tenant, &test.in); got != test.want {
			t.Errorf("%q: %q", test.in.Body, got)
		}
		if test.in.Unproven = false; len(test.in.Body) > 20 {
			if got, err := find(tenant, &test.in); got != "a" {
				t.Errorf("%q, proven: %q, %v", test.in.Body, got, err)
			}
		}
	}

	costly, err := CompileTenant(`filter(body.list, # == "x")[0]`)
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Unproven: true, Body: []byte(`{"list":["x"` + strings.Repeat(`,"y"`, 20_000) + `]}`)}
	if _, err := find(costly, &in); !errors.Is(err, ErrBudget) {
		t.Errorf("a costly expression: %v", err)
	}
	in.Unproven = false
	if got, err := find(costly, &in); got != "x" {
		t.Errorf("a costly expression, proven: %q, %v", got, err)
	}
}

func TestNamesOfTenant(t *testing.T) {
	for _, name := range []string{"event", "id", "tenant"} {
		if _, err := CompileTenant(name); err == nil {
			t.Errorf("%s is known before the proof", name)
		}
	}
	for expression, body := range map[string]bool{`split(path, "/")[2]`: false, `query.t`: false, `header("X-T")`: false, `body`: true, `len(body.a)`: true} {
		if x, err := CompileTenant(expression); err != nil || x.ReadsBody() != body {
			t.Errorf("%s: %v", expression, err)
		}
	}
	rule, err := Compile(`tenant == "a" && body.x == 1`)
	if err != nil {
		t.Fatal(err)
	}
	v := NewView(&Input{Tenant: "a", Body: []byte(`{"x":1}`)})
	defer v.Free()
	if holds, err := rule.Match(v); !holds {
		t.Error(err)
	}
}
