package rules

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// webhook is an Input with something under every name.
func webhook() *Input {
	return &Input{
		Event:    "document.completed",
		ID:       "evt_1",
		Provider: "insigner",
		Source:   "contracts",
		Method:   "POST",
		Path:     "/hooks/contracts",
		RawQuery: "none=none&list=items&page=2&page=3&q=a%20b&broken=%zz&empty",
		Header: http.Header{
			"Content-Type":   {"application/json"},
			"X-Github-Event": {"push", "second"},
		},
		Body: []byte(`{"type":"document.completed","draft":false,"ok":true,"count":3,"ratio":0.5,"note":null,"none":[],
			"data":{"object":{"id":9007199254740993}},"items":[{"sku":"a"},{"sku":"b"}],"big":18446744073709551616}`),
		RemoteIP:   "192.0.2.7",
		ReceivedAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		rule string
		want bool
	}{
		{`event == "document.completed"`, true},
		{`event == "document.deleted"`, false},
		{`event startsWith "document."`, true},
		{`event matches "^document\\.(completed|signed)$"`, true},
		{`event in ["document.completed", "document.signed"]`, true},
		{`id == "evt_1"`, true},
		{`provider == "insigner"`, true},
		{`source == "contracts"`, true},
		{`method == "POST"`, true},
		{`path == "/hooks/contracts"`, true},
		{`remote_ip == "192.0.2.7"`, true},
		{`received_at.Year() == 2026`, true},
		{`received_at > date("2026-01-01")`, true},
		{`now() > received_at - duration("1h")`, true},

		{`query.page == "2"`, true},
		{`query["q"] == "a b"`, true},
		{`query.empty == ""`, true},
		{`query.absent == ""`, true},
		{`query.broken == ""`, true},
		{`query?.page == "2"`, true},
		{`"page" in query and not ("absent" in query) and not ("broken" in query)`, true},
		{`query["pa" + "ge"] == "2"`, true},

		{`headers["x-github-event"] == "push"`, true},
		{`headers["x-absent"] == ""`, true},
		{`headers["x-" + "github-event"] == "push"`, true},
		{`"x-github-event" in headers`, true},
		{`len(headers) == 2`, true},
		{`header("X-GitHub-Event") == "push"`, true},
		{`header("x-github-event") == "push"`, true},
		{`header("X-Absent") == ""`, true},
		{`header("X-" + "GitHub-Event") == "push"`, true},

		{`body.type == "document.completed"`, true},
		{`body["type"] == event`, true},
		{`body[event] == nil`, true},
		{`body.ok`, true},
		{`body.draft`, false},
		{`!body.draft`, true},
		{`body.absent == nil`, true},
		{`body.absent`, false},
		{`body.note == nil`, true},
		{`body.count + 1 == 4`, true},
		{`body.ratio == 0.5`, true},
		{`body.data.object.id == 9007199254740993`, true},
		{`body.data.object.id == 9007199254740992`, false},
		{`body.big == "18446744073709551616"`, true},
		{`body.big > 3 && body.big > 9223372036854775807 && 3 < body.big`, true},
		{`body.big != 9223372036854775807 && -body.big < 0`, true},
		{`body.big == body.big && body.big in [1, body.big]`, true},
		{`body.big / 2 > 9e18 && body.big + 1 > 1e19 && float(body.big) > 1e19`, true},
		{`type(body.big) == "float" && string(body.big) == "18446744073709551616" && toJSON(body.big) == "18446744073709551616"`, true},
		{`body.items[1].sku == "b"`, true},
		{`body.items[-1].sku == "b"`, true},
		{`len(body.items) == 2`, true},
		{`any(body.items, .sku == "b")`, true},
		{`all(body.items, .sku != "c") && all(body.items, .sku != "d")`, true},
		{`any(body.none, .sku == "b") || any(body.items, .sku == "b")`, true},
		{`any(body[query.none], .sku == "b") || any(body[query.list], .sku == "b")`, true},
		{`body?.absent?.id == nil`, true},
		{`(body?.absent?.id ?? "none") == "none"`, true},
		{`let d = body.data; d.object.id > 0`, true},
		{`"type" in body`, true},
		{`event == "other" && body.absent.id == 1`, false},
	} {
		rule, err := Compile(tt.rule)
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		v := NewView(webhook())
		for range 2 { // once fetched, once remembered
			if got, err := rule.Match(v); got != tt.want || err != nil {
				t.Errorf("%s = %v, %v", tt.rule, got, err)
			}
		}
		v.Free()
		if rule.String() != tt.rule {
			t.Errorf("String() = %q", rule.String())
		}
	}
}

