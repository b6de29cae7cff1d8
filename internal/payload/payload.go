// Package payload is the one reader of content: JSON, forms, multipart forms and
// queries. Rules and proofs read the same bytes with the same code, so that rules
// see the values that were signed.
//
//	text -> JSON.Parse -> Value -> Member, Only, Element, Path.Find      JSON
//	body -> Form -> Fields                                               forms
//	query -> Query -> Fields, or Pairs                                   queries
//
// Names that stand twice are read by one rule:
//
//   - A proof reads strictly (Value.Only, Path.Find, Fields.Only). It refuses JSON
//     in which a name that the proof reads, or a name above it, stands twice or in
//     another case: encoding/json ignores case, so that an app may take the value
//     that was not signed. Other names may repeat.
//   - Rules take the last of equal names in JSON (Value.Member), as JSON.parse and
//     encoding/json do, and the first of equal fields in a form or query.
//   - Fields of a form and parameters of a query may repeat. The one that a proof
//     reads must stand once; in a multipart form a file counts as one of its name.
//   - JSON that is declared as a form is no form (ErrMislabelled). Proofs refuse it,
//     and rules read it as JSON.
//
// Reading costs time in proportion to the text, and memory only for what is found.
package payload

import (
	"errors"
	"strings"
)

// Media types of forms.
const (
	FormType      = "application/x-www-form-urlencoded"
	MultipartType = "multipart/form-data"
)

// MaxDepth is how deep JSON may nest wherever it is read. Checking and decoding
// recurse, and Go cannot survive a full stack.
const MaxDepth = 1_000

// A form or query with more fields, or a form with more parts, is refused.
const (
	MaxFields = 10_000
	MaxParts  = 1_000
)

// ErrAmbiguous says that a name which is read stands more than once, or in another
// case: an app may take another value than the one that was signed.
var ErrAmbiguous = errors.New("a name stands more than once, or in another case")

// ErrMislabelled says that JSON was declared as a form.
var ErrMislabelled = errors.New("the form is JSON")

// MediaType returns the media type of a Content-Type in lower case, without its
// parameters.
func MediaType(contentType string) string {
	before, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(before))
}
