package e2e

import (
	"regexp"
	"strings"
)

var ownCode = regexp.MustCompile(`caddy-webhook-gateway/(module|rules)`)

// hasOwnRace reports whether the race detector complained about the gateway's
// code. Caddy 2.11.9 has a race of its own: caddytls.TLS.Start sets a field
// that is read when a certificate comes from the storage.
func hasOwnRace(log string) bool {
	for _, report := range strings.Split(log, "WARNING: DATA RACE")[1:] {
		report, _, _ = strings.Cut(report, "==================")
		if ownCode.MatchString(report) {
			return true
		}
	}
	return false
}
