package presets_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// TestAppleTakesItsOwnApps holds that another app's notification, which Apple signs
// alike, is refused where bundle_id names one's own, and that a source must name it.
func TestAppleTakesItsOwnApps(t *testing.T) {
	vectors := providertest.ReadVectors(t)
	v := vectors[slices.IndexFunc(vectors, func(v *providertest.Vector) bool { return v.ID == "apple_app_store-01" })]
	for option, want := range map[string]error{
		"":                            nil,
		"bundle_id com.example.app\n": nil,
		"bundle_id com.example.b com.example.app": nil,
		"bundle_id com.example.b\n":               scheme.Foreign,
	} {
		p := providertest.MustParse(t, strings.Replace(v.Config(t), "{\n", "{\n"+option+"\n", 1))
		if err := p.Verify(v.Request(t), v.At()); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", option, err, want)
		}
		if line := p.(provider.Binder).Anybodys(); (line == "") != (option != "") {
			t.Errorf("%s: the missing line is %q", option, line)
		}
	}
	p := providertest.MustParse(t, v.Config(t))
	if event, id := providertest.Identify(t, p.Profile(), v.Request(t)); event != "SUBSCRIBED.INITIAL_BUY" || id != "002e14d5-51f5-4503-b5a8-c3a1af68eb20" {
		t.Errorf("event %q, ID %q", event, id)
	}
}
