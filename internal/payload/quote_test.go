package payload

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// stringified writes a text as JSON.stringify does: as encoding/json, but without the
// escapes that are for web pages. The replacer reads an escaped backslash whole, so that
// what follows it is not taken for an escape.
func stringified(text string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // strings do not fail
	plain := strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029")
	return plain.Replace(strings.TrimSuffix(out.String(), "\n"))
}

// TestQuotesAsJavaScript has strings with what Node's JSON.stringify makes of them.
func TestQuotesAsJavaScript(t *testing.T) {
	for text, want := range map[string]string{
		`<a href="x">&</a>`:    `"<a href=\"x\">&</a>"`,
		"a\u2028b\u2029c\x7fd": "\"a\u2028b\u2029c\x7fd\"",
		"\x00\b\t\n\v\f\r\x1f": `"\u0000\b\t\n\u000b\f\r\u001f"`,
		`\u2028/é😀`:            `"\\u2028/é😀"`,
	} {
		if got := string(AppendString(nil, text)); got != want {
			t.Errorf("%q is written %s, want %s", text, got, want)
		}
	}
}

// FuzzQuote writes strings as JSON.stringify does.
func FuzzQuote(f *testing.F) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, text := range []string{"", string(all), "\u2028é\U0001f600\ufffd\xf0\x9f\x98", "<a href=\"\\\">&\x7f"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want := []byte(stringified(text))
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
