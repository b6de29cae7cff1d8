package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// A command in the text, or in a block that nobody runs.
	namedCommand = regexp.MustCompile("(?m)(?:`|^\\s*(?:\\$ )?)(?:\\./)?caddy (webhook )?([a-z][a-z-]*)([^`\n]*)")
	inlineFlag   = regexp.MustCompile(`(?:^|[\s\[|])(--?[a-z][a-z-]*)`)
	loneFlag     = regexp.MustCompile("`(--[a-z][a-z-]*)[^`]*`")
	stateFlag    = regexp.MustCompile(`--state ([a-z]+)`)
)

// TestInlineCommands holds the commands that pages name against what --help knows: their
// names, their flags, and the states that they select.
func TestInlineCommands(t *testing.T) {
	gateway, help := newGateway(t), make(map[string]string)
	helpOf := func(name string) string {
		if help[name] == "" {
			out, errs, status := gateway.command(append(strings.Fields(name), "--help")...)
			if status != 0 || !strings.Contains(out, "caddy "+name) {
				out = errs + " "
			}
			help[name] = out
		}
		return help[name]
	}
	knows := func(help, flag string) bool {
		return regexp.MustCompile(`(?m)^ .*` + regexp.QuoteMeta(flag) + `(?:\s|,|$)`).MatchString(help)
	}
	states := append([]string{"state", "is", "names"}, strings.Fields(strings.ReplaceAll(regexp.MustCompile(`delivery in it: (.*)`).FindStringSubmatch(helpOf("webhook events"))[1], ",", ""))...) // and what the help says of the flag
	for _, page := range pages(t) {
		text := readFile(t, page)
		for _, match := range namedCommand.FindAllStringSubmatch(text, -1) {
			name := match[1] + match[2]
			if !strings.Contains(helpOf(name), "caddy "+name) {
				t.Errorf("%s: %s: no such command: %s", page, match[0], help[name])
				continue
			}
			arguments, _, _ := strings.Cut(match[3], " | ") // what follows is another command's
			for _, used := range inlineFlag.FindAllStringSubmatch(arguments, -1) {
				if !knows(help[name], used[1]) {
					t.Errorf("%s: %s has no flag %s", page, match[0], used[1])
				}
			}
		}
		for _, match := range stateFlag.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(states, match[1]) {
				t.Errorf("%s: there is no state %s", page, match[1])
			}
		}
	}
	// A flag that is named by itself is one of some command.
	for _, page := range pages(t) {
		for _, match := range loneFlag.FindAllStringSubmatch(readFile(t, page), -1) {
			known := match[1] == "--with" // of xcaddy
			for _, text := range help {
				known = known || knows(text, match[1])
			}
			if !known {
				t.Errorf("%s: no command has the flag %s", page, match[0])
			}
		}
	}
	if len(help) < 18 {
		t.Errorf("the pages name only %d commands", len(help))
	}
}
