package operate

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// fenced returns the blocks of a page in a language.
func fenced(page, language string) (blocks []string) {
	for _, part := range strings.Split(page, "```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		blocks = append(blocks, block)
	}
	return blocks
}

func readText(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestAddingAProvider does what the page about it says, and looks whether the
// commands print what stands there.
func TestAddingAProvider(t *testing.T) {
	content, err := os.ReadFile("../../docs/adding-a-provider.md")
	if err != nil {
		t.Fatal(err)
	}
	page, dir := string(content), t.TempDir()
	config, request := filepath.Join(dir, "Caddyfile"), strings.ReplaceAll(fenced(page, "http")[0], "\n", "\r\n")
	if err := os.WriteFile(config, []byte(fenced(page, "caddyfile")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PODIUM_SECRET", "podium-demo-secret")
	shown := make(map[string]string)
	for _, block := range fenced(page, "console") {
		for _, run := range strings.Split(block, "$ ")[1:] {
			command, out, _ := strings.Cut(run, "\n")
			shown[command] = out
		}
	}
	checked := 0
	for command, want := range shown {
		args, isVerify := strings.CutPrefix(command, "caddy webhook verify ")
		if !isVerify {
			continue
		}
		args = strings.Replace(strings.TrimSuffix(args, " podium.txt"), "Caddyfile", config, 1)
		out, err := runVerify(request, strings.Fields(args)...)
		if err != nil || strings.TrimRight(out, "\n") != want {
			t.Errorf("%s printed\n%s\nnot\n%s", command, out, want)
		}
		tampered := strings.Replace(request, "apples", "apple5", 1)
		if out, err := runVerify(tampered, strings.Fields(args)...); err == nil || !strings.Contains(out, "the body was changed") {
			t.Errorf("%s with a byte changed printed\n%s", command, out)
		}
		checked++
	}
	if checked != 2 {
		t.Errorf("%d commands were checked", checked)
	}
	source, err := os.ReadFile("../provider/presets/communication.go")
	if preset := strings.ReplaceAll(fenced(page, "go")[0], "\n", "\n\t"); err != nil || !strings.Contains(string(source), preset) {
		t.Errorf("the preset is not the one of the page (%v)", err)
	}
	data, samples, vectors := fenced(page, "json"), readText(t, "../provider/presets/samples/podium.json"), readText(t, "../provider/presets/testdata/vectors.json")
	if len(data) != 2 || data[0]+"\n" != samples || !strings.Contains(vectors, " "+strings.ReplaceAll(data[1], "\n", "\n ")) {
		t.Error("the samples or the vector are not those of the page")
	}
	for _, p := range provider.Presets() {
		if p.Name == "podium" && len(p.Proofs) == 1 {
			return
		}
	}
	t.Error("there is no preset podium")
}

// presetCount matches what pages say about the number of presets.
var presetCount = regexp.MustCompile(`\b(\d+) (?:presets\b|providers\b|have a preset\b)`)

// TestPagesCountThePresets holds the number of presets that pages name.
func TestPagesCountThePresets(t *testing.T) {
	want := strconv.Itoa(len(provider.Presets()))
	for path, times := range map[string]int{"README.md": 2, "CHANGELOG.md": 1, "docs/adding-a-provider.md": 1, "docs/quick-start.md": 1} {
		found := presetCount.FindAllStringSubmatch(readText(t, "../../"+path), -1)
		if len(found) != times {
			t.Errorf("%s counts the presets %d times, not %d: %q", path, len(found), times, found)
		}
		for _, match := range found {
			if match[1] != want {
				t.Errorf("%s says %q; there are %s presets", path, match[0], want)
			}
		}
	}
}
