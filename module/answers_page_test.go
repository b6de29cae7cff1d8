package module

import (
	"os"
	"slices"
	"testing"
)

// TestAnswersPage compares docs/answers.md with what may come of a wait for an app's
// answer.
func TestAnswersPage(t *testing.T) {
	content, err := os.ReadFile("../docs/answers.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, asked := range allAsked {
		want = append(want, string(asked))
	}
	if got := column(tableOf(t, string(content), "## When the provider gets `respond`"), 0); !slices.Equal(got, want) {
		t.Errorf("the outcomes are %v; the page has %v", want, got)
	}
}
