package operate

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
)

// section returns the part of a page below a heading of the third level.
func section(page, heading string) string {
	_, after, _ := strings.Cut(page, "\n### "+heading+"\n")
	before, _, _ := strings.Cut(after, "\n### ")
	before, _, _ = strings.Cut(before, "\n## ")
	return before
}

// rowName matches the first cell of a table's row, if a name stands there.
var rowName = regexp.MustCompile("(?m)^\\| (?:`([a-z_0-9]+)`|(\\[filter\\]\\(#filters\\))) \\|(.*)$")

// rowsOf returns the names in the first column of the tables in a section.
func rowsOf(text string) (names []string) {
	for _, row := range rowName.FindAllStringSubmatch(text, -1) {
		if row[2] != "" {
			names = append(names, filterNames()...)
		} else {
			names = append(names, row[1])
		}
	}
	return names
}

// TestAdminPage compares docs/admin-api.md with the endpoints, their parameters, and
// the fields of their answers.
func TestAdminPage(t *testing.T) {
	content, err := os.ReadFile("../../docs/admin-api.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(content)
	var patterns []string
	for _, e := range endpoints() {
		patterns = append(patterns, e.pattern)
		if want, got := slices.Sorted(slices.Values(e.parameters)), slices.Sorted(slices.Values(rowsOf(section(page, e.pattern)))); !slices.Equal(got, want) {
			t.Errorf("%s has the parameters %v; the page says %v", e.pattern, want, got)
		}
	}
	for heading, what := range map[string]*regexp.Regexp{"headings": regexp.MustCompile(`(?m)^### ((?:GET|POST) .*)$`), "overview": regexp.MustCompile("(?m)^\\| `((?:GET|POST) [^`]*)` \\|")} {
		var there []string
		for _, match := range what.FindAllStringSubmatch(page, -1) {
			there = append(there, match[1])
		}
		for _, pattern := range patterns {
			if !slices.Contains(there, pattern) {
				t.Errorf("the page's %s lack the endpoint %s", heading, pattern)
			}
		}
		for _, pattern := range there {
			if !slices.Contains(patterns, pattern) {
				t.Errorf("the page's %s have %s, which is no endpoint", heading, pattern)
			}
		}
		if len(there) == len(patterns) && !slices.Equal(there, patterns) {
			t.Errorf("the page's %s are in another order than the endpoints in admin.go", heading)
		}
	}
	_, filters, _ := strings.Cut(page, "\n## Filters\n")
	filters, _, _ = strings.Cut(filters, "\n## ")
	if got, want := slices.Sorted(slices.Values(rowsOf(filters))), slices.Sorted(slices.Values(filterNames())); !slices.Equal(got, want) {
		t.Errorf("a filter has %v; the page says %v", want, got)
	}
	for heading, answer := range map[string]any{
		"Source": SourceInfo{}, "Event": EventInfo{}, "Check": CheckInfo{}, "Copies": CopiesInfo{}, "Delivery": DeliveryInfo{}, "Attempt": AttemptInfo{},
		"Request": RequestInfo{}, "Dead letter": DeadLetter{}, "Done": Done{}, "Sample": Sent{}, "Load": Load{}, "Explanation": Explanation{},
		"Decision": module.RouteDecision{}, "Body that is made": module.BodyPreview{}, "Value of a placeholder": module.PlaceholderPreview{}, "Enrollment": EnrollInfo{}, "Delivered secret": module.DeliveredSecret{}, "Finding": module.Finding{},
	} {
		var got []string
		for _, row := range rowName.FindAllStringSubmatch(section(page, heading), -1) {
			name := row[1]
			if strings.HasPrefix(row[3], " *optional*: ") {
				name += ",omitempty"
			}
			got = append(got, name)
		}
		if want := fieldsOf(reflect.TypeOf(answer)); !slices.Equal(got, want) {
			t.Errorf("%s has the fields %q; the page says %q", heading, want, got)
		}
	}
}

// fieldsOf returns the names of a structure's fields in JSON.
func fieldsOf(structure reflect.Type) (names []string) {
	if structure.Kind() == reflect.Pointer {
		structure = structure.Elem()
	}
	for i := range structure.NumField() {
		if field := structure.Field(i); field.Anonymous {
			names = append(names, fieldsOf(field.Type)...)
		} else if tag := field.Tag.Get("json"); tag != "-" {
			names = append(names, tag)
		}
	}
	return names
}
