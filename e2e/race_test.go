package e2e

import (
	"regexp"
	"strings"
)

var ownCode = regexp.MustCompile(`caddy-webhook-gateway/(module|rules)`)

// caddysRace tells a race of Caddy 2.11.9: an event about a certificate copies
// the whole TLS app while its Start still sets fields. The stack of Start may
// name the gateway's code, which ran on the same goroutine before.
const caddysRace = "caddytls.(*TLS).CaddyModule()"

// ownRace returns the race detector's first complaint about the gateway's code,
// if there is one.
func ownRace(log string) string {
	for _, report := range strings.Split(log, "WARNING: DATA RACE")[1:] {
		report, _, _ = strings.Cut(report, "==================")
		if ownCode.MatchString(report) && !strings.Contains(report, caddysRace) {
			return report
		}
	}
	return ""
}
