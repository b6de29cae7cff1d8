package module

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/mask"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Shown returns the request of a stored event as people may see it: with secrets and
// proofs masked, so that nobody can send the request again as the provider's. The
// source is that of the event, nil if the configuration has none.
func Shown(e *queue.Event, source *Handler, maskSecrets func(string) string) *queue.Request {
	shown := *e.Request
	shown.URI = maskSecrets(maskFields(shown.URI))
	shown.Header = shownHeader(e.Request.Header, e.Request.Secret, maskSecrets)
	shown.Body = []byte(maskSecrets(maskFields(string(shown.Body))))
	// A proof may stand where its name does not tell.
	genuine := func() bool { return source != nil && source.isGenuine(&shown, e) }
	if genuine() {
		for name := range shown.Header {
			if !slices.Contains(plainHeaders, name) {
				shown.Header[name] = []string{mask.Mark}
			}
		}
	}
	if genuine() {
		shown.Body = []byte(mask.Mark)
	}
	return &shown
}

// shownHeader returns headers as people may see them.
func shownHeader(header http.Header, secret []string, maskSecrets func(string) string) http.Header {
	shown := make(http.Header, len(header))
	for name, values := range header {
		shown[name] = make([]string, len(values))
		for i, value := range values {
			if proofName.MatchString(name) || slices.Contains(secret, name) {
				value = mask.Mark
			}
			shown[name][i] = maskSecrets(maskFields(value))
		}
	}
	return shown
}

// proofName matches the names of headers that carry a proof or a credential, whoever
// sends them.
var proofName = regexp.MustCompile(`(?i)signature|-sign?$|hmac|auth|token|secret|cookie|password|passwd|api-?key|checksum|-hash$|jwt|hash-?key`)

// plainHeaders never carry a proof.
var plainHeaders = []string{"Accept", "Accept-Encoding", "Content-Encoding", "Content-Length", "Content-Type", "Date", "User-Agent"}

// proofField is how the fields are named in bodies and queries that carry a proof.
const proofField = `[\w.:-]*(?:signature|hmac|token|secret|password)|sign?|hash|event_hash|mac|jwt`

// proofFields match a proof as a field of JSON, of a form or query, of multipart and
// XML. The first group is what stands before the value.
var proofFields = []*regexp.Regexp{
	regexp.MustCompile(`(?i)("(?:` + proofField + `)"\s*:\s*")(?:[^"\\]|\\.)+`),
	regexp.MustCompile(`(?i)((?:^|[?&])(?:` + proofField + `)=)[^&\s"]+`),
	regexp.MustCompile(`(?i)(\bname="(?:` + proofField + `)"[^\n]*\n(?:[^\r\n]+\r?\n)*\r?\n)[^\r\n]+`),
	regexp.MustCompile(`(?i)(<(?:\w+:)?(?:` + proofField + `)(?:\s[^<>]*)?>)[^<]+`),
	regexp.MustCompile(`(\beyJ[\w-]+\.[\w-]*\.)[\w-]+`), // the signature of a JWT
}

// maskFields masks the fields of a body or a query that carry a proof.
func maskFields(text string) string {
	for _, field := range proofFields {
		text = field.ReplaceAllString(text, "${1}"+mask.Mark)
	}
	return text
}

// isGenuine reports whether the source would take a request for the provider's at the
// time when an event came.
func (h *Handler) isGenuine(r *queue.Request, e *queue.Event) bool {
	if !h.provider.Proves() || h.checker != nil {
		return false
	}
	target, err := url.ParseRequestURI(r.URI)
	if err != nil {
		return false
	}
	options := EvaluateOptions{At: e.ReceivedAt, Tenant: e.Tenant}
	if h.profile.SignsURL {
		if options.Public, err = storedURL(e.Request); err != nil {
			return false
		}
		options.Public.RawQuery = target.RawQuery
	}
	request := &http.Request{Method: r.Method, URL: target, Host: r.Host, Header: http.Header(r.Header).Clone()}
	return h.Evaluate(request, r.Body, options).Verdict == Valid
}

// Raw returns the request of a stored event as the provider sent it, but for a token
// in its URL, which is not stored.
func Raw(r *queue.Request) []byte {
	target := r.URI
	if public, err := url.Parse(r.PublicURL); err == nil && r.PublicURL != "" {
		target = public.RequestURI()
	}
	var raw strings.Builder
	raw.WriteString(r.Method + " " + target + " HTTP/1.1\r\nHost: " + r.Host + "\r\n")
	_ = http.Header(r.Header).Write(&raw) // a Builder takes everything
	raw.WriteString("\r\n")
	raw.Write(r.Body)
	return []byte(raw.String())
}
