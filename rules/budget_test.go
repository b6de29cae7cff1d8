package rules

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// list is a list of JSON with n elements.
func list(n int, element string) string {
	return "[" + strings.Repeat(element+",", n-1) + element + "]"
}

// numbered is a list of JSON with n different elements; % stands for the number.
func numbered(n int, element string) string {
	elements := make([]string, n)
	for i := range elements {
		elements[i] = strings.ReplaceAll(element, "%", strconv.Itoa(i*7919%1_000_003))
	}
	return "[" + strings.Join(elements, ",") + "]"
}

func nested(depth int, inner string) string {
	return strings.Repeat("[", depth) + inner + strings.Repeat("]", depth)
}

// hostile are expressions that a body can make cost far more than its bytes.
var hostile = []struct{ expression, a, b string }{
	// loops
	{`any(body.a, any(body.a, # == -1))`, list(20_000, `1`), ``},
	{`any(body.a, any(body.b, # == -1))`, list(20_000, `1`), list(20_000, `1`)},
	{`count(body.a, count(body.b, # > 1) > 1) > 1`, list(20_000, `1`), list(20_000, `1`)},
	{`len(map(body.a, sum(body.b))) == 0`, list(20_000, `1`), list(20_000, `1`)},
	{`len(filter(body.a, none(body.b, # == -1))) == 0`, list(20_000, `1`), list(20_000, `1`)},
	{`find(body.a, one(body.b, # == -1)) == 0`, list(20_000, `1`), list(20_000, `1`)},
	{`findLastIndex(body.a, findLast(body.b, # == -1) == -1) == 0`, list(20_000, `1`), list(20_000, `1`)},
	{`reduce(body.a, #acc + reduce(body.b, #acc + #)) == 0`, list(20_000, `1`), list(20_000, `1`)},
	{`any(body.a, len(groupBy(body.b, #)) == 0)`, list(20_000, `1`), list(20_000, `1`)},
	{`any(body.a, len(sortBy(body.b, #)) == 0)`, list(20_000, `1`), list(20_000, `1`)},
	{`any(body.a, any(1..body.b, # == 0))`, list(20_000, `1`), `50000`},
	{`any(body.a, len(1..body.b) == 0)`, list(20_000, `1`), `60`},
	{`len(1..body.b) > 0`, ``, `1000000000`},
	{`any(body.a, let x = #; any(body.b, # == x))`, list(20_000, `1`), list(20_000, `2`)},
	// comparisons
	{`any(body.a, # in body.b)`, list(20_000, `1`), list(20_000, `2`)},
	{`len(uniq(body.a)) == 0`, numbered(20_000, `%`), ``},
	{`all(body.a, body.b == body.c)`, list(100_000, `1`), `"` + strings.Repeat("b", 1<<20) + `"`},
	{`any(body.a, body.b < body.c)`, list(100_000, `1`), `"` + strings.Repeat("b", 1<<20) + `"`},
	{`all(body.a, body.b == body.c)`, list(100_000, `1`), nested(900, `1`)},
	{`all(body.a, body.b == body.c)`, list(10_000, `1`), list(10_000, `1`)},
	{`all(body.a, body.b == body.c)`, list(10_000, `1`), list(10_000, `{"x":1}`)},
	{`all(body.a, ({"x": body.b}) == ({"x": body.c}))`, list(10_000, `1`), list(10_000, `1`)},
	{`any(body.a, body.b in ({"x": 1}))`, list(100_000, `1`), `"` + strings.Repeat("b", 1<<20) + `"`},
	{`all(body.a, body.b startsWith body.c)`, list(100_000, `1`), `"` + strings.Repeat("b", 1<<20) + `"`},
	{`all(body.a, hasSuffix(body.b, body.c))`, list(100_000, `1`), `"` + strings.Repeat("b", 1<<20) + `"`},
	{`all(body.a, headers[body.b] == "")`, list(100_000, `1`), `"` + strings.Repeat("b", 1<<20) + `"`},
	{`all(body.a, header(body.b) == "")`, list(100_000, `1`), `"` + strings.Repeat("b", 1<<20) + `"`},
	{`any(body.a, get(body, body.b) == "")`, list(100_000, `1`), `"` + strings.Repeat("b", 1<<20) + `"`},
	// searches
	{`body.b matches "(x+x+)+y"`, ``, `"` + strings.Repeat("x", 9<<20) + `"`},
	{`body.b matches "^(x+x+)+y"`, ``, `"` + strings.Repeat("x", 9<<20) + `"`},
	{`body.b matches "(?i)invoice.*paid"`, ``, `"` + strings.Repeat("invoice ", 1<<20) + `"`},
	{`any(body.a, # matches "(a|b)*c$")`, list(2_000, `"`+strings.Repeat("ab", 2_000)+`"`), ``},
	{`any(body.a, body.b contains "bba")`, list(100_000, `1`), `"` + strings.Repeat("b", 1<<20) + `"`},
	{`any(body.a, "b" contains body.b)`, list(100_000, `1`), `"` + strings.Repeat("b", 1<<20) + `"`},
	{`any(body.a, lastIndexOf(body.b, "a") > 0)`, list(100_000, `1`), `"` + strings.Repeat("b", 1<<20) + `"`},
	{`len(trim(body.b, body.a)) == 0`, `"` + strings.Repeat("b", 1<<16) + `é"`, `"` + strings.Repeat("é", 1<<19) + `"`},
	{`any(body.a, len(body.b) == 0)`, list(100_000, `1`), `"` + strings.Repeat("b", 1<<20) + `"`},
	// texts and lists that are made
	{`len(repeat(body.b, body.a)) == 0`, `999999`, `"` + strings.Repeat("b", 2000) + `"`},
	{`len(repeat(body.b, body.a)) == 0`, `300`, `"` + strings.Repeat("b", 1<<20) + `"`},
	{`len(replace(body.a, "a", body.b)) == 0`, `"` + strings.Repeat("a", 40_000) + `"`, `"` + strings.Repeat("b", 40_000) + `"`},
	{`len(replace(body.a, "", body.b)) == 0`, `"` + strings.Repeat("a", 40_000) + `"`, `"` + strings.Repeat("b", 40_000) + `"`},
	{`len(join(body.a, body.b)) == 0`, list(40_000, `"a"`), `"` + strings.Repeat("b", 40_000) + `"`},
	{`len(split(body.b, "")) == 0`, ``, `"` + strings.Repeat("b", 8<<20) + `"`},
	{`any(body.a, len(splitAfter(body.b, "b", 100)) == 0)`, list(100_000, `1`), `"` + strings.Repeat("b", 200) + `"`},
	{`let x = body.b + body.b; let y = x + x; let z = y + y; len(z + z) == 0`, ``, `"` + strings.Repeat("b", 4<<20) + `"`},
	{`reduce(body.a, #acc + #) == ""`, list(20_000, `"`+strings.Repeat("a", 100)+`"`), ``},
	{`any(body.a, upper(body.b) == "")`, list(100_000, `1`), `"` + strings.Repeat("b", 1<<20) + `"`},
	{`any(body.a, toBase64(body.b) == "")`, list(100_000, `1`), `"` + strings.Repeat("b", 1<<20) + `"`},
	{`len(map(body.a, ({"x": 1}))) == 0`, list(400_000, `1`), ``},
	{`len(map(body.a, [[], [], [], []])) == 0`, list(400_000, `1`), ``},
	{`len(concat(body.a, body.a, body.a)) == 0`, list(400_000, `1`), ``},
	{`any(body.a, len(reverse(body.b)) == 0)`, list(20_000, `1`), list(20_000, `1`)},
	{`any(body.a, len(sort(body.b)) == 0)`, list(20_000, `1`), list(20_000, `1`)},
	{`any(body.a, min(body.b) == 0)`, list(20_000, `1`), list(20_000, `1`)},
	{`any(body.a, median(body.b) == 0)`, list(20_000, `1`), list(20_000, `1`)},
	{`any(body.a, len(keys(fromPairs(map(body.b, ["x", #])))) == 0)`, list(20_000, `1`), list(20_000, `1`)},
	{`len(flatten(body.b)) == 0`, ``, nested(900, list(20_000, `1`))},
	{`len(toJSON(body.b)) == 0`, ``, nested(900, list(20_000, `1`))},
	{`len(toJSON(body.b)) == 0`, ``, `"` + strings.Repeat("<", 4<<20) + `"`},
	{`any(body.a, string(body.b) == "")`, list(20_000, `1`), list(20_000, `1`)},
	{`len(fromJSON(body.b)) == 0`, ``, `"` + list(3_000_000, `{}`) + `"`},
	{`len(fromJSON(body.b)) == 0`, ``, `"` + strings.Repeat("[", 5_000_000) + `"`},
	// dates
	{`any(body.a, date(#, "2006", "Europe/Berlin") == now())`, list(100_000, `"x"`), ``},
	{`any(body.a, received_at.Format(body.b) == "")`, list(100_000, `1`), `"` + strings.Repeat("Monday ", 10_000) + `"`},
	{`any(body.a, duration(body.b) == duration("1s"))`, list(100_000, `1`), `"` + strings.Repeat("1s", 10_000) + `"`},
}

