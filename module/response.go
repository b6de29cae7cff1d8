package module

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
)

// Response is the answer to an accepted webhook.
type Response struct {
	// The status code, from 200 to 299. Default: 200.
	Status int `json:"status,omitempty"`

	// The body, in which Caddy's placeholders stand for values. Default: none.
	Body string `json:"body,omitempty"`

	// The media type of the body. Default: that of JSON or XML if the body is such,
	// else text/plain.
	ContentType string `json:"content_type,omitempty"`

	parts []answerPart
	quote func(string) string // of values in the body
}

// answerPart is a piece of the answer's body: text, or a placeholder of the request.
type answerPart struct{ text, placeholder string }

var (
	// placeholderOf matches placeholders, and not the braces of JSON.
	placeholderOf = regexp.MustCompile(`\{([a-z]+\.[^{}\s"]+)\}`)

	// ofRequest matches placeholders that only a request or its time has a value for.
	ofRequest = regexp.MustCompile(`^\{(http|time)\.`)
)

// Media types of answers.
const (
	plainText = "text/plain; charset=utf-8"
	xmlText   = "text/xml; charset=utf-8"
	jsonText  = "application/json"
)

// provision resolves what is known at load, and finds the content type.
func (a *Response) provision() {
	a.Status = cmp.Or(a.Status, http.StatusOK)
	known := caddy.NewReplacer()
	body := placeholderOf.ReplaceAllStringFunc(a.Body, func(placeholder string) string {
		if ofRequest.MatchString(placeholder) {
			return placeholder
		}
		return known.ReplaceKnown(placeholder, "")
	})
	rest := 0
	for _, at := range placeholderOf.FindAllStringIndex(body, -1) {
		if placeholder := body[at[0]:at[1]]; ofRequest.MatchString(placeholder) {
			a.parts = append(a.parts, answerPart{text: body[rest:at[0]]}, answerPart{placeholder: placeholder})
			rest = at[1]
		}
	}
	a.parts = append(a.parts, answerPart{text: body[rest:]})
	a.ContentType = cmp.Or(a.ContentType, contentTypeOf(placeholderOf.ReplaceAllString(body, "0")))
	switch media := payload.MediaType(a.ContentType); {
	case media == jsonText, strings.HasSuffix(media, "+json"):
		a.quote = quoteJSON
	case strings.HasSuffix(media, "/xml"), strings.HasSuffix(media, "+xml"), media == "text/html":
		a.quote = quoteXML
	}
}

// contentTypeOf returns the media type of an answer that does not name one.
func contentTypeOf(body string) string {
	trimmed := strings.TrimSpace(body)
	switch {
	case trimmed == "":
	case (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid([]byte(body)):
		return jsonText
	case trimmed[0] == '<' && isXML(trimmed):
		return xmlText
	}
	return plainText
}

// isXML reports whether a text is an XML document.
func isXML(text string) bool {
	decoder, elements := xml.NewDecoder(strings.NewReader(text)), 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return errors.Is(err, io.EOF) && elements > 0
		}
		if _, ok := token.(xml.StartElement); ok {
			elements++
		}
	}
}

// write answers a request.
func (a *Response) write(w http.ResponseWriter, r *http.Request) {
	if a.Body != "" && w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", a.ContentType)
	}
	w.WriteHeader(a.Status)
	for _, part := range a.parts {
		if part.placeholder != "" {
			io.WriteString(w, a.value(r, part.placeholder))
		} else if part.text != "" {
			io.WriteString(w, part.text)
		}
	}
}

// value returns what stands for a placeholder, written as the body's format has it.
func (a *Response) value(r *http.Request, placeholder string) string {
	repl, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if repl == nil {
		return ""
	}
	value := repl.ReplaceAll(placeholder, "")
	if a.quote != nil {
		value = a.quote(value)
	}
	return value
}

// quoteJSON writes a value as it stands inside of a JSON string.
func quoteJSON(value string) string {
	quoted, _ := json.Marshal(value) // strings only
	return string(quoted[1 : len(quoted)-1])
}

func quoteXML(value string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(value)) // a buffer takes all
	return b.String()
}

func readResponse(d *caddyfile.Dispenser) (a *Response, err error) {
	a = new(Response)
	if !d.NextArg() {
		return a, d.ArgErr()
	}
	if a.Status, err = strconv.Atoi(d.Val()); err != nil || a.Status < 200 || a.Status > 299 {
		return a, d.Errf("%q is not a status from 200 to 299", d.Val())
	}
	if d.NextArg() {
		a.Body = d.Val()
	}
	if d.NextArg() {
		if a.ContentType = d.Val(); !strings.Contains(a.ContentType, "/") {
			return a, d.Errf("%q is not a media type such as text/xml; a body of several words stands in quotes", d.Val())
		}
	}
	return a, syntax.End(d)
}
