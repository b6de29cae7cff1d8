package provider_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// otherSpellings are names that an app may take for the one that was signed.
var otherSpellings = map[string]func(name string) string{
	"as it is":         func(name string) string { return name },
	"in upper case":    strings.ToUpper,
	"in lower case":    strings.ToLower,
	"with an escape":   func(name string) string { return fmt.Sprintf(`\u%04x`, name[0]) + name[1:] },
	"in another case":  func(name string) string { return string(name[0]^0x20) + name[1:] },
	"with letters":     func(name string) string { return strings.NewReplacer("s", "ſ", "k", "\u212a").Replace(name) },
	"with both of two": func(name string) string { return name + `":"other","` + strings.ToUpper(name) },
}

// TestNamesThatStandTwice adds each name that the proofs of a preset read in JSON, and
// each name above it, once more: as it is and in another case, before and behind, with
// the same value and with another. All of them are refused.
func TestNamesThatStandTwice(t *testing.T) {
	presets := make(map[string]bool)
	for _, g := range readingJSON(t, providertest.GenuineRequests(t)) {
		var holding []*provider.Proof // of several, one decides
		for _, p := range g.Provider.(*provider.Known).Counting() {
			if p.VerifyAlone(g.Make(), g.At) == nil {
				holding = append(holding, p)
			}
		}
		for _, path := range pathsOf(holding) {
			for what, body := range ambiguous(g.Make().Body, path) {
				presets[g.Name] = true
				if err := g.Takes(func(r *template.Request) { r.Body = body }); err == nil {
					t.Errorf("%s: taken with %s: %s", g.Name, what, body)
				}
			}
		}
	}
	if len(presets) < 10 {
		t.Errorf("only %d presets read JSON: %v", len(presets), presets)
	}
}

// TestNamesThatStandTwiceElsewhere does the same with the JSON in a field of a form,
// and where the proof itself may stand in JSON.
func TestNamesThatStandTwiceElsewhere(t *testing.T) {
	dropbox := `{"event":{"event_time":"1760000000","event_type":"signed","event_hash":"` + providertest.MACHex("key", "1760000000signed") + `"},"other":{"event":1}}`
	signhost := fmt.Sprintf(`{"Id":"t-1","Status":10,"Signers":[{"Id":"a"}],"Checksum":"%x"}`, sha1.Sum([]byte("t-1||10|key")))
	for _, test := range []struct {
		config, body, field string
		paths               []string
	}{
		{"dropbox_sign key", dropbox, "", []string{"event.event_time", "event.event_type", "event.event_hash"}},
		{"dropbox_sign key", dropbox, "json", []string{"event.event_time", "event.event_type", "event.event_hash"}},
		{"signhost key", signhost, "", []string{"Id", "Status", "Checksum"}},
	} {
		p := providertest.MustParse(t, test.config)
		verify := func(text []byte) error {
			r := providertest.Hook(string(text), "Content-Type: application/json")
			if test.field != "" {
				r = providertest.Hook(test.field+"="+url.QueryEscape(string(text)), "Content-Type: "+providertest.FormType)
			}
			return p.Verify(r, providertest.Now)
		}
		body := []byte(test.body)
		if err := verify(body); err != nil {
			t.Errorf("%s: %v", test.body, err)
		}
		for _, path := range test.paths {
			for what, changed := range ambiguous(body, path) {
				if err := verify(changed); err == nil {
					t.Errorf("taken with %s: %s", what, changed)
				}
			}
		}
	}
}

// ambiguous returns a JSON text with the names of a path once more.
func ambiguous(text []byte, path string) map[string][]byte {
	texts := make(map[string][]byte)
	var document payload.JSON
	if document.Parse(text, payload.MaxDepth) != nil {
		return nil
	}
	at := document.Root()
	for name := range strings.SplitSeq(path, ".") {
		if index, err := strconv.Atoi(name); err == nil {
			at = at.Element(index)
			continue
		}
		if at.Kind() != payload.Object {
			return texts
		}
		raw, value := at.Raw(), at.Member(name)
		start := cap(text) - cap(raw)
		end := start + len(raw) - 1
		for how, spell := range otherSpellings {
			spelled := spell(name)
			if !value.Exists() && spelled == name || how == "with letters" && spelled == name {
				continue // it would not stand twice
			}
			for what, second := range map[string]string{"the same": string(value.Raw()), "another": `"other"`} {
				if second == "" {
					continue
				}
				member := `"` + spelled + `":` + second
				texts[fmt.Sprintf("%s %s before, %s", name, how, what)] = insert(text, start+1, member+",")
				texts[fmt.Sprintf("%s %s behind, %s", name, how, what)] = insert(text, end, ","+member)
			}
		}
		at = value
	}
	return texts
}

func insert(text []byte, at int, more string) []byte {
	return bytes.Join([][]byte{text[:at], []byte(more), text[at:]}, nil)
}

// TestBodiesOfJSONProofsAreSmall holds that a preset whose proof reads JSON says how
// large its webhooks are: a stranger's are read to there.
func TestBodiesOfJSONProofsAreSmall(t *testing.T) {
	large := map[string]int64{"mailgun": 10 << 20}
	for _, g := range readingJSON(t, providertest.GenuineRequests(t)) {
		limit := max(4<<20, large[g.Name])
		if size := g.Provider.Profile().MaxBody; len(jsonPaths(&g)) > 0 && size > limit {
			t.Errorf("%s reads JSON of %d bytes", g.Name, size)
		}
	}
}

// readingJSON adds the genuine request of Ignisign, whose proof a call checks.
func readingJSON(t *testing.T, list []providertest.Genuine) []providertest.Genuine {
	const body = `{"appId":"app-1","appEnv":"TEST","topic":"SIGNATURE","action":"CREATED","msgNature":"SUCCESS","verificationToken":"t0ken"}`
	p := providertest.MustParse(t, "ignisign {\napp_id app-1\napp_env TEST\napi_key k\n}")
	return append(list, providertest.Genuine{Name: "ignisign", Provider: p, At: providertest.Now,
		Make: func() *template.Request { return providertest.Hook(body, "Content-Type: application/json") }})
}

var jsonPlace = regexp.MustCompile(`\{json\.([^}|]+)`)

// jsonPaths returns the paths of the values that the proofs of a preset read.
func jsonPaths(g *providertest.Genuine) []string {
	return pathsOf(g.Provider.(*provider.Known).Counting())
}

func pathsOf(proofs []*provider.Proof) (paths []string) {
	for _, p := range proofs {
		text, _ := json.Marshal(p)
		each := ""
		if p.HMAC != nil && p.HMAC.Each != "" {
			each = p.HMAC.Each + ".0."
		}
		for _, match := range jsonPlace.FindAllSubmatch(text, -1) {
			paths = append(paths, each+strings.ReplaceAll(string(match[1]), ".#.", ".0."))
		}
		if p.SNS != nil {
			paths = append(paths, "Signature", "SignatureVersion", "SigningCertURL", "Message", "MessageId", "Timestamp", "TopicArn", "Type")
		}
		if p.Ignisign != nil {
			paths = append(paths, "appId", "appEnv", "topic", "action", "msgNature", "verificationToken")
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
