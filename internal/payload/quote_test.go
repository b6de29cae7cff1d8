package payload

import (
	"encoding/json"
	"testing"
)

// FuzzQuote writes strings as encoding/json does.
func FuzzQuote(f *testing.F) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, text := range []string{"", string(all), "\u2028é\U0001f600\ufffd\xf0\x9f\x98", "<a href=\"\\\">&\x7f"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, _ := json.Marshal(text)
		if got := AppendString([]byte("x"), text); string(got) != "x"+string(want) {
			t.Errorf("%q is written %s, want %s", text, got[1:], want)
		}
		inside := AppendInside(nil, []byte(text))
		if `"`+string(inside)+`"` != string(want) {
			t.Errorf("%q is written %s, want %s", text, inside, want)
		}
		var d JSON
		if err := d.Parse(want, MaxDepth); err != nil {
			t.Fatal(err)
		}
		v := d.Root()
		if string(v.Bytes()) != v.Text() || string(v.AppendText(nil)) != v.Text() {
			t.Errorf("%q reads %q and %q", v.Text(), v.Bytes(), v.AppendText(nil))
		}
	})
}
