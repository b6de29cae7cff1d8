package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// content evaluates an expression that yields content.
func content(t *testing.T, in *Input, expression string) (string, bool, error) {
	t.Helper()
	c, err := CompileContent(expression)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	v := NewView(in)
	defer v.Free()
	written, isText, err := c.Write(v)
	return string(written), isText, err
}

func TestContent(t *testing.T) {
	in := &Input{
		Event: "push", RawQuery: "b=2&a=1", ReceivedAt: time.Date(2026, 3, 2, 9, 30, 0, 5e6, time.UTC),
		Header: map[string][]string{"Content-Type": {"application/json"}},
		Body: []byte(`{"msg":"x \"q\" é <b>&\u2028\u0001\n","big":123456789012345678901,"id":9007199254740993,"list":[1,1.50,1e21,1e-7,null,true],` +
			`"empty":{},"none":null,"payload":"{\"z\":1,\"a\":[]}","latin":"\ud800"}`),
	}
	for _, tt := range []struct {
		expression, want string
		isText           bool
	}{
		{`{"text": event + ": " + body.msg}`, `{"text":"push: x \"q\" é <b>&` + "\u2028" + `\u0001\n"}`, false},
		{`event`, `push`, true},
		{`"<" + body.payload`, `<{"z":1,"a":[]}`, true},
		{`""`, ``, true},
		{`body.payload`, `{"z":1,"a":[]}`, true},
		{`fromJSON(body.payload)`, `{"a":[],"z":1}`, false},
		{`body.payload.a`, `[]`, false},
		{`body.list`, `[1,1.5,1e+21,1e-7,null,true]`, false},
		{`[body.id, body.big, -0.5, 2 ** 3, 7 / 2]`, `[9007199254740993,123456789012345678901,-0.5,8,3.5]`, false},
		{`body.empty`, `{}`, false},
		{`body.none`, `null`, false},
		{`nil`, `null`, false},
		{`event == "push"`, `true`, false},
		{`len(body.list)`, `6`, false},
		{`query`, `{"a":"1","b":"2"}`, false},
		{`split("a,b", ",")`, `["a","b"]`, false},
		{`1..3`, `[1,2,3]`, false},
		{`groupBy([1, 2, 3], # % 2)`, `{"0":[2],"1":[1,3]}`, false},
		{`received_at`, `"2026-03-02T09:30:00.005Z"`, false},
		{`received_at.Unix()`, `1772443800`, false},
		{`received_at.Weekday()`, `1`, false},
		{`received_at.Weekday().String()`, `Monday`, true},
		{`body.latin`, "\ufffd", true},
		{`{"b": 1, "a": {"d": [], "c": ""}}`, `{"a":{"c":"","d":[]},"b":1}`, false},
		{`map(body.list, ({"n": #}))[1:2]`, `[{"n":1.5}]`, false},
	} {
		got, isText, err := content(t, in, tt.expression)
		if got != tt.want || isText != tt.isText || err != nil {
			t.Errorf("%s = %q (text: %v), %v; want %q (text: %v)", tt.expression, got, isText, err, tt.want, tt.isText)
		}
		if !tt.isText && !json.Valid([]byte(got)) {
			t.Errorf("%s is no JSON: %s", tt.expression, got)
		}
	}
}

func TestContentErrors(t *testing.T) {
	in := &Input{Event: "push", Body: []byte(`{"a":{"b":1}}`)}
	for expression, want := range map[string]string{
		`body.user.name`:            "body.user is missing, so it has no name (column 11 of the expression)",
		`{"n": body.a.c + 1}`:       "body.a.c is missing: invalid operation",
		`1 / 0`:                     "JSON has no number +Inf",
		`{"zone": timezone("UTC")}`: "a *time.Location cannot be written as JSON",
		`[header]`:                  "a function cannot be written as JSON",
	} {
		if got, _, err := content(t, in, expression); err == nil || !strings.Contains(err.Error(), want) || got != "" {
			t.Errorf("%s = %q, %v; want the error %s", expression, got, err, want)
		}
	}
	for expression, want := range map[string]string{
		`body.`:  "unexpected end of expression (column 5 of the expression)",
		`bod`:    "unknown name bod (column 1 of the expression)",
		`header`: "expected text or a value for JSON, but got func(string) string",
	} {
		if _, err := CompileContent(expression); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", expression, err, want)
		}
	}
}

