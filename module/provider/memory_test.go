//go:build !race

package provider_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// What a request of a stranger may cost in memory, in all: bytes that are allocated
// for each byte of its body, and beside them.
const (
	hostileSize = 2 << 20
	perByte     = 3
	beside      = 5 << 18
)

// TestMemoryOfStrangers gives each preset bodies that take much memory where they are
// read into maps or lists, and values that are long.
func TestMemoryOfStrangers(t *testing.T) {
	everywhere := largeBodies()
	for _, g := range readingJSON(t, providertest.GenuineRequests(t)) {
		bodies := largeValues(&g)
		maps.Copy(bodies, everywhere)
		for what, hostile := range bodies {
			r := g.Make()
			r.Body = hostile.body
			if hostile.contentType != "" {
				r.Header["Content-Type"] = []string{hostile.contentType}
			}
			for does, do := range map[string]func(){
				"verifying": func() { _ = g.Provider.Verify(r, g.At) },
				"greeting":  func() { _, _ = g.Provider.(provider.Handshaker).Handshake(r, g.At) },
			} {
				if got := allocatedBy(do); got > perByte*len(r.Body)+beside {
					t.Errorf("%s: %s %s allocates %d bytes for %d", g.Name, does, what, got, len(r.Body))
				}
			}
		}
	}
}

func allocatedBy(do func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

type largeBody struct {
	contentType string // "": that of the genuine request
	body        []byte
}

const jsonType = "application/json"

// fill makes a body of many parts.
func fill(before, part, after string) []byte {
	return []byte(before + strings.Repeat(part, (hostileSize-len(before)-len(after))/len(part)) + after)
}

// largeBodies are shapes of bodies that everybody can send.
func largeBodies() map[string]largeBody {
	const multi = providertest.MultipartType + "; boundary=b"
	keys := make([]byte, 0, hostileSize)
	for i := 0; len(keys) < hostileSize-20; i++ {
		keys = fmt.Appendf(keys, `,"%x":0`, i)
	}
	keys[0] = '{'
	pairs := make([]byte, 0, hostileSize)
	for i := 0; len(pairs) < hostileSize-20; i++ {
		pairs = fmt.Appendf(pairs, "%x=+&", i)
	}
	return map[string]largeBody{
		"many keys in one object":  {jsonType, append(keys, '}')},
		"many small objects":       {jsonType, fill(`{"a":[`, `{"":0},`, `0]}`)},
		"a list of small objects":  {jsonType, fill(`[`, `{"":0},`, `0]`)},
		"deep arrays":              {jsonType, fill(`{"a":[`, strings.Repeat("[", 900)+strings.Repeat("]", 900)+",", "0]}")},
		"deep arrays, not closed":  {jsonType, fill("", "[", "")},
		"a long string":            {jsonType, fill(`{"a":"`, "a", `"}`)},
		"a long string of escapes": {jsonType, fill(`{"a":"`, `\u0041`, `"}`)},
		"a string alone":           {jsonType, fill(`"`, "a", `"`)},
		"a long token":             {jsonType, fill(`a.a.`, "a", ``)},
		"many form fields":         {providertest.FormType, pairs},
		"as many as are read":      {providertest.FormType, pairs[:80_000]},
		"ampersands":               {providertest.FormType, fill("a=b", "&", "")},
		"a long field":             {providertest.FormType, fill("a=", "a", "")},
		"a long field of blanks":   {providertest.FormType, fill("a=", "+", "")},
		"many parts":               {multi, []byte(providertest.MultipartOf(hostileSize/60, "a"))},
		"as many parts as count":   {multi, []byte(providertest.MultipartOf(1000, "a"))},
		"a long part":              {multi, []byte("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n" + string(fill("", "a", "")) + "\r\n--b--\r\n")},
		"long parts":               {multi, []byte(strings.Repeat("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n"+strings.Repeat("a", 1000)+"\r\n", 1000) + "--b--\r\n")},
	}
}

// largeValues are the genuine body of a preset with each of the values long that a
// proof reads, and lists where it reads lists.
func largeValues(g *providertest.Genuine) map[string]largeBody {
	bodies := make(map[string]largeBody)
	for _, path := range jsonPaths(g) {
		first, _, _ := strings.Cut(path, ".")
		bodies["many objects in "+first] = largeBody{jsonType, fill(`{"`+first+`":[`, `{"":0},`, `0]}`)}
		for what, part := range map[string]string{"letters": "a", "controls": "\x01", "capitals": "A"} {
			if long := withValue(g.Make(), path, string(fill("", part, ""))); long != nil {
				bodies["long "+path+" of "+what] = largeBody{"", long}
			}
		}
	}
	for _, name := range formFields(g) {
		for what, part := range map[string]string{"letters": "a", "blanks": "+", "capitals": "A"} {
			body := payload.DropPair(string(g.Make().Body), name) + "&" + name + "=" + string(fill("", part, ""))
			bodies["long field "+name+" of "+what] = largeBody{providertest.FormType, []byte(body)}
		}
		inJSON := url.QueryEscape(`{"event":{"event_hash":"` + strings.Repeat("a", hostileSize) + `"}}`)
		bodies["long JSON in field "+name] = largeBody{providertest.FormType, []byte(name + "=" + inJSON)}
	}
	return bodies
}

// withValue returns the body with a text at a path, or at the first element of a
// list; nil if there is no value there.
func withValue(r *template.Request, path, text string) []byte {
	var document payload.JSON
	value := providertest.JSONValue(&document, r.Body, path)
	if !value.Exists() {
		return nil
	}
	return document.Replace([]payload.Value{value}, text)
}

var formPlace = regexp.MustCompile(`\{form\.([^}|]+)`)

func formFields(g *providertest.Genuine) (names []string) {
	for _, p := range g.Provider.(*provider.Known).Counting() {
		text, _ := json.Marshal(p)
		for _, match := range formPlace.FindAllSubmatch(text, -1) {
			names = append(names, string(match[1]))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
