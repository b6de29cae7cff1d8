package template

// What the tests outside of the package see.
const MaxCandidates = maxCandidates
const MaxSignedHeaders = maxSignedHeaders

var ErrPlace = errPlace
