package scheme_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// TestSignedIsRead changes what a proof covers only in part, so that there is a
// second value beside the signed one. Whatever rules read, and so route by, is
// then the signed one, or the request is refused.
func TestSignedIsRead(t *testing.T) {
	part := func(disposition, value string) string {
		return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + value + "\r\n"
	}
	const multi = providertest.MultipartType + "; boundary=b"
	for _, test := range []struct {
		signed, contentType string
		read                string // by rules
		body                string
		want                error // the text x is signed
	}{
		{"{json.a}", "application/json", "body.a", `{"a":"x"}`, nil},
		{"{json.a}", "application/json", "body.a", `{"a":"x","a":"y"}`, scheme.Wrong},
		{"{json.a}", "application/json", "body.a", `{"a":"y","a":"x"}`, scheme.Wrong},
		{"{json.a}", "application/json", "body.a", `{"a":"x","\u0061":"y"}`, scheme.Wrong},
		{"{json.a.b}", "application/json", "body.a.b", `{"a":{"b":"x"},"a":{"b":"y"}}`, scheme.Wrong},
		{"{json.a}", "application/json", "body.a", `{"a":"x"} {"a":"y"}`, scheme.Wrong},
		{"{json.a}", providertest.FormType, "body.a", `{"a":"x"}`, nil},
		{"{form.a}", providertest.FormType, "body.a", "a=x&b=z", nil},
		{"{form.a}", providertest.FormType, "body.a", "a=x&a=y", scheme.Wrong},
		{"{form.a}", providertest.FormType, "body.a", "a=y&a=x", scheme.Wrong},
		{"{form.a}", providertest.FormType, "body.a", "a=x&%61=y", scheme.Wrong},
		{"{form.a}", providertest.FormType, "body.a", "a=x;a=y", scheme.Wrong},
		{"{form.a}", providertest.FormType, "body.a", `{"a":"y","b":"&a=x&"}`, scheme.Wrong},
		{"x{form.a}", providertest.FormType, "body.b", "b=x", nil},
		{"x{form.a}", providertest.FormType, "body.a", "a=y&b=%zz", scheme.Wrong}, // which another parser may read nevertheless
		{"x{form.a}", providertest.FormType, "body.a", "a=y;b=z", scheme.Wrong},
		{"x{form.a}", providertest.FormType, "body.a", `{"a":"y"}`, scheme.Wrong},
		{"x{form.a}", multi, "body.a", part(`name="a"`, "y"), scheme.Wrong},
		{"{form.a}", providertest.MultipartType, "body.a", strings.ReplaceAll(part(`name="a"`, "x"), "--b", "--") + "----", scheme.Wrong},
		{"x{form}", "text/plain", "body", "", nil},
		{"x{form}", "text/plain", "body", "y", scheme.Wrong},
		{"x{form}", "application/json", "body.a", `{"a":"y"}`, scheme.Wrong},
		{"x{form}", multi, "body.a", part(`name="a"`, "y") + "--b--", scheme.Wrong},
		{"x{form}", providertest.FormType, "body.a", `{"a":"y"}`, scheme.Wrong},
		{"{form.a}", multi, "body.a", part(`name="a"`, "x") + "--b--", nil},
		{"{form.a}", multi, "body.a", part(`name="a"`, "x") + part(`name="a"`, "y") + "--b--", scheme.Wrong},
		{"{form.a}", multi, "body.a", part(`name="a"; filename="y"`, "y") + part(`name="a"`, "x") + "--b--", scheme.Wrong},
		{"{form.a}", multi, "body.a", part(`name="a"`, "x") + part(`name="a"; filename="y"`, "y") + "--b--", scheme.Wrong},
	} {
		p := providertest.MustParse(t, "custom s3cret {\nhmac {\nheader X-Sig\nsigned "+test.signed+"\n}\n}")
		r := providertest.Hook(test.body, "Content-Type: "+test.contentType, "X-Sig: "+providertest.MACHex("s3cret", "x"))
		err := p.Verify(r, providertest.Now)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %s: got %v, want %v", test.signed, test.body, err, test.want)
		}
		if got := readBy(t, test.read, r); err == nil && got != "x" && test.body != "" {
			t.Errorf("%s: %s: rules read %q", test.signed, test.body, got)
		}
	}
}

// readBy tells what an expression reads of a request.
func readBy(t *testing.T, expression string, r *template.Request) string {
	t.Helper()
	value, err := rules.CompileValue(expression)
	if err != nil {
		t.Fatal(err)
	}
	view := rules.NewView(&rules.Input{Method: r.Method, RawQuery: r.RawQuery, Header: r.Header, Body: r.Body})
	defer view.Free()
	text, _ := value.Text(view) // an error reads nothing
	return text
}

// TestWhichOfTwoIsRead shows what rules read of what comes twice, which only matters
// where no proof refuses it.
func TestWhichOfTwoIsRead(t *testing.T) {
	for _, test := range []struct{ read, contentType, body, want string }{
		{"body.a", "application/json", `{"a":"x","a":"y"}`, "y"},
		{"body.a", "application/json", `{"a":"x","\u0061":"y"}`, "y"},
		{"body.a.b", "application/json", `{"a":{"b":"x"},"a":{"b":"y"}}`, "y"},
		{"body.a", providertest.FormType, "a=x&a=y", "x"},
		{"body.a", providertest.MultipartType + "; boundary=b", providertest.MultipartOf(2, "a"), "{}"},
		{`header("A")`, "", "", "x"},
		{`headers["a"]`, "", "", "x"},
		{"query.a", "", "", "x"},
	} {
		r := providertest.Hook(test.body, "Content-Type: "+test.contentType, "A: x", "A: y")
		r.RawQuery = "a=x&a=y"
		if got := readBy(t, test.read, r); got != test.want {
			t.Errorf("%s of %s: %q, want %q", test.read, test.body, got, test.want)
		}
	}
}
