package provider

import "slices"

// presets are the providers that need no code of their own.
var presets = slices.Concat(
	presetsBusiness,
	presetsCommunication,
	presetsDevelopment,
	presetsESignature,
	presetsGeneric,
	presetsPayments,
)
