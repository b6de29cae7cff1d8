package payload

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func mustParsePath(t testing.TB, text string) Path {
	t.Helper()
	p, err := ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// read returns what is written at the path, one value after the other.
func read(p Path, text string) string {
	var d JSON
	if err := d.Parse([]byte(text), MaxDepth); err != nil {
		return err.Error()
	}
	var found []string
	for v, err := range p.All(d.Root()) {
		if err != nil {
			return err.Error()
		}
		found = append(found, string(v.Raw()))
	}
	return strings.Join(found, " ")
}

func TestPaths(t *testing.T) {
	const items = `{"items":[
		{"n":1,"kind":"a","kinds":["x","a"],"ways":["out"]},
		{"n":2,"kind":"b","kinds":["a"],"ways":["in","out"]},
		{"n":3,"kind":"\u0061","kinds":"a"},
		{"n":4,"kind":1,"kinds":[],"ways":["out"]}]}`
	ambiguous := ErrAmbiguous.Error()
	for _, tt := range []struct{ path, text, want string }{
		{"a", `{"a":1}`, "1"},
		{"a", `{"b":1}`, ""},
		{"a", `[1]`, ""},
		{"a.b.c", `{"a":{"b":{"c":null}}}`, "null"},
		{"a.b", `{"a":1}`, ""},
		{"a.1.b", `{"a":[0,{"b":"x"}]}`, `"x"`},
		{"a.1", `{"a":{"1":"x"}}`, `"x"`},
		{"a.7", `{"a":[0]}`, ""},
		{"a.-1", `{"a":[0]}`, ""},
		{`a\.b`, `{"a.b":1,"a":{"b":2}}`, "1"},
		{`\#.\\`, `{"#":{"\\":1}}`, "1"},
		{"a b", `{"a b":1}`, "1"},

		{"a.b", `{"a":{"b":1},"a":{"c":2}}`, ambiguous},
		{"a.b", `{"a":{"b":1},"A":2}`, ambiguous},
		{"a.b", `{"a":{"b":1,"B":2}}`, ambiguous},
		{"a.b", `{"a":{"b":1,"\u0042":2}}`, ambiguous},
		{"a.b", `{"a":{"B":1}}`, ambiguous},
		{"a.b", `{"a":{"b":1,"c":2,"c":3,"d":{"e":4,"E":5}},"f":6,"f":7}`, "1"},
		{"a.b", `{"a":{"b":{"c":1,"c":2}}}`, `{"c":1,"c":2}`},
		{"a.0.b", `{"a":[{"b":1},{"b":2,"b":3}]}`, "1"},

		{"#.a", `[{"a":1},{},{"a":2}]`, "1  2"},
		{"v.#.a", `{"v":[]}`, ""},
		{"v.#.a", `{"v":{"a":1}}`, ""},
		{"v.#.a", `{"v":[{"a":1},{"a":2,"A":3}]}`, ambiguous},
		{"v.#.a.#.b", `{"v":[{"a":[{"b":1},{"b":2}]},{"a":[{"b":3}]}]}`, "1 2 3"},

		{`items.#(kind=="a")#.n`, items, "1 3"},
		{`items.#(kinds.#(=="a"))#.n`, items, "1 2"},
		{`items.#(kinds.#(=="a"))#|#(ways.#(=="out"))#.n`, items, "1 2"},
		{`items.#(kind=="b")#|#(ways.#(=="out"))#.ways.0`, items, `"in"`},
		{`items.#(kind=="c")#.n`, items, ""},
		{`items.#(kind=="a")#.n`, `{"items":[{"kind":"a","Kind":"b"}]}`, ambiguous},
		{`#(=="a")#`, `["a","b","a"]`, `"a" "a"`},
	} {
		p := mustParsePath(t, tt.path)
		if got := read(p, tt.text); got != tt.want {
			t.Errorf("%s of %s is %s, want %s", tt.path, tt.text, got, tt.want)
		}
		if p.String() != tt.path {
			t.Errorf("%s is written %s", tt.path, p)
		}
		var d JSON
		if v, err := p.Find(parsed(t, &d, tt.text)); p.Single() && err == nil && string(v.Raw()) != tt.want {
			t.Errorf("%s of %s is %s alone, want %s", tt.path, tt.text, v.Raw(), tt.want)
		}
	}
	if got := read(Path{}, ` [1] `); got != "[1]" {
		t.Errorf("the zero Path leads to %s", got)
	}
	if got := read(Name("a.0"), `{"a.0":1}`); got != "1" {
		t.Errorf("Name leads to %s", got)
	}
}

func parsed(t *testing.T, d *JSON, text string) Value {
	t.Helper()
	if err := d.Parse([]byte(text), MaxDepth); err != nil {
		t.Fatal(err)
	}
	return d.Root()
}

func TestPathsThatAreNone(t *testing.T) {
	for _, text := range []string{
		"", ".", "a.", ".a", "a..b", "a.#", "#", "a.#x", "#x.a", "a|b", "a|", "a.*", "a?", "@this", "a.@reverse", "!1", "{a,b}", "[a]",
		`a.#(b=="x")`, `a.#(b=="x")#c`, `a.#(b>1)#`, `a.#(b==1)#`, `a.#(b.#(c=="x"))#`, `a.#(b.#.c=="x")#`, `a.#(b=="\"")#`, `a.#(`, `a.#()#`, `a.#(b=="x")#|c`, `\`,
	} {
		if p, err := ParsePath(text); err == nil {
			t.Errorf("%s is a path: %+v", text, p)
		} else if !strings.Contains(err.Error(), fmt.Sprintf("%q", text)) {
			t.Errorf("%s: the error does not name the path: %v", text, err)
		}
	}
}

func TestSingle(t *testing.T) {
	for text, want := range map[string]bool{"a": true, "a.0.b": true, `\#`: true, "a.#.b": false, `a.#(b=="c")#`: false} {
		if got := mustParsePath(t, text).Single(); got != want {
			t.Errorf("%s is single: %v", text, got)
		}
	}
}

func TestMentioned(t *testing.T) {
	for _, tt := range []struct {
		path, text string
		want       bool
	}{
		{"a.token", `{"a":{"token":1}}`, true},
		{"a.token", `{"a":{"b":1}}`, false},
		{"a.token", `{"a":{"t\u006fken":1}}`, true},
		{"a.0", `{}`, true},
		{`a\/b`, `{"a\/b":1}`, true},
		{"é", `{}`, true},
	} {
		if got := mustParsePath(t, tt.path).Mentioned([]byte(tt.text)); got != tt.want {
			t.Errorf("%s in %s: %v", tt.path, tt.text, got)
		}
	}
}

// FuzzPath follows paths of any names strictly, as the tokens of encoding/json lead.
func FuzzPath(f *testing.F) {
	for i, text := range documents {
		f.Add(text, names[i%len(names)], names[i*7%len(names)], ".")
		f.Add(text, names[i%len(names)], names[i*7%len(names)], ".#.")
	}
	f.Add(`{"a":[{"b":"x","c":1}]}`, "a", "c", `.#(b=="x")#.`)
	f.Fuzz(func(t *testing.T, text, first, second, between string) {
		if p, err := ParsePath(first + between + second); err == nil {
			_ = read(p, text) // does not panic
		}
		var d JSON
		if strings.ContainsAny(first+second, `.|#*?@!{[\`) || len(text) > 1<<10 || d.Parse([]byte(text), MaxDepth) != nil {
			return
		}
		p, err := ParsePath(first + "." + second)
		if err != nil || strings.Trim(first+second, "0123456789") != first+second {
			return
		}
		got, err := p.Find(d.Root())
		want, wantErr := newOracle(json.RawMessage(strings.Trim(text, " \t\r\n"))).only(first)
		if want != nil {
			want, wantErr = want.only(second)
		}
		if !errors.Is(err, wantErr) || got.Exists() != (want != nil) || want != nil && string(got.Raw()) != string(want.raw) {
			t.Errorf("%s of %s is %s, %v; want %v, %v", p, text, got.Raw(), err, want, wantErr)
		}
		if err == nil && want != nil && !p.Mentioned([]byte(text)) {
			t.Errorf("%s is not mentioned in %s", p, text)
		}
	})
}
