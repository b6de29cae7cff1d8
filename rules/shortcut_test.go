package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// comparisons are rules of which a shortcut can tell something.
func comparisons() (rules []string) {
	constants := []string{`"a"`, `""`, `"b c"`, `"é"`, `"\xff"`, `"10"`}
	for i, operand := range []string{
		"event", "id", "path", `headers["x-a"]`, `header("X-B")`, "query.q", "body", "body.a", "body.a.b", "body?.a?.b", "body[0]", "body[1].a",
	} {
		for j, operator := range []string{"==", "!=", "<", "<=", ">", ">=", "startsWith", "endsWith", "contains", "matches"} {
			rules = append(rules, operand+" "+operator+" "+constants[(i+j)%len(constants)])
		}
		rules = append(rules, operand+` in ["a", "b c", ""]`, operand+` not in ["é", "x"]`, `not (`+operand+` matches "^[a-c]")`)
	}
	return append(rules, "body", "body.a", "!body.a", "body.a && body.b", `body.a or event == "a"`, `event == "a" || len(body) > 1`)
}

// connections are made of comparisons. Of some a shortcut can tell nothing.
func connections() (rules []string) {
	all := comparisons()
	for i := 0; i < len(all); i += 3 {
		other := all[(i*7+5)%len(all)]
		rules = append(rules, all[i]+" && "+other, all[i]+" || ("+other+")", "!("+all[i]+") and len(body) > 1")
	}
	return rules
}

// values are expressions for which a shortcut can find a value at least sometimes.
var values = []string{
	"event", "id", "body", "body.a", "body.a.b", "body?.a?.b", "body[0]", "header(\"X-A\")", `body.a ?? event`,
	`body?.a?.b ?? body.b ?? headers["x-a"]`, `(body.a ?? body.b) ?? path`, "query.q ?? body",
}

// shortcutInput has two of most things in it that the conditions ask for.
func shortcutInput(document string) *Input {
	return &Input{
		Event: "a", ID: "b c", Path: "/é", RawQuery: "q=10&q=9",
		Header: map[string][]string{"X-A": {"abc"}, "X-B": {"\xff"}}, Body: []byte(document),
	}
}

// compareShortcut reports where a shortcut tells something else than the program.
// It returns how often the shortcut could tell.
func compareShortcut(t *testing.T, expression, document string) (told int) {
	t.Helper()
	in := shortcutInput(document)
	if r, err := Compile(expression); err == nil {
		told += compareRule(t, r, in)
	}
	if x, err := CompileKey(expression); err == nil {
		told += compareValue(t, x, in)
	}
	return told
}

// twoViews returns a View that knows nothing yet, and one that will know what the
// program has fetched. The test frees them.
func twoViews(t *testing.T, in *Input) (fresh, used *View) {
	fresh, used = NewView(in), NewView(in)
	t.Cleanup(fresh.Free)
	t.Cleanup(used.Free)
	return fresh, used
}

func compareRule(t *testing.T, r *Rule, in *Input) (told int) {
	t.Helper()
	fresh, used := twoViews(t, in)
	result, wantErr := used.run(r.program)
	want, _ := result.(bool)
	for _, v := range []*View{fresh, used} {
		if r.test != nil && v.decide(r.test) != unknown {
			told++
		}
		if got, err := r.Match(v); got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Errorf("%s over %q\n got %v, %v\nwant %v, %v", r, in.Body, got, err, want, wantErr)
		}
	}
	return told
}

func compareValue(t *testing.T, x *Value, in *Input) (told int) {
	t.Helper()
	fresh, used := twoViews(t, in)
	want := ""
	result, wantErr := used.run(x.program)
	if wantErr == nil {
		want, wantErr = text(result)
	}
	for _, v := range []*View{fresh, used} {
		if x.source != nil {
			if _, known := v.valueOf(x.source); known {
				told++
			}
		}
		if got, err := x.Text(v); got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Errorf("%s over %q\n got %q, %v\nwant %q, %v", x, in.Body, got, err, want, wantErr)
		}
	}
	return told
}

var shortcutDocuments = slices.Concat(documents, []string{
	`{"a":"a"}`, `{"a":"b c","b":true}`, `{"a":true,"b":false}`, `{"a":{"b":"é"}}`, `["a",{"a":"10"}]`, `"a"`, `{"a":"\u00e9"}`, "{\"a\":\"\xff\"}", `text`,
})

func TestShortcutIsTheProgram(t *testing.T) {
	for _, expression := range slices.Concat(comparisons(), values) {
		told := 0
		for _, document := range shortcutDocuments {
			told += compareShortcut(t, expression, document)
		}
		if told == 0 {
			t.Errorf("%s: no shortcut tells anything", expression)
		}
	}
}

func TestShortcutsOfConnections(t *testing.T) {
	for i, expression := range connections() {
		for j := i % 3; j < len(shortcutDocuments); j += 3 {
			compareShortcut(t, expression, shortcutDocuments[j])
		}
	}
}

func TestRulesWithoutShortcut(t *testing.T) {
	for _, expression := range []string{
		`len(event) == 1`, `event + "x" == "ax"`, `"a" == event`, `body.a == 1`, `event in [id]`, `any(body, # == "a")`, `let x = event; x == "a"`,
		`event matches id`, `event ? true : false`, `len(event) == 1 || event == "a"`,
	} {
		if r, err := Compile(expression); err == nil && r.test != nil {
			t.Errorf("%s has a shortcut", expression)
		}
		for _, document := range shortcutDocuments {
			compareShortcut(t, expression, document)
		}
	}
}

func FuzzShortcutIsTheProgram(f *testing.F) {
	for i, expression := range slices.Concat(comparisons(), connections(), values) {
		f.Add(expression, shortcutDocuments[i%len(shortcutDocuments)])
	}
	f.Fuzz(func(t *testing.T, expression, document string) {
		if strings.Contains(expression, "now()") { // the one thing that changes
			return
		}
		compareShortcut(t, expression, document)
	})
}
