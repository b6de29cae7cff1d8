package provider

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// alteration is a way in which a secret may differ from what signed.
type alteration struct {
	cause  string
	change func(secret string) string // "" where it does not apply
}

// alterations returns those that fit the provider's keys.
func (s *suspicion) alterations() []alteration {
	list := []alteration{
		{"the secret has white space at its start or end that is no part of it", strings.TrimSpace},
		{"the secret stands in quotes that are no part of it", func(s string) string { return strings.Trim(strings.TrimSpace(s), "\"'`") }},
		{"the secret that signed ends in a line break, as echo and editors write one", func(s string) string { return s + "\n" }},
		{"the secret is written in the other case: upper and lower do matter", strings.ToLower},
		{"the secret is written in the other case: upper and lower do matter", strings.ToUpper},
	}
	encodings := s.keyEncodings()
	if slices.Contains(encodings, "raw") {
		const cause = "the key is what the secret says in %s, but it was not decoded (in a custom provider: key %s)"
		for _, encoding := range []string{"base64", "base64url", "hex"} {
			list = append(list, alteration{fmt.Sprintf(cause, encoding, encoding), func(s string) string {
				return string(decodeAny(encoding, strings.TrimPrefix(strings.TrimSpace(s), "whsec_")))
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
		switch {
		case p.HMAC != nil:
			encodings = append(encodings, p.HMAC.Key)
		case p.Digest != nil:
			encodings = append(encodings, p.Digest.Key)
		case p.JWT != nil:
			encodings = append(encodings, p.JWT.Key)
		case p.MessageSignature != nil:
			encodings = append(encodings, p.MessageSignature.Key)
		}
	}
	return encodings
}

// place says where the token stands.
func (t *Token) place() string { return strings.TrimSpace(t.In + " " + t.Name) }

// variant is a body that may be the one that was signed.
type variant struct {
	cause string
	body  []byte
}

// bodies returns what a body may have been before it was changed.
func bodies(body []byte) (variants []variant) {
	add := func(cause string, other []byte) {
		if !bytes.Equal(other, body) {
			variants = append(variants, variant{cause, other})
		}
	}
	const end = "the body was changed after it was signed: a line break at its end was "
	add(end+"added", bytes.TrimRight(body, "\r\n"))
	add(end+"lost", append(bytes.Clone(body), '\n'))
	add(end+"lost", append(bytes.Clone(body), '\r', '\n'))
	const breaks = "the body was changed after it was signed: its line breaks were "
	unix := bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	add(breaks+"LF, and are CRLF now", unix)
	add(breaks+"CRLF, and are LF now", bytes.ReplaceAll(unix, []byte("\n"), []byte("\r\n")))
	mark := []byte("\xef\xbb\xbf")
	add("the body was changed after it was signed: a byte order mark was added", bytes.TrimPrefix(body, mark))
	add("the body was changed after it was signed: its byte order mark was lost", append(mark, body...))
	for _, other := range serialized(body) {
		add("the body was re-serialised after it was signed: the signature matches the same JSON written in another way; keep the bytes as they came", other)
	}
	return variants
}

// serialized returns the ways in which libraries write a JSON text.
func serialized(body []byte) (texts [][]byte) {
	var compact bytes.Buffer
	if json.Compact(&compact, body) != nil {
		return nil
	}
	forms := [][]byte{compact.Bytes(), spaced(compact.Bytes())}
	for _, indent := range []string{"  ", "    ", "\t"} {
		var text bytes.Buffer
		if json.Indent(&text, compact.Bytes(), "", indent) == nil {
			forms = append(forms, text.Bytes())
		}
	}
	if sorted := sortedJSON(body); sorted != nil {
		forms = append(forms, sorted, spaced(sorted))
	}
	escapes := []func([]byte) []byte{
		func(text []byte) []byte { return text },
		escapedRunes,
		func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("/"), []byte(`\/`)) },
		func(text []byte) []byte { return bytes.ReplaceAll(escapedRunes(text), []byte("/"), []byte(`\/`)) },
		func(text []byte) []byte { return bytes.ReplaceAll(text, []byte(`\/`), []byte("/")) },
		escapedHTML,
		plainRunes,
	}
	for _, form := range forms {
		for _, escape := range escapes {
			for _, end := range []string{"", "\n"} {
				texts = append(texts, append(bytes.Clone(escape(form)), end...))
			}
		}
	}
	return texts
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

// sortedJSON writes a JSON text with its fields in order; nil if it cannot.
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

// escapedRunes writes what is not ASCII as escapes, as some libraries do.
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

// otherURL returns the URL that the provider must have called, for schemes that
// sign it; "" if none is found.
func (s *suspicion) otherURL() string {
	if !s.is.profile.SignsURL || s.r.Public == nil && s.is.common.external == nil {
		return ""
	}
	called := s.r.publicURL(s.is.common.external)
	is := s.timeless(nil)
	if is == nil {
		return ""
	}
	c := *is.common
	c.external = nil
	if is, _ = s.makeOther(&c); is == nil {
		return ""
	}
	for _, u := range urls(called, s.r) {
		other := *s.r
		other.Public = &u
		if s.right(is, &other) {
			return fmt.Sprintf("wrong public URL: the provider signed %s, and %s was checked; say so with external_url", s.shown(&u), s.shown(called))
		}
	}
	return ""
}

// shown returns a URL without a token.
func (s *suspicion) shown(u *url.URL) string {
	r := Request{Path: u.EscapedPath(), RawQuery: u.RawQuery}
	s.Strip(&r)
	return r.URL(u)
}

// urls returns what the URL may have been before proxies changed it.
func urls(called *url.URL, r *Request) (list []url.URL) {
	hosts := []string{called.Hostname(), called.Host, net.JoinHostPort(called.Hostname(), "443"), net.JoinHostPort(called.Hostname(), "80"), "www." + called.Host,
		strings.TrimPrefix(called.Host, "www."), r.header("X-Forwarded-Host"), r.header("X-Original-Host")}
	trimmed := strings.TrimRight(called.Path, "/")
	paths := []string{called.Path, trimmed, trimmed + "/"}
	if prefix := r.header("X-Forwarded-Prefix"); prefix != "" {
		paths = append(paths, strings.TrimRight(prefix, "/")+called.Path)
	}
	for _, scheme := range []string{"https", "http"} {
		for _, host := range hosts {
			for _, path := range paths {
				for _, query := range []string{called.RawQuery, ""} {
					u := *called
					u.Scheme, u.Host, u.RawQuery = scheme, host, query
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
