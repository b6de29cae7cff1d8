package presets_test

import (
	"regexp"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// firstOf matches an expression that goes by the first element of a list in the body, and
// not of a list that the expression itself makes.
var firstOf = regexp.MustCompile(`body[a-zA-Z_.?]*\[0\]|body\.mandrill_events\)\[0\]`)

// saysBatch matches a note that tells of several events in one webhook.
var saysBatch = regexp.MustCompile(`(?i)batch|several|list of|array`)

// TestBatchesAreNoted holds that the notes of a preset say it, if its provider puts
// several events into a webhook.
func TestBatchesAreNoted(t *testing.T) {
	for _, p := range provider.Presets() {
		if firstOf.MatchString(p.Event) && !saysBatch.MatchString(p.Notes) {
			t.Errorf("%s: the event type is that of the first of several events, which the notes do not say", p.Name)
		}
	}
}
