package module

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestDeliveryPage compares docs/delivery.md with the headers that an app gets, and with
// the defaults of a route.
func TestDeliveryPage(t *testing.T) {
	content, err := os.ReadFile("../docs/delivery.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(content)
	if got := column(tableOf(t, page, "## What your app gets"), 0); !slices.Equal(got, ownNames[:]) {
		t.Errorf("the headers are %q; the page has %q", ownNames, got)
	}
	defaults := make(map[string]string)
	for _, heading := range []string{"## Retries", "## Concurrency and rate"} {
		for _, row := range tableOf(t, page, heading) {
			if len(row) == 3 {
				name, _, _ := strings.Cut(strings.Trim(row[0], "`"), " ")
				defaults[name] = strings.ReplaceAll(row[2], "`", "")
			}
		}
	}
	statuses := strings.Trim(fmt.Sprint(defaultRetryOn), "[]")
	short := func(d fmt.Stringer) string {
		return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
	}
	for name, want := range map[string]string{
		"retry":       short(defaultRetryFor) + " " + defaultRetryFirst.String() + " " + short(defaultRetryMax),
		"retry_on":    strings.TrimSuffix(statuses, "5") + "5xx",
		"timeout":     defaultTimeout.String(),
		"concurrency": fmt.Sprint(defaultAttempts),
	} {
		if defaults[name] != want {
			t.Errorf("the default of %s is %q; the page has %q", name, want, defaults[name])
		}
	}
}
