package rules

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// delivery is a webhook of 2 KiB.
func delivery() *Input {
	in := webhook()
	var b strings.Builder
	b.WriteString(`{"id":"evt_0001","type":"document.completed","created":1772600767,"items":[`)
	for i := range 20 {
		fmt.Fprintf(&b, `{"sku":"sku-%04d","name":"A thing with a name","quantity":%d,"price":19.99,"tags":["a","b"]},`, i, i)
	}
	b.WriteString(`{}],"data":{"object":{"id":9007199254740993,"status":"completed"}},"livemode":true}`)
	in.Body = []byte(b.String())
	in.Header = http.Header{"Content-Type": {"application/json"}, "X-Github-Event": {"push"}, "User-Agent": {"Hookshot"}}
	return in
}

func benchmark(b *testing.B, in *Input, expressions ...string) {
	var rules []*Rule
	for _, expression := range expressions {
		r, err := Compile(expression)
		if err != nil {
			b.Fatal(err)
		}
		rules = append(rules, r)
	}
	b.ReportAllocs()
	for b.Loop() {
		v := NewView(in)
		for _, r := range rules {
			if _, err := r.Match(v); err != nil {
				b.Fatal(err)
			}
		}
		v.Free()
	}
}

func ten(format string) (expressions []string) {
	for i := range 10 {
		expressions = append(expressions, fmt.Sprintf(format, i))
	}
	return expressions
}

func BenchmarkEvent(b *testing.B) { benchmark(b, delivery(), `event == "x"`) }

func BenchmarkTenEvents(b *testing.B) { benchmark(b, delivery(), ten(`event == "x%d"`)...) }

func BenchmarkTenHeaders(b *testing.B) {
	benchmark(b, delivery(), ten(`event == "document.completed" && headers["x-github-event"] == "x%d"`)...)
}

func BenchmarkBodyType(b *testing.B) { benchmark(b, delivery(), `body.type == "x"`) }

func BenchmarkBodyDeep(b *testing.B) { benchmark(b, delivery(), `body.data.object.id == 1`) }

func BenchmarkBodyLargest(b *testing.B) { benchmark(b, delivery(), `any(body.items, .sku == "x")`) }

func BenchmarkTenBodyTypes(b *testing.B) { benchmark(b, delivery(), ten(`body.type == "x%d"`)...) }

// BenchmarkRemembered is one more rule on a View that has seen its operands.
func BenchmarkRemembered(b *testing.B) {
	r, err := Compile(`event == "x" || body.type == "x"`)
	if err != nil {
		b.Fatal(err)
	}
	v := NewView(delivery())
	defer v.Free()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = r.Match(v)
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		_, _ = Compile(`event == "x" && body.data.object.id == 1`)
	}
}

// What has been fetched once is free.
func TestMatchDoesNotAllocate(t *testing.T) {
	r, _ := Compile(`event == "x" || headers["x-github-event"] == "x" || body.type == "x"`)
	v := NewView(delivery())
	defer v.Free()
	if n := testing.AllocsPerRun(100, func() { _, _ = r.Match(v) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
