package gateway

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The names of files, rooms and steps in docs/architecture.md.
var (
	goFile = regexp.MustCompile("`([a-z_/]+\\.go)`")
	room   = regexp.MustCompile(`\b((?:module|rules|internal|cmd|e2e|bench|examples)(?:/[a-z]+)*)/`)
	step   = regexp.MustCompile(`(?m)^\| ([a-z ]+) \|`)
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

// TestArchitectureHasEachStepOnce holds that no step stands twice on the way of a
// request or of a delivery.
func TestArchitectureHasEachStepOnce(t *testing.T) {
	content, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	ways := strings.Split(string(content), "\n## The way of ")[1:]
	if len(ways) != 2 {
		t.Errorf("%d ways were found", len(ways))
	}
	for _, way := range ways {
		way, _, _ = strings.Cut(way, "\n## ")
		title, table, _ := strings.Cut(way, "\n| step |")
		title, _, _ = strings.Cut(title, "\n")
		table, _, _ = strings.Cut(table, "\n\n")
		steps := make(map[string]bool)
		for _, row := range step.FindAllStringSubmatch(table, -1) {
			if steps[row[1]] {
				t.Errorf("%s stands twice on the way of %s", row[1], title)
			}
			steps[row[1]] = true
		}
		if len(steps) < 10 {
			t.Errorf("only %d steps of %s were found", len(steps), title)
		}
	}
}
