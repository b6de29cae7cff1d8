package provider

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// alteration is a typical mistake in a secret.
type alteration struct {
	cause  string
	change func(secret string) string // "" where it does not apply
}

// alterations returns the mistakes that fit the encodings of the provider's keys.
func (s *suspicion) alterations() []alteration {
	list := []alteration{
		{"the secret has white space at its start or end that is no part of it", strings.TrimSpace},
		{"the secret stands in quotes that are no part of it", func(s string) string { return strings.Trim(strings.TrimSpace(s), "\"'`") }},
		{"the secret that signed ends in a line break, as echo and editors write one", func(s string) string { return s + "\n" }},
		{"the secret is written in the other case: upper and lower do matter", strings.ToLower},
		{"the secret is written in the other case: upper and lower do matter", strings.ToUpper},
		{"the secret lacks the whsec_ that it begins with", func(s string) string { return "whsec_" + s }},
	}
	encodings := s.keyEncodings()
	if slices.Contains(encodings, "raw") {
		const cause = "the key is what the secret says in %s, but it was not decoded (in a custom provider: key %s)"
		for _, encoding := range []string{"base64", "base64url", "hex"} {
			list = append(list, alteration{fmt.Sprintf(cause, encoding, encoding), func(s string) string {
				return string(template.DecodeLeniently(encoding, strings.TrimPrefix(strings.TrimSpace(s), "whsec_")))
			}})
		}
	}
	const cause = "the key that signed is the text of the secret as it is, not what it says in %s (in a custom provider: key raw)"
	if slices.Contains(encodings, "base64") {
		list = append(list,
			alteration{fmt.Sprintf(cause, "base64"), func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
			alteration{fmt.Sprintf(cause, "base64"), func(s string) string {
				return base64.StdEncoding.EncodeToString([]byte(strings.TrimPrefix(s, "whsec_")))
			}})
	}
	if slices.Contains(encodings, "hex") {
		list = append(list, alteration{fmt.Sprintf(cause, "hex"), func(s string) string { return hex.EncodeToString([]byte(s)) }})
	}
	return list
}

// keyEncodings returns how the secrets of the proofs become keys.
func (s *suspicion) keyEncodings() (encodings []string) {
	for _, p := range s.is.proofs.list {
		encodings = append(encodings, p.scheme.Traits().KeyEncoding)
	}
	return encodings
}

// variant is a body that may be the signed one.
type variant struct {
	cause string
	body  []byte
}

// bodies yields the bodies that a change on the way may have made into this one. It
// makes one at a time, since a body may be large.
func bodies(body []byte) iter.Seq[variant] {
	return func(yield func(variant) bool) {
		const end = "the body was changed after it was signed: a line break at its end was "
		const breaks = "the body was changed after it was signed: its line breaks were "
		const mark = "\xef\xbb\xbf"
		unix := bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
		for _, v := range []variant{
			{end + "added", bytes.TrimRight(body, "\r\n")},
			{end + "lost", append(bytes.Clone(body), '\n')},
			{end + "lost", append(bytes.Clone(body), '\r', '\n')},
			{breaks + "LF, and are CRLF now", unix},
			{breaks + "CRLF, and are LF now", bytes.ReplaceAll(unix, []byte("\n"), []byte("\r\n"))},
			{"the body was changed after it was signed: a byte order mark was added", bytes.TrimPrefix(body, []byte(mark))},
			{"the body was changed after it was signed: its byte order mark was lost", append([]byte(mark), body...)},
		} {
			if !yield(v) {
				return
			}
		}
		for v := range serialized(body) {
			v.cause = fmt.Sprintf("the body was re-serialised after it was signed: the provider signed the same JSON %s, %d bytes; the request has %d; keep the bytes as they came",
				v.cause, len(v.body), len(body))
			if !yield(v) {
				return
			}
		}
	}
}

const (
	// Larger texts are not written in other ways.
	maxSerialized = 1 << 20
	// Nor are those indented whose values lie deeper: each level is indented more.
	maxIndented = 64
)

// serialized yields the ways in which libraries write a JSON text. The cause of each
// is how it differs from the text.
func serialized(body []byte) iter.Seq[variant] {
	return func(yield func(variant) bool) {
		var compact bytes.Buffer
		if len(body) > maxSerialized || json.Compact(&compact, body) != nil {
			return
		}
		for _, form := range forms {
			text := form.write(compact.Bytes())
			if text == nil {
				continue
			}
			for _, escape := range escapes {
				escaped := escape.write(text)
				var ways []string
				if !bytes.Equal(text, bytes.TrimRight(body, "\r\n")) {
					ways = append(ways, form.name)
				}
				if !bytes.Equal(escaped, text) {
					ways = append(ways, escape.name)
				}
				if !yield(variant{strings.Join(ways, " and "), escaped}) ||
					!yield(variant{strings.Join(append(ways, "with a line break at its end"), " and "), append(bytes.Clone(escaped), '\n')}) {
					return
				}
			}
		}
	}
}

// spelling is a way to write a JSON text.
type spelling struct {
	name  string
	write func(text []byte) []byte
}

// forms write a compact JSON text in another form; nil where they cannot.
var forms = []spelling{
	{"without white space between its parts", bytes.Clone},
	{"with a space after each comma and colon", spaced},
	{"indented by 2 spaces", indented("  ")},
	{"indented by 4 spaces", indented("    ")},
	{"indented by tabs", indented("\t")},
	{"with its names sorted and without white space between its parts", sortedJSON},
	{"with its names sorted and with a space after each comma and colon", func(compact []byte) []byte { return spaced(sortedJSON(compact)) }},
}

// escapes write the strings of a JSON text in another way.
var escapes = []spelling{
	{"", bytes.Clone},
	{`with non-ASCII characters escaped (\u00fc)`, escapedRunes},
	{`with slashes escaped (\/)`, escapedSlashes},
	{`with non-ASCII characters and slashes escaped (\u00fc, \/)`, func(text []byte) []byte { return escapedSlashes(escapedRunes(text)) }},
	{`with slashes that are not escaped`, func(text []byte) []byte { return bytes.ReplaceAll(text, []byte(`\/`), []byte("/")) }},
	{`with <, > and & escaped (\u003c)`, escapedHTML},
	{"with characters that are not escaped", plainRunes},
}

func indented(by string) func([]byte) []byte {
	return func(compact []byte) []byte {
		depth, most := 0, 0
		for _, c := range compact { // those in strings count as well
			switch c {
			case '[', '{':
				depth++
				most = max(most, depth)
			case ']', '}':
				depth--
			}
		}
		var text bytes.Buffer
		if most > maxIndented || json.Indent(&text, compact, "", by) != nil {
			return nil
		}
		return text.Bytes()
	}
}

func escapedSlashes(text []byte) []byte {
	return bytes.ReplaceAll(text, []byte("/"), []byte(`\/`))
}

// spaced puts a space behind each comma and colon of a compact JSON text.
func spaced(compact []byte) (text []byte) {
	quoted, escaped := false, false
	for _, c := range compact {
		text = append(text, c)
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == ':'):
			text = append(text, ' ')
		}
	}
	return text
}

