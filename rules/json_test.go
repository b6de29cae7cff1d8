package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/expr-lang/expr"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// documents are what lookups and decoding must agree on with encoding/json.
var documents = []string{
	`{}`, `[]`, `null`, `true`, `0`, `"a"`, `  {"a" : 1 }  `, "\t[ 1 ,\n2 ]\r\n",
	`{"a":{"b":{"c":1}}}`,
	`{"a":null}`, `{"a":{"b":null}}`, `{"a":true}`, `{"a":"text"}`, `{"a":""}`, `{"a":{}}`, `{"a":[]}`,
	`{"a":1,"a":2}`, `{"a":{"b":1},"a":{"c":2}}`, `{"a":{"b":1},"a":null}`, `{"a":{"b":1,"b":[2]}}`,
	`{"a.b":1,"a":{"b":2}}`, `{"a\"b":1,"a\\":2,"\\":{"b":3}}`, `{"\u0061":{"\u0062":"escaped"}}`,
	`{"a":"first","\u0061":"second"}`, `{"é":1,"\u00e9":2,"\ud83d\ude00":3,"😀":4}`,
	`{"":{"":"empty"}}`, `{"0":{"1":"digits"}}`, `[["x","y"],{"a":[{"b":"deep"}]}]`,
	`{"a":[1,[2,3],{"b":4}]}`, `{"a":[{"b":1},{"b":2}]}`, `{"a":"\\","b":"\"}"}`, `{"a":"]}\\\"","b":{"a":"{["}}`,
	`{"a":9007199254740993}`, `{"a":-9223372036854775808}`, `{"a":9223372036854775808}`, `{"a":-0}`, `{"a":-0.0}`,
	`{"a":1e3}`, `{"a":1E+2,"b":1.5e-7}`, `{"a":1e999}`, `{"a":0.1}`, `{"a":123456789012345678901234567890}`,
	`{"a":"\ud800"}`, `{"a":"\ud800\u0041"}`, `{"a":"\udc00\ud800x"}`, "{\"a\":\"\xff\xfe\"}", "{\"\xff\":1,\"\\ufffd\":2}",
	"{\"\xff\":1}", "{\"\\ufffd\":1,\"\xff\":2}", "{\"\xff\":1,\"\ufffd\":2,\"\xfe\":3}",
	`{"a":"\b\f\n\r\t\/"}`, "{\"a\":\"\u2028\x7f\"}", `{"#":1,"@this":2,"*":3,"a|b":4,"!":5}`,
	`{"a":{"type":"x","items":[{"sku":"1","qty":2}],"ok":false}}`,
	`[1,2,3]`, `[{"a":1},{"a":{"b":2}}]`, `{"a":[[[["b"]]]]}`, `{"b":[true,false,null,{"a":null}]}`,
	// not JSON
	``, ` `, `{`, `{"a":}`, `{"a":1,}`, `[1,]`, `{a:1}`, `nul`, `01`, `1 2`, `{"a":"\x"}`, "{\"a\":\"\n\"}", `{"a":1}}`, `"a`, `-`, `"\`,
}

// over are expressions around two keys and an index.
func over(a, b string, n int) []string {
	a, b = strconv.Quote(a), strconv.Quote(b)
	i := strconv.Itoa(n)
	return strings.Split(strings.NewReplacer("A", a, "B", b, "N", i).Replace(`body
body[A]
body[A][B]
body[A][B][A]
body[N]
body[N][A]
body[A][N]
body[A][N][B]
body[-1]
body[A][-1]
body?.[A]
body?.[A][B]
body?.[A]?.[B]
body?.[A]?.[B]?.[A]
body[A]?.[B]
body[A]?.[B][A]
(body?.[A])[B]
body?.[A]?.[N]
body?.[N]?.[A]
body?.a.b
body?.a?.b.c
(body?.a).b
(body?.a)?.b
body.a?.b?.c ?? A
body[A] ?? B
body?.[A + ""]?.[B]
body?.a[B + ""]
body?.a?.[B + ""].c
body[A][B + ""]
body?.a.b()
body?.a.b.c()
body?.[A][B]?.[A]
body[A] == body[B]
body[A] == nil || body[A][B] == nil
A in body
len(body)
len(body[A])
[body[A], body?.[B], body]
{"x": body[A]}
map(body[A], #)
map(body, #?.[A]?.[B])
filter(body[A], .b == body[B])
all(body[A], # != A) && all(body[A], # != B)
let x = body[A]; x[B]
true ? body[A] : body[B][A]
body[A][0:1]
body[A] + 1
type(body[A])
get(body, A)
string(body[A])`), "\n")
}

// decoded is a document as encoding/json decodes it, with exact integers.
func decoded(document string) (value any, err error) {
	if !json.Valid([]byte(document)) {
		return nil, errors.New("not JSON")
	}
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	return exact(value), nil
}

// hasInteger reports whether there is an integer beyond 64 bits in a value.
func hasInteger(value any) bool {
	found := false
	switch x := value.(type) {
	case payload.Integer:
		return true
	case map[string]any:
		for _, member := range x {
			found = found || hasInteger(member)
		}
	case []any:
		found = slices.ContainsFunc(x, hasInteger)
	}
	return found
}

func exact(value any) any {
	switch x := value.(type) {
	case map[string]any:
		for k := range x {
			x[k] = exact(x[k])
		}
	case []any:
		for i := range x {
			x[i] = exact(x[i])
		}
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return int(n)
		}
		if bytes.ContainsAny([]byte(x), ".eE") {
			if f, err := x.Float64(); err == nil {
				return f
			}
		}
		if len(x) <= 400 && !bytes.ContainsAny([]byte(x), ".eE") {
			return payload.Integer(x)
		}
		return x.String()
	}
	return value
}

func run(p *program, document string) (any, error) {
	v := NewView(&Input{Header: map[string][]string{"Content-Type": {"application/json"}}, Body: []byte(document)})
	defer v.Free()
	return v.run(p)
}

// compare reports where an expression means something else than it does to
// expr on decoded documents.
func compare(t *testing.T, expression string, documents ...string) {
	t.Helper()
	plain, plainErr := expr.Compile(expression, expr.Env(names))
	lazy, lazyErr := compile(expression, names, reflect.Invalid)
	if (plainErr == nil) != (lazyErr == nil) {
		t.Fatalf("%s\n got %v\nwant %v", expression, lazyErr, plainErr)
	}
	if plainErr != nil {
		return
	}
	for _, document := range documents {
		body, wantErr := decoded(document)
		if hasInteger(body) {
			continue // of which expr knows nothing
		}
		var want any
		if wantErr == nil {
			want, wantErr = expr.Run(plain, map[string]any{"body": body})
		}
		got, gotErr := run(lazy, document)
		if (wantErr == nil) != (gotErr == nil) || wantErr == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s over %s\n got %#v, %v\nwant %#v, %v", expression, document, got, gotErr, want, wantErr)
		}
	}
}

func TestLazyIsPlain(t *testing.T) {
	keys := [][2]string{
		{"a", "b"}, {"b", "a"}, {"a.b", "a"}, {"a\"b", "\\"}, {"\\", "b"}, {"é", "😀"}, {"", ""}, {"0", "1"}, {"#", "@this"},
		{"\ufffd", "\xff"}, {"\xff", "a\\"}, {"absent", "a"},
	}
	for _, k := range keys {
		for _, expression := range over(k[0], k[1], 1) {
			compare(t, expression, documents...)
		}
	}
}

// Of an object with more members than are remembered, all count nevertheless.
func TestLargeObjects(t *testing.T) {
	filler := strings.Repeat(`"x":0,`, 2_000) // more than payload.JSON notes
	for _, expression := range over("a", "b", 1) {
		compare(t, expression,
			`{"a":{"b":1},`+filler+`"y":2}`,
			`{"a":{"b":1},`+filler+`"a":{`+filler+`"b":[1,2]}}`,
			`{`+filler+`"b":[1,2],"a":[3,{"b":4}]}`,
			`{"c":{"d":{"e":{`+filler+`"f":[{`+filler+`"b":0}]}}},"a":{"b":[1,{"a":2}],`+filler+`"b":{"a":`+filler[4:6]+`}},"b":3}`)
	}
}

func FuzzLazyIsPlain(f *testing.F) {
	for i, document := range documents {
		f.Add(document, []string{"a", "b", "", "é", "0"}[i%5], []string{"b", "c", "a.b", "\\"}[i%4], i%3)
	}
	f.Fuzz(func(t *testing.T, document, a, b string, n int) {
		if strings.Count(document, "[")+strings.Count(document, "{") > payload.MaxDepth || n < 0 {
			return
		}
		for _, expression := range over(a, b, n) {
			compare(t, expression, document)
		}
	})
}

func TestDepth(t *testing.T) {
	length := mustCompile(t, "len(body)")
	for _, tt := range []struct {
		name, document string
		deep           bool
	}{
		{"at the limit", strings.Repeat("[", payload.MaxDepth) + strings.Repeat("]", payload.MaxDepth), false},
		{"beyond", strings.Repeat("[", payload.MaxDepth+1) + strings.Repeat("]", payload.MaxDepth+1), true},
		{"beyond, in members", strings.Repeat(`{"a":`, payload.MaxDepth+1) + "1" + strings.Repeat("}", payload.MaxDepth+1), true},
		{"far beyond, cut short", strings.Repeat("[", 10<<20), true},
		{"wide", "[" + strings.Repeat("[],", 2*payload.MaxDepth) + "[]]", false},
		{"brackets in strings", `["` + strings.Repeat(`[\"`, 2*payload.MaxDepth) + `"]`, false},
	} {
		_, err := run(length, tt.document)
		if deep := err != nil && strings.Contains(err.Error(), "nests deeper"); deep != tt.deep || err != nil && !deep {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestDecodingIsBounded(t *testing.T) {
	document := `{"type":"x","list":[` + strings.Repeat("0,", maxValues) + `0]}`
	if _, err := run(mustCompile(t, "len(body.list)"), document); err == nil || !strings.Contains(err.Error(), "values to decode") {
		t.Errorf("decoding all: %v", err)
	}
	if got, err := run(mustCompile(t, "body.type"), document); got != "x" || err != nil {
		t.Errorf("looking up beside it: %v, %v", got, err)
	}
}

func mustCompile(t *testing.T, expression string) *program {
	t.Helper()
	p, err := compile(expression, names, reflect.Invalid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
