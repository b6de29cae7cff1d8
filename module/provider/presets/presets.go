// Package presets is what is known about providers, as data: a table for each
// category, or for a few that belong together. Each preset stands by itself, with its handshakes; its samples lie in
// samples, and requests of it in testdata.
package presets

import (
	"embed"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// tables are the presets. Those of a category stand in one table.
var tables = [][]Preset{
	presetsBanking,
	presetsBilling,
	presetsCommerce,
	presetsCommunication,
	presetsChat,
	presetsCustomers,
	presetsEmail,
	presetsESignature,
	presetsGeneric,
	presetsGit,
	presetsHiring,
	presetsIdentity,
	presetsMedia,
	presetsOperations,
	presetsPayments,
	presetsProductivity,
	presetsProject,
}

//go:embed samples/*.json
var samples embed.FS

func init() { provider.Register(samples, slices.Concat(tables...)) }

// eitherHeader is the expression of the first header that is there, else of what
// an expression gives.
func eitherHeader(otherwise string, names ...string) string {
	for _, name := range slices.Backward(names) {
		otherwise = fmt.Sprintf(`header(%[1]q) != "" ? header(%[1]q) : (%[2]s)`, name, otherwise)
	}
	return otherwise
}

// parameter is the expression of the first of some parameters that is there, in the form
// or, where the provider calls by GET, in the query.
func parameter(names ...string) string {
	for i, name := range names {
		names[i] = fmt.Sprintf(`(type(body) == "map" ? body : query)[%q]`, name)
	}
	return `find([` + strings.Join(names, ", ") + `], (# ?? "") != "")`
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

// recipes is a registry of another implementer, which says how providers sign.
const recipes = "https://github.com/webhook-co/webhook"

// noID says why copies cannot be told of a provider of which nothing is known that
// would tell them.
func noID(title string) string {
	return title + " is not known to send an ID, nor anything else that makes each body unique, so each webhook is an event."
}

// signedMessageID tells copies where a third party signs by Standard Webhooks.
func signedMessageID(title string) Copies {
	return Copies{By: ByID, WithoutID: ByNothing, Why: title + " signs the ID of the message, which Standard Webhooks defines as unique and the same for all tries."}
}
