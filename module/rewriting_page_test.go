package module

import (
	"bufio"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

func rewritingPage(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../docs/rewriting.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestRewritingPageOfBodies holds the bodies of docs/rewriting.md against what expressions
// make of the page's webhook.
func TestRewritingPageOfBodies(t *testing.T) {
	page := rewritingPage(t)
	_, raw, _ := strings.Cut(page, "```http\n")
	raw, _, _ = strings.Cut(raw, "\n```")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(raw, "\n\n")
	input := &rules.Input{
		Event: "order.paid", ID: "evt_1", Path: r.URL.Path, RawQuery: r.URL.RawQuery, Header: r.Header, Body: []byte(body),
		ReceivedAt: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC),
	}
	rows := tableOf(t, page, "## Another body")[1:]
	if len(rows) < 10 {
		t.Fatalf("the page has %d bodies", len(rows))
	}
	for _, row := range rows {
		b := &RewriteBody{Expression: strings.Trim(row[0], "`")}
		if err := b.compile(); err != nil {
			t.Error(err)
			continue
		}
		view := rules.NewView(input)
		got, err := b.of(view)
		view.Free()
		if err != nil || string(got.Content) != strings.Trim(row[1], "`") || got.ContentType != strings.Trim(row[2], "`") {
			t.Errorf("%s makes %+v, %v; the page has %s and %s", b.Expression, got, err, row[1], row[2])
		}
	}
}

// TestRewritingPage holds the lists of the page against the code.
func TestRewritingPage(t *testing.T) {
	page := rewritingPage(t)
	quoted := regexp.MustCompile("`([^`]+)`")
	var headers []string
	for _, name := range quoted.FindAllStringSubmatch(tableOf(t, page, "### Headers")[1][0], -1) {
		headers = append(headers, name[1])
	}
	if !slices.Equal(headers, ofContent) {
		t.Errorf("the page has the headers %q; removed are %q", headers, ofContent)
	}
	var placeholders []string
	for _, row := range tableOf(t, page, "## Values of the webhook") {
		if strings.HasPrefix(row[0], "`{") && !strings.Contains(row[0], "…") {
			placeholders = append(placeholders, strings.Trim(row[0], "`"))
		}
	}
	if got := strings.Join(placeholders, ", "); got != knownPlaceholders {
		t.Errorf("the page has the placeholders %s; known are %s", got, knownPlaceholders)
	}
	golden, err := os.ReadFile("testdata/errors/placeholders.caddyfiletest")
	if err != nil {
		t.Fatal(err)
	}
	_, errors, _ := strings.Cut(page, "These do not load:\n")
	errors, _, _ = strings.Cut(errors, "\n\nTo choose")
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(errors, -1)
	if len(rows) < 8 {
		t.Errorf("the page has %d errors", len(rows))
	}
	for _, row := range rows {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(row[1]), "…", ".*")
		if !regexp.MustCompile("': " + pattern).Match(golden) {
			t.Errorf("no golden file has the error %s", row[1])
		}
	}
}