// sortedJSON writes a JSON text with its names in order; nil if the text is no JSON.
func sortedJSON(text []byte) []byte {
	var value any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&value) != nil {
		return nil
	}
	var sorted bytes.Buffer
	e := json.NewEncoder(&sorted)
	e.SetEscapeHTML(false)
	if e.Encode(value) != nil {
		return nil
	}
	return bytes.TrimSuffix(sorted.Bytes(), []byte("\n"))
}

// escapedRunes escapes all characters that are not ASCII, as some libraries do.
func escapedRunes(text []byte) (escaped []byte) {
	for _, r := range string(text) {
		switch {
		case r < 0x80:
			escaped = append(escaped, byte(r))
		case r < 0x10000:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		default:
			r -= 0x10000
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return escaped
}

func escapedHTML(text []byte) []byte {
	var escaped bytes.Buffer
	json.HTMLEscape(&escaped, text)
	return escaped.Bytes()
}

// plainRunes writes the strings of a JSON text without escapes that are not
// needed. The text stays as it is otherwise.
func plainRunes(text []byte) (plain []byte) {
	for rest := text; len(rest) > 0; {
		start := bytes.IndexByte(rest, '"')
		if start < 0 {
			return append(plain, rest...)
		}
		end := start + 1
		for end < len(rest) && rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end+1, len(rest))
		var decoded string
		var written bytes.Buffer
		e := json.NewEncoder(&written)
		e.SetEscapeHTML(false)
		plain = append(plain, rest[:start]...)
		if json.Unmarshal(rest[start:end], &decoded) != nil || e.Encode(decoded) != nil {
			return text
		}
		plain = append(plain, bytes.TrimSuffix(written.Bytes(), []byte("\n"))...)
		rest = rest[end:]
	}
	return plain
}

// otherURL returns the URL that the provider signed, in words, if a change on the
// way explains the refusal; "" otherwise. is checks no age.
func (s *suspicion) otherURL(is *ready) string {
	if is == nil || !s.is.profile.SignsURL || s.r.Public == nil && s.is.common.resolved.External == nil {
		return ""
	}
	called := s.r.PublicURL(s.is.common.resolved.External)
	c := *is.common
	c.resolved.External, c.ExternalURL, c.ExternalURLs, c.publics = nil, "", nil, nil
	if is, _ = s.makeOther(&c); is == nil {
		return ""
	}
	for _, u := range urls(called, s.r) {
		other := *s.r
		other.Public = &u
		if s.right(is, &other) {
			signed, checked := s.shown(&u), s.shown(called)
			if signed == checked {
				signed += " without its query"
			}
			return fmt.Sprintf("wrong public URL: the provider signed %s, and %s was checked; say so with external_url", signed, checked)
		}
	}
	return ""
}

// shown returns a URL without a token.
func (s *suspicion) shown(u *url.URL) string {
	r := template.Request{Path: u.EscapedPath(), RawQuery: u.RawQuery}
	s.Strip(&r)
	return r.URL(u)
}

// urls returns the URLs that proxies may have changed into this one.
func urls(called *url.URL, r *template.Request) (list []url.URL) {
	hosts := []string{called.Hostname(), called.Host, net.JoinHostPort(called.Hostname(), "443"), net.JoinHostPort(called.Hostname(), "80"), "www." + called.Host,
		strings.TrimPrefix(called.Host, "www."), r.HeaderValue("X-Forwarded-Host"), r.HeaderValue("X-Original-Host")}
	trimmed := strings.TrimRight(called.Path, "/")
	paths := []string{called.Path, trimmed, trimmed + "/"}
	if prefix := r.HeaderValue("X-Forwarded-Prefix"); prefix != "" {
		paths = append(paths, strings.TrimRight(prefix, "/")+called.Path)
	}
	for _, protocol := range []string{"https", "http"} {
		for _, host := range hosts {
			for _, path := range paths {
				for _, query := range []string{called.RawQuery, ""} {
					u := *called
					u.Scheme, u.Host, u.RawQuery = protocol, host, query
					if path != u.Path {
						u.Path, u.RawPath = path, ""
					}
					if host != "" && u != *called && !slices.Contains(list, u) {
						list = append(list, u)
					}
				}
			}
		}
	}
	return list
}
