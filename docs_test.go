package gateway

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// goFile matches the names of files and rooms in docs/architecture.md.
var (
	goFile = regexp.MustCompile("`([a-z_/]+\\.go)`")
	room   = regexp.MustCompile(`\b((?:module|rules|internal|cmd|e2e|bench|examples)(?:/[a-z]+)*)/`)
)

// TestArchitectureNamesWhatIsThere holds the page's files against the tree, and
// that each room of the gateway stands in its drawing.
func TestArchitectureNamesWhatIsThere(t *testing.T) {
	content, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(content)
	files := goFile.FindAllStringSubmatch(page, -1)
	if len(files) < 40 {
		t.Errorf("only %d files were found", len(files))
	}
	for _, match := range files {
		name := match[1]
		if !strings.Contains(name, "/") && name != "gateway.go" && name != "layout_test.go" {
			name = filepath.Join("module/queue/disk", name) // the page says so
		}
		if _, err := os.Stat(name); err != nil {
			t.Errorf("the page names %s: %v", match[1], err)
		}
	}
	for _, match := range room.FindAllStringSubmatch(page, -1) {
		if info, err := os.Stat(match[1]); err != nil || !info.IsDir() {
			t.Errorf("the page names the room %s/, which is not there", match[1])
		}
	}
	list, err := exec.Command("go", "list", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.FieldsSeq(string(list)) {
		path := strings.TrimPrefix(strings.TrimPrefix(pkg, self), "/")
		if path == "" || strings.HasPrefix(path, "bench") || strings.Contains(path, "internal/") {
			continue
		}
		if !strings.Contains(page, path+"/") {
			t.Errorf("the page does not have the room %s/", path)
		}
	}
}
