package rules

import (
	"bytes"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

func TestContentTypes(t *testing.T) {
	const form, xml = "a=1&b=x%20y&a=2&empty", `<event type="a"/>`
	for _, tt := range []struct {
		contentType, body, rule string
		want                    bool
	}{
		{"application/json", `{"a":1}`, `body.a == 1`, true},
		{"Application/JSON; charset=utf-8", `{"a":1}`, `body.a == 1`, true},
		{"application/cloudevents+json", `{"a":1}`, `body.a == 1`, true},
		{"text/plain", ` {"a":1}`, `body.a == 1`, true},
		{"", `{"a":1}`, `body.a == 1`, true},
		{"", `plain text`, `body == "plain text"`, true},
		{"", ``, `body == ""`, true},
		{"text/plain", `{"a":`, `body startsWith "{"`, true},
		{"not a content type;;", `{"a":1}`, `body.a == 1`, true},
		{"application/x-www-form-urlencoded", form, `body.a == "1" && body["b"] == "x y" && body.empty == ""`, true},
		{"application/x-www-form-urlencoded; charset=utf-8", form, `body.absent == nil && len(body) == 3`, true},
		{"application/x-www-form-urlencoded", ``, `len(body) == 0`, true},
		{"application/x-www-form-urlencoded", ` {"a":1}`, `body.a == 1`, true},
		{"application/x-www-form-urlencoded", `{"a":1`, `body['{"a":1'] == ""`, true},
		{"text/xml", xml, `body contains "type=\"a\""`, true},
		{"application/xml", xml, `body == '<event type="a"/>'`, true},
		{"application/soap+xml; charset=utf-8", xml, `body matches "^<event"`, true},
		{"application/xml", `1`, `body == "1"`, true},
	} {
		if got, err := match(t, tt.rule, tt.contentType, tt.body); got != tt.want || err != nil {
			t.Errorf("%s over %q as %q = %v, %v", tt.rule, tt.body, tt.contentType, got, err)
		}
	}
}

func TestMalformedBodies(t *testing.T) {
	for _, tt := range []struct{ contentType, body, rule, want string }{
		{"application/json", `{"a":`, `body.a == 1`, "not valid JSON"},
		{"application/json", ``, `body == nil`, "not valid JSON"},
		{"application/json", `{"a":1} trailing`, `len(body) > 0`, "not valid JSON"},
		{"application/x-www-form-urlencoded", `a=%zz`, `body.a == "1"`, "not a valid form"},
		{"application/x-www-form-urlencoded", `a=1;b=2`, `body.a == "1"`, "not a valid form"},
		{"application/x-www-form-urlencoded", strings.Repeat("a&", payload.MaxFields), `body.a == ""`, "more than 10000 fields"},
		{"application/x-www-form-urlencoded", `a=1`, `body.b.c == "1"`, "body.b is missing, so it has no c"},
		{"multipart/form-data", `x`, `body.a == "1"`, "no boundary"},
		{"multipart/form-data; boundary=x", ``, `body.a == "1"`, "not a valid form"},
		{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\ncut", `body.a == "cut"`, "not a valid form"},
		{"text/xml", `<a/>`, `body.a == "1"`, "body is text that is no JSON, so it has no a"},
		{"text/plain", `text`, `body.a == "1"`, "body is text that is no JSON, so it has no a"},
	} {
		got, err := match(t, tt.rule, tt.contentType, tt.body)
		if got || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s over %.40q as %q = %v, %v; want an error with %q", tt.rule, tt.body, tt.contentType, got, err, tt.want)
		}
	}
}

func TestMultipart(t *testing.T) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.WriteField("from", "ann@example.com")
	_ = w.WriteField("from", "second")
	file, _ := w.CreateFormFile("attachment1", "contract.pdf")
	_, _ = file.Write([]byte("%PDF"))
	_ = w.WriteField("empty", "")
	_ = w.Close()
	rule := `body.from == "ann@example.com" && body.attachment1 == "contract.pdf" && body.empty == "" && len(body) == 3`
	if got, err := match(t, rule, w.FormDataContentType(), b.String()); !got || err != nil {
		t.Errorf("%s = %v, %v", rule, got, err)
	}
}

func TestMultipartIsBounded(t *testing.T) {
	for _, extra := range []int{0, 1} {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for range payload.MaxParts + extra {
			_ = w.WriteField("a", "1")
		}
		_ = w.Close()
		got, err := match(t, `body.a == "1"`, w.FormDataContentType(), b.String())
		if want := extra == 0; got != want || (err == nil) != want {
			t.Errorf("%d parts: %v, %v", payload.MaxParts+extra, got, err)
		}
	}
}

// GitHub posts its payload as the field of a form, if it is told to.
func TestGitHubForm(t *testing.T) {
	body := url.Values{"payload": {`{"action":"opened","repository":{"full_name":"octo/hello"}}`}}.Encode()
	rule := `let payload = fromJSON(body.payload); payload.action == "opened" && payload.repository.full_name startsWith "octo/"`
	if got, err := match(t, rule, "application/x-www-form-urlencoded", body); !got || err != nil {
		t.Errorf("%s = %v, %v", rule, got, err)
	}
}

func match(t *testing.T, rule, contentType, body string) (bool, error) {
	t.Helper()
	r, err := Compile(rule)
	if err != nil {
		t.Fatal(err)
	}
	v := NewView(&Input{Header: map[string][]string{"Content-Type": {contentType}}, Body: []byte(body)})
	defer v.Free()
	return r.Match(v)
}
