package template

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"maps"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"golang.org/x/text/unicode/norm"
)

// step is a function that a placeholder applies to its text, as in {body|sha256}.
type step struct {
	name string
	do   stepFunc
	args []string
}

// stepFunc returns the changed text, and whether the text could be changed.
type stepFunc func(e *Env, text []byte, args []string) ([]byte, bool)

func (s *step) apply(e *Env, text []byte) ([]byte, bool) { return s.do(e, text, s.args) }

// steps are the functions by name, with their least and largest number of arguments.
var steps = map[string]struct {
	least, most int
	do          stepFunc
}{
	// Hashes give bytes, which hex and base64 turn into text.
	"sha1":   {0, 0, plain(func(b []byte) []byte { sum := sha1.Sum(b); return sum[:] })},
	"sha256": {0, 0, plain(func(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] })},
	"sha384": {0, 0, plain(func(b []byte) []byte { sum := sha512.Sum384(b); return sum[:] })},
	"sha512": {0, 0, plain(func(b []byte) []byte { sum := sha512.Sum512(b); return sum[:] })},
	"md5":    {0, 0, plain(func(b []byte) []byte { sum := md5.Sum(b); return sum[:] })},
	"crc32": {0, 0, plain(func(b []byte) []byte { // in decimal
		return strconv.AppendUint(nil, uint64(crc32.ChecksumIEEE(b)), 10)
	})},

	"hex":       {0, 0, plain(func(b []byte) []byte { return hex.AppendEncode(nil, b) })},
	"base64":    {0, 0, plain(func(b []byte) []byte { return base64.StdEncoding.AppendEncode(nil, b) })},
	"base64url": {0, 0, plain(func(b []byte) []byte { return base64.RawURLEncoding.AppendEncode(nil, b) })},
	"unhex": {0, 0, func(_ *Env, b []byte, _ []string) ([]byte, bool) {
		b, err := hex.AppendDecode(nil, b)
		return b, err == nil
	}},
	// unbase64 takes both alphabets; strict refuses what is not canonical.
	"unbase64": {0, 1, unbase64},
	// atleast refuses what has fewer bytes.
	"atleast": {1, 1, func(_ *Env, b []byte, args []string) ([]byte, bool) {
		n, err := strconv.Atoi(args[0])
		return b, err == nil && len(b) >= n
	}},

	"lower": {0, 0, textual(func(s string, _ []string) string { return strings.ToLower(s) })},
	"upper": {0, 0, textual(func(s string, _ []string) string { return strings.ToUpper(s) })},
	"trim":  {0, 0, textual(func(s string, _ []string) string { return strings.TrimSpace(s) })},
	"cut":   {1, 1, textual(func(s string, args []string) string { return strings.TrimPrefix(s, args[0]) })},
	"nfkd":  {0, 0, textual(func(s string, _ []string) string { return norm.NFKD.String(s) })},
	// The media type of a Content-Type.
	"type": {0, 0, textual(func(s string, _ []string) string { return mediaType(s) })},
	// or gives another placeholder's text, such as header.X-Time, for what is empty.
	"or": {1, 1, or},
	// wrap puts text before and after what is not empty, then only after it.
	"then": {1, 1, textual(func(s string, args []string) string {
		if s == "" {
			return ""
		}
		return s + args[0]
	})},
	"wrap": {1, 2, textual(func(s string, args []string) string {
		if s == "" {
			return ""
		}
		return args[0] + s + strings.Join(args[1:], "")
	})},
	"escape": {0, 0, textual(func(s string, _ []string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") })},
	// unescape decodes the escapes of some characters.
	"unescape": {1, 1, textual(func(s string, args []string) string { return unescape(s, args[0]) })},

	// The last segment of a path, without its escapes.
	"last": {0, 0, func(_ *Env, b []byte, _ []string) ([]byte, bool) {
		segment, err := url.PathUnescape(string(b[bytes.LastIndexByte(b, '/')+1:]))
		return []byte(segment), err == nil
	}},

	// These are for URLs.
	"port":     {0, 0, textual(withPort)},
	"no_port":  {0, 0, textual(func(s string, _ []string) string { return changeURL(s, func(u *url.URL) { u.Host = bareHost(u) }) })},
	"no_query": {0, 0, textual(func(s string, _ []string) string { s, _, _ = strings.Cut(s, "?"); return s })},

	// These are for name=value pairs, as in a query and a form.
	"sort":    {0, 0, pairwise(func(pairs, _ []string) string { return sortPairs(pairs) })},
	"unique":  {0, 0, pairwise(func(pairs, _ []string) string { return joinPairs(slices.Compact(pairs)) })},
	"without": {1, 1, pairwise(without)},
	// concat decodes the pairs and writes names and values with nothing between.
	"concat": {0, 0, pairwise(concat)},

	// json reads a value of a JSON text.
	"json": {1, 1, func(_ *Env, b []byte, args []string) ([]byte, bool) {
		return []byte(TextOf(gjson.GetBytes(b, args[0]))), SoundJSON(b)
	}},
	"quote": {0, 0, plain(func(b []byte) []byte { return gjson.AppendJSONString(nil, string(b)) })},
	// headers takes names and writes the headers' values with a text between
	// them; a second one stands between a name and its value.
	"headers": {1, 2, headers},
}

func plain(do func([]byte) []byte) stepFunc {
	return func(_ *Env, text []byte, _ []string) ([]byte, bool) { return do(text), true }
}

func textual(do func(string, []string) string) stepFunc {
	return func(_ *Env, text []byte, args []string) ([]byte, bool) { return []byte(do(string(text), args)), true }
}

// maxPairs is how many pairs of a query or form the functions take.
const maxPairs = 10_000

func pairwise(do func(pairs, args []string) string) stepFunc {
	return func(_ *Env, text []byte, args []string) ([]byte, bool) {
		if bytes.Count(text, []byte("&")) >= maxPairs {
			return nil, false
		}
		return []byte(do(splitPairs(string(text)), args)), true
	}
}

// parseStep reads a function's name and its arguments.
func parseStep(text string) (step, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	known, ok := steps[name]
	if !ok {
		return step{}, fmt.Errorf("unknown function %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(steps)), ", "))
	}
	args := strings.Fields(rest)
	if len(args) < known.least || len(args) > known.most {
		return step{}, fmt.Errorf("%s takes %d arguments, not %d", name, known.most, len(args))
	}
	return step{name, known.do, args}, nil
}

func unescape(s, characters string) string {
	var pairs []string
	for _, c := range []byte(characters) {
		pairs = append(pairs, fmt.Sprintf("%%%02X", c), string(c), fmt.Sprintf("%%%02x", c), string(c))
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

func changeURL(s string, change func(*url.URL)) string {
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	change(u)
	return u.String()
}

// bareHost returns the host without port, an IPv6 address in its brackets.
func bareHost(u *url.URL) string { return strings.TrimSuffix(u.Host, ":"+u.Port()) }

func withPort(s string, _ []string) string {
	return changeURL(s, func(u *url.URL) {
		if u.Port() == "" {
			u.Host += map[string]string{"https": ":443", "http": ":80"}[u.Scheme]
		}
	})
}

func splitPairs(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "&")
}

func joinPairs(pairs []string) string { return strings.Join(pairs, "&") }

// decodePair returns the name and the value of a pair. A part that cannot be decoded
// stays as it is written.
func decodePair(pair string) (name, value string) {
	name, value, _ = strings.Cut(pair, "=")
	if decoded, err := url.QueryUnescape(name); err == nil {
		name = decoded
	}
	if decoded, err := url.QueryUnescape(value); err == nil {
		value = decoded
	}
	return name, value
}

// sortPairs sorts pairs by their decoded names, then by their decoded values.
func sortPairs(pairs []string) string {
	type decoded struct{ name, value, pair string }
	list := make([]decoded, len(pairs))
	for i, pair := range pairs {
		name, value := decodePair(pair)
		list[i] = decoded{name, value, pair}
	}
	slices.SortStableFunc(list, func(a, b decoded) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
	for i := range list {
		pairs[i] = list[i].pair
	}
	return joinPairs(pairs)
}

func without(pairs, args []string) string {
	return joinPairs(slices.DeleteFunc(pairs, func(pair string) bool {
		name, _ := decodePair(pair)
		return name == args[0]
	}))
}

func concat(pairs, _ []string) string {
	var b strings.Builder
	for _, pair := range pairs {
		name, value := decodePair(pair)
		b.WriteString(name)
		b.WriteString(value)
	}
	return b.String()
}

var toStandard = strings.NewReplacer("-", "+", "_", "/", "=", "")

func unbase64(_ *Env, text []byte, args []string) ([]byte, bool) {
	encoding := base64.RawStdEncoding
	if len(args) > 0 {
		encoding = encoding.Strict()
	}
	decoded, err := encoding.DecodeString(toStandard.Replace(string(text)))
	return decoded, err == nil
}

func or(e *Env, text []byte, args []string) ([]byte, bool) {
	name, of, _ := strings.Cut(args[0], ".")
	if len(text) > 0 || !slices.Contains(named, name) || name == "value" {
		return text, true
	}
	if name == "header" {
		of = textproto.CanonicalMIMEHeaderKey(of)
	}
	return (&piece{name: name, text: of}).append(nil, e)
}

// maxSignedHeaders is how many headers one request can have looked up.
const maxSignedHeaders = 64

func headers(e *Env, text []byte, args []string) ([]byte, bool) {
	names := strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(" ,;", r) })
	if len(names) > maxSignedHeaders {
		return nil, false
	}
	var out []byte
	for i, name := range names {
		values := e.Request.Header[textproto.CanonicalMIMEHeaderKey(name)]
		if len(values) != 1 {
			return nil, false // it was signed, and is not there
		}
		if i > 0 {
			out = append(out, args[0]...)
		}
		if len(args) > 1 {
			out = append(append(out, name...), args[1]...)
		}
		out = append(out, values[0]...)
	}
	return out, true
}
