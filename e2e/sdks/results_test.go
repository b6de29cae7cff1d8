package sdks

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// None of these may become less.
const (
	leastSDKs      = 78
	leastSigning   = 28 // trials in which the gateway accepts what was signed
	leastVerifying = 82 // trials in which the SDK accepts what the gateway sends
	leastExamples  = 329
)

var update = flag.Bool("update", false, "write the table of README.md")

// results prints who did what, and holds it against README.md and against what it
// was.
func results(t *testing.T, trials []*trial) {
	t.Helper()
	slices.SortStableFunc(trials, func(a, b *trial) int { return strings.Compare(a.Provider, b.Provider) })
	names, signing, verifying := make(map[string]bool), 0, 0
	var table strings.Builder
	fmt.Fprintln(&table, "| preset | SDK | of | signs, and the gateway accepts | accepts what the gateway sends | note |\n|---|---|---|---|---|---|")
	for _, x := range trials {
		names[x.Name] = true
		if x.proved {
			signing++
		}
		if x.accepted {
			verifying++
		}
		fmt.Fprintln(&table, x.row())
	}
	t.Logf("%d SDKs: the gateway accepted in %d trials, the SDK in %d\n%s", len(names), signing, verifying, &table)
	if strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return // only some were to run
	}
	if len(names) < leastSDKs || signing < leastSigning || verifying < leastVerifying {
		t.Errorf("there were %d SDKs; the gateway accepted in %d trials, the SDK in %d", leastSDKs, leastSigning, leastVerifying)
	}
	if !t.Failed() {
		compare(t, table.String())
	}
}

// row is what README.md says of one SDK.
func (x *trial) row() string {
	of, signs, accepts := x.Others, "only verifies", "no"
	if of == "" {
		of = "the vendor"
	}
	switch {
	case x.proved && x.ByTest:
		signs = "the test signs"
	case x.proved:
		signs = "yes"
	}
	switch {
	case x.accepted && x.signsAgain:
		accepts = "signed again"
	case x.accepted && x.key != "":
		accepts = "by a private key of the test's own"
	case x.accepted:
		accepts = "as it came"
	}
	return fmt.Sprintf("| %s | `%s` (%s) | %s | %s | %s | %s |", x.Provider, x.Name, x.language, of, signs, accepts, x.Note)
}

// compare holds the table of README.md against this run's.
func compare(t *testing.T, table string) {
	t.Helper()
	const begin, end = "<!-- The table is written by go test -update. -->\n\n", "\n<!-- end -->"
	content, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(content), begin)
	was, after, ok2 := strings.Cut(rest, end)
	switch {
	case !ok || !ok2:
		t.Error("README.md has no place for the table")
	case was == table:
	case *update:
		if err := os.WriteFile("README.md", []byte(before+begin+table+end+after), 0o600); err != nil {
			t.Error(err)
		}
	default:
		t.Error("README.md has another table; go test -update writes it")
	}
}
