package rules

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/pagetest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// pageOf returns the page about rules.
func pageOf(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// asInput makes a request of the page the Input of rules.
func asInput(t *testing.T, raw string) *Input {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(raw, "\n\n")
	return &Input{
		Event: "order.paid", ID: "evt_1", Provider: "custom", Source: "shop",
		Method: r.Method, Path: r.URL.Path, RawQuery: r.URL.RawQuery, Header: r.Header, Body: []byte(body),
		RemoteIP: "203.0.113.9", ReceivedAt: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC),
	}
}

// ask evaluates a rule.
func ask(in *Input, expression string) (bool, error) {
	rule, err := Compile(expression)
	if err != nil {
		return false, fmt.Errorf("compiling: %w", err)
	}
	v := NewView(in)
	defer v.Free()
	return rule.Match(v)
}

// TestPageOfExpressions holds that each expression of the page is true of the request
// before it in the section, or else of the page's webhook.
func TestPageOfExpressions(t *testing.T) {
	in, checked := example(t), 0
	for i, part := range strings.Split(pageOf(t), "\n```") {
		if i%2 == 0 {
			if strings.Contains(part, "\n## ") {
				in = example(t)
			}
			continue
		}
		language, block, _ := strings.Cut(part, "\n")
		switch language {
		case "http":
			in = asInput(t, block)
		case "expr":
			for line := range strings.Lines(block) {
				checked++
				if holds, err := ask(in, strings.TrimSpace(line)); !holds {
					t.Errorf("%s: %v, %v", strings.TrimSpace(line), holds, err)
				}
			}
		}
	}
	if checked < 30 {
		t.Errorf("%d expressions were checked", checked)
	}
}

// table returns the rows of the page's table that begins with some cells.
func table(t *testing.T, head string) (rows [][]string) {
	t.Helper()
	_, text, found := strings.Cut(pageOf(t), "\n"+head+"\n")
	if !found {
		t.Fatalf("the page has no table %s", head)
	}
	text, _, _ = strings.Cut(text, "\n\n")
	return pagetest.Rows(text)
}

// code returns what stands between back ticks in a cell; "" if nothing does.
func code(cell string) string {
	if texts := pagetest.Codes(cell); texts != nil {
		return texts[0]
	}
	return ""
}

// example is the webhook of the page.
func example(t *testing.T) *Input {
	_, raw, _ := strings.Cut(pageOf(t), "```http\n")
	raw, _, _ = strings.Cut(raw, "\n```")
	return asInput(t, raw)
}

// TestPageOfNames holds the examples of names and of builtins, and that no name is
// missing.
func TestPageOfNames(t *testing.T) {
	listed := make(map[string]bool)
	for _, row := range table(t, "| name | type | what it is | an expression that holds |") {
		name, _, _ := strings.Cut(code(row[0]), "(")
		listed[name] = true
		if holds, err := ask(example(t), code(row[3])); !holds {
			t.Errorf("%s: %v", row[3], err)
		}
	}
	for name := range names {
		if !listed[name] && name != getter {
			t.Errorf("the page does not have the name %s", name)
		}
		delete(listed, name)
	}
	if len(listed) > 0 {
		t.Errorf("the page has names that there are not: %v", listed)
	}
	for _, row := range table(t, "| you write | it means | an expression that holds |") {
		if holds, err := ask(example(t), code(row[2])); !holds {
			t.Errorf("%s: %v", row[2], err)
		}
	}
}

// TestPageOfBodies holds what the body of a content type is.
func TestPageOfBodies(t *testing.T) {
	for _, row := range table(t, "| `Content-Type` | the body | `type(body)` | an expression that holds |") {
		in := example(t)
		in.Body, in.Header = []byte(code(row[1])), map[string][]string{}
		if contentType := code(row[0]); contentType != "" {
			in.Header["Content-Type"] = []string{contentType}
		}
		if strings.HasPrefix(code(row[0]), "multipart/") {
			in.Header["Content-Type"], in.Body = multipartOf(row[1])
		}
		writeAs(in, row[0], row[1])
		if row[2] == "error" {
			if _, err := ask(in, "body != 0"); err == nil || strings.Contains(err.Error(), "compiling") {
				t.Errorf("%v: no error, but %v", row, err)
			}
			continue
		}
		for _, expression := range []string{fmt.Sprintf("type(body) == %q", code(row[2])), code(row[3])} {
			if holds, err := ask(in, expression); !holds {
				t.Errorf("%v: %s: %v, %v", row, expression, holds, err)
			}
		}
	}
}

