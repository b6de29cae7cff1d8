package provider_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// hostileValues are what a header becomes that a request cannot do without.
var hostileValues = map[string]func(good string) []string{
	"empty":            func(string) []string { return []string{""} },
	"white space":      func(string) []string { return []string{" \t "} },
	"no values":        func(string) []string { return []string{} },
	"NUL":              func(string) []string { return []string{"\x00"} },
	"NUL behind":       func(good string) []string { return []string{good + "\x00"} },
	"NUL before":       func(good string) []string { return []string{"\x00" + good} },
	"NUL within":       func(good string) []string { return []string{good[:len(good)/2] + "\x00" + good[len(good)/2:]} },
	"cut short":        func(good string) []string { return []string{good[:len(good)-1]} },
	"half":             func(good string) []string { return []string{good[:len(good)/2]} },
	"a letter more":    func(good string) []string { return []string{good + "A"} },
	"four more":        func(good string) []string { return []string{good + "AAAA"} },
	"a letter before":  func(good string) []string { return []string{"A" + good} },
	"bytes, not ASCII": func(good string) []string { return []string{good + "\xff\xfe"} },
	"1 MiB":            func(string) []string { return []string{strings.Repeat("a", 1<<20)} },
	"1 MiB behind":     func(good string) []string { return []string{good + strings.Repeat("0", 1<<20)} },
	"1 MiB of digits":  func(string) []string { return []string{strings.Repeat("9", 1<<20)} },
	"100k commas":      func(string) []string { return []string{strings.Repeat(",", 100_000)} },
	"100k semicolons":  func(string) []string { return []string{strings.Repeat(";", 100_000)} },
	"100k times v1=":   func(string) []string { return []string{strings.Repeat("v1=00,", 100_000)} },
	"negative":         func(string) []string { return []string{"-1"} },
	"beyond 64 bits":   func(string) []string { return []string{"92233720368547758070"} },
	"the last second":  func(string) []string { return []string{"9223372036854775807"} },
	"the year 9999":    func(string) []string { return []string{"9999-12-31T23:59:59Z"} },
}

// TestHostileHeaders changes each header that a request cannot do without, in
// every preset. Nothing panics, and nothing of it is taken.
func TestHostileHeaders(t *testing.T) {
	for _, g := range providertest.GenuineRequests(t) {
		for _, name := range g.Needed() {
			if name == "Paypal-Cert-Url" {
				continue // where a certificate is configured, only the host must be right
			}
			for what, change := range hostileValues {
				if name == "Keygen-Signature" && strings.HasSuffix(what, " before") {
					continue // it begins with the name of the key, which nothing reads
				}
				if err := g.Takes(func(r *template.Request) { r.Header[name] = change(r.Header[name][0]) }); err == nil {
					t.Errorf("%s: taken with %s: %s", g.Name, name, what)
				}
			}
		}
	}
}

// TestDoubledHeaders holds that a header which a request cannot do without is not
// taken twice: of two, the app may read the other one. Only of the signatures of
// an HMAC there may be several, each of which covers all that the proof covers.
func TestDoubledHeaders(t *testing.T) {
	for _, g := range slices.Concat(providertest.GenuineRequests(t), providertest.GenuineVectors(t)) {
		several := severalSignatures(&g)
		for _, name := range g.Needed() {
			for what, change := range map[string]func(good string) []string{
				"the same twice":     func(good string) []string { return []string{good, good} },
				"a bad one last":     func(good string) []string { return []string{good, "bad"} },
				"a bad one first":    func(good string) []string { return []string{"bad", good} },
				"an empty one first": func(good string) []string { return []string{"", good} },
				"an empty one last":  func(good string) []string { return []string{good, ""} },
			} {
				err := g.Takes(func(r *template.Request) { r.Header[name] = change(r.Header[name][0]) })
				if taken := err == nil; taken != slices.Contains(several, name) {
					t.Errorf("%s: %s, %s: got %v", g.Name, name, what, err)
				}
			}
		}
	}
}

