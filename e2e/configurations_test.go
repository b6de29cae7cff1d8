package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// pages are README, docs and what else is written for readers.
func pages(t *testing.T) []string {
	t.Helper()
	return append(must(t, filepath.Glob, "../docs/*.md"), must(t, filepath.Glob, "../*.md")...)
}

// fenced is a block between fences of a page.
type fenced struct {
	language, text string
	line           int // of its first fence
}

func fencedBlocks(page string) (blocks []fenced) {
	var block *fenced
	n := 0
	for line := range strings.Lines(page) {
		n++
		language, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && block == nil:
			block = &fenced{language: language, line: n}
		case isFence:
			blocks, block = append(blocks, *block), nil
		case block != nil:
			block.text += line
		}
	}
	return blocks
}

// TestConfigurations loads every configuration of the pages as `caddy validate` does,
// holds JSON against the Caddyfile before it, and compiles every expression.
func TestConfigurations(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	contents := make(map[string]string)
	for _, page := range pages(t) {
		contents[page] = readFile(t, page)
	}
	t.Chdir(t.TempDir()) // which is where relative paths begin
	for _, dir := range directories {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GITHUB_SECRET", demoValue("GITHUB_SECRET")) // which completed fragments name
	for page, content := range contents {
		for _, match := range envName.FindAllStringSubmatch(content, -1) {
			t.Setenv(match[1], demoValue(match[1]))
		}
		var adapted []byte // what the last Caddyfile is in JSON
		for _, block := range fencedBlocks(content) {
			where := fmt.Sprintf("%s:%d", page, block.line)
			var err error
			switch block.language {
			case "caddyfile":
				adapted, err = provision(block.text)
			case "json":
				err = sameJSON(block.text, adapted)
			case "expr":
				err = compileAll(block.text)
			case "go": // what JSON there is after it belongs to the code
				adapted = nil
			case "", "console", "text", "http", "sh", "yaml", "ini", "sql":
			default:
				err = fmt.Errorf("nobody reads blocks of %s", block.language)
			}
			if err != nil {
				t.Errorf("%s: %v", where, err)
			}
		}
	}
}

// directories are those that configurations of the pages name.
var directories = []string{"tenants"}

// envName matches the environment variables that a page has in configurations.
var envName = regexp.MustCompile(`\{(?:env\.|\$)(\w+)`)

// demoValue returns a value that the variable of a name may have.
func demoValue(name string) string {
	switch {
	case name == "DISCORD_PUBLIC_KEY":
		return "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a" // of RFC 8032
	case strings.Contains(name, "PUBLIC_KEY"):
		return ourKey
	case strings.Contains(name, "WEBHOOK_ID"):
		return "8PT597110X687430LKGECATA"
	case strings.HasSuffix(name, "_URL"):
		return "https://hooks.example.com/" + strings.ToLower(name)
	case strings.HasSuffix(name, "_IPS"), strings.HasSuffix(name, "NETWORKS"):
		return "203.0.113.7 198.51.100.0/24"
	case strings.HasPrefix(name, "STANDARD"):
		return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	default:
		return strings.ToLower(name) + "-demo-secret"
	}
}

// provision adapts and provisions a configuration, or a part of one.
func provision(text string) ([]byte, error) {
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(completed(text)), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return nil, err
	}
	for _, warning := range warnings {
		if !strings.Contains(warning.Message, "not formatted") {
			return nil, fmt.Errorf("line %d: %s", warning.Line, warning.Message)
		}
	}
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		return nil, err
	}
	return adapted, caddy.Validate(&config)
}

var (
	ofSource = regexp.MustCompile(`^(source|provider|insecure_\w+|allow_ips\w*|max_body|event|id|dedup|respond)\b`)
	ofRoute  = regexp.MustCompile(`^(to|forward|retry\w*|give_up_on|timeout|concurrency|rate|order_by|sign|rewrite_body)\b`)
	ofRoutes = regexp.MustCompile(`(?m)^(route|otherwise)\b`)
	ofSite   = regexp.MustCompile(`^(webhook_gateway|route|handle\w*|respond|log|@\w+)\b`)
)

// completed makes a Caddyfile of a part of one. What the part lacks is as usual.
func completed(text string) string {
	first := strings.TrimLeft(text, "\n\t ")
	for strings.HasPrefix(first, "#") {
		_, first, _ = strings.Cut(first, "\n")
		first = strings.TrimLeft(first, "\n\t ")
	}
	source := "webhook_gateway /hook {\n%s\n%s\n}\n"
	github, route := "provider github {env.GITHUB_SECRET}\n", ""
	if !ofRoutes.MatchString(text) {
		route = "route app localhost:3000"
	}
	switch {
	case strings.HasPrefix(first, "webhook_gateway"):
	case ofRoute.MatchString(first):
		text = fmt.Sprintf(source, github, "route app {\n"+withUpstream(text)+"\n}")
	case regexp.MustCompile(`(?m)^provider\b`).MatchString(text):
		text = fmt.Sprintf(source, text, route)
	case ofSource.MatchString(first), ofRoutes.MatchString(first) && !strings.Contains(text, "webhook_gateway"):
		text = fmt.Sprintf(source, github+text, route)
	case ofSite.MatchString(first):
	default:
		return text // a whole file
	}
	return "hooks.example.com {\n" + text + "\n}\n"
}

// withUpstream gives the lines of a route a destination.
func withUpstream(lines string) string {
	if regexp.MustCompile(`(?m)^(to|forward)\b`).MatchString(lines) {
		return lines
	}
	return "to localhost:3000\n" + lines
}

// sameJSON finds JSON of a page in what a Caddyfile was adapted to. JSON that follows
// no Caddyfile need only be JSON.
func sameJSON(text string, adapted []byte) error {
	var want, whole any
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		return err
	}
	if adapted == nil {
		return nil
	}
	if err := json.Unmarshal(adapted, &whole); err != nil {
		return err
	}
	if !contains(whole, want) {
		return fmt.Errorf("the Caddyfile before it is adapted to other JSON:\n%s", adapted)
	}
	return nil
}

// contains reports whether a value is another one, or has it somewhere.
func contains(whole, part any) bool {
	if reflect.DeepEqual(whole, part) {
		return true
	}
	switch whole := whole.(type) {
	case map[string]any:
		for _, value := range whole {
			if contains(value, part) {
				return true
			}
		}
	case []any:
		for _, value := range whole {
			if contains(value, part) {
				return true
			}
		}
	}
	return false
}

// compileAll compiles expressions, one a line, as rules or as values.
func compileAll(text string) error {
	for line := range strings.Lines(text) {
		expression, _, _ := strings.Cut(line, " # ")
		if expression = strings.TrimSpace(expression); expression == "" || strings.HasPrefix(expression, "#") {
			continue
		}
		if _, err := rules.Compile(expression); err == nil {
			continue
		}
		if _, err := rules.CompileValue(expression); err != nil {
			return err
		}
	}
	return nil
}
