package provider

import (
	"fmt"
	"slices"
)

// presets are the providers that need no code of their own.
var presets = slices.Concat(
	presetsBusiness,
	presetsCommunication,
	presetsDevelopment,
	presetsESignature,
	presetsESignatureMore,
	presetsGeneric,
	presetsPayments,
	presetsProductivity,
)

// eitherHeader is the expression of the first header that is there, else of what
// an expression gives.
func eitherHeader(otherwise string, names ...string) string {
	for _, name := range slices.Backward(names) {
		otherwise = fmt.Sprintf(`header(%[1]q) != "" ? header(%[1]q) : (%[2]s)`, name, otherwise)
	}
	return otherwise
}
