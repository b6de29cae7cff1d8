package template

// What the tests of other packages of this directory see.
const MaxCandidates = maxCandidates
const MaxSignedHeaders = maxSignedHeaders

var ErrPlace = errPlace
