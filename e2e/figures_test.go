package e2e

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

var (
	presetCount = regexp.MustCompile(`\b(\d+) (?:presets|providers)\b`)
	goVersion   = regexp.MustCompile(`\bGo (\d+\.\d+)\b`)
	caddyIs     = regexp.MustCompile(`\bCaddy (v2\.\d+\.\d+)`)
	benchFigure = regexp.MustCompile(`\d[\d,]*(?:\.\d+)?`)
)

// TestFigures holds figures in the text of pages against what they are about: the
// number of presets, versions, and in the README the benchmarks of the pages on them.
func TestFigures(t *testing.T) {
	presets := len(caddy.GetModules("webhook_gateway.providers")) - 1 // custom is none
	goMod := readFile(t, "../go.mod")
	for _, page := range pages(t) {
		text := readFile(t, page)
		for _, match := range presetCount.FindAllStringSubmatch(text, -1) {
			if match[1] != strconv.Itoa(presets) {
				t.Errorf("%s says %q; there are %d presets", page, match[0], presets)
			}
		}
		for _, match := range goVersion.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(goMod, "\ngo "+match[1]) {
				t.Errorf("%s says %q; go.mod says otherwise", page, match[0])
			}
		}
		for _, match := range caddyIs.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(goMod, "github.com/caddyserver/caddy/v2 "+match[1]+"\n") {
				t.Errorf("%s says %q; go.mod says otherwise", page, match[0])
			}
		}
	}
	_, table, _ := strings.Cut(readFile(t, "../README.md"), "\n| Figure | Measured | Aim |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	measured := strings.ReplaceAll(readFile(t, "../docs/performance.md")+readFile(t, "../docs/faults.md"), ",", "")
	figures := benchFigure.FindAllString(table, -1)
	if len(figures) < 8 {
		t.Errorf("the README has only the figures %q", figures)
	}
	for _, figure := range figures {
		figure = strings.ReplaceAll(figure, ",", "")
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(figure) + `\b`).MatchString(measured) {
			t.Errorf("the README's figure %s stands neither in performance.md nor in faults.md", figure)
		}
	}
}