// hostileView is a View of a hostile body, which has been parsed.
func hostileView(a, b string) *View {
	members := []string{`"sku":"x"`}
	if a != "" {
		members = append(members, `"a":`+a)
	}
	if b != "" {
		members = append(members, `"b":`+b, `"c":`+b)
	}
	v := NewView(&Input{Event: "e", Body: []byte("{" + strings.Join(members, ",") + "}")})
	for _, expression := range []string{`body`, `body.a`, `body.b`, `body.c`} {
		x, _ := CompileValue(expression)
		_, _ = x.Text(v)
	}
	return v
}

// What a body makes too expensive is refused before it is done: the bytes that are
// allocated until then stay near those that are counted.
func TestHostileBodies(t *testing.T) {
	small, _ := Compile(`event == "e" && event matches "^(e|f)$" && lower(body.sku) == "x"`)
	for _, tt := range hostile {
		rule, err := Compile(tt.expression)
		if err != nil {
			t.Errorf("%s: %v", tt.expression, err)
			continue
		}
		v := hostileView(tt.a, tt.b)
		if v.body.err != nil {
			t.Fatalf("%s: %v", tt.expression, v.body.err)
		}
		before := allocated()
		holds, err := rule.Match(v)
		if holds || !errors.Is(err, ErrBudget) {
			t.Errorf("%s over %.40s and %.40s = %v, %v; want ErrBudget", tt.expression, tt.a, tt.b, holds, err)
		}
		if made := allocated() - before; made > 2*maxMade {
			t.Errorf("%s: %d MiB were allocated", tt.expression, made>>20)
		}
		if v.budget.steps < 0 || v.budget.steps > maxSteps || v.budget.made < 0 {
			t.Errorf("%s: %d steps and %d bytes are left", tt.expression, v.budget.steps, v.budget.made)
		}
		if holds, err := rule.Match(v); holds || !errors.Is(err, ErrBudget) {
			t.Errorf("%s, again = %v, %v; want ErrBudget", tt.expression, holds, err)
		}
		if holds, err := small.Match(v); !holds || err != nil {
			t.Errorf("%s after %s = %v, %v", small, tt.expression, holds, err)
		}
		v.Free()
	}
}