// TestWhy holds what is said of a rule that is false and fails nowhere.
func TestWhy(t *testing.T) {
	for rule, want := range map[string]string{
		`event == "x" && body.type == "y"`:                 `event is "document.completed"`,
		`event != "x" && body.absent == 7`:                 `event is "document.completed", body.absent is missing`,
		`(body.note ?? "none") == "x"`:                     `body.note is null`,
		`body.ok == false || any(body.items, .sku == "?")`: `body.ok is true, body.items is a list of 2`,
		`header("X-Absent") == "a" || query.page == "9"`:   `header("X-Absent") is "", query.page is "2"`,
		`body["a-b"]?.c == 1`:                              `body["a-b"].c is missing`,
		`event != ""`:                                      ``,
		`body.absent.id == 1`:                              ``,
		`true == false`:                                    ``,
	} {
		r, err := Compile(rule)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Why(webhook()); got != want {
			t.Errorf("%s: %s; want %s", rule, got, want)
		}
	}
	form := &Input{Header: map[string][]string{"Content-Type": {formType}}, Body: []byte(`payload={"a":null}`)}
	r, _ := Compile(`body.payload.a == 1 || body.a == 2 || body.b == 3 || body.payload.b == 4`)
	if got, want := r.Why(form), `body.payload.a is null, body.a is null, body.b is missing, body.payload.b is missing`; got != want {
		t.Errorf("a form: %s; want %s", got, want)
	}
}

func TestMatchFails(t *testing.T) {
	for rule, want := range map[string]string{
		`body.absent.id == 1`:                       "body.absent is missing, so it has no id (column 13 of the rule)",
		`body.note.id == 1`:                         "body.note is null, so it has no id",
		`body?.absent.id.x == 1`:                    "body.absent is missing, so it has no id",
		`body.type.id == 1`:                         "body.type is text that is no JSON, so it has no id",
		`body.ok.id == 1`:                           "body.ok is a boolean, so it has no id",
		`body.items.sku == "a"`:                     "body.items is a list, so it has no sku",
		`body.items[7].sku == "a"`:                  "so it has no [7]",
		`body.type`:                                 "bool(string)",
		`body.count`:                                "bool(int)",
		`!body.absent`:                              "is nil, not bool",
		`body.type > 3`:                             "body.type is text: invalid operation: string > int",
		`body.absent > 3`:                           "body.absent is missing: invalid operation: <nil> > int (column 13 of the rule)",
		`body.note > 3 || event == "x"`:             "body.note is null: invalid operation: <nil> > int",
		`body["a-b"]?.c[0] == 1`:                    `body["a-b"].c is missing: [0] is looked up in something that is missing or null (column 15 of the rule)`,
		`any(body.items, .a.b == 1)`:                "b is looked up in something that is missing or null",
		`body.type()`:                               "cannot call",
		`body.ratio matches "a"`:                    "float64",
		`header(body.count) == ""`:                  "is int, not string",
		`header != nil && header(body.items) == ""`: "not string",
		`len(1..999999) + len(1..999999) > 0`:       "memory budget exceeded",
		`int(body.type) == 1`:                       "invalid operation: int(",
	} {
		r, err := Compile(rule)
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		v := NewView(webhook())
		holds, err := r.Match(v)
		v.Free()
		if holds || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s = %v, %v; want an error with %q", rule, holds, err, want)
		}
	}
}

func TestErrorsAreShort(t *testing.T) {
	r, err := Compile(`int(body.text) == 1`)
	if err != nil {
		t.Fatal(err)
	}
	v := NewView(&Input{Body: []byte(`{"text":"a\nb` + strings.Repeat("é", 1<<20) + `"}`)})
	defer v.Free()
	_, err = r.Match(v)
	if err == nil || len(err.Error()) > 300 || strings.Contains(err.Error(), "\n") || !utf8.ValidString(err.Error()) {
		t.Errorf("%d bytes: %.300v", len(err.Error()), err)
	}
}

