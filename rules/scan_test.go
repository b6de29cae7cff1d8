package rules

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// checkScan compares what scan tells of a document with encoding/json.
func checkScan(t *testing.T, document []byte) {
	t.Helper()
	nodes, err := scan(document, nil)
	if got, want := err == nil, json.Valid(document); got != want && err != errTooDeep {
		t.Errorf("%q: valid %v, encoding/json says %v", document, got, want)
	}
	if err != nil {
		return
	}
	for i, n := range nodes {
		if n.next <= i || n.next > len(nodes) || !json.Valid(document[n.value:skipValue(document, n.value)]) {
			t.Errorf("%q: node %d of %d is %+v", document, i, len(nodes), n)
		}
		quoted := document[n.key:n.colon]
		if n.escaped != bytes.Contains(quoted, []byte(`\`)) || len(quoted) > 0 && !json.Valid(quoted) {
			t.Errorf("%q: key %q, escaped %v", document, quoted, n.escaped)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, document := range documents {
		f.Add([]byte(document))
	}
	f.Fuzz(checkScan)
}

// TestScanEveryByte puts each byte in each place of documents that have all there is.
func TestScanEveryByte(t *testing.T) {
	for _, document := range []string{
		"{\"key\": [true, false, null, -0.12e+3, 10E-2, {}, []],\r\n\t\"\\u00e9\":{\"a\":{\"b\":1}}}",
		`["a text of more than two words of eight bytes", "\"\\\/\b\f\n\r\t\u12aF", ""]`,
		`"eight...seven.."`, `0`, `-1.5`, ` [ 1 , 2 ] `,
	} {
		for i := range document {
			for c := range 256 {
				changed := []byte(document)
				changed[i] = byte(c)
				checkScan(t, changed)
			}
			checkScan(t, []byte(document[:i]))
			checkScan(t, slices.Concat([]byte(document[:i]), []byte(document[i+1:])))
		}
	}
}

// TestScanNotes holds that no more is noted than the values that paths lead to, and
// no more of those than are to be remembered.
func TestScanNotes(t *testing.T) {
	filler := strings.Repeat(`"x":0,`, 2*maxNodes)
	for document, want := range map[string]int{
		`1`: 1, `{}`: 1, `[]`: 1, `{"a":1,"b":2}`: 3, `[1,2,3]`: 2, `{"a":[{"b":1},{"b":2}],"c":{"d":{}}}`: 6,
		`{` + filler + `"a":{"b":1}}`:                   maxNodes,
		`{"a":{"b":{` + filler + `"c":1}},"d":{"e":1}}`: maxDeepNodes + 2,
	} {
		if nodes, err := scan([]byte(document), nil); len(nodes) != want || err != nil {
			t.Errorf("%.40s: %d nodes, %v, want %d", document, len(nodes), err, want)
		}
	}
}