func allocated() int {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.TotalAlloc)
}

// All expressions of an event share a budget.
func TestBudgetIsShared(t *testing.T) {
	v := hostileView(list(200_000, `1`), ``)
	defer v.Free()
	failed := 0
	for i := range 40 {
		rule, _ := Compile(fmt.Sprintf(`any(body.a, # == -%d)`, i))
		key, _ := CompileKey(fmt.Sprintf(`count(body.a, # == -%d)`, i))
		_, ruleErr := rule.Match(v)
		_, keyErr := key.Text(v)
		if ruleErr != nil || keyErr != nil {
			failed++
		} else if failed > 0 {
			t.Errorf("pair %d holds after others failed", i)
		}
	}
	if failed == 0 || failed == 40 {
		t.Errorf("%d of 40 pairs failed", failed)
	}
	fresh := hostileView(list(200_000, `1`), ``)
	defer fresh.Free()
	if rule, _ := Compile(`any(body.a, # == 1)`); true {
		if holds, err := rule.Match(fresh); !holds || err != nil {
			t.Errorf("the next event: %v, %v", holds, err)
		}
	}
}

// Honest rules go over the elements of a body of 10 MiB, and more than once.
func TestHonestRules(t *testing.T) {
	orders := numbered(70_000, `{"id":"order-%","sku":"SKU-%","price":19.99,"quantity":%,"tags":["new","paid"],"customer":{"name":"Ann","country":"DE"},"note":"thanks"}`)
	for _, expressions := range [][]string{
		{`any(body.a, .sku == "none")`, `any(body.a, .customer.country == "FR")`, `sum(body.a, .price) > 1000`, `count(body.a, .quantity > 3) > 2`},
		{`any(body.a, .sku matches "^A[0-9]+$")`, `len(filter(body.a, .price > 10 && .sku startsWith "SKU")) > 0`},
		{`any(body.a, lower(.sku) == "none")`, `all(body.a, .id startsWith "order-")`},
		{`any(body.a, "refund" in .tags)`},
		{`len(groupBy(body.a, .customer.country)) == 1`},
		{`any(body.a, .sku in ["A", "B"])`, `len(map(body.a, .id)) == 70000`},
	} {
		v := hostileView(orders, ``)
		if n := len(v.in.Body); n < 9<<20 {
			t.Fatalf("the body has %d bytes only", n)
		}
		for _, expression := range expressions {
			rule, err := Compile(expression)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := rule.Match(v); err != nil {
				t.Errorf("%s: %v", expression, err)
			}
		}
		v.Free()
	}
	text := `"` + strings.Repeat("<order>paid</order>", 10<<20/19) + `"`
	v := hostileView(``, text)
	defer v.Free()
	for _, expression := range []string{
		`body.b contains "refund"`, `body.b startsWith "<order>"`, `body.b matches "^<order>(paid|new)"`, `body.b matches "refund"`,
		`lower(body.b) startsWith "<order>"`, `len(body.b) > 3`,
	} {
		rule, _ := Compile(expression)
		if _, err := rule.Match(v); err != nil {
			t.Errorf("%s over a text of 10 MiB: %v", expression, err)
		}
	}
}

