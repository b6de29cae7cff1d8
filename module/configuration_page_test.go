package module_test

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/disk"
)

// configurationPage returns the sections of docs/configuration.md by their headings.
func configurationPage(t *testing.T) map[string]string {
	sections := make(map[string]string)
	for section := range strings.SplitSeq(readFile(t, "../docs/configuration.md"), "\n## ") {
		heading, text, _ := strings.Cut(section, "\n")
		sections[heading] = "\n" + text
	}
	return sections
}

var (
	headingOfLine = regexp.MustCompile("(?m)^### `([a-z_]+)`$")
	rowOfLine     = regexp.MustCompile("(?m)^\\| `([a-z_]+)[^`]*` \\|")
	rowOfField    = regexp.MustCompile("(?m)^\\| `([a-z_.\\[\\]]+)` \\|")
	syntaxBlock   = regexp.MustCompile("(?s)```text\n[^\n]*\\{\n(.*?)\n\\}\n```")
	firstWord     = regexp.MustCompile(`(?m)^\t([a-z_]+)`)
	inBackticks   = regexp.MustCompile("`([^`]*)`")
)

// TestConfigurationPageHasEachLine holds the lines of the page against those that the
// Caddyfile's readers know.
func TestConfigurationPageHasEachLine(t *testing.T) {
	page := configurationPage(t)
	global, ofDisk, _ := strings.Cut(page["The global option"], "### `queue disk`")
	ofProvider, _, _ := strings.Cut(page["The provider block"], "### Options of presets")
	for name, test := range map[string]struct {
		text  string
		lines *regexp.Regexp
		block string // with a line that nobody knows
	}{
		"global option": {global, rowOfLine, "{\n\twebhook_gateway {\n\t\tnobody\n\t}\n}"},
		"queue disk":    {ofDisk, rowOfLine, "{\n\twebhook_gateway {\n\t\tqueue disk {\n\t\t\tnobody\n\t\t}\n\t}\n}"},
		"directive":     {page["The directive"], headingOfLine, inSource("nobody")},
		"provider":      {ofProvider, headingOfLine, inSource("provider github {\n\tnobody\n}")},
		"route":         {page["Routes"], headingOfLine, inSource("route app {\n\tnobody\n}")},
	} {
		known := knownIn(t, test.block)
		compare(t, name, names(test.lines, test.text), known)
		if syntax := syntaxBlock.FindStringSubmatch(test.text); syntax != nil {
			lines := names(firstWord, syntax[1])
			compare(t, "syntax of "+name, slices.Compact(lines), known)
		}
	}
}

// TestConfigurationPageHasEachOption holds the table of options against the presets.
func TestConfigurationPageHasEachOption(t *testing.T) {
	_, text, _ := strings.Cut(configurationPage(t)["The provider block"], "### Options of presets")
	common := knownIn(t, inSource("provider github {\n\tnobody\n}"))
	var want, got []string
	for _, preset := range provider.Presets() {
		for _, option := range knownIn(t, inSource("provider "+preset.Name+" {\n\tnobody\n}")) {
			if !slices.Contains(common, option) {
				want = append(want, option+" of "+preset.Name)
			}
		}
	}
	for line := range strings.Lines(text) {
		row := rowOfLine.FindStringSubmatch(line)
		if row == nil {
			continue
		}
		_, presets, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		presets = regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(presets, "")
		for _, preset := range inBackticks.FindAllStringSubmatch(presets, -1) {
			got = append(got, row[1]+" of "+preset[1])
		}
	}
	compare(t, "options", got, want)
}

// TestConfigurationPageHasEachField holds the fields of the page against those of the
// configuration's types.
func TestConfigurationPageHasEachField(t *testing.T) {
	app, handler, _ := strings.Cut(configurationPage(t)["JSON"], "The handler `webhook_gateway`")
	compare(t, "app", names(rowOfField, app), slices.Concat(
		jsonFields(reflect.TypeFor[module.App](), ""),
		jsonFields(reflect.TypeFor[disk.Backend](), "queue.")))
	compare(t, "handler", names(rowOfField, handler), slices.Concat(
		[]string{"handler"},
		jsonFields(reflect.TypeFor[module.Handler](), ""),
		jsonFields(reflect.TypeFor[provider.Known](), "provider.")))
}

