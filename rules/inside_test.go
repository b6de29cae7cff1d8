package rules

import (
	"errors"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

const formType = "application/x-www-form-urlencoded"

func TestTextsThatHoldJSON(t *testing.T) {
	payload := `{"type":"inner","list":[{"n":1},{"n":2}],"none":null,"deep":"{\"a\":\"[7]\"}"}`
	object := `{"payload":` + strconv.Quote(payload) + `,"items":[{"p":"{\"n\":1}"},{"p":"{\"n\":2}"},{"p":"text"}],"text":"hello","open":"{no"}`
	form := url.Values{"payload": {payload}, "text": {"hello"}}.Encode()
	for _, body := range []struct{ contentType, content string }{
		{"application/json", object}, {formType, form},
	} {
		for _, rule := range []string{
			`body.payload.type == "inner"`,
			`body["payload"]["type"] == "inner"`,
			`body.payload.list[1].n == 2`,
			`body.payload.list[-1].n == 2`,
			`any(body.payload.list, .n == 2)`,
			`body.payload?.type == "inner"`,
			`body.payload.none?.x == nil && body.payload.absent == nil`,
			`body.payload.deep.a[0] == 7`,
			`body.payload startsWith "{" && type(body.payload) == "string"`,
			`fromJSON(body.payload).type == "inner"`,
			`let p = body.payload; p.type == "inner" && p startsWith "{"`,
			`body["pay" + "load"].type == "inner"`,
			`body.text == "hello"`,
		} {
			if got, err := match(t, rule, body.contentType, body.content); !got || err != nil {
				t.Errorf("%s as %s = %v, %v", rule, body.contentType, got, err)
			}
		}
	}
	for rule, want := range map[string]bool{
		`any(body.items[0:2], .p.n == 2)`: true,
		`body.text.type == "x"`:           false,
		`body.open.type == "x"`:           false,
	} {
		if got, err := match(t, rule, "application/json", object); got != want || (err == nil) != want {
			t.Errorf("%s = %v, %v", rule, got, err)
		}
	}
	twice := strconv.Quote(`{"type":"twice"}`)
	if got, err := match(t, `body.type == "twice"`, "application/json", twice); !got {
		t.Errorf("JSON in a string that is the whole body: %v", err)
	}
}

// A form that is nothing but JSON in a field is read as that JSON, too.
func TestFormOfOneField(t *testing.T) {
	for _, tt := range []struct {
		form, rule string
		want       bool
	}{
		{`payload={"ref":"main","payload":1}`, `body.ref == "main"`, true},
		{`payload={"ref":"main","payload":1}`, `body.payload startsWith "{"`, true},
		{`payload={"ref":"main"}`, `body.absent == nil && body.absent?.x == nil`, true},
		{`payload={"ref":"main"}&more=1`, `body.ref == "main"`, false},
		{`payload=[1]`, `body.ref == nil`, true},
		{`payload=text`, `body.ref == nil`, true},
		{``, `body.ref == nil`, true},
	} {
		if got, err := match(t, tt.rule, formType, tt.form); got != tt.want || err != nil {
			t.Errorf("%s over %s = %v, %v", tt.rule, tt.form, got, err)
		}
	}
}

// A text is read once, whatever asks for it.
func TestTextsAreReadOnce(t *testing.T) {
	in := &Input{Header: map[string][]string{"Content-Type": {formType}}, Body: []byte(`p={"a":1,"b":[{"c":2}]}&q=1`)}
	v := NewView(in)
	defer v.Free()
	for _, expression := range []string{`body.p.a == 1`, `body.p.b[0].c == 2`, `any(body.p.b, .c == body.p.a + 1)`, `let p = body.p; p.a == 1`} {
		r, err := Compile(expression)
		if err != nil {
			t.Fatal(err)
		}
		if holds, err := r.Match(v); !holds {
			t.Errorf("%s: %v", expression, err)
		}
	}
	if len(v.texts) != 1 {
		t.Errorf("%d texts were read", len(v.texts))
	}
}

// largeForm is a form of 10 MiB with JSON in a field.
func largeForm() []byte {
	element := `{"id":"evt_12345","amount":1250,"currency":"EUR","tags":["a","b"],"note":"some words that a customer wrote"},`
	json := `{"type":"last","items":[` + strings.Repeat(element, (10<<20)/len(element)) + `{}]}`
	return []byte("payload=" + strings.NewReplacer("%", "%25", "&", "%26", "+", "%2B").Replace(json))
}

// TestLargeTextsAreBounded holds the figures of the page.
func TestLargeTextsAreBounded(t *testing.T) {
	in := &Input{Header: map[string][]string{"Content-Type": {formType}}, Body: largeForm()}
	took, made, holds, err := measured(t, in, `body.payload.type == "last"`)
	if !holds {
		t.Errorf("the rule does not hold: %v", err)
	}
	t.Logf("%d bytes: %v, %d MiB", len(in.Body), took, made>>20)
	if took > time.Second || made > 64<<20 {
		t.Errorf("took %v and %d MiB", took, made>>20)
	}
}

// Texts in texts, and very many texts, end at the budget.
func TestReadingTextsSpendsFromTheBudget(t *testing.T) {
	inner := `{"a":1}`
	for range 12 {
		inner = `{"p":` + strconv.Quote(inner) + `}`
	}
	for name, tt := range map[string]struct{ rule, body string }{
		"in texts": {`body` + strings.Repeat(".p", 12) + `.a == 1`, `{"p":` + strconv.Quote(`{"p":`+strconv.Quote(`{"p":`+strconv.Quote(`"`+strings.Repeat("x", 12<<20)+`"`)+`}`)+`}`) + `}`},
		"many":     {`any(body.a, #.p.n == 2)`, `{"a":` + list(200_000, `{"p":"{\"n\":1}"}`) + `}`},
	} {
		if got, err := match(t, tt.rule, "application/json", tt.body); got || !errors.Is(err, ErrBudget) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, err := match(t, `body`+strings.Repeat(".p", 12)+`.a == 1`, "application/json", inner); !got {
		t.Errorf("twelve texts in each other: %v", err)
	}
}

// measured evaluates a rule on a fresh View, and says what that took.
func measured(t *testing.T, in *Input, rule string) (took time.Duration, made uint64, holds bool, err error) {
	t.Helper()
	r, err := Compile(rule)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	v := NewView(in)
	holds, err = r.Match(v)
	took = time.Since(begin)
	v.Free()
	runtime.ReadMemStats(&after)
	return took, after.TotalAlloc - before.TotalAlloc, holds, err
}

func BenchmarkReadText(b *testing.B) {
	_, text, _ := strings.Cut(string(largeForm()), "=")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		v := NewView(&Input{})
		if v.insideText(text) == nil {
			b.Fatal("not JSON")
		}
		v.Free()
	}
}
