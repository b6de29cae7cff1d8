package operate

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// TestOperatingPage compares docs/operating.md with the states of events and deliveries.
func TestOperatingPage(t *testing.T) {
	content, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(content), "\n## States\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var got []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\|").FindAllStringSubmatch(section, -1) {
		got = append(got, row[1])
	}
	if !slices.Equal(got, states) {
		t.Errorf("the states are %q; the page has %q", states, got)
	}
	if !strings.Contains(string(content), "`"+queue.Dropped+"`") {
		t.Errorf("the page does not have the reason %q", queue.Dropped)
	}
}
