package operate

import (
	"os"
	"path/filepath"
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
	for _, p := range provider.Presets() {
		if p.Name == "podium" && len(p.Proofs) == 1 {
			return
		}
	}
	t.Error("there is no preset podium")
}