// severalSignatures are the headers of which there may be several.
func severalSignatures(g *providertest.Genuine) []string {
	var several, once []string
	for _, p := range g.Provider.(*provider.Known).Counting() {
		h := p.HMAC
		if p.Digest != nil {
			h = &p.Digest.HMAC
		}
		if h != nil && template.Mentions(append(slices.Clone(h.Signed), h.HashFrom), "value") {
			once = append(once, p.Scheme().Headers()...)
		} else if h != nil {
			several = append(several, p.Scheme().Headers()...)
		} else {
			once = append(once, p.Scheme().Headers()...)
		}
	}
	return slices.DeleteFunc(several, func(name string) bool { return slices.Contains(once, name) })
}

// hostileBodies are what nobody sends who means well.
var hostileBodies = map[string]struct{ contentType, body string }{
	"NUL":                {"application/json", "{\"a\":\"\x00\"}"},
	"NULs":               {"application/json", strings.Repeat("\x00", 100_000)},
	"deep lists":         {"application/json", strings.Repeat("[", 100_000)},
	"deep lists, closed": {"application/json", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)},
	"deep objects":       {"application/json", strings.Repeat(`{"event":`, 100_000) + "1" + strings.Repeat("}", 100_000)},
	"wide list":          {"application/json", "[" + strings.Repeat("{},", 100_000) + "{}]"},
	"wide object":        {"application/json", "{" + strings.Repeat(`"event":1,`, 100_000) + `"event":1}`},
	"a long number":      {"application/json", strings.Repeat("9", 1<<20)},
	"an open string":     {"application/json", `{"event":"` + strings.Repeat(`\u0000`, 100_000)},
	"100k fields":        {providertest.FormType, strings.Repeat("a=b&", 100_000)},
	"100k ampersands":    {providertest.FormType, strings.Repeat("&", 100_000)},
	"bad escapes":        {providertest.FormType, strings.Repeat("%zz=%&", 100_000)},
	"10k parts":          {providertest.MultipartType + "; boundary=b", providertest.MultipartOf(10_000, "event")},
	"a part without end": {providertest.MultipartType + "; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"json\"\r\n\r\n" + strings.Repeat("a", 1<<20)},
	"no boundary":        {providertest.MultipartType, providertest.MultipartOf(10, "json")},
	"an open header":     {providertest.MultipartType + "; boundary=b", "--b\r\n" + strings.Repeat("A: b\r\n", 100_000)},
}

// TestHostileBodies puts them in place of each preset's body, and behind it. They
// are not taken where the proof covers the body.
func TestHostileBodies(t *testing.T) {
	for _, g := range providertest.GenuineRequests(t) {
		covers := g.CoversBody()
		for what, hostile := range hostileBodies {
			for where, change := range map[string]func(*template.Request){
				"in place": func(r *template.Request) { r.Body = []byte(hostile.body) },
				"behind":   func(r *template.Request) { r.Body = append(r.Body, hostile.body...) },
				"before":   func(r *template.Request) { r.Body = append([]byte(hostile.body), r.Body...) },
			} {
				err := g.Takes(func(r *template.Request) {
					change(r)
					r.Header["Content-Type"] = []string{hostile.contentType}
				})
				if covers && err == nil {
					t.Errorf("%s: taken with %s %s", g.Name, what, where)
				}
			}
		}
		if err := g.Takes(func(r *template.Request) { r.Body = nil }); covers && err == nil && len(g.Make().Body) > 0 {
			t.Errorf("%s: taken without a body", g.Name)
		}
	}
}

// longestWord returns the longest word of a value: its signature.
func longestWord(value string) (longest string) {
	for _, word := range encodedWord.FindAllString(value, -1) {
		if len(word) > len(longest) {
			longest = word
		}
	}
	return longest
}

var encodedWord = regexp.MustCompile(`[A-Za-z0-9+/_-]+=*`)

