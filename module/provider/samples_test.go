package provider

import (
	"cmp"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// gap is a gap of a sample that nothing has filled.
var gap = regexp.MustCompile(`\{#?[a-z_]+\}`)

// secretsOf has the secrets of presets that cannot take just any.
var secretsOf = map[string]string{
	"adyen": "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
}

// configs has a configuration of each provider that has samples.
func configs() map[string]string {
	all := map[string]string{
		"ignisign": "ignisign {\napp_id app-1\napp_env TEST\napi_key k\n}",
	}
	for _, p := range Presets() {
		all[p.Name] = p.Name
		if p.proves() {
			all[p.Name] += " " + cmp.Or(secretsOf[p.Name], ownSecret)
		}
		all[p.Name] += requiredOptions(&p)
	}
	return all
}

// requiredOptions is a block with the options that a preset does not load without.
func requiredOptions(p *Preset) string {
	lines := ""
	for _, o := range p.Options {
		if o.Required {
			lines += o.Name + " " + slices.Concat(o.Choices, []string{"option"})[0] + "\n"
		}
	}
	if lines == "" {
		return ""
	}
	return " {\n" + lines + "}"
}

// TestSamples builds, signs and verifies every sample of every preset, and
// finds its event type and its ID with the preset's own expressions.
func TestSamples(t *testing.T) {
	for name, config := range configs() {
		t.Run(name, func(t *testing.T) {
			p := mustParse(t, config)
			profile := p.Profile()
			if len(profile.Samples()) == 0 {
				t.Fatal("no samples")
			}
			more := map[string]string{}
			if filler, ok := p.(interface{ SampleValues() map[string]string }); ok {
				more = filler.SampleValues()
			}
			ids := make(map[string]bool)
			for range 2 {
				for _, sample := range profile.Samples() {
					r, err := sample.Request(now, more)
					if err != nil {
						t.Fatal(err)
					}
					r.Public = &url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/hooks/a"}
					if err := p.Sign(r, now); err != nil {
						t.Fatal(err)
					}
					if err := p.Verify(r, now); err != nil {
						t.Errorf("%s: %v", sample.Event, err)
					}
					checkSample(t, &sample, r, profile, ids)
				}
			}
		})
	}
}

func checkSample(t *testing.T, sample *Sample, r *Request, profile *Profile, ids map[string]bool) {
	if sample.Text == "" && !json.Valid(r.Body) || gap.Match(r.Body) {
		t.Errorf("%s: not complete: %s", sample.Event, r.Body)
	}
	for name, values := range r.Header {
		if gap.MatchString(values[0]) {
			t.Errorf("%s: header %s is not complete: %s", sample.Event, name, values[0])
		}
	}
	if event := evaluate(t, profile.Event, r); event != sample.Event {
		t.Errorf("%s: its event type is found to be %q", sample.Event, event)
	}
	id := string(r.Body) // the hash of the body stands in
	if profile.ID != "" {
		id = evaluate(t, profile.ID, r)
	}
	if id == "" || ids[id] {
		t.Errorf("%s: its ID %q is empty, or not its own", sample.Event, id)
	}
	ids[id] = true
}

func evaluate(t *testing.T, expression string, r *Request) string {
	value, err := rules.CompileValue(expression)
	if err != nil {
		t.Fatal(err)
	}
	view := rules.NewView(&rules.Input{Method: r.Method, Header: r.Header, Body: r.Body})
	defer view.Free()
	text, err := value.Text(view)
	if err != nil {
		t.Errorf("%s: %v", expression, err)
	}
	return text
}

// TestSamplesCoverTheDocumentedEvents counts what each provider documents.
func TestSamplesCoverTheDocumentedEvents(t *testing.T) {
	for name, want := range map[string]int{"fusesign": 21, "insertsign": 9, "iusign": 4, "insigner": 3} {
		events := make(map[string]bool)
		for _, sample := range samples(name) {
			events[sample.Event] = true
		}
		if len(events) != want {
			t.Errorf("%s has samples of %d events, want %d", name, len(events), want)
		}
	}
}
