package e2e

import (
	"regexp"
	"strings"
	"testing"
)

var (
	inlineCommand = regexp.MustCompile("`(?:\\./)?caddy webhook ([a-z]+)([^`]*)`")
	inlineFlag    = regexp.MustCompile(`(?:^|[\s\[|])(--?[a-z][a-z-]*)`)
)

// TestInlineCommands holds the commands that pages name in their text against what
// --help knows.
func TestInlineCommands(t *testing.T) {
	help := make(map[string]string)
	for _, page := range pages(t) {
		for _, match := range inlineCommand.FindAllStringSubmatch(readFile(t, page), -1) {
			name := match[1]
			if help[name] == "" {
				out, errs, status := newGateway(t).command("webhook", name, "--help")
				if status != 0 || !strings.Contains(out, "caddy webhook "+name) {
					t.Errorf("%s names the command %s, which is not known: %s%s", page, name, out, errs)
					continue
				}
				help[name] = out
			}
			for _, used := range inlineFlag.FindAllStringSubmatch(match[2], -1) {
				if !regexp.MustCompile(`(?m)^ .*` + regexp.QuoteMeta(used[1]) + `\b`).MatchString(help[name]) {
					t.Errorf("%s: %s has no flag %s", page, match[0], used[1])
				}
			}
		}
	}
	if len(help) < 10 {
		t.Errorf("the pages name only %d commands", len(help))
	}
}