func TestCompileFails(t *testing.T) {
	for rule, want := range map[string]string{
		``:                                "unexpected token EOF",
		`event ==`:                        "unexpected token EOF (column 8 of the rule)",
		"event == 'a' &&\n  evnt == 'b'":  "unknown name evnt (line 2, column 3 of the rule)",
		`host == "a"`:                     "unknown name host",
		`$env.event == "a"`:               "unknown name $env (column 1 of the rule)",
		`"event" in $env`:                 "unknown name $env",
		`event`:                           "expected bool, but got string",
		`1 + 1`:                           "expected bool, but got int",
		`headers`:                         "expected bool, but got map[string]string",
		`header`:                          "expected bool, but got func",
		`event == 1`:                      "mismatched types string and int",
		`event + 1 == "a"`:                "mismatched types string and int",
		`event.type == "a"`:               "type string has no field type",
		`event() == "a"`:                  "string is not callable",
		`received_at == "2026"`:           "mismatched types time.Time and string",
		`received_at.Foo() == 1`:          "no method Foo",
		`header("a", "b") == ""`:          "too many arguments",
		`header() == ""`:                  "not enough arguments",
		`header(1) == ""`:                 "cannot use int as argument",
		`headers["X-GitHub-Event"] == ""`: `write headers["x-github-event"] (column 9 of the rule)`,
		`event matches "("`:               "missing closing )",
		`event matches body.pattern`:      "the pattern of matches must be a constant, not something that a webhook says (column 20 of the rule)",
		`event matches "^" + path`:        "must be a constant",
		`any(body.a, event matches #)`:    "must be a constant",
		"true &&\n id matches query.p":    "(line 2, column 19 of the rule)",
		`let event = 1; event == 1`:       "cannot redeclare event",
		`@("x") == 1`:                     "unrecognized character",
		strings.Repeat("(", 100_000):      "longer than",
		strings.Repeat("true || ", 7000) + "true": "exceeds maximum allowed nodes",
	} {
		_, err := Compile(rule)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40s: error %v; want one line with %q", rule, err, want)
		}
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct{ expression, want string }{
		{`body.type`, "document.completed"},
		{`body.data.object.id`, "9007199254740993"},
		{`body.big`, "18446744073709551616"},
		{`body.count`, "3"},
		{`-body.count`, "-3"},
		{`body.ratio`, "0.5"},
		{`1e21`, "1000000000000000000000"},
		{`body.ok`, "true"},
		{`body.absent`, ""},
		{`body.note`, ""},
		{`header("X-GitHub-Event") + "." + method`, "push.POST"},
		{`received_at.Unix()`, "1772600767"},
		{`body.type[0]`, "100"}, // a byte
		{`query.page`, "2"},
	} {
		x, err := CompileValue(tt.expression)
		if err != nil {
			t.Errorf("%s: %v", tt.expression, err)
			continue
		}
		v := NewView(webhook())
		if got, err := x.Text(v); got != tt.want || err != nil {
			t.Errorf("%s = %q, %v; want %q", tt.expression, got, err, tt.want)
		}
		v.Free()
	}
}

func TestTextFails(t *testing.T) {
	for _, expression := range []string{`body`, `body.items`, `body.data`, `body.absent.id`, `filter(body.items, true)[0]`} {
		x, err := CompileValue(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		v := NewView(webhook())
		if got, err := x.Text(v); got != "" || err == nil {
			t.Errorf("%s = %q, %v; want an error", expression, got, err)
		}
		v.Free()
	}
	for _, expression := range []string{`headers`, `[1, 2]`, `received_at`, `header`, `{"a": 1}`} {
		if _, err := CompileValue(expression); err == nil || !strings.Contains(err.Error(), "expected text") {
			t.Errorf("%s: compile error %v", expression, err)
		}
	}
}

func TestIdentityIsUnknownToItsOwnExpressions(t *testing.T) {
	for _, expression := range []string{`event`, `id`, `"a" + event`, `$env.event`, `$env["id"]`} {
		if _, err := CompileValue(expression); err == nil || !strings.Contains(err.Error(), "unknown name") {
			t.Errorf("CompileValue(%s): %v", expression, err)
		}
	}
	x, err := CompileKey(`event + "/" + id`)
	if err != nil {
		t.Fatal(err)
	}
	v := NewView(webhook())
	defer v.Free()
	if got, err := x.Text(v); got != "document.completed/evt_1" || err != nil {
		t.Errorf("%s = %q, %v", x, got, err)
	}
}
