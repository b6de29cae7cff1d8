package template

// What the tests outside of the package see.
const MaxCandidates = maxCandidates
const MaxDepth = maxDepth
const MaxPairs = maxPairs
const MaxParts = maxParts
const MaxSignedHeaders = maxSignedHeaders

var ErrPlace = errPlace
var ParseMultipart = parseMultipart
var PlainName = plainName
var SortPairs = sortPairs
var SplitPairs = splitPairs
