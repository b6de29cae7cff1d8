package payload

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestBatch(t *testing.T) {
	for _, test := range []struct {
		text   string
		names  []string
		framed []string
		err    error
	}{
		{`[1]`, nil, []string{`[1]`}, nil},
		{" [ {\"a\" : 1} ,\n\"b]\" , [2,3],null ]\n", nil, []string{" [{\"a\" : 1}]\n", " [\"b]\"]\n", " [[2,3]]\n", " [null]\n"}, nil},
		{`{"x":[9],"a":{"b": [ {"c":"\"]"} , 1.50e1 ],"z":0},"y":[]}`, []string{"a", "b"},
			[]string{`{"x":[9],"a":{"b": [{"c":"\"]"}],"z":0},"y":[]}`, `{"x":[9],"a":{"b": [1.50e1],"z":0},"y":[]}`}, nil},
		{`{"a":[1],"a":[2]}`, []string{"a"}, []string{`{"a":[1],"a":[2]}`}, nil}, // the last one counts, as for rules
		{`{"\u0061":[1,2]}`, []string{"a"}, []string{`{"\u0061":[1]}`, `{"\u0061":[2]}`}, nil},
		{`[]`, nil, nil, ErrEmptyList},
		{`{"a":[ ]}`, []string{"a"}, nil, ErrEmptyList},
		{`{"a":{}}`, []string{"a"}, nil, ErrNoList},
		{`{"a":1}`, []string{"b"}, nil, ErrNoList},
		{`{"a":1}`, []string{"a", "b"}, nil, ErrNoList},
		{`{}`, nil, nil, ErrNoList},
		{`"[1]"`, nil, nil, ErrNoList},
	} {
		var doc JSON
		if err := doc.Parse([]byte(test.text), MaxDepth); err != nil {
			t.Fatal(err)
		}
		b, err := doc.Root().Batch(test.names)
		if !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.text, err, test.err)
		}
		checkFramed(t, test.text, b, test.framed)
	}
}

// checkFramed looks at the bodies of all elements, at their sizes, and at where the elements
// stand in them.
func checkFramed(t *testing.T, text string, b *Batch, want []string) {
	t.Helper()
	if b == nil {
		if want != nil {
			t.Errorf("%s is not cut", text)
		}
		return
	}
	memory := []byte("before")
	for i := range b.Elements {
		first := len(memory)
		var start, end int
		memory, start, end = b.AppendFramed(memory, i)
		framed := memory[first:]
		content := string(framed[start:end])
		if b.Form {
			content, _ = url.QueryUnescape(content)
		}
		if i >= len(want) || string(framed) != want[i] || len(framed) != b.Size(i) || content != string(b.Elements[i]) {
			t.Errorf("%s: element %d is %q with size %d, and %q stands at its place", text, i, framed, b.Size(i), content)
		}
	}
	if len(b.Elements) != len(want) {
		t.Errorf("%s has %d elements, want %d", text, len(b.Elements), len(want))
	}
}

func TestFormBatch(t *testing.T) {
	list := url.QueryEscape(`[{"t":"é &=+"}, 2]`)
	for _, test := range []struct {
		form   string
		names  []string
		framed []string
		err    error
	}{
		{"l=" + list, []string{"l"}, []string{"l=" + url.QueryEscape(`[{"t":"é &=+"}]`), "l=%5B2%5D"}, nil},
		{"a=%20&&l=" + list + "&z=1&l=3", []string{"l"}, []string{"a=%20&&l=" + url.QueryEscape(`[{"t":"é &=+"}]`) + "&z=1&l=3", "a=%20&&l=%5B2%5D&z=1&l=3"}, nil},
		{"%6C=%7B%22a%22:[7]}", []string{"l", "a"}, []string{"%6C=%7B%22a%22%3A%5B7%5D%7D"}, nil},
		{"l=%5B%5D", []string{"l"}, nil, ErrEmptyList},
		{"l", []string{"l"}, nil, ErrNoList},
		{"l=text", []string{"l"}, nil, ErrNoList},
		{"a=%zz&l=" + list, []string{"l"}, nil, ErrNoList},
		{"a=1", []string{"l"}, nil, ErrNoList},
		{"a=1", nil, nil, ErrNoList},
	} {
		b, err := FormBatch(test.form, test.names)
		if !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.form, err, test.err)
		}
		checkFramed(t, test.form, b, test.framed)
	}
}

func TestBatchHasABound(t *testing.T) {
	for n, want := range map[int]error{MaxElements: nil, MaxElements + 1: ErrManyElements} {
		var doc JSON
		if err := doc.Parse([]byte("["+strings.Repeat("1,", n-1)+"1]"), MaxDepth); err != nil {
			t.Fatal(err)
		}
		if _, err := doc.Root().Batch(nil); !errors.Is(err, want) {
			t.Errorf("%d elements: %v", n, err)
		}
	}
}

// FuzzBatch holds that what is cut out of any JSON is JSON with a list of that element.
func FuzzBatch(f *testing.F) {
	for _, seed := range []string{`[1,{"a":[]}]`, `{"l":[1, "]",{"l":[2]}]}`, ` {"a":"[","l" : [ null ] , "z":{}} `, `{"l":[1],"\u006c":[2,3]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, names := range [][]string{nil, {"l"}} {
			var doc JSON
			if doc.Parse(text, MaxDepth) != nil {
				return
			}
			b, err := doc.Root().Batch(names)
			if err != nil {
				continue
			}
			for i := range b.Elements {
				framed, _, _ := b.AppendFramed(nil, i)
				var alone JSON
				if err := alone.Parse(framed, MaxDepth); err != nil {
					t.Fatalf("%q: %v", framed, err)
				}
				again, err := alone.Root().Batch(names)
				if err != nil || len(again.Elements) != 1 || !bytes.Equal(again.Elements[0], b.Elements[i]) {
					t.Fatalf("%q has the elements %+v: %v", framed, again, err)
				}
			}
		}
	})
}