// metered are expressions of all operators and builtins that spend.
var metered = []string{
	`body.a + body.b`, `body.a == body.b`, `body.a != body.b`, `body == [body.a]`, `body.a < body.b`, `body.a >= body.b`,
	`body.a in body.b`, `body.a not in body`, `body.a in ["x", "text", 1]`, `body.a in [body.b, "text"]`, `body.a contains body.b`,
	`body.a startsWith body.b`, `body.a endsWith "t"`, `body.a matches "^(t|x)e"`, `body.a matches "ex"`, `body.a matches "[a-z]+$"`,
	`body.a not matches "b"`, `len(1..body.a)`, `1..body.a`, `body[body.a]`, `body?.[body.a]`, `get(body, body.a)`,
	`all(body.a, # == 1)`, `none(body.a, # == body.b)`, `any(body, # == "text")`, `one(body.a, #index == 0)`, `filter(body.a, # != nil)`,
	`map(filter(body.a, # != nil), [#])`, `filter(body.a, true)[0]`, `find(body.a, # != nil)`, `findIndex(body.a, # == 2)`,
	`findLast(body.a, #?.b == nil)`, `findLastIndex(body.a, true)`, `count(body.a, # == 1) > 0`, `count(body.a, true)`, `sum(body.a)`,
	`sum(body.a, # + 1)`, `len(filter(body.a, # != 1))`, `groupBy(body.a, string(#))`, `sortBy(body.a, #)`, `sortBy(body.a, -#, "desc")`,
	`reduce(body.a, #acc + #)`, `reduce(body.a, #acc + #, 0)`, `map(body.a, map(body.a, #))`, `uniq(body.a)`, `uniq(split(body.a, "t"))`,
	`uniq([body.a, body.b, body.a, {"x": 1}, {"x": 1}, 1, 1.0])`, `body.a ? 1 : 2`, `len(body.a)`, `len(body)`, `int(body.a)`, `float(body.a)`,
	`string(body.a)`, `string(body)`, `trim(body.a)`, `trim(body.a, "t")`, `trim(body.a, "é" + "t")`, `trimPrefix(body.a, "te")`, `trimSuffix(body.a)`,
	`upper(body.a)`, `lower(body.a)`, `split(body.a, "")`, `split(body.a, "e", 1)`, `splitAfter(body.a, "e")`, `replace(body.a, "e", "xx")`,
	`replace(body.a, "", "-")`, `replace(body.a, "t", "", 1)`, `repeat(body.a, 3)`, `repeat("a", body.a)`, `join(body.a)`, `join(split(body.a, "e"), ", ")`,
	`indexOf(body.a, "x")`, `lastIndexOf(body.a, "t")`, `hasPrefix(body.a, "t")`, `hasSuffix(body.a, body.b)`, `max(body.a)`, `min(body.a, body.b)`,
	`mean(body.a)`, `median(body.a)`, `toJSON(body.a)`, `fromJSON(body.a)`, `fromJSON(toJSON(body.a))`, `toBase64(body.a)`, `fromBase64(toBase64(body.a))`,
	`duration(body.a)`, `date(body.a)`, `date("2026-01-02T03:04:05Z").Format(body.a)`, `date(body.a, "2006")`, `timezone(body.a)`, `first(body.a)`,
	`last(body.a)`, `take(body.a, 1)`, `sort(keys(body))`, `sort(body.a)`, `sort(body.a, "desc")`, `len(values(body))`, `len(toPairs(body))`,
	`fromPairs(toPairs(body))`, `reverse(body.a)`, `concat(body.a, body.b)`, `flatten(body.a)`, `type(body.a)`, `abs(body.a)`, `round(body.a)`,
	`body.a[0:1]`, `body.a ?? body.b`, `{"x": body.a + "x"}`, `let x = body.a; x == x`, `body?.a[body.b + "x"].c`, `body?.a[len(body.b)]?.c`,
}

