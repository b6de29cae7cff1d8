package operate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// TestHandshakesPage holds the table of the page against the presets. -update writes it.
func TestHandshakesPage(t *testing.T) {
	const path, begin, end = "../../docs/handshakes.md", "<!-- handshakes -->\n", "<!-- /handshakes -->\n"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := bytes.Cut(content, []byte(begin))
	_, after, ended := bytes.Cut(rest, []byte(end))
	if !found || !ended {
		t.Fatal("the page has no place for the table")
	}
	var want bytes.Buffer
	want.Write(before)
	io.WriteString(&want, begin)
	writeHandshakes(&want)
	io.WriteString(&want, end)
	want.Write(after)
	switch {
	case *update:
		err = os.WriteFile(path, want.Bytes(), 0o644)
	case !bytes.Equal(content, want.Bytes()):
		err = fmt.Errorf("it is stale: go test ./module/operate -run TestHandshakesPage -update")
	}
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
}

// sentence takes the description of a handshake apart.
var sentence = regexp.MustCompile(`^(\w+) by (\w+)(?:, challenge in (.+?))?(, signed|, whose signature.*)?$`)

var optionName = regexp.MustCompile(`\{option\.([a-z_]+)\}`)

// writeHandshakes writes the table of the presets' handshakes.
func writeHandshakes(w io.Writer) {
	fmt.Fprint(w, "| preset | kind | method | challenge in | signed | lines |\n|---|---|---|---|---|---|\n")
	presets := provider.Presets()
	slices.SortFunc(presets, func(a, b *provider.Preset) int { return strings.Compare(a.Name, b.Name) })
	descriptions := provider.Descriptions()
	for _, p := range presets {
		d := descriptions[slices.IndexFunc(descriptions, func(d provider.Description) bool { return d.Name == p.Name })]
		for i, text := range d.Handshakes {
			part := sentence.FindStringSubmatch(text)
			if part == nil {
				panic("no handshake: " + text)
			}
			challenge, proven, options := "–", "no", "–"
			if part[3] != "" {
				challenge = "`" + part[3] + "`"
			}
			switch part[4] {
			case "":
			case ", signed":
				proven = "yes"
			default:
				proven = "may be"
			}
			encoded, err := json.Marshal(p.Handshakes[i])
			if err != nil {
				panic(err)
			}
			var names []string
			for _, match := range optionName.FindAllSubmatch(encoded, -1) {
				if name := "`" + string(match[1]) + "`"; !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
			if names != nil {
				options = strings.Join(names, " ")
			}
			fmt.Fprintf(w, "| [`%s`](providers.md#%s) | `%s` | %s | %s | %s | %s |\n", p.Name, p.Name, part[1], part[2], challenge, proven, options)
		}
	}
}
