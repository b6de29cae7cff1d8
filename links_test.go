package gateway

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	fence   = regexp.MustCompile("(?ms)^\\s*```.*?^\\s*```\\s*$")
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	anchor  = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	noSlug  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// TestLinks follows the links of all pages: to files, to headings in them, and to
// addresses that are at least well-formed.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, top...) {
		text := code.ReplaceAllString(fence.ReplaceAllString(read(t, page), ""), "")
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			found++
			if problem := follow(t, page, match[1]); problem != "" {
				t.Errorf("%s links to %s: %s", page, match[1], problem)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d links were found", found)
	}
}

// follow says what is wrong with a link.
func follow(t *testing.T, page, target string) (problem string) {
	t.Helper()
	to, err := url.Parse(target)
	switch {
	case err != nil:
		return err.Error()
	case to.Scheme == "https" && to.Host != "" || to.Scheme == "mailto":
		return ""
	case to.Scheme != "":
		return "neither https nor a file"
	}
	path := page
	if to.Path != "" {
		path = filepath.Join(filepath.Dir(page), to.Path)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "no such file"
	case to.Fragment == "":
		return ""
	case info.IsDir() || !strings.HasSuffix(path, ".md"):
		return "a fragment of what is no page"
	case !anchorsOf(read(t, path))[to.Fragment]:
		return "no such heading"
	}
	return ""
}

// anchorsOf returns the fragments of a page, as GitHub names its headings.
func anchorsOf(page string) map[string]bool {
	anchors := make(map[string]bool)
	page = fence.ReplaceAllString(page, "")
	for _, match := range heading.FindAllStringSubmatch(page, -1) {
		text := link.ReplaceAllString(match[1], "]")
		slug := strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(text)), ""), " ", "-")
		unique := slug
		for n := 1; anchors[unique]; n++ {
			unique = slug + "-" + string(rune('0'+n))
		}
		anchors[unique] = true
	}
	for _, match := range anchor.FindAllStringSubmatch(page, -1) {
		anchors[match[1]] = true
	}
	return anchors
}

// TestIndexHasEveryPage holds the index of docs against its pages.
func TestIndexHasEveryPage(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	index := read(t, "docs/README.md")
	for _, page := range pages {
		if name := filepath.Base(page); name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("the index does not have %s", name)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
