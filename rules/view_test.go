package rules

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

// What an expression fetched is what the View remembers.
func TestOnlyWhatIsTouchedIsFetched(t *testing.T) {
	for _, tt := range []struct {
		rule string
		want []string
	}{
		{`true`, nil},
		{`event == "x"`, []string{"event"}},
		{`event == "x" && body.type == "y"`, []string{"event"}},
		{`event != "x" || body.type == "y"`, []string{"event"}},
		{`event == "x" ? body.a == 1 : method == "POST"`, []string{"event", "method"}},
		{`headers["x-a"] == "1" && query.b == "2"`, []string{"headers.X-A"}},
		{`query.b == "2"`, []string{`query."b"`}},
		{`query?.b == "2"`, []string{`query."b"`}},
		{`header("X-A") == "1"`, []string{"headers.X-A"}},
		{`header("X-A") != headers["x-a"]`, []string{"headers.X-A"}},
		{`headers[event] == "1"`, []string{"event", "headers"}},
		{`body.a == 1`, []string{`body."a"`}},
		{`body["d"].b.c == 1`, []string{`body."d"."b"."c"`}},
		{`body?.d?.b == 1`, []string{`body?."d"?."b"`}},
		{`body?.["d"]?.["b"] == 1`, []string{`body?."d"?."b"`}},
		{`body.a[0].b == 1`, []string{`body."a".0."b"`}},
		{`len(body.a) > 9`, []string{`body."a"`}},
		{`body.a[event] == 1`, []string{`body."a"`, "event"}},
		{`body[event] == 1`, []string{"body", "event"}},
		{`body == nil`, []string{"body"}},
		{`any(body.a, .b == body.c)`, []string{`body."a"`, `body."c"`}},
	} {
		r, err := Compile(tt.rule)
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		v := NewView(&Input{Event: "e", Body: []byte(`{"a":[{"b":1}],"c":2,"d":{"b":{"c":3}}}`)})
		_, _ = r.Match(v)
		var got []string
		for id := range v.found {
			got = append(got, id.Value())
		}
		if slices.Sort(got); !slices.Equal(got, tt.want) {
			t.Errorf("%s fetched %q, want %q", tt.rule, got, tt.want)
		}
		touched := slices.ContainsFunc(tt.want, func(name string) bool { return strings.HasPrefix(name, "body") })
		if v.body.read != touched {
			t.Errorf("%s: body read: %v", tt.rule, v.body.read)
		}
		v.Free()
	}
}

func TestMalformedBodyIsNoConcernOfOthers(t *testing.T) {
	in := webhook()
	in.Body = []byte(`{"type":`)
	v := NewView(in)
	defer v.Free()
	for rule, want := range map[string]bool{
		`event == "document.completed" && query.page == "2"`: true,
		`event == "x" && body.type == "y"`:                   false,
	} {
		r, _ := Compile(rule)
		if got, err := r.Match(v); got != want || err != nil {
			t.Errorf("%s = %v, %v", rule, got, err)
		}
	}
	r, _ := Compile(`body.type == "y"`)
	for range 2 {
		if got, err := r.Match(v); got || err == nil {
			t.Errorf("%s = %v, %v", r, got, err)
		}
	}
}

// The identity is found, then set, and the body has been checked only once.
func TestIdentityThenRoutes(t *testing.T) {
	in := &Input{Body: []byte(`{"type":"a","id":"7"}`)}
	v := NewView(in)
	defer v.Free()
	early, _ := Compile(`event + id == "" && len(id) == 0`)
	if got, err := early.Match(v); !got || err != nil {
		t.Errorf("before: %v, %v", got, err)
	}
	event, _ := CompileValue(`body.type`)
	id, _ := CompileValue(`body.id`)
	e, _ := event.Text(v)
	i, _ := id.Text(v)
	v.SetIdentity(e, i)
	clear(in.Body) // whoever looked again would fail
	late, _ := Compile(`event == "a" && id == "7" && event + id == "a7" && body.type == "a" && body.id == "7"`)
	if got, err := late.Match(v); !got || err != nil {
		t.Errorf("after: %v, %v", got, err)
	}
	if in.Event != "a" || in.ID != "7" {
		t.Errorf("input: %q, %q", in.Event, in.ID)
	}
}

func TestViewForgets(t *testing.T) {
	r, _ := Compile(`event == "a" && body.a == 1 && headers.a == "1" && len(headers) == 1`)
	for range 3 {
		for _, in := range []*Input{
			{Event: "a", Header: map[string][]string{"A": {"1"}}, Body: []byte(`{"a":1}`)},
			{Event: "b"}, {Event: "a"}, {Event: "a", Body: []byte(`{"a":1}`)},
		} {
			v := NewView(in)
			if got, err := r.Match(v); got != (in.Header != nil) {
				t.Errorf("%+v: %v, %v", in, got, err)
			}
			v.Free()
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	var rules []*Rule
	for _, expression := range []string{
		`body.type == event`, `any(body.items, .sku == "b")`, `event matches "^document"`, `headers["x-github-event"] == "push"`,
		`header("X-" + "GitHub-Event") == "push"`, `len(query) == 4`, `body?.data?.object?.id == 9007199254740993`,
	} {
		r, err := Compile(expression)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, r)
	}
	in := webhook()
	in.RawQuery = "a&b&c&d"
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				v := NewView(in)
				for _, r := range rules {
					if ok, err := r.Match(v); !ok || err != nil {
						t.Errorf("%s = %v, %v", r, ok, err)
					}
				}
				v.Free()
			}
		})
	}
	wg.Wait()
}
