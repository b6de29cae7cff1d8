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

	"golang.org/x/text/unicode/norm"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// step is a function that a placeholder applies to its text, as in {body|sha256}.
type step struct {
	name string
	do   stepFunc
	args []string
	path payload.Path // of json
	or   *piece       // what stands in

	least int // of atleast

	pairs []pairStep // of those for pairs, one after the other
}

// stepFunc returns the changed text, and whether the text could be changed.
type stepFunc func(e *Env, text []byte, s *step) ([]byte, bool)

func (s *step) apply(e *Env, text []byte) ([]byte, bool) { return s.do(e, text, s) }

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
	"unhex": {0, 0, func(_ *Env, b []byte, _ *step) ([]byte, bool) {
		b, err := hex.AppendDecode(nil, b)
		return b, err == nil
	}},
	// unbase64 takes both alphabets; strict refuses what is not canonical.
	"unbase64": {0, 1, unbase64},
	// gunzip decompresses what is compressed, within bounds, and leaves all else.
	"gunzip": {0, 0, func(_ *Env, b []byte, _ *step) ([]byte, bool) {
		b, err := payload.Gunzip(b)
		return b, err == nil
	}},
	// atleast refuses what has fewer bytes.
	"atleast": {1, 1, func(_ *Env, b []byte, s *step) ([]byte, bool) { return b, len(b) >= s.least }},

	"lower": {0, 0, textual(func(s string, _ []string) string { return strings.ToLower(s) })},
	"upper": {0, 0, textual(func(s string, _ []string) string { return strings.ToUpper(s) })},
	"trim":  {0, 0, textual(func(s string, _ []string) string { return strings.TrimSpace(s) })},
	"cut":   {1, 1, textual(func(s string, args []string) string { return strings.TrimPrefix(s, args[0]) })},
	"nfkd":  {0, 0, textual(func(s string, _ []string) string { return norm.NFKD.String(s) })},
	// The media type of a Content-Type.
	"type": {0, 0, textual(func(s string, _ []string) string { return payload.MediaType(s) })},
	// or gives another placeholder's text, such as header.X-Time, for what is empty.
	"or": {1, 1, func(e *Env, b []byte, s *step) ([]byte, bool) {
		if len(b) > 0 {
			return b, true
		}
		b, ok := s.or.read(e)
		return bytes.Clone(b), ok
	}},
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
	"last": {0, 0, func(_ *Env, b []byte, _ *step) ([]byte, bool) {
		segment, err := url.PathUnescape(string(b[bytes.LastIndexByte(b, '/')+1:]))
		return []byte(segment), err == nil
	}},

	// These are for URLs.
	"port":    {0, 0, textual(withPort)},
	"no_port": {0, 0, textual(func(s string, _ []string) string { return changeURL(s, func(u *url.URL) { u.Host = bareHost(u) }) })},
	"no_slash": {0, 0, textual(func(s string, _ []string) string {
		return changeURL(s, func(u *url.URL) {
			if u.Path == "/" {
				u.Path = ""
			}
		})
	})},
	"no_query": {0, 0, textual(func(s string, _ []string) string { s, _, _ = strings.Cut(s, "?"); return s })},

	// requery escapes the values of a URL's query anew, as Node.js does. It refuses a query
	// which that leaves as it is.
	"requery": {0, 0, requery},

	// These are for name=value pairs, as in a query and a form.
	"sort": {0, 0, pairwise}, "unique": {0, 0, pairwise}, "without": {1, 1, pairwise},
	// concat decodes the pairs and writes names and values with nothing between, decoded
	// with = and & between.
	"concat": {0, 0, pairwise}, "decoded": {0, 0, pairwise},

	// json reads a value of a JSON text.
	"json": {1, 1, func(e *Env, b []byte, s *step) ([]byte, bool) { return e.jsonIn(b, &s.path) }},
	// ascii writes what is beyond ASCII as escapes of JSON. It refuses ASCII alone, which is
	// the same without it, and what is no text.
	"ascii": {0, 0, func(_ *Env, b []byte, _ *step) ([]byte, bool) {
		var out bytes.Buffer
		ok := writeASCII(&out, b)
		return out.Bytes(), ok
	}},
	"quote": {0, 0, plain(func(b []byte) []byte { return payload.AppendString(nil, string(b)) })},
	// headers takes names and writes the headers' values with a text between
	// them; a second one stands between a name and its value.
	"headers": {1, 2, headers},
	// header_lines takes names and writes each with its value in a line of its own.
	"header_lines": {0, 0, headerLines},
	// signing_string takes names as well, and writes the text of draft-cavage.
	"signing_string": {1, maxSignedHeaders, signingString},
}

func plain(do func([]byte) []byte) stepFunc {
	return func(_ *Env, text []byte, _ *step) ([]byte, bool) { return do(text), true }
}

func textual(do func(string, []string) string) stepFunc {
	return func(_ *Env, text []byte, s *step) ([]byte, bool) { return []byte(do(string(text), s.args)), true }
}

// pairStep is something that is done to pairs.
type pairStep struct {
	name, arg string
}

// join has a step for pairs do what the next one does, so that the pairs are read
// once. It reports whether the next one is such a step.
func (s *step) join(next *step) bool {
	if s.pairs == nil || next.pairs == nil || writesPairs(s.pairs[len(s.pairs)-1].name) {
		return false
	}
	s.pairs = append(s.pairs, next.pairs...)
	return true
}

