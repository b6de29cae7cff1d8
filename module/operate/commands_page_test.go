package operate

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestCommandsPage holds docs/commands.md against the help of each command. With -update
// it writes the help into the page, at the beginning of the command's section.
func TestCommandsPage(t *testing.T) {
	const path = "../../docs/commands.md"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(content)
	caddy, webhook := &cobra.Command{Use: "caddy"}, &cobra.Command{Use: "webhook"}
	caddy.AddCommand(webhook)
	webhook.AddCommand(commands()...)
	for _, cmd := range webhook.Commands() {
		if row := "| [`" + cmd.Name() + "`](#" + cmd.Name() + ") |"; !strings.Contains(page, row) {
			t.Errorf("the page's overview has no row %s", row)
		}
		before, after, found := strings.Cut(page, "\n### "+cmd.Name()+"\n\n")
		if !found {
			t.Errorf("the page has no section %s", cmd.Name())
			continue
		}
		if help, rest, has := strings.Cut(after, "```\n\n"); has && strings.HasPrefix(help, "```text\n") {
			after = rest
		}
		page = before + "\n### " + cmd.Name() + "\n\n```text\n" + helpOf(t, cmd) + "```\n\n" + after
	}
	switch {
	case page == string(content):
	case *update:
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("the help of a command has changed: go test ./module/operate -run TestCommandsPage -update")
	}
}

// helpOf returns what a command prints with --help, but for Caddy's own last lines.
func helpOf(t *testing.T, cmd *cobra.Command) string {
	t.Helper()
	var help strings.Builder
	cmd.SetOut(&help)
	cmd.InitDefaultHelpFlag()
	if err := cmd.Help(); err != nil {
		t.Fatal(err)
	}
	return help.String()
}
