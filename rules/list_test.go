package rules

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

func TestCompileList(t *testing.T) {
	for expression, want := range map[string]string{
		"body": "", "body.value": "value", `body["x-y"].z`: "x-y z", "body?.a?.b": "a b",
		"body.a[0]": "leads into an element", "body[1].a": "leads into an element",
		"event": "unknown name", "query.list": "is no place in the body", `header("X")`: "is no place in the body",
		"body.a + 1": "is no place in the body", "[1]": "expected text", "body.": "unexpected end", "": "unexpected",
	} {
		l, err := CompileList(expression)
		if err != nil && (want == "" || !strings.Contains(err.Error(), want)) || err == nil && strings.Join(l.names, " ") != want {
			t.Errorf("%s is %v, %v, want %s", expression, l, err, want)
		}
	}
}

func TestSplit(t *testing.T) {
	packed := new(bytes.Buffer)
	w := gzip.NewWriter(packed)
	w.Write([]byte(`[1,2]`))
	w.Close()
	for _, test := range []struct {
		contentType, encoding, body, list string
		want                              string // elements, with spaces between them
		decoded                           bool
		err                               error
	}{
		{"application/json", "", `[1, 2]`, "body", "1 2", false, nil},
		{"", "", "\ufeff[1,2]", "body", "1 2", false, nil},
		{"application/x-www-form-urlencoded", "", `{"l":[1]}`, "body.l", "1", false, nil}, // JSON, whatever it is declared as
		{"application/json", "gzip", packed.String(), "body", "1 2", true, nil},
		{"application/json; charset=iso-8859-1", "", "[\"\xeb\"]", "body", `"ë"`, true, nil},
		{"application/x-ndjson", "", "{\"a\":1}\n\n[2]\n", "body", `{"a":1} [2]`, true, nil},
		{"application/x-ndjson", "", "{\"a\":[1]}\n", "body.a", "", false, payload.ErrNoList},
		{"application/x-www-form-urlencoded", "", "l=%5B1,2%5D", "body.l", "1 2", false, nil},
		{"application/x-www-form-urlencoded", "", "l=1", "body", "", false, payload.ErrNoList},
		{"multipart/form-data; boundary=b", "", "--b\r\nContent-Disposition: form-data; name=\"l\"\r\n\r\n[1]\r\n--b--\r\n", "body.l", "", false, payload.ErrUnframed},
		{"application/json", "", `{"l":`, "body.l", "", false, payload.ErrNoList},
		{"text/xml", "", `<a/>`, "body", "", false, payload.ErrNoList},
		{"application/json", "", "", "body", "", false, payload.ErrNoList},
	} {
		l, err := CompileList(test.list)
		if err != nil {
			t.Fatal(err)
		}
		header := map[string][]string{"Content-Type": {test.contentType}}
		if test.encoding != "" {
			header["Content-Encoding"] = []string{test.encoding}
		}
		v := NewView(&Input{Header: header, Body: []byte(test.body)})
		b, decoded, err := l.Split(v)
		got := ""
		if b != nil {
			got = string(bytes.Join(b.Elements, []byte(" ")))
		}
		if got != test.want || decoded != test.decoded && b != nil || !errors.Is(err, test.err) {
			t.Errorf("%s, %q: %q, decoded %v, %v", test.contentType, test.body, got, decoded, err)
		}
		v.Free()
	}
}

// The parts of a request cost no more together than a few webhooks.
func TestPurse(t *testing.T) {
	rule, err := Compile(`any(1..100000, # > 200000)`)
	if err != nil {
		t.Fatal(err)
	}
	purse, ran := NewPurse(1000), 0
	for range 1000 {
		v := purse.NewView(&Input{Body: []byte("1"), Element: true})
		if _, err := rule.Match(v); err == nil {
			ran++
		} else if !errors.Is(err, ErrBudget) {
			t.Fatal(err)
		}
		v.Free()
	}
	if ran < 50 || ran > 500 {
		t.Errorf("%d of 1000 parts got what they wanted", ran)
	}
}