// TestConfigurationPageHasTheDefaults holds the defaults of the page against what a
// configuration without settings becomes.
func TestConfigurationPageHasTheDefaults(t *testing.T) {
	setEnvironment(t)
	config, _, err := adapt(inSource("provider github {env.SECRET}\nroute app localhost:9001"))
	if err != nil {
		t.Fatal(err)
	}
	parsed := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(config, parsed); err != nil {
		t.Fatal(err)
	}
	parsed.Logging = quiet
	ctx, err := caddy.ProvisionContext(parsed)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := ctx.App("webhook_gateway")
	if err != nil {
		t.Fatal(err)
	}
	app, queue := loaded.(*module.App), new(disk.Backend)
	if err := queue.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	source := app.Sources()[0]
	route := source.Routes[0]
	hours := func(d caddy.Duration) string { return fmt.Sprintf("%gh", time.Duration(d).Hours()) }
	seconds := func(d caddy.Duration) string { return fmt.Sprintf("%gs", time.Duration(d).Seconds()) }
	var retryOn []string
	for _, status := range route.RetryOn {
		retryOn = append(retryOn, fmt.Sprintf("%d%s", status, map[bool]string{true: "xx"}[status < 10]))
	}
	text := readFile(t, "../docs/configuration.md")
	for name, pattern := range map[string]string{
		"retain":      "\\| `retain <duration>` \\|.*\\| `" + hours(app.Retain) + "` \\|",
		"retain_dead": "\\| `retain_dead <duration>` \\|.*\\| `" + hours(app.RetainDead) + "` \\|",
		"max_size":    fmt.Sprintf("\\| `max_size <size>` \\|.*\\| `%dGiB` \\|", queue.MaxBytes>>30),
		"sync":        "\\| `sync .*\\| `" + queue.Sync + "` \\|",
		"entries":     fmt.Sprintf("\\| `<entries>` \\|.*\\| `%d` \\|", source.Dedup.Entries),
		"retry":       "(?s)### `retry`\n[^#]*Default: `" + strings.Join([]string{hours(route.Retry.For), seconds(route.Retry.First), hours(route.Retry.Max)}, " ") + "`",
		"retry_on":    "(?s)### `retry_on`\n[^#]*Default:\\s`" + strings.Join(retryOn, " ") + "`",
		"timeout":     "(?s)### `timeout`\n[^#]*Default: `" + seconds(route.Timeout) + "`",
		"concurrency": fmt.Sprintf("(?s)### `concurrency`\n[^#]*Default: `%d`", route.Concurrency),
	} {
		if !regexp.MustCompile(pattern).MatchString(text) {
			t.Errorf("the page does not have the default of %s: %s", name, pattern)
		}
	}
}

// TestConfigurationPageQuotesErrors holds the errors of the page against those of the
// golden files.
func TestConfigurationPageQuotesErrors(t *testing.T) {
	var known []string
	eachFile(t, "testdata/errors", func(t *testing.T, file string) {
		for text := range strings.SplitSeq(readFile(t, file), endOfCase) {
			_, told, _ := strings.Cut(text, endOfInput)
			known = append(known, told)
		}
	})
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(configurationPage(t)["What does not load"], -1)
	if len(rows) < 20 {
		t.Errorf("only %d errors were found", len(rows))
	}
	for _, row := range rows {
		pattern := regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(row[1]), "…", ".*"))
		if !slices.ContainsFunc(known, pattern.MatchString) {
			t.Errorf("no golden file has the error %s", row[1])
		}
	}
}

// inSource returns a Caddyfile with lines in a source.
func inSource(lines string) string {
	return ":8443 {\n\twebhook_gateway {\n" + lines + "\n\t}\n}"
}

// knownIn returns the lines that a block may have, as the error says about one that it
// may not have.
func knownIn(t *testing.T, block string) []string {
	t.Helper()
	_, _, err := adapt(block)
	told := regexp.MustCompile(`unknown subdirective "nobody"; known here: (.*), at Caddyfile:\d+$`).FindStringSubmatch(fmt.Sprint(err))
	if told == nil {
		t.Fatalf("%s\ngives the error %v", block, err)
	}
	return strings.Split(told[1], ", ")
}

func names(pattern *regexp.Regexp, text string) (found []string) {
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}

// jsonFields returns the paths of the fields that a type has in JSON, with those of the
// types of this project that it leads to. A module is its inline key.
func jsonFields(of reflect.Type, path string) (fields []string) {
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && field.IsExported() && name == "" {
			fields = append(fields, jsonFields(field.Type, path)...)
		}
		if name == "" {
			continue
		}
		at, kind := path+name, field.Type
		_, key, isModule := strings.Cut(field.Tag.Get("caddy"), "inline_key=")
		if kind.Kind() == reflect.Slice && (!isModule || kind.Elem().Kind() == reflect.Slice) { // JSON itself is a slice of bytes
			at, kind = at+"[]", kind.Elem()
		}
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		switch {
		case isModule:
			fields = append(fields, at+"."+key)
		case kind.Kind() == reflect.Struct:
			fields = append(fields, jsonFields(kind, at+".")...)
		default:
			fields = append(fields, at)
		}
	}
	return fields
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s: the page does not have %s", what, name)
		}
	}
	seen := make(map[string]bool)
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("%s: the page has %s, which is not there", what, name)
		}
		if seen[name] {
			t.Errorf("%s: the page has %s twice", what, name)
		}
		seen[name] = true
	}
}
