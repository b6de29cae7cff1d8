package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

// checkScan compares what scan tells of a document with encoding/json.
func checkScan(t *testing.T, document []byte) {
	t.Helper()
	nodes, err := scan(document, MaxDepth, nil)
	if got, want := err == nil, json.Valid(document); got != want && !errors.Is(err, ErrTooDeep) {
		t.Errorf("%q: valid %v, encoding/json says %v", document, got, want)
	}
	if other := valid(document, MaxDepth); (other == nil) != (err == nil) {
		t.Errorf("%q: %v with notes, %v without", document, err, other)
	}
	if err != nil {
		return
	}
	for i, n := range nodes {
		if n.next <= i || n.next > len(nodes) || !json.Valid(document[n.value:skipValue(document, n.value)]) {
			t.Errorf("%q: node %d of %d is %+v", document, i, len(nodes), n)
		}
		quoted := document[n.key.start:n.key.end]
		if n.key.escaped != bytes.Contains(quoted, []byte(`\`)) || len(quoted) > 0 && !json.Valid(quoted) {
			t.Errorf("%q: key %q, escaped %v", document, quoted, n.key.escaped)
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
		if nodes, err := scan([]byte(document), MaxDepth, nil); len(nodes) != want || err != nil {
			t.Errorf("%.40s: %d nodes, %v, want %d", document, len(nodes), err, want)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	item := `{"sku":"sku-0001","name":"A thing with a name","quantity":1,"price":19.99,"tags":["a","b"]},`
	compact := []byte(`{"id":"evt_0001","type":"document.completed","items":[` + strings.Repeat(item, 20) + `{}],"livemode":true}`)
	var indented bytes.Buffer
	if err := json.Indent(&indented, compact, "", "  "); err != nil {
		b.Fatal(err)
	}
	signer := `{"id":"sgn_004711","name":"Jane Smith","email":"jane.smith.1@example.com","status":"completed","completedAt":"2026-05-28T12:00:01Z","order":1}`
	list := []byte(`{"id":"evt_1","event":"document.completed","data":{"signers":[` + strings.Repeat(signer+",", 12) + signer + `]}}`)
	text := []byte(`{"id":"1","text":"` + strings.Repeat("a long line ", 170) + `"}`)
	for name, document := range map[string][]byte{"compact": compact, "indented": indented.Bytes(), "list": list, "text": text} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(document)))
			var nodes []node
			for b.Loop() {
				nodes, _ = scan(document, MaxDepth, nodes)
			}
		})
		b.Run(name+"/encoding/json", func(b *testing.B) {
			b.SetBytes(int64(len(document)))
			for b.Loop() {
				json.Valid(document)
			}
		})
	}
}
