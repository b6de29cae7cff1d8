package payload

import (
	"encoding/json"
	"testing"
)

func TestReplace(t *testing.T) {
	for _, tt := range []struct{ path, text, want string }{
		{"a.sig", ` { "a": {"sig" : null}, "b": [1] } `, ` { "a": {"sig" : "x\"y"}, "b": [1] } `},
		{"a", `{"a":{"b":[1,2]},"b":1}`, `{"a":"x\"y","b":1}`},
		{"v.#.a", `{"v":[{"a":1},{"b":2,"a":"old"}]}`, `{"v":[{"a":"x\"y"},{"b":2,"a":"x\"y"}]}`},
		{"none.#.a", `{"v":1}`, `{"v":1}`},
	} {
		var d JSON
		var values []Value
		for v := range mustParsePath(t, tt.path).All(parsed(t, &d, tt.text)) {
			values = append(values, v)
		}
		if got := string(d.Replace(values, `x"y`)); got != tt.want {
			t.Errorf("%s in %s: %s", tt.path, tt.text, got)
		}
	}
}

// FuzzAppendString writes texts that are read as they were, as far as they are text.
func FuzzAppendString(f *testing.F) {
	for _, text := range []string{"", "a", `"\/`, "<&>", "é\u2028\x00\x1f\x7f", "\xff", "😀"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		written := AppendString([]byte("["), text)
		written = append(written, ']')
		var d JSON
		if err := d.Parse(written, 1); err != nil {
			t.Fatalf("%q is written %s: %v", text, written, err)
		}
		var want []string
		_ = json.Unmarshal(written, &want)
		if got := d.Root().Element(0).Text(); got != want[0] {
			t.Errorf("%q is written %s, and reads %q", text, written, got)
		}
	})
}
