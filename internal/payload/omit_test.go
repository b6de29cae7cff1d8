package payload

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"reflect"
	"testing"
)

func paths(t testing.TB, texts ...string) (paths []Path) {
	t.Helper()
	for _, text := range texts {
		p, err := ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	return paths
}

func TestOmitFromJSON(t *testing.T) {
	for _, tt := range []struct {
		body, want string
		paths      []string
	}{
		{`{"a":1,"n":2}`, `{"a":1}`, []string{"n"}},
		{`{"n":2,"a":1}`, `{"a":1}`, []string{"n"}},
		{`{"a":1}`, `{"a":1}`, []string{"n"}},
		{`{"n":2}`, `{}`, []string{"n"}},
		{`{ "n" : {"x":[1,"}"]} , "a":1}`, `{ "a":1}`, []string{"n"}},
		{"{\n  \"a\": 1,\n  \"n\": 2\n}", "{\n  \"a\": 1\n}", []string{"n"}},
		{`{"n":2,"m":3,"a":1}`, `{"a":1}`, []string{"m", "n"}},
		{`{"a":1,"n":2,"b":3,"m":4}`, `{"a":1,"b":3}`, []string{"m", "n"}},
		{`{"n":2,"m":3}`, `{}`, []string{"m", "n"}},
		{`{"d":{"n":2,"a":"n"},"n":3}`, `{"d":{"a":"n"},"n":3}`, []string{"d.n"}},
		{`{"d":{"n":2},"n":3}`, `{"n":3}`, []string{"d.n", "d"}},
		{`[{"n":0,"a":1},{"a":2,"n":1}]`, `[{"a":1},{"a":2}]`, []string{"#.n"}},
		{`[1,2,3]`, `[1,3]`, []string{"1"}},
		{`{"a":1,"x\\\"n":2}`, `{"a":1}`, []string{`x\\"n`}},
		{`{"n":2,"a":1,"n":3}`, `{"n":2,"a":1,"n":3}`, []string{"n"}}, // nobody knows which
		{`{"n":2`, `{"n":2`, []string{"n"}},
		{`2`, `2`, []string{"n"}},
		{``, ``, []string{"n"}},
	} {
		o := Omission{JSON: paths(t, tt.paths...)}
		if got := o.From("application/json", []byte(tt.body)); string(got) != tt.want {
			t.Errorf("%s without %q is %s, want %s", tt.body, tt.paths, got, tt.want)
		}
	}
}

func TestOmitFromForm(t *testing.T) {
	o := Omission{Form: []string{"n", "é"}}
	for body, want := range map[string]string{
		"a=1&n=2&b=%20": "a=1&b=%20",
		"n=2":           "",
		"n=2&n=3&a=n":   "a=n",
		"%C3%A9=1&a=1":  "a=1",
		"a=1":           "a=1",
		`{"n":2}`:       `{"n":2}`,
	} {
		if got := o.From("application/x-www-form-urlencoded", []byte(body)); string(got) != want {
			t.Errorf("%s became %s, want %s", body, got, want)
		}
	}
}

func TestOmitFromMultipart(t *testing.T) {
	form := func(boundary, n, content string) []byte {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		_ = w.SetBoundary(boundary)
		_ = w.WriteField("a", "1")
		_ = w.WriteField("n", n)
		file, _ := w.CreateFormFile("f", "file.pdf")
		_, _ = file.Write([]byte(content))
		_ = w.Close()
		return b.Bytes()
	}
	o := Omission{Form: []string{"n"}}
	from := func(boundary, n, content string) string {
		return string(o.From("multipart/form-data; boundary="+boundary, form(boundary, n, content)))
	}
	want := from("one", "1", "x")
	if got := from("two", "2", "x"); got != want {
		t.Errorf("another boundary and another n: %q, want %q", got, want)
	}
	if from("one", "1", "y") == want {
		t.Error("another content of a file makes no difference")
	}
	if got := o.From("multipart/form-data; boundary=one", []byte("--two")); string(got) != "--two" {
		t.Errorf("a body that is no form became %q", got)
	}
}

// What is left is JSON, and says what the whole says but for what was omitted.
func FuzzOmit(f *testing.F) {
	for _, seed := range []string{`{"a":1,"n":2}`, `{"n":{"n":1},"d":{"n":[1]}}`, `[{"n":1},{"n":2,"a":"\\\"n"}]`, "{\"a\" :\t1 ,\n\"n\" : 2\n}"} {
		f.Add([]byte(seed))
	}
	o := Omission{JSON: paths(f, "n", "d.n", "#.n")}
	f.Fuzz(func(t *testing.T, body []byte) {
		left := o.From("application/json", body)
		if bytes.Equal(left, body) {
			return
		}
		var whole, rest any
		if json.Unmarshal(body, &whole) != nil {
			t.Fatalf("%q is no JSON and became %q", body, left)
		}
		if err := json.Unmarshal(left, &rest); err != nil {
			t.Fatalf("%q became %q: %v", body, left, err)
		}
		switch v := whole.(type) {
		case map[string]any:
			delete(v, "n")
			if d, ok := v["d"].(map[string]any); ok {
				delete(d, "n")
			}
		case []any:
			for _, element := range v {
				if m, ok := element.(map[string]any); ok {
					delete(m, "n")
				}
			}
		}
		if !reflect.DeepEqual(whole, rest) {
			t.Fatalf("%q became %q", body, left)
		}
	})
}
