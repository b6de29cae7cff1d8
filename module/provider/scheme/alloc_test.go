//go:build !race

package scheme_test

import (
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
)

// TestPlainHMACAllocates holds what verifying on the request path may allocate.
// The race detector has pools drop what they hold.
func TestPlainHMACAllocates(t *testing.T) {
	for config, most := range map[string]float64{
		"custom s {\nhmac {\nheader X-Signature\n}\n}": 0,
		"github s":   0,
		"stripe s":   0,
		"telegram s": 0,
		"standardwebhooks whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": 0,
	} {
		p := providertest.MustParse(t, config)
		r := providertest.Hook(`{"id":1}`)
		if err := p.Sign(r, providertest.Now); err != nil {
			t.Fatal(err)
		}
		got := testing.AllocsPerRun(200, func() {
			if err := p.Verify(r, providertest.Now); err != nil {
				t.Fatal(err)
			}
		})
		if got > most {
			t.Errorf("%s: %v allocations, %v at most", config, got, most)
		}
	}
}