// What is metered means what it means to expr.
func TestMeteredIsPlain(t *testing.T) {
	bodies := append(slices.Clone(documents),
		`{"a":"text","b":"te"}`, `{"a":"text","b":"text"}`, `{"a":3,"b":[1,3]}`, `{"a":[1,2,2,3],"b":[1,2,2,3]}`, `{"a":["t","e","t"],"b":"t"}`,
		`{"a":[1,1.0,"1"],"b":[1.0,1,"1"]}`, `{"a":{"b":[1]},"b":{"b":[1]}}`, `{"a":{"b":[1]},"b":{"b":[1.0]}}`, `{"a":[[1,[2]],3],"b":[[1,[2]],3]}`,
		`{"a":"{\"x\":[1]}","b":1.5}`, `{"a":"2026-01-02","b":"b"}`, `{"a":"1h","b":"text","text":7,"1h":8}`, `{"a":"étét","b":null}`, `[[1,2],[3]]`)
	for _, expression := range metered {
		compare(t, expression, bodies...)
	}
}

// An event costs the same each time, and never more than the budget.
func FuzzBudget(f *testing.F) {
	var parse, rules []*Value
	for _, expression := range []string{`body`, `body.a`, `body.b`} {
		x, _ := CompileValue(expression)
		parse = append(parse, x)
	}
	for _, expression := range metered {
		if x, err := CompileValue(expression); err == nil {
			rules = append(rules, x)
		}
	}
	for _, document := range documents {
		f.Add(document)
	}
	f.Add(`{"a":` + list(300, `[1,"x",{"y":2}]`) + `,"b":"` + strings.Repeat("b", 300) + `"}`)
	f.Add(`{"a":"` + strings.Repeat("é", 300) + `","b":100}`)
	f.Fuzz(func(t *testing.T, body string) {
		cost := func() (steps, made int) {
			v := NewView(&Input{Body: []byte(body)})
			defer v.Free()
			for _, x := range parse {
				_, _ = x.Text(v)
			}
			before := allocated()
			for _, x := range rules {
				_, err := x.Text(v)
				if errors.Is(err, ErrBudget) && !v.budget.refused && !strings.Contains(err.Error(), memoryExceeded) {
					t.Errorf("%s: %v, and %d steps and %d bytes are left", x, err, v.budget.steps, v.budget.made)
				}
			}
			if n := allocated() - before; n > slack*(4*(maxMade-v.budget.made)+200*len(body)+1<<20) {
				t.Errorf("%d bytes were allocated, and %d counted", n, maxMade-v.budget.made)
			}
			return v.budget.steps, v.budget.made
		}
		steps, made := cost()
		if steps < 0 || made < 0 {
			t.Errorf("%d steps and %d bytes are left", steps, made)
		}
		if again, madeAgain := cost(); again != steps || madeAgain != made {
			t.Errorf("%d steps and %d bytes are left, then %d and %d", steps, made, again, madeAgain)
		}
	})
}
