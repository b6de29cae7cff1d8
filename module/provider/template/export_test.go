package template

import (
	"maps"
	"slices"
)

// What the tests outside of the package see.
const MaxCandidates = maxCandidates
const MaxSignedHeaders = maxSignedHeaders

var ErrPlace = errPlace

// Wholes and Named are the placeholders that stand alone, and those that need a name.
var Wholes, Named = wholes, named

// Functions are the names of the functions.
func Functions() []string { return slices.Collect(maps.Keys(steps)) }
