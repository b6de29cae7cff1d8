package template_test

import (
	"bufio"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/pagetest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

const pagePath = "../../../docs/custom-providers.md"

// section returns the text below a heading of the page, up to the next heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	page, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "\n"+heading+"\n")
	if !found {
		t.Fatalf("the page has no heading %s", heading)
	}
	text, _, _ = strings.Cut(text, "\n#")
	return text
}

// examined is the environment of the page's examples: the secret, and what stands in the
// signature's header.
func examined(r *template.Request) *template.Env {
	e := template.NewEnv(r, nil)
	e.Timestamp, e.Secret, e.Captured[0] = "1764345600", []byte("acme-demo-secret"), "f00d"
	return e
}

// holds an example of the page against what the template gives.
func checkExample(t *testing.T, r *template.Request, text, want string) {
	t.Helper()
	compiled, err := template.Parse(text)
	if err == nil {
		err = compiled.LocateCaptures([]string{"nonce"})
	}
	if err != nil {
		t.Error(err)
		return
	}
	e := examined(r)
	defer e.Free()
	got, ok := compiled.AppendTo(nil, e)
	if output := pagetest.Codes(want); !ok && want != "refused" || ok && (len(output) != 1 || string(got) != output[0]) {
		t.Errorf("%s gives `%s` (%v), where the page has %s", text, got, ok, want)
	}
}

// TestPageOfFunctions evaluates the examples of the page's table, and compares its
// functions with those that there are.
func TestPageOfFunctions(t *testing.T) {
	var listed []string
	for _, row := range pagetest.Rows(section(t, "### Functions")) {
		name, _, _ := strings.Cut(pagetest.Codes(row[0])[0], " ")
		listed = append(listed, name)
		if !strings.Contains(row[3], "|"+name) {
			t.Errorf("the example of %s does without it", name)
		}
		checkExample(t, inputOf(pagetest.Codes(row[2])), pagetest.Codes(row[3])[0], row[4])
	}
	same(t, "functions", listed, template.Functions())
}

var headerLine = regexp.MustCompile(`^[A-Z][A-Za-z-]*: `)

// inputOf makes the request of an example: its URL, its headers, or its body.
func inputOf(texts []string) *template.Request {
	r := &template.Request{Method: "POST", Header: make(map[string][]string)}
	for _, text := range texts {
		switch {
		case strings.HasPrefix(text, "https://"):
			r.Public, _ = url.Parse(text)
		case headerLine.MatchString(text):
			name, value, _ := strings.Cut(text, ": ")
			r.Header[textproto.CanonicalMIMEHeaderKey(name)] = []string{value}
		default:
			r.Body = []byte(text)
		}
	}
	return r
}

// TestPageOfPlaceholders does the same with the placeholders and their request.
func TestPageOfPlaceholders(t *testing.T) {
	text := section(t, "### Placeholders")
	_, raw, _ := strings.Cut(text, "```http\n")
	raw, _, _ = strings.Cut(raw, "\n```")
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(raw, "\n\n")
	public, err := url.Parse("https://" + request.Host + request.URL.String())
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, row := range pagetest.Rows(text) {
		name := strings.Trim(pagetest.Codes(row[0])[0], "{}")
		listed = append(listed, name)
		r := &template.Request{
			Method: request.Method, Header: map[string][]string(request.Header), Body: []byte(body), Public: public,
			DeliveryID: func() string { return "evt_1" },
		}
		if strings.HasPrefix(name, "form") {
			r.Header, r.Body = map[string][]string{"Content-Type": {payload.FormType}}, []byte("a=1&b=x+y")
		}
		checkExample(t, r, pagetest.Codes(row[2])[0], row[3])
	}
	known := slices.Clone(template.Wholes)
	for _, name := range template.Named {
		known = append(known, name+map[string]string{"header": ".X-Name", "json": ".path"}[name])
		if last := len(known) - 1; known[last] == name {
			known[last] += ".name"
		}
	}
	same(t, "placeholders", listed, known)
}

// TestPageOfPaths follows the paths of the page through its JSON.
func TestPageOfPaths(t *testing.T) {
	text := section(t, "## Paths in JSON")
	_, document, _ := strings.Cut(text, "| in `")
	document, _, _ = strings.Cut(document, "`")
	var parsed payload.JSON
	if err := parsed.Parse([]byte(document), payload.MaxDepth); err != nil {
		t.Fatal(err)
	}
	for _, row := range pagetest.Rows(text) {
		path, err := payload.ParsePath(pagetest.Codes(row[0])[0])
		if err != nil {
			t.Error(err)
			continue
		}
		var found []string
		for value, err := range path.All(parsed.Root()) {
			if err != nil {
				t.Error(err)
			}
			found = append(found, value.Text())
		}
		if !slices.Equal(found, pagetest.Codes(row[2])) {
			t.Errorf("%s leads to %q, where the page has %s", path, found, row[2])
		}
	}
}

// TestPageOfValues reads the examples of values with their templates.
func TestPageOfValues(t *testing.T) {
	for _, row := range pagetest.Rows(section(t, "#### The value of a header")) {
		sent, form := strings.ReplaceAll(pagetest.Codes(row[0])[0], "…", ""), pagetest.Codes(row[1])[0]
		value, err := template.ParseValue(form, "sha512", "", new([]string))
		if err != nil {
			t.Error(err)
			continue
		}
		found := value.Parse(sent, nil)
		if len(found) == 0 || found[0].Signature != "5d41" || strings.Contains(form, "{timestamp}") != (found[0].Timestamp == "1764345600") {
			t.Errorf("%s reads %+v in %s", form, found, sent)
		}
	}
}

func same(t *testing.T, what string, listed, known []string) {
	t.Helper()
	slices.Sort(listed)
	slices.Sort(known)
	if !slices.Equal(listed, known) {
		t.Errorf("the page has the %s %q, there are %q", what, listed, known)
	}
}
