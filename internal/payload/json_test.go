package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// documents are what reading must agree on with encoding/json.
var documents = []string{
	`{}`, `[]`, `null`, `true`, `0`, `"a"`, `  {"a" : 1 }  `, "\t[ 1 ,\n2 ]\r\n",
	`{"a":{"b":{"c":1}}}`, `{"a":null}`, `{"a":{"b":null}}`, `{"a":true}`, `{"a":"text"}`, `{"a":""}`, `{"a":{}}`, `{"a":[]}`,
	`{"a":1,"a":2}`, `{"a":{"b":1},"a":{"c":2}}`, `{"a":{"b":1},"a":null}`, `{"a":{"b":1,"b":[2]}}`, `{"b":1,"b":2,"a":{"a":3}}`,
	`{"a":1,"A":2}`, `{"A":1}`, `{"a":{"B":1}}`, `{"A":{"b":1},"a":{"b":2}}`, `{"\u0041":1,"a":{"b":2}}`, `{"k":1,"\u212a":2}`, "{\"K\":1}", `{"ſ":1,"s":2}`,
	`{"a.b":1,"a":{"b":2}}`, `{"a\"b":1,"a\\":2,"\\":{"b":3}}`, `{"\u0061":{"\u0062":"escaped"}}`,
	`{"a":"first","\u0061":"second"}`, `{"é":1,"\u00e9":2,"\u00c9":5,"\ud83d\ude00":3,"😀":4}`,
	`{"":{"":"empty"}}`, `{"0":{"1":"digits"}}`, `[["x","y"],{"a":[{"b":"deep"}]}]`, `[{"a":1},{"a":{"b":2}}]`,
	`{"a":[1,[2,3],{"b":4}]}`, `{"a":"\\","b":"\"}"}`, `{"a":"]}\\\"","b":{"a":"{["}}`,
	`{"a":9007199254740993}`, `{"a":-9223372036854775808}`, `{"a":9223372036854775808}`, `{"a":-0}`, `{"a":-0.0}`,
	`{"a":1e3}`, `{"a":1E+2,"b":1.5e-7}`, `{"a":1e999}`, `{"a":0.1}`,
	`{"a":"\ud800"}`, `{"a":"\ud800\u0041"}`, `{"a":"\udc00\ud800x"}`, `{"a":"\ud800\ud800\udc00"}`, "{\"a\":\"\xff\xfe\"}",
	"{\"\xff\":1,\"\\ufffd\":2}", "{\"\xff\":1,\"\ufffd\":2,\"\xfe\":3}", `{"\ud800":1,"\udfff":{"b":2}}`,
	`{"a":"\b\f\n\r\t\/\""}`, "{\"a\":\"\u2028\x7f\"}",
	// not JSON
	``, ` `, `{`, `{"a":}`, `{"a":1,}`, `[1,]`, `{a:1}`, `nul`, `01`, `1 2`, `{"a":"\x"}`, "{\"a\":\"\n\"}", `{"a":1}}`, `"a`, `-`, `"\`,
}

// names are what is looked up in the documents.
var names = []string{"a", "b", "A", "c", "", "0", "1", "\\", "é", "É", "k", "K", "s", "😀", "\ufffd", "\xff", "absent"}

// oracle is a value as the tokens of encoding/json tell it, with all names.
type oracle struct {
	names  []string
	values []*oracle // of the names, or the elements
	raw    json.RawMessage
}

func newOracle(raw json.RawMessage) *oracle {
	o := &oracle{raw: raw}
	d := json.NewDecoder(bytes.NewReader(raw))
	open, _ := d.Token()
	if open != json.Delim('{') && open != json.Delim('[') {
		return o
	}
	for d.More() {
		if open == json.Delim('{') {
			name, _ := d.Token()
			o.names = append(o.names, name.(string))
		}
		var value json.RawMessage
		_ = d.Decode(&value)
		o.values = append(o.values, newOracle(value))
	}
	return o
}

// last returns the last member of a name.
func (o *oracle) last(name string) (found *oracle) {
	for i, other := range o.names {
		if other == name {
			found = o.values[i]
		}
	}
	return found
}

// only returns the member of a name, and whether there is doubt about it.
func (o *oracle) only(name string) (found *oracle, err error) {
	count := 0
	for _, other := range o.names {
		if utf8.ValidString(name) && strings.EqualFold(other, name) {
			count++
		}
	}
	if found = o.last(name); count > 1 || count == 1 && found == nil {
		return nil, ErrAmbiguous
	}
	return found, nil
}

// compareValue compares a value, and all that is in it, with what the tokens tell.
func compareValue(t *testing.T, v Value, o *oracle, names ...string) {
	t.Helper()
	if (o != nil) != v.Exists() {
		t.Errorf("%s exists: %v, want %v", v.Raw(), v.Exists(), o != nil)
	}
	if o == nil || !v.Exists() {
		return
	}
	if !bytes.Equal(v.Raw(), o.raw) {
		t.Errorf("got %s, want %s", v.Raw(), o.raw)
		return
	}
	var want any
	d := json.NewDecoder(bytes.NewReader(o.raw))
	d.UseNumber()
	_ = d.Decode(&want)
	if got, err := v.Decode(1_000); err == nil && !reflect.DeepEqual(got, exact(want)) {
		t.Errorf("%s is decoded to %#v, want %#v", o.raw, got, exact(want))
	}
	if text, isString := want.(string); isString && (v.Kind() != String || v.Text() != text) {
		t.Errorf("%s reads %q, want %q", o.raw, v.Text(), text)
	}
	compareMembers(t, v, o, append(names, o.names...))
	if v.Kind() == Array {
		i := 0
		for element := range v.Elements() {
			compareValue(t, element, o.values[i], names...)
			compareValue(t, v.Element(i), o.values[i])
			i++
		}
		if i != len(o.values) || v.Element(i).Exists() {
			t.Errorf("%s has %d elements, want %d", o.raw, i, len(o.values))
		}
	}
}

func compareMembers(t *testing.T, v Value, o *oracle, names []string) {
	t.Helper()
	for _, name := range names[:min(len(names), 50)] {
		compareValue(t, v.Member(name), o.last(name))
		got, err := v.Only(name)
		want, wantErr := o.only(name)
		if !errors.Is(err, wantErr) || got.Exists() != (want != nil) || want != nil && !bytes.Equal(got.Raw(), want.raw) {
			t.Errorf("%q, strictly, of %s is %s, %v; want %v, %v", name, o.raw, got.Raw(), err, want, wantErr)
		}
	}
}

// exact has integers as Decode does.
func exact(value any) any {
	switch x := value.(type) {
	case map[string]any:
		for name := range x {
			x[name] = exact(x[name])
		}
	case []any:
		for i := range x {
			x[i] = exact(x[i])
		}
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return int(n)
		}
		if strings.ContainsAny(string(x), ".eE") {
			if f, err := x.Float64(); err == nil {
				return f
			}
			return x.String()
		}
		if len(x) <= 400 {
			return Integer(x)
		}
		return x.String()
	}
	return value
}

func compareDocument(t *testing.T, text string, names ...string) {
	t.Helper()
	var d JSON
	err := d.Parse([]byte(text), MaxDepth)
	if valid := json.Valid([]byte(text)); (err == nil) != valid && !errors.Is(err, ErrTooDeep) {
		t.Errorf("%q: %v, valid: %v", text, err, valid)
	}
	if err != nil {
		if d.Root().Exists() {
			t.Errorf("%q is no JSON, and has a value", text)
		}
		return
	}
	compareValue(t, d.Root(), newOracle(json.RawMessage(strings.Trim(text, " \t\r\n"))), names...)
}

func TestReadingIsThatOfEncodingJSON(t *testing.T) {
	filler := strings.Repeat(`"x":0,`, 2*maxNodes)
	for _, text := range append(documents,
		`{"a":{"b":1},`+filler+`"y":2}`,
		`{"a":{"b":1},`+filler+`"a":{`+filler+`"b":[1,2]}}`,
		`{`+filler+`"b":[1,2],"A":[3,{"b":4}]}`,
		`{"a":1,`+filler+`"\u0061":2}`,
		`{"c":{"d":{"e":{`+filler+`"b":[0]}}},"a":{"b":[1,{"a":2}],`+filler+`"b":{"a":"z"}},"b":3}`) {
		compareDocument(t, text, names...)
	}
}

func FuzzJSON(f *testing.F) {
	for i, text := range documents {
		f.Add(text, names[i%len(names)])
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		if len(text) > 1<<10 || strings.Count(text, "[")+strings.Count(text, "{") > 64 {
			return // the oracle takes square time
		}
		compareDocument(t, text, name)
	})
}

func TestDepth(t *testing.T) {
	var d JSON
	for _, tt := range []struct {
		text     string
		maxDepth int
		want     error
	}{
		{nested("[", "]", 256), 256, nil},
		{nested("[", "]", 257), 256, ErrTooDeep},
		{nested(`{"a":`, "}", 257), 256, ErrTooDeep},
		{strings.Repeat("[", 10<<20), MaxDepth, ErrTooDeep},
		{"[" + strings.Repeat("[],", 2*MaxDepth) + "[]]", MaxDepth, nil},
		{`["` + strings.Repeat(`[\"`, 2*MaxDepth) + `"]`, 1, nil},
	} {
		if err := d.Parse([]byte(tt.text), tt.maxDepth); !errors.Is(err, tt.want) {
			t.Errorf("%.20s: %v, want %v", tt.text, err, tt.want)
		}
	}
}

func nested(before, after string, depth int) string {
	return strings.Repeat(before, depth) + "1" + strings.Repeat(after, depth)
}

func TestDecodingIsBounded(t *testing.T) {
	var d JSON
	if err := d.Parse([]byte(`{"a":[{},{"b":1}],"c":2}`), MaxDepth); err != nil {
		t.Fatal(err)
	}
	for most := range 8 {
		_, err := d.Root().Decode(most)
		if (err == nil) != (most >= 6) {
			t.Errorf("at most %d values: %v", most, err)
		}
	}
}

// TestReadingDoesNotAllocate holds that reading costs no memory for what is not read,
// however many names there are.
func TestReadingDoesNotAllocate(t *testing.T) {
	var text bytes.Buffer
	text.WriteString(`{"list":[{"a":1}],"deep":{"a":{`)
	for i := range 500_000 {
		fmt.Fprintf(&text, `"sig%d":0,"\u0073ig%d":0,`, i, i)
	}
	text.WriteString(`"sig":"x"}},"last":2}`)
	var d JSON
	if err := d.Parse(text.Bytes(), MaxDepth); err != nil {
		t.Fatal(err)
	}
	single, absent, each := mustParsePath(t, "deep.a.sig"), mustParsePath(t, "deep.a.absent"), mustParsePath(t, "list.#.a")
	for what, read := range map[string]func(){
		"Parse":        func() { _ = d.Parse(text.Bytes(), MaxDepth) },
		"isJSON":       func() { isJSON(text.Bytes()) },
		"Member":       func() { d.Root().Member("deep").Member("a").Member("sig") },
		"Find":         func() { _, _ = single.Find(d.Root()) },
		"Find, absent": func() { _, _ = absent.Find(d.Root()) },
		"All": func() {
			for v, err := range each.All(d.Root()) {
				if v.Kind() != Number || err != nil {
					t.Error(v.Kind(), err)
				}
			}
		},
	} {
		if n := testing.AllocsPerRun(3, read); n > 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	if v, err := single.Find(d.Root()); v.Text() != "x" || err != nil {
		t.Errorf("%q, %v", v.Text(), err)
	}
}

func TestReset(t *testing.T) {
	var d JSON
	for i := range 3 {
		text := []byte(`{"a":` + strconv.Itoa(i) + `}`)
		if err := d.Parse(text, MaxDepth); err != nil || d.Root().Member("a").Text() != strconv.Itoa(i) {
			t.Errorf("%s: %v", text, err)
		}
		d.Reset()
		if v := d.Root(); v.Exists() || v.Member("a").Exists() || v.Element(0).Exists() || v.Raw() != nil || v.Text() != "" || v.Kind() != Absent {
			t.Error("there is a value after Reset")
		}
	}
}
