package e2e

import (
	"regexp"
	"slices"
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
	inCode      = regexp.MustCompile("`[^`]*`")
)

// TestFigures holds figures in the text of pages against what they are about: the
// number of presets, versions, and benchmarks that are told twice: those of the README stand in
// one line of the pages on them.
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
	measured := figureLines(readFile(t, "../docs/performance.md") + readFile(t, "../docs/faults.md"))
	_, table, _ := strings.Cut(readFile(t, "../README.md"), "\n| Figure | Measured | Aim |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := figureLines(table)
	if len(rows) != 3 {
		t.Errorf("the README has %d rows of figures", len(rows))
	}
	for _, row := range rows {
		if !slices.ContainsFunc(measured, func(line []string) bool { return hasAll(line, row) }) {
			t.Errorf("no line of performance.md and faults.md has the figures %q of the README", row)
		}
	}

	// What performance.md says in short stands in its tables.
	before, after, _ := strings.Cut(readFile(t, "../docs/performance.md"), "\n## How large a machine\n")
	printed := slices.Concat(figureLines(after)...)
	for _, figure := range regexp.MustCompile(`\d+[,.]\d+|\d+(?: MiB)`).FindAllString(before, -1) {
		if figure = strings.ReplaceAll(strings.TrimSuffix(figure, " MiB"), ",", ""); !slices.Contains(printed, figure) {
			t.Errorf("performance.md says %s in short, and nowhere else", figure)
		}
	}
	if want := "xcaddy " + strings.TrimPrefix(xcaddyVersion, "v"); !strings.Contains(readFile(t, "../xcaddy.md"), want) {
		t.Errorf("xcaddy.md does not say %s, which the test runs", want)
	}
}

// figureLines returns the figures of each line of a text. Those in code are none.
func figureLines(text string) (lines [][]string) {
	for line := range strings.Lines(text) {
		var figures []string
		for _, figure := range benchFigure.FindAllString(inCode.ReplaceAllString(line, ""), -1) {
			figures = append(figures, strings.ReplaceAll(figure, ",", ""))
		}
		if figures != nil {
			lines = append(lines, figures)
		}
	}
	return lines
}

func hasAll(line, figures []string) bool {
	return !slices.ContainsFunc(figures, func(figure string) bool { return !slices.Contains(line, figure) })
}