// writeAs does to a body what its cells say besides the code in them.
func writeAs(in *Input, contentType, body string) {
	lines := pagetest.Codes(body)
	_, how, _ := strings.Cut(body, "` ")
	switch name, isEncoding := strings.CutPrefix(how, "in "); {
	case strings.HasSuffix(body, "in lines"):
		in.Body = []byte(strings.Join(lines, "\n"))
	case how == "behind a BOM":
		in.Body = append([]byte("\ufeff"), in.Body...)
	case how == "in UTF-16":
		in.Body, _ = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes(in.Body)
	case how == "in Latin-1":
		in.Body, _ = charmap.ISO8859_1.NewEncoder().Bytes(in.Body)
	case isEncoding:
		in.Body = compressed(name, string(in.Body))
		in.Header["Content-Encoding"] = []string{name}
	case strings.HasSuffix(contentType, "without a boundary"):
		in.Header["Content-Type"] = []string{"multipart/form-data"}
	}
}

// multipartOf makes a form of the fields and files that a cell names.
func multipartOf(cell string) (contentType []string, body []byte) {
	for i, text := range pagetest.Codes(cell) {
		name, value, _ := strings.Cut(text, "=")
		more := ""
		if i > 0 {
			more, value = fmt.Sprintf("; filename=%q", value), "content"
		}
		body = fmt.Appendf(body, "--x\r\nContent-Disposition: form-data; name=%q%s\r\n\r\n%s\r\n", name, more, value)
	}
	return []string{"multipart/form-data; boundary=x"}, append(body, "--x--\r\n"...)
}

// TestPageOfValues holds what the page's expressions for event type and ID yield.
func TestPageOfValues(t *testing.T) {
	for _, row := range table(t, "| expression | yields |") {
		value, err := CompileValue(code(row[0]))
		if err != nil {
			t.Error(err)
			continue
		}
		v := NewView(example(t))
		text, err := value.Text(v)
		v.Free()
		if (err != nil) != (row[1] == "error") || text != code(row[1]) {
			t.Errorf("%s yields %q, %v", row[0], text, err)
		}
	}
}

// TestPageOfErrors holds the errors of the page, when the configuration loads and later.
func TestPageOfErrors(t *testing.T) {
	page := pageOf(t)
	_, text, _ := strings.Cut(page, "## Errors and what they cost")
	atLoad, later, _ := strings.Cut(text, "What `body` holds")
	later, _, _ = strings.Cut(later, "\n## ")
	for i, part := range []string{atLoad, later} {
		for line := range strings.Lines(part) {
			cells := pagetest.Codes(line)
			if !strings.HasPrefix(line, "| `") || len(cells) != 2 {
				continue
			}
			_, err := Compile(cells[0])
			if i == 1 {
				_, err = ask(example(t), cells[0])
			}
			if err == nil || !strings.Contains(err.Error(), cells[1]) {
				t.Errorf("%s: %v", cells[0], err)
			}
		}
	}
}

// TestPageOfBounds holds the figures of the page.
func TestPageOfBounds(t *testing.T) {
	page := pageOf(t)
	for text, is := range map[string]bool{
		"20 million steps":    maxSteps == 20_000_000,
		"64 MiB":              maxMade == 64<<20,
		"10 thousand steps":   reservedSteps == 10_000,
		"more than a million": maxValues == 1_000_000,
		"beyond 16 MiB":       payload.MaxDecoded == 16<<20,
		"a hundred times":     payload.MaxRatio == 100,
	} {
		if !is || !strings.Contains(page, text) {
			t.Errorf("the page should not say %q, or does not", text)
		}
	}
}
