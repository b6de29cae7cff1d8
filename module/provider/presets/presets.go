// Package presets is what is known about providers, as data: a table for each
// category. Each preset stands by itself, with its handshakes; its samples lie in
// samples, and requests of it in testdata.
package presets

import (
	"embed"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// all are the presets.
var all = slices.Concat(
	presetsBanking,
	presetsBilling,
	presetsBusiness,
	presetsCheckouts,
	presetsCommerce,
	presetsCommunication,
	presetsCustomers,
	presetsESignature,
	presetsESignatureMore,
	presetsGeneric,
	presetsKeys,
	presetsGit,
	presetsHiring,
	presetsIdentity,
	presetsOperations,
	presetsPayments,
	presetsProductivity,
	presetsProject,
	presetsRealtime,
	presetsMedia,
	presetsMessaging,
	presetsEmail,
)

//go:embed samples/*.json
var samples embed.FS

func init() { provider.Register(samples, all) }

// eitherHeader is the expression of the first header that is there, else of what
// an expression gives.
func eitherHeader(otherwise string, names ...string) string {
	for _, name := range slices.Backward(names) {
		otherwise = fmt.Sprintf(`header(%[1]q) != "" ? header(%[1]q) : (%[2]s)`, name, otherwise)
	}
	return otherwise
}

// verifyToken is the option of handshakes that repeat a token of the user's.
var verifyToken = Option{Name: "verify_token", Help: "The token that the provider repeats when it verifies the endpoint."}

const (
	minute = caddy.Duration(time.Minute)
	hour   = caddy.Duration(time.Hour)
)

// deliveredSecret is what a secret looks like that a handshake delivers.
const deliveredSecret = `[\x21-\x7e]{16,256}`

// cloudEvents is the handshake of the CloudEvents webhook specification.
var cloudEvents = Handshake{
	Kind: "echo", Method: http.MethodOptions, Challenge: "{header.WebHook-Request-Origin}", Pattern: `[A-Za-z0-9.:_-]{1,255}|\*`,
	Header: map[string]string{
		"WebHook-Allowed-Origin": "{challenge}",
		"WebHook-Allowed-Rate":   "{header.WebHook-Request-Rate}",
		"Allow":                  "POST",
	},
}

func smartsheet(challenge string) Handshake {
	return Handshake{
		Kind: "echo", Method: http.MethodPost, Challenge: challenge, Pattern: `[A-Za-z0-9_-]{1,256}`,
		Header: map[string]string{"Smartsheet-Hook-Response": "{challenge}"},
		JSON:   `{"smartsheetHookResponse":"{challenge}"}`,
	}
}

// is is the condition that a template gives one of the texts, or anything where there
// are none.
func is(of string, texts ...string) Condition { return Condition{Of: of, Is: texts} }

// optional is a condition on an option that need not be configured.
func optional(of, text string) Condition {
	return Condition{Of: of, Is: []string{text}, Optional: true}
}
