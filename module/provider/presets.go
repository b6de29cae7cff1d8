package provider

import (
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// presets are the providers that need no code of their own.
var presets = withHandshakes(slices.Concat(
	presetsBilling,
	presetsBusiness,
	presetsCommerce,
	presetsCommunication,
	presetsCustomers,
	presetsESignature,
	presetsESignatureMore,
	presetsGeneric,
	presetsKeys,
	presetsGit,
	presetsIdentity,
	presetsOperations,
	presetsPayments,
	presetsProductivity,
	presetsProject,
	presetsMedia,
	presetsMessaging,
	presetsEmail,
))

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
