package template

import (
	"cmp"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// signing_string takes the list of what draft-cavage-http-signatures signs, and writes
// a line for each name. Its arguments are the names that must be in the list.

const requestTarget = "(request-target)"

var fieldName = regexp.MustCompile(`^[a-z0-9!#$%&'*+.^_~-]+$`)

// checkSigned checks the names that a signature must cover.
func checkSigned(names []string) error {
	for i, name := range names {
		if name != requestTarget && !fieldName.MatchString(name) {
			return fmt.Errorf("signing_string %s: want (request-target) and names of headers in lower case", name)
		}
		if name != "host" { // which is that of the URL
			if err := CheckHeader(name); err != nil {
				return fmt.Errorf("signing_string %s: %v", name, err)
			}
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("signing_string has %s twice, and a list that has a name twice is refused; write it once", name)
		}
	}
	if !slices.Contains(names, "digest") {
		return fmt.Errorf("signing_string needs digest among its names; without that header the signature says nothing about the body")
	}
	return nil
}

func signingString(e *Env, text []byte, s *step) ([]byte, bool) {
	names := strings.Fields(strings.ToLower(string(text)))
	if len(names) > maxSignedHeaders || slices.ContainsFunc(s.args, func(name string) bool { return !slices.Contains(names, name) }) {
		return nil, false
	}
	var out []byte
	for i, name := range names {
		value, ok := e.signedValue(name)
		if !ok || slices.Contains(names[:i], name) {
			return nil, false
		}
		if i > 0 {
			out = append(out, '\n')
		}
		out = append(append(append(out, name...), ": "...), value...)
	}
	return out, true
}

// signedValue returns what a name in the list stands for. A digest must be that of the
// body.
func (e *Env) signedValue(name string) (value string, ok bool) {
	values := e.Request.Header[textproto.CanonicalMIMEHeaderKey(name)]
	switch {
	case name == requestTarget:
		return e.requestTarget()
	case name == "host":
		host := e.append(nil, &piece{name: "host"})
		return string(host), len(host) > 0
	case name == "content-length" && len(values) == 0:
		return strconv.Itoa(len(e.Request.Body)), true
	case len(values) != 1:
		return "", false // it was signed, and is not there
	case name == "digest":
		return values[0], isDigest(values[0], e.Request.Body)
	}
	return strings.TrimSpace(values[0]), true
}

func (e *Env) requestTarget() (target string, ok bool) {
	if e.Request.Public == nil && e.external == nil {
		return "", false
	}
	u := e.Request.PublicURL(e.external)
	target = strings.ToLower(e.Request.Method) + " " + cmp.Or(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		target += "?" + u.RawQuery
	}
	return target, true
}

// isDigest reports whether a header Digest is right. Every hash in it that is known must
// be, and there must be one.
func isDigest(header string, body []byte) bool {
	right := false
	for item := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		var want []byte
		switch strings.ToLower(name) {
		case "sha-256":
			sum := sha256.Sum256(body)
			want = sum[:]
		case "sha-512":
			sum := sha512.Sum512(body)
			want = sum[:]
		default:
			continue
		}
		got, err := base64.StdEncoding.Strict().DecodeString(value)
		if right = err == nil && subtle.ConstantTimeCompare(got, want) == 1; !right {
			return false
		}
	}
	return right
}

// PrepareSigning gives a request what signing_string reads and the request has not: the
// list of what is signed, and the digest of the body.
func (t Template) PrepareSigning(e *Env, c *Candidate) {
	for i := range t {
		for j := range t[i].steps {
			s := &t[i].steps[j]
			if s.name != "signing_string" {
				continue
			}
			sum := sha256.Sum256(e.Request.Body)
			e.Request.Header["Digest"] = []string{"sha-256=" + base64.StdEncoding.EncodeToString(sum[:])}
			if place := (Template{{name: t[i].name, text: t[i].text}}); t[i].name == "value" && c.capture(place) == "" {
				c.SetCapture(place, strings.Join(s.args, " "))
			}
		}
	}
}

var signingStep = regexp.MustCompile(`\{[^{}|]+\|signing_string ([^{}|]+)\}`)

// Spelled returns a template with what signing_string covers at least as placeholders.
// The time stands in a header, or not.
func Spelled(text string, time *Timestamp) string {
	return signingStep.ReplaceAllStringFunc(text, func(found string) string {
		var out strings.Builder
		for name := range strings.FieldsSeq(signingStep.FindStringSubmatch(found)[1]) {
			switch header := textproto.CanonicalMIMEHeaderKey(name); {
			case name == requestTarget:
				out.WriteString("{method}{path}{query}")
			case name == "host":
				out.WriteString("{host}")
			case name == "digest":
				out.WriteString("{body|sha256}")
			case time != nil && header == time.Header():
				out.WriteString("{timestamp}")
			default:
				out.WriteString("{header." + header + "}")
			}
		}
		return out.String()
	})
}
