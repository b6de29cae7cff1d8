package scheme

import (
	"fmt"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// checkHeaderName refuses the name of a header that no request has.
func checkHeaderName(name string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("no header has the name %q", name)
	}
	return template.CheckHeader(name)
}

// checkSignedText refuses a text that no signature at a place could ever be over. from is
// nil where the signature stands in a header.
func checkSignedText(text string, signed, from template.Template) error {
	if signed.Constant() {
		return errConstant(text)
	}
	if signed.Has("json") && signed.Has("form") {
		return fmt.Errorf("signed %q reads both JSON and a form, and no body is both; write a text or a proof for each", text)
	}
	switch part, name := from.Source(); {
	case name == "":
	case part == "form" && signed.HasWhole("body", "form"):
		return fmt.Errorf("signed %q: the signature {form.%s} stands in the body, so it cannot cover all of the body; write {form|without %[2]s}, or what is signed, such as {form.name}", text, name)
	case part == "json" && signed.HasWhole("body"):
		return fmt.Errorf("signed %q: the signature {json.%s} stands in the body, so it cannot cover all of the body; write what is signed, such as {json.id}", text, name)
	case part == "query" && signed.HasWhole("url"):
		return fmt.Errorf("signed %q: the signature {query.%s} stands in the URL, so it cannot cover all of the URL; write {url|no_query}, and {query|without %[2]s} for the query", text, name)
	case part == "query" && signed.HasWhole("query"):
		return fmt.Errorf("signed %q: the signature {query.%s} stands in the query, so it cannot cover all of the query; write {query|without %[2]s}", text, name)
	}
	return nil
}

// checkTimePlace refuses a time that is read where the signature stands, unless a value
// says which part is the time.
func checkTimePlace(from string, values []string, t *template.Timestamp) error {
	if !t.Given() || template.Mentions(values, "timestamp") {
		return nil
	}
	if header := t.Header(); t.From == from || header != "" && header == template.HeaderIn(from) {
		return fmt.Errorf("all of %s is the signature, so it is no timestamp; write how both stand in it, such as value t={timestamp},v1={signature}, or where else the timestamp is", template.Words(from))
	}
	return nil
}

// CheckEdges refuses secrets with white space where the header that holds them has none,
// since servers cut it off.
func CheckEdges(what string, secrets []string, t Traits) error {
	const space = " \t\r\n"
	for i, secret := range secrets {
		if t.Trimmed && (strings.TrimRight(secret, space) != secret || t.WholeHeader && strings.TrimLeft(secret, space) != secret) {
			return fmt.Errorf("%s %d: it begins or ends with white space, which is cut off a header, so it would never be right; cut the white space off", what, i+1)
		}
	}
	return nil
}
