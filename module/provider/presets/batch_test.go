package presets_test

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// firstOf matches an expression that goes by the first element of a list in the body, and
// not of a list that the expression itself makes.
var firstOf = regexp.MustCompile(`body[a-zA-Z_.?]*\[0\]|body\.mandrill_events\)\[0\]`)

// saysBatch matches a note that tells of several events in one webhook.
var saysBatch = regexp.MustCompile(`(?i)batch|several|list of|array`)

// TestNoEventTypeOfTheFirst holds that a batch does not have the event type of its first
// event, and that the notes tell of batches.
func TestNoEventTypeOfTheFirst(t *testing.T) {
	for _, p := range provider.Presets() {
		if firstOf.MatchString(p.Event) {
			t.Errorf("%s: the event type is that of the first of several events", p.Name)
		}
		if p.Each != nil && !saysBatch.MatchString(p.Notes) {
			t.Errorf("%s: the notes do not tell of batches", p.Name)
		}
	}
}

// ofOwnType are presets whose elements say more than the whole webhook: their types are
// others.
var ofOwnType = map[string]string{"meta": "feed", "linkedin": "COMMENT"}

// TestEachFindsElements cuts the samples of each preset that knows its list. An element has
// the type of the sample, and of two different elements the whole has the type batch.
func TestEachFindsElements(t *testing.T) {
	for _, p := range provider.Presets() {
		if p.Each == nil {
			continue
		}
		list, err := rules.CompileList(p.Each.List)
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		cut := 0
		for _, sample := range providertest.MustParse(t, providertest.Configs()[p.Name]).Profile().Samples() {
			r, err := sample.Request(providertest.Now, nil)
			if err != nil {
				t.Fatal(err)
			}
			view := rules.NewView(&rules.Input{Header: r.Header, Body: r.Body, Forms: p.Forms})
			batch, _, err := list.Split(view)
			if err != nil {
				continue // what is sent alone
			}
			cut++
			element := &template.Request{Header: r.Header, Body: batch.Elements[0]}
			element.Header = map[string][]string{"Content-Type": {"application/json"}, "Idempotency-Key": {"k"}, "X-Pandadoc-Webhook-Event-Id": {"k"}}
			want := cmp.Or(ofOwnType[p.Name], sample.Event)
			if got := providertest.Evaluate(t, p.Each.Event, element); got != want {
				t.Errorf("%s: an element of %s has the type %q", p.Name, sample.Event, got)
			}
			if p.Each.ID != "" && providertest.Evaluate(t, p.Each.ID, element) == "" {
				t.Errorf("%s: an element of %s has no ID", p.Name, sample.Event)
			}
			if ofOwnType[p.Name] == "" && !batch.Form {
				wholeIsBatch(t, p, r, batch.Elements[0], want)
			}
			view.Free()
		}
		if cut == 0 && p.Name != "cloudevents" && p.Name != "auth0" {
			t.Errorf("%s: no sample has the list %s", p.Name, p.Each.List)
		}
	}
}

// wholeIsBatch looks at the type of a webhook with an element twice, and with another one.
func wholeIsBatch(t *testing.T, p *provider.Preset, r *template.Request, element []byte, event string) {
	t.Helper()
	name := event
	if !bytes.Contains(element, []byte(`"`+name+`"`)) { // the type stands in parts
		name = event[strings.LastIndexAny(event, ".:")+1:]
	}
	other := bytes.ReplaceAll(element, []byte(`"`+name+`"`), []byte(`"another"`))
	for _, test := range []struct {
		second []byte
		want   string
	}{{element, event}, {other, "batch"}} {
		if bytes.Equal(other, element) && test.want == "batch" {
			continue
		}
		r.Body = bytes.Replace(r.Body, element, slices.Concat(element, []byte(","), test.second), 1)
		if got := providertest.Evaluate(t, p.Event, r); got != test.want {
			t.Errorf("%s: the whole %.300s has the type %q, want %q", p.Name, r.Body, got, test.want)
		}
	}
}

// TestBatchesPage holds the table of the page against the presets.
func TestBatchesPage(t *testing.T) {
	rows := []string{"| preset | list | event type of an element | ID of an element |", "|---|---|---|---|"}
	presets := provider.Presets()
	slices.SortFunc(presets, func(a, b *provider.Preset) int { return strings.Compare(a.Name, b.Name) })
	for _, p := range presets {
		if e := p.Each; e != nil {
			id := "–"
			if e.ID != "" {
				id = "`" + e.ID + "`"
			}
			rows = append(rows, fmt.Sprintf("| `%s` | `%s` | `%s` | %s |", p.Name, e.List, e.Event, id))
		}
	}
	want := strings.Join(rows, "\n") + "\n"
	page, err := os.ReadFile("../../../docs/batches.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(page), "\n\n"+want) {
		t.Errorf("docs/batches.md must end with\n%s", want)
	}
}