// writesPairs reports whether a step for pairs writes them in a form of its own, which
// is no query any more.
func writesPairs(name string) bool { return name == "concat" || name == "decoded" }

// pairwise reads the pairs of a query or form, and writes what becomes of them.
func pairwise(_ *Env, text []byte, s *step) ([]byte, bool) {
	count := bytes.Count(text, []byte("&")) + 1
	if count > payload.MaxFields {
		return nil, false
	}
	pairs := make([]payload.Pair, 0, count)
	for pair := range payload.Pairs(string(text)) {
		pairs = append(pairs, pair)
	}
	to, between := make([]byte, 0, len(text)), ""
	for _, p := range s.pairs {
		switch p.name {
		case "sort": // by name, then by value, both decoded
			slices.SortStableFunc(pairs, func(a, b payload.Pair) int {
				return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
			})
		case "unique": // without those that are written like the one before
			pairs = slices.CompactFunc(pairs, func(a, b payload.Pair) bool { return a.Raw == b.Raw })
		case "without":
			pairs = slices.DeleteFunc(pairs, func(pair payload.Pair) bool { return pair.Name == p.arg })
		case "concat":
			for i := range pairs {
				to = append(append(to, pairs[i].Name...), pairs[i].Value...)
			}
			return to, true
		case "decoded":
			for i := range pairs {
				to = append(append(append(to, between...), pairs[i].Name...), '=')
				to, between = append(to, pairs[i].Value...), "&"
			}
			return to, true
		}
	}
	for i := range pairs {
		to = append(append(to, between...), pairs[i].Raw...)
		between = "&"
	}
	return to, true
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
	s := step{name: name, do: known.do, args: args}
	err := s.compile()
	return s, err
}

// compile compiles an argument that is more than a text.
func (s *step) compile() (err error) {
	switch s.name {
	case "sort", "unique", "without", "concat", "decoded":
		s.pairs = []pairStep{{s.name, strings.Join(s.args, "")}}
	case "json":
		if s.path, err = payload.ParsePath(s.args[0]); err == nil && !s.path.Single() {
			err = fmt.Errorf("json %s: the path leads to several values", s.args[0])
		}
	case "atleast":
		if s.least, err = strconv.Atoi(s.args[0]); err != nil {
			err = fmt.Errorf("atleast takes a number of bytes, not %q", s.args[0])
		}
	case "unbase64":
		if len(s.args) > 0 && s.args[0] != "strict" {
			err = fmt.Errorf("unbase64 takes strict or nothing, not %q", s.args[0])
		}
	case "signing_string":
		err = checkSigned(s.args)
	case "or":
		var p piece
		p, err = parseSource(s.args[0])
		if err == nil && (p.name == "value" || !slices.Contains(named, p.name)) {
			err = fmt.Errorf("or %s: want header.X-Name, query.name, form.name or json.path", s.args[0])
		}
		s.or = &p
	}
	return err
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

func requery(_ *Env, text []byte, _ *step) ([]byte, bool) {
	before, query, found := strings.Cut(string(text), "?")
	if !found || strings.Count(query, "&") >= payload.MaxFields {
		return nil, false
	}
	again := make([]byte, 0, len(query))
	for pair := range payload.Pairs(query) {
		if len(again) > 0 {
			again = append(again, '&')
		}
		again = append(append(again, escapeAsNode(pair.Name)...), '=')
		again = append(again, escapeAsNode(pair.Value)...)
	}
	if string(again) == query {
		return nil, false
	}
	return append([]byte(before+"?"), again...), true
}

// escapeAsNode escapes all but letters, digits and -_.~!'()*.
func escapeAsNode(text string) string { return nodeEscapes.Replace(url.QueryEscape(text)) }

var nodeEscapes = strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")

// bareHost returns the host without port, an IPv6 address in its brackets.
func bareHost(u *url.URL) string { return strings.TrimSuffix(u.Host, ":"+u.Port()) }

func withPort(s string, _ []string) string {
	return changeURL(s, func(u *url.URL) {
		if u.Port() == "" {
			u.Host += map[string]string{"https": ":443", "http": ":80"}[u.Scheme]
		}
	})
}

var toStandard = strings.NewReplacer("-", "+", "_", "/", "=", "")

func unbase64(_ *Env, text []byte, s *step) ([]byte, bool) {
	encoding := base64.RawStdEncoding
	if len(s.args) > 0 {
		encoding = encoding.Strict()
	}
	decoded, err := encoding.DecodeString(toStandard.Replace(string(text)))
	return decoded, err == nil
}

// maxSignedHeaders is how many headers one request can have looked up.
const maxSignedHeaders = 64

func headers(e *Env, text []byte, s *step) ([]byte, bool) {
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
			out = append(out, s.args[0]...)
		}
		if len(s.args) > 1 {
			out = append(append(out, name...), s.args[1]...)
		}
		out = append(out, values[0]...)
	}
	return out, true
}

func headerLines(e *Env, text []byte, _ *step) ([]byte, bool) {
	out, ok := headers(e, text, &step{args: []string{"\n", ": "}})
	if len(out) > 0 {
		out = append(out, '\n')
	}
	return out, ok
}