// What a body makes too long or too expensive to write is refused before memory is
// taken, and rules go on.
func TestHostileContent(t *testing.T) {
	text := `"` + strings.Repeat("b", 1<<20) + `"`
	for _, tt := range []struct{ expression, a, b string }{
		{`map(body.a, body.b)`, list(20_000, `1`), text},
		{`map(body.a, body.b)`, list(20_000, `1`), list(20_000, `1`)},
		{`map(body.a, ({"x": body.b}))`, list(20_000, `1`), list(20_000, `{"y":1}`)},
		{`repeat(body.b, 20)`, ``, text},
		{`repeat(fromBase64("AAAA"), 4000000)`, ``, ``},
		{`[repeat(fromBase64("AAAA"), 1000000)]`, ``, ``},
		{`reduce(1..100000, [#acc])`, ``, ``},
	} {
		c, err := CompileContent(tt.expression)
		if err != nil {
			t.Fatal(err)
		}
		v := hostileView(tt.a, tt.b)
		before, began := allocated(), time.Now()
		written, _, err := c.Write(v)
		if written != nil || !errors.Is(err, ErrBudget) && !errors.Is(err, errContent) {
			t.Errorf("%s over %.40s = %.40q, %v; want an error of too much", tt.expression, tt.b, written, err)
		}
		took, made := time.Since(began), allocated()-before
		t.Logf("%s: %v, %d MiB, %v", tt.expression, took, made>>20, err)
		if made > 2*maxMade {
			t.Errorf("%s: %d MiB were allocated", tt.expression, made>>20)
		}
		if v.budget.steps < 0 || v.budget.made < 0 {
			t.Errorf("%s: %d steps and %d bytes are left", tt.expression, v.budget.steps, v.budget.made)
		}
		v.Free()
	}
}

// Honest bodies of 10 MiB are written whole.
func TestHonestContent(t *testing.T) {
	orders := numbered(60_000, `{"id":"order-%","sku":"SKU-%","price":19.99,"quantity":%,"tags":["new","paid"],"note":"thanks <you>"}`)
	for _, expression := range []string{`body.a`, `map(body.a, ({"sku": .sku, "n": .quantity}))`, `toJSON(map(body.a, .id))`} {
		c, _ := CompileContent(expression)
		v := hostileView(orders, ``)
		began := time.Now()
		written, _, err := c.Write(v)
		if took := time.Since(began); err != nil || !json.Valid(written) {
			t.Errorf("%s: %d bytes in %v, %v", expression, len(written), took, err)
		} else {
			t.Logf("%s: %d bytes of %d in %v", expression, len(written), len(v.in.Body), took)
		}
		v.Free()
	}
}

func BenchmarkContent(b *testing.B) {
	for name, expression := range map[string]string{
		"message": `{"text": event + ": " + body.data.object.status}`,
		"items":   `{"items": map(body.items, ({"sku": .sku, "n": .quantity}))}`,
		"whole":   `body`,
		"text":    `event + ": " + body.type`,
	} {
		b.Run(name, func(b *testing.B) {
			in := delivery()
			c, err := CompileContent(expression)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				v := NewView(in)
				if _, _, err := c.Write(v); err != nil {
					b.Fatal(err)
				}
				v.Free()
			}
		})
	}
}

// The same value is written the same way each time.
func TestContentIsInOrder(t *testing.T) {
	var members []string
	for i := range 50 {
		members = append(members, fmt.Sprintf(`"n%d":%d`, i*37%50, i))
	}
	in := &Input{Body: []byte("{" + strings.Join(members, ",") + "}")}
	first, _, _ := content(t, in, `body`)
	for range 10 {
		if again, _, _ := content(t, in, `body`); again != first {
			t.Fatalf("%s, then %s", first, again)
		}
	}
}
