package provider_test

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// gap is a gap of a sample that nothing has filled.
var gap = regexp.MustCompile(`\{#?[a-z_]+\}`)

// TestSamples builds, signs and verifies every sample of every preset, and
// finds its event type and its ID with the preset's own expressions.
func TestSamples(t *testing.T) {
	for name, config := range providertest.Configs() {
		t.Run(name, func(t *testing.T) {
			p := providertest.MustParse(t, config)
			profile := p.Profile()
			if len(profile.Samples()) == 0 {
				t.Fatal("no samples")
			}
			more := map[string]string{}
			if filler, ok := p.(provider.SampleFiller); ok {
				more = filler.SampleValues()
			}
			ids := make(map[string]bool)
			for range 2 {
				for _, sample := range profile.Samples() {
					r, err := sample.Request(providertest.Now, more)
					if err != nil {
						t.Fatal(err)
					}
					r.To(&url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/hooks/a"})
					err = p.Sign(r, providertest.Now)
					if providertest.KeyedConfigs[name] != "" { // nobody but the provider can
						if err == nil {
							t.Errorf("%s: signed", sample.Event)
						}
					} else if err != nil {
						t.Fatal(err)
					} else if err := p.Verify(r, providertest.Now); err != nil {
						t.Errorf("%s: %v", sample.Event, err)
					}
					checkSample(t, &sample, r, profile, ids)
				}
			}
		})
	}
}

func checkSample(t *testing.T, sample *provider.Sample, r *template.Request, profile *provider.Profile, ids map[string]bool) {
	if sample.Body != nil && !json.Valid(r.Body) || gap.Match(r.Body) {
		t.Errorf("%s: not complete: %s", sample.Event, r.Body)
	}
	for name, values := range r.Header {
		if gap.MatchString(values[0]) {
			t.Errorf("%s: header %s is not complete: %s", sample.Event, name, values[0])
		}
	}
	if event := providertest.Evaluate(t, profile.Event, r); event != sample.Event {
		t.Errorf("%s: its event type is found to be %q", sample.Event, event)
	}
	id := string(r.Body) // the hash of the body stands in
	if profile.ID != "" {
		id = providertest.Evaluate(t, profile.ID, r)
	}
	if id == "" || ids[id] {
		t.Errorf("%s: its ID %q is empty, or not its own", sample.Event, id)
	}
	ids[id] = true
}

// TestSamplesCoverTheDocumentedEvents counts what each provider documents.
func TestSamplesCoverTheDocumentedEvents(t *testing.T) {
	for name, want := range map[string]int{"fusesign": 21, "insertsign": 9, "iusign": 4, "insigner": 3} {
		events := make(map[string]bool)
		for _, event := range provider.SampleEvents(name) {
			events[event] = true
		}
		if len(events) != want {
			t.Errorf("%s has samples of %d events, want %d", name, len(events), want)
		}
	}
}

// TestSampleIsSentToAURL holds that what a sample has in its query follows what
// stands in that of the URL.
func TestSampleIsSentToAURL(t *testing.T) {
	sample := provider.Sample{Method: "GET", Query: "at={unix}"}
	r, err := sample.Request(providertest.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.To(&url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/a b", RawQuery: "k=v"})
	want := "k=v&at=" + strconv.FormatInt(providertest.Now.Unix(), 10)
	if r.Method != "GET" || r.Path != "/a%20b" || r.RawQuery != want || r.Public.RawQuery != want {
		t.Errorf("%s to %s?%s, public %s", r.Method, r.Path, r.RawQuery, r.Public)
	}
}

// TestSampleNumbersAreFresh draws so many numbers that one of 32 bits would come
// twice.
func TestSampleNumbersAreFresh(t *testing.T) {
	seen := make(map[string]bool)
	for range 300_000 {
		gaps, err := new(provider.Sample).Gaps(providertest.Now, nil)
		if err != nil {
			t.Fatal(err)
		}
		if gaps[0] != `"{#number}"` || seen[gaps[1]] {
			t.Fatalf("%s %s came twice among %d", gaps[0], gaps[1], len(seen))
		}
		seen[gaps[1]] = true
	}
}