// TestCase holds that only hexadecimal digits, of which there are two kinds, may
// be written in either.
func TestCase(t *testing.T) {
	for _, g := range providertest.GenuineRequests(t) {
		for _, p := range g.Provider.(*provider.Known).Counting() {
			h := p.HMAC
			if h == nil || h.Headers() == nil || p.VerifyAlone(g.Make(), g.At) != nil {
				continue
			}
			signature := ""
			for _, name := range h.Headers() {
				for _, value := range g.Make().Header[name] {
					if signature == "" {
						signature = longestWord(value)
					}
				}
			}
			for what, turned := range map[string]string{"upper": strings.ToUpper(signature), "lower": strings.ToLower(signature)} {
				err := g.Takes(func(r *template.Request) {
					for _, name := range h.Headers() {
						for i, value := range r.Header[name] {
							r.Header[name][i] = strings.ReplaceAll(value, signature, turned)
						}
					}
				})
				if taken := err == nil; taken != (turned == signature || h.Encoding == "hex") {
					t.Errorf("%s: %s, in %s case: got %v", g.Name, h.Encoding, what, err)
				}
			}
		}
	}
}

// TestDecodedLength holds that a signature in base64 whose last bits are set,
// which decode to nothing, is not the one that was made.
func TestDecodedLength(t *testing.T) {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	changed := 0 // signatures
	for _, g := range providertest.GenuineRequests(t) {
		for _, name := range g.Needed() {
			value := []byte(g.Make().Header[name][0])
			if !bytes.HasSuffix(value, []byte("=")) {
				continue
			}
			i := len(bytes.TrimRight(value, "=")) - 1
			value[i] = digits[strings.IndexByte(digits, value[i])|1]
			if err := g.Takes(func(r *template.Request) { r.Header[name] = []string{string(value)} }); err == nil {
				t.Errorf("%s: taken with %s: %s", g.Name, name, value)
			}
			changed++
		}
	}
	if changed < 20 {
		t.Errorf("only %d signatures were changed", changed)
	}
}

// TestSignedTimes signs at times far away. None of them is taken where a preset
// checks the time, however rightly it is signed.
func TestSignedTimes(t *testing.T) {
	checked := 0
	for _, g := range providertest.GenuineRequests(t) {
		k := g.Provider.(*provider.Known)
		if k.Preset().Tolerance == 0 || providertest.KeyedConfigs[g.Name] != "" || k.Unsignable("") != "" || g.Name == "linear" || g.Name == "grafana" { // whose time is part of the body, or an option
			continue
		}
		checked++
		life := time.Duration(0)
		if g.Name == "vonage" || g.Name == "messagebird" { // whose tokens say until when they are good
			life = time.Minute
		}
		for name, at := range map[string]time.Time{
			"too old": providertest.Now.Add(-k.Preset().Tolerance - life - time.Second), "too new": providertest.Now.Add(k.Preset().Tolerance + time.Second),
			"zero": time.Unix(0, 0), "negative": time.Unix(-1, 0), "year 9999": time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		} {
			r := g.Make()
			if err := k.Sign(r, at); err != nil {
				t.Fatal(err)
			}
			if err := k.Verify(r, at); err != nil && name != "negative" {
				t.Errorf("%s: at %s: %v", g.Name, at, err)
			}
			if k.Verify(r, providertest.Now) == nil {
				t.Errorf("%s: taken, signed at a time that is %s", g.Name, name)
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d presets check the time", checked)
	}
}

// TestNoSecret holds that no preset that checks a secret loads with none, or with
// one that is empty or blank, and that no option lets one be empty.
func TestNoSecret(t *testing.T) {
	t.Setenv("EMPTY", "")
	t.Setenv("BLANK", " \n")
	for _, p := range provider.Presets() {
		config := providertest.Configs()[p.Name]
		if !p.NeedsSecret() {
			continue
		}
		for _, secret := range []string{`""`, "{env.EMPTY}", "{env.BLANK}", "{env.UNSET}", "{file.testdata/missing}", `good ""`, ""} {
			if secret == "" && (p.Optional || p.Definition.Enrolls()) {
				continue // another test's concern
			}
			text := p.Name + " " + secret
			if _, rest, ok := strings.Cut(config, "{\n"); ok {
				text += " {\n" + rest
			}
			if _, err := providertest.Parse(text); err == nil {
				t.Errorf("loads: %s", text)
			}
		}
	}
}
