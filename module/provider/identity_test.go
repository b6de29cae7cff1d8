package provider_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// sampled has each sample of each preset as the provider sends it, signed where the tests
// can sign.
func sampled(t testing.TB) (list []providertest.Genuine) {
	t.Helper()
	for name, config := range providertest.Configs() {
		p := providertest.MustParse(t, config)
		more := map[string]string{}
		if filler, ok := p.(provider.SampleFiller); ok {
			more = filler.SampleValues()
		}
		for _, sample := range p.Profile().Samples() {
			fresh := func() *template.Request {
				r, err := sample.Request(providertest.Now, more)
				if err != nil {
					t.Fatal(err)
				}
				r.To(&url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/hooks/a"})
				return signed(t, p, name, r, providertest.Now)
			}
			list = append(list, providertest.Genuine{Name: name, Provider: p, At: providertest.Now, Make: fresh})
		}
	}
	slices.SortStableFunc(list, func(a, b providertest.Genuine) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// keyed has a request of each preset whose proofs only the provider can make.
func keyed(t testing.TB) []providertest.Genuine {
	return slices.DeleteFunc(providertest.GenuineRequests(t), func(g providertest.Genuine) bool {
		return providertest.KeyedConfigs[g.Provider.(*provider.Known).Preset().Name] == ""
	})
}

// signed returns a request with a proof, and as Verify leaves it. Of a preset whose proofs
// only the provider can make, the request stays as it is.
func signed(t testing.TB, p provider.Provider, name string, r *template.Request, now time.Time) *template.Request {
	if providertest.KeyedConfigs[name] != "" {
		return r
	}
	if err := p.Sign(r, now); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := p.Verify(r, now); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

// The presets whose delivery ID, or whose event type, nobody signs: a header that the
// proof does not cover has it, or a proof that covers nothing but itself.
var (
	unsignedIDs = strings.Fields(`
		adobe_sign adyen attio auth0 azure_event_grid bitbucket bitbucket_server buildkite chargebee cloudevents contentful convoy discourse
		documenso fusesign getstream gitea github gogs ignisign jira linear mailgun mailomat mercadopago microsoft_graph modern_treasury
		monday okta pandadoc plivo razorpay sanity sentry shopify telegram transloadit travis twilio wise woocommerce`)
	unsignedEvents = strings.Fields(`
		adobe_sign auth0 azure_event_grid bitbucket chargebee cloudevents contentful discourse documenso fusesign gitea github gitlab
		gogs ignisign insertsign mailgun mandrill mercadopago microsoft_graph monday netlify okta onespan plivo postmark
		sentry shopify telegram websub woocommerce`)
)

// TestUnsignedBytes adds, changes and doubles what a proof does not cover. Where the
// provider signs the delivery ID, or the event type, they stay what they are.
func TestUnsignedBytes(t *testing.T) {
	ids, events := make(map[string]bool), make(map[string]bool)
	all := slices.Concat(sampled(t), keyed(t), providertest.GenuineVectors(t))
	for _, g := range all {
		preset := g.Provider.(*provider.Known).Preset()
		profile := g.Provider.Profile()
		base := g.Make()
		if err := g.Provider.Verify(base, g.At); err != nil {
			if providertest.KeyedConfigs[preset.Name] == "" && preset.Name != "ignisign" {
				t.Errorf("%s: %v", g.Name, err)
			}
			continue
		}
		switch {
		case profile.Legacy: // a weaker proof
			continue
		case preset.Name == "klaviyo": // an option says what is signed, and here that is nothing
			continue
		case g.Name == "lemonsqueezy-01": // the body does not have what the header stands in for
			continue
		}
		event, id := providertest.Identify(t, profile, base)
		key := providertest.CopyKey(t, profile, base)
		for _, m := range unsignedMutations(base) {
			r := cloneRequest(base)
			if m.do(r); g.Provider.Verify(r, g.At) != nil {
				continue
			}
			gotEvent, gotID := providertest.Identify(t, profile, r)
			if event != "" && gotEvent != event {
				if events[preset.Name] = true; !slices.Contains(unsignedEvents, preset.Name) {
					t.Errorf("%s: event type %q, and %q with %s", g.Name, event, gotEvent, m.name)
				}
			}
			idCounts := id != "" && profile.Copies.By != provider.ByBody && profile.Copies.By != provider.ByNothing
			if idCounts && (gotID != id || providertest.CopyKey(t, profile, r) != key) {
				if ids[preset.Name] = true; !slices.Contains(unsignedIDs, preset.Name) {
					t.Errorf("%s: another key with %s: ID %q, and %q", g.Name, m.name, id, gotID)
				}
			}
		}
	}
	for what, lists := range map[string][2][]string{"delivery IDs": {unsignedIDs, slices.Sorted(maps.Keys(ids))}, "event types": {unsignedEvents, slices.Sorted(maps.Keys(events))}} {
		if !slices.Equal(lists[0], lists[1]) {
			t.Errorf("%s that nobody signs: want\n%s\ngot\n%s", what, strings.Join(lists[0], " "), strings.Join(lists[1], " "))
		}
	}
}

// TestCoverageIsTrue holds what is said of the presets' proofs against what they are seen
// to cover.
func TestCoverageIsTrue(t *testing.T) {
	for _, d := range provider.Descriptions() {
		for i, c := range d.Covers {
			if c.Legacy || i > 0 {
				continue // samples have the first proof
			}
			if c.ID == provider.CoveredWhole && d.Copies.By != provider.ByBody && (c.Body == provider.CoveredWhole || d.Copies.By == provider.ByID) && slices.Contains(unsignedIDs, d.Name) {
				t.Errorf("%s: said to have a signed ID", d.Name)
			}
			if d.Name == "paypal" {
				continue // the tests make no other body with the same checksum
			}
			if c.ID == provider.CoveredNot && !slices.Contains(unsignedIDs, d.Name) {
				t.Errorf("%s: said to have no signed ID", d.Name)
			}
			if c.Event == provider.CoveredWhole && slices.Contains(unsignedEvents, d.Name) {
				t.Errorf("%s: said to have a signed event type", d.Name)
			}
			if c.Event == provider.CoveredNot && d.Name != "twilio" && !slices.Contains(unsignedEvents, d.Name) { // Twilio joins names and values, which tests do not part elsewhere
				t.Errorf("%s: said to have no signed event type", d.Name)
			}
		}
	}
	for _, g := range providertest.GenuineRequests(t) {
		name := g.Provider.(*provider.Known).Preset().Name
		all := provider.Descriptions()
		d := all[slices.IndexFunc(all, func(d provider.Description) bool { return d.Name == name })]
		if name == "klaviyo" || len(g.Make().Body) == 0 {
			continue // where options say what is signed
		}
		covered := provider.CoveredNot
		if g.CoversBody() {
			covered = provider.CoveredWhole
		}
		if !slices.ContainsFunc(d.Covers, func(c provider.Coverage) bool { return c.Body == covered || c.Body == provider.CoveredPart }) {
			t.Errorf("%s: the proof covers the body: %s", name, covered)
		}
	}
}

// readHeader matches what expressions read in headers.
var readHeader = regexp.MustCompile(`header\("([^"]+)"\)`)

// knownHeaders are the headers that any expression reads, and any proof, and those that
// say how a body is to be read.
var knownHeaders = sync.OnceValue(func() []string {
	names := map[string]bool{"Content-Type": true, "Content-Encoding": true, "X-Http-Method-Override": true, "X-Added": true}
	for _, p := range provider.Presets() {
		expressions := []string{p.Event, p.ID}
		for i := range p.Proofs {
			expressions = append(expressions, p.Proofs[i].Event, p.Proofs[i].ID)
			for _, name := range p.Proofs[i].SchemeHeaders() {
				if !strings.Contains(name, "{") {
					names[name] = true
				}
			}
		}
		for _, match := range readHeader.FindAllStringSubmatch(strings.Join(expressions, " "), -1) {
			names[textproto.CanonicalMIMEHeaderKey(match[1])] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
})

// contentTypes are what an unsigned Content-Type may become.
var contentTypes = []string{"", "application/json", "application/xml", "text/plain", providertest.FormType,
	providertest.MultipartType + "; boundary=b", "application/vnd.api+json", "application/octet-stream"}

// unsignedMutations are changes that a proof may not notice.
func unsignedMutations(r *template.Request) (list []mutation) {
	add := func(name string, do func(*template.Request)) { list = append(list, mutation{name, do}) }
	for _, name := range knownHeaders() {
		add("another "+name, func(r *template.Request) { r.Header[name] = []string{"other"} })
		add("no "+name, func(r *template.Request) { delete(r.Header, name) })
		add("one more "+name+" first", func(r *template.Request) {
			r.Header[name] = append([]string{"t=1,h=x-event-id,v1=00"}, r.Header[name]...)
		})
		add("one more "+name+" last", func(r *template.Request) { r.Header[name] = append(slices.Clone(r.Header[name]), "other") })
	}
	for _, contentType := range contentTypes {
		add("Content-Type "+contentType, func(r *template.Request) { r.Header["Content-Type"] = []string{contentType} })
	}
	add("another path", func(r *template.Request) { r.Path += "x"; r.Public.Path += "x" })
	for _, query := range []string{"added=1", "status=other", "MessageUUID=other", "type=other"} {
		add("query "+query, func(r *template.Request) {
			r.RawQuery = strings.TrimPrefix(r.RawQuery+"&"+query, "&")
			r.Public.RawQuery = strings.TrimPrefix(r.Public.RawQuery+"&"+query, "&")
		})
	}
	return append(list, looseBodies(r.Body)...)
}

// looseBodies change what stands in a body that is covered in part.
func looseBodies(body []byte) (list []mutation) {
	add := func(name string, body []byte) {
		list = append(list, mutation{name, func(r *template.Request) { r.Body = body }})
	}
	add("a field more", append(bytes.Clone(body), "&added=1"...))
	for i := range body {
		if body[i] == '=' && i > 0 { // names and values that are signed run together
			shifted := bytes.Clone(body)
			shifted[i-1], shifted[i] = '=', shifted[i-1]
			add("a name that is shorter", shifted)
		}
	}
	if !json.Valid(body) {
		return list
	}
	var walk func(at any, path string)
	walk = func(at any, path string) {
		inner := func(step string, value any) { walk(value, strings.TrimPrefix(path+"."+step, ".")) }
		switch at := at.(type) {
		case string:
			if path != "" {
				add("another "+path, providertest.SetJSONText(body, path, "other"))
			}
		case []any:
			for i, value := range at[:min(len(at), 9)] {
				inner(strconv.Itoa(i), value)
			}
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(at))[:min(len(at), 9)] {
				inner(meaningful.ReplaceAllString(name, `\$0`), at[name])
			}
		}
	}
	walk(decoded(body), "")
	return list
}

// meaningful are the characters that stand for something in a path.
var meaningful = regexp.MustCompile(`[][\\.|#*?@!{}]`)

// decoded returns what a JSON text holds.
func decoded(text []byte) (value any) {
	_ = json.Unmarshal(text, &value)
	return value
}

func cloneRequest(r *template.Request) *template.Request {
	c := *r
	if r.Public != nil {
		public := *r.Public
		c.Public = &public
	}
	c.Body, c.Header, c.Proof = bytes.Clone(r.Body), maps.Clone(r.Header), 0
	for name, values := range c.Header {
		c.Header[name] = slices.Clone(values)
	}
	return &c
}

// suspicious matches names of fields that may change from one try to the next.
var suspicious = regexp.MustCompile(`(?i)attempt|retr(y|ies)|redeliver|resend|tries|pending|delivery_?count|deliver(ed|y)_?(at|status)|sent_?(at|date)|webhook_status|scheduled_for`)

// staying are the suspicious fields that tell events apart, with the reason.
var staying = map[string]string{
	"docusign data.envelopeSummary.sentDateTime": "is when the envelope was sent to its signers",
	"insertsign data.request.sent_date":          "is when the document was sent to its signers",
	"intercom first_sent_at":                     "is when the first try was made",
	"iusign data.sent_at":                        "is when the envelope was sent to its signers",
	"postmark DeliveredAt":                       "is when the mail was delivered",
	"stripe data.object.attempt_count":           "is about the payment",
	"stripe data.object.attempted":               "is about the payment",
	"heroku webhook_metadata.attempt":            "holds what is left out",
}

// TestRetryFieldsAreDecided holds that each field of the samples whose name suggests that
// it changes from one try to the next is left out of what tells copies, or listed above.
func TestRetryFieldsAreDecided(t *testing.T) {
	seen := make(map[string]bool)
	for _, g := range sampled(t) {
		volatile := g.Provider.Profile().Copies.Volatile
		for _, path := range fieldsOf(g.Make()) {
			last := path[strings.LastIndexByte(path, '.')+1:]
			if slices.Contains(volatile, "{json."+path+"}") || slices.Contains(volatile, "{form."+path+"}") {
				seen[g.Name+" "+path] = true
				continue
			}
			if suspicious.MatchString(last) {
				if seen[g.Name+" "+path] = true; staying[g.Name+" "+path] == "" {
					t.Errorf("%s: does %s change from one try to the next?", g.Name, path)
				}
			}
		}
	}
	for field, reason := range staying {
		if reason != "" && !seen[field] {
			t.Errorf("%s is in no sample", field)
		}
	}
}

// fieldsOf returns the paths of the fields of a body, with # for positions.
func fieldsOf(r *template.Request) (paths []string) {
	if !json.Valid(r.Body) {
		form, _ := url.ParseQuery(string(r.Body))
		return slices.Sorted(maps.Keys(form))
	}
	found := make(map[string]bool)
	var walk func(at any, path string)
	walk = func(at any, path string) {
		switch at := at.(type) {
		case []any:
			for _, value := range at {
				walk(value, strings.TrimPrefix(path+".#", "."))
			}
		case map[string]any:
			for name, value := range at {
				inner := strings.TrimPrefix(path+"."+name, ".")
				found[inner] = true
				walk(value, inner)
			}
		}
	}
	walk(decoded(r.Body), "")
	return slices.Sorted(maps.Keys(found))
}

// TestDeclaredKinds holds each preset to what it says of copies: events of one object have
// keys of their own, and a retry, with what the provider changes and a proof of its own,
// has the key of the first try.
func TestDeclaredKinds(t *testing.T) {
	kinds := make(map[string]int)
	for _, g := range sampled(t) {
		profile, name := g.Provider.Profile(), g.Name
		key := func(r *template.Request) string { return providertest.CopyKey(t, profile, r) }
		resent := func(after time.Duration, change func(*template.Request)) (first string, r *template.Request) {
			r = g.Make()
			first = key(r)
			change(r)
			r = signed(t, g.Provider, name, r, g.At.Add(after))
			if first == "" && profile.Copies.By != provider.ByNothing {
				t.Errorf("%s: a sample has no key", name)
			}
			return first, r
		}
		kinds[profile.Copies.By]++

		first, retry := resent(time.Hour, func(r *template.Request) { changeVolatile(r, profile.Copies.Volatile) })
		if name != "shopify_query" && key(retry) != first { // whose time is part of the request
			t.Errorf("%s: a retry is another event:\n%s\n%s", name, first, key(retry))
		}
		first, other := resent(0, changeState)
		switch profile.Copies.By {
		case provider.ByNothing:
			if key(other) != "" || key(g.Make()) != "" {
				t.Errorf("%s: something tells copies", name)
			}
		case provider.ByID:
			if again := g.Make(); key(again) == first || key(again) == key(other) && name != "shopify_query" {
				t.Errorf("%s: two events have one key", name)
			}
		default:
			if key(other) == first {
				t.Errorf("%s: two events of one object have one key %s", name, first)
			}
		}
		identity := profile.IdentityOf(g.Make().Proof)
		if profile.Copies.WithoutID == provider.ByNothing && readHeader.MatchString(identity.ID) {
			_, bare := resent(0, func(r *template.Request) {
				for _, match := range readHeader.FindAllStringSubmatch(identity.ID, -1) {
					delete(r.Header, textproto.CanonicalMIMEHeaderKey(match[1]))
				}
			})
			if _, id := providertest.Identify(t, profile, bare); id == "" && key(bare) != "" {
				t.Errorf("%s: without an ID something tells copies", name)
			}
		}
	}
	for _, by := range []string{provider.ByID, provider.ByIDAndBody, provider.ByBody, provider.ByNothing} {
		if kinds[by] < 5 {
			t.Errorf("only %d samples are told by %s", kinds[by], by)
		}
	}
}

// changeVolatile changes the fields that a provider changes from one try to the next, as
// far as they are there.
func changeVolatile(r *template.Request, volatile []string) {
	for _, text := range volatile {
		path, isJSON := strings.CutPrefix(strings.TrimSuffix(text, "}"), "{json.")
		for i := 9; isJSON && i >= 0; i-- {
			at := strings.ReplaceAll(path, "#", string(rune('0'+i)))
			var document payload.JSON
			if providertest.JSONValue(&document, r.Body, at).Exists() {
				r.Body = providertest.SetJSONText(r.Body, at, "1760003600"+map[bool]string{true: "000"}[path == "webhookTimestamp"])
			}
		}
	}
}

// changeState makes another event about the same object: a field more says what happened.
func changeState(r *template.Request) {
	switch i := bytes.IndexByte(r.Body, '{'); {
	case json.Valid(r.Body) && i >= 0:
		r.Body = slices.Concat(r.Body[:i+1], []byte(`"zz_state":2,`), r.Body[i+1:])
	case len(r.Body) > 0:
		r.Body = append(r.Body, "&zz_state=2"...)
	default:
		r.RawQuery += "&zz_state=2"
		r.Public.RawQuery = r.RawQuery
	}
}

// FuzzIdentity changes what a proof may not cover. A byte that is not signed never changes
// the key, or the event type, of a preset in which they are signed.
func FuzzIdentity(f *testing.F) {
	var list []providertest.Genuine
	for _, g := range append(sampled(f), keyed(f)...) {
		preset := g.Provider.(*provider.Known).Preset().Name
		r := g.Make()
		if slices.Contains(unsignedIDs, preset) || g.Provider.Verify(r, g.At) != nil {
			continue
		}
		if _, id := providertest.Identify(f, g.Provider.Profile(), r); id != "" {
			list = append(list, g)
		}
	}
	f.Add(uint16(0), "Content-Type", "text/plain", false, "a=b", "/x", "")
	f.Add(uint16(1), "Svix-Id", "other", true, "", "", "{}")
	f.Add(uint16(2), "Idempotency-Key", "other", false, "id=1", "", " ")
	f.Add(uint16(3), "X-Hook0-Signature", "t=1,h=x-event-id,v1=00", true, "", "", "")
	f.Add(uint16(4), "Content-Type", "multipart/form-data; boundary=b", false, "", "", "--b--")
	f.Fuzz(func(t *testing.T, which uint16, name, value string, before bool, query, path, body string) {
		g := list[int(which)%len(list)]
		base := g.Make()
		if g.Provider.Verify(base, g.At) != nil {
			t.Fatal("a genuine request is refused")
		}
		profile, preset := g.Provider.Profile(), g.Provider.(*provider.Known).Preset().Name
		r := cloneRequest(base)
		if name = textproto.CanonicalMIMEHeaderKey(name); name != "" {
			if before {
				r.Header[name] = append([]string{value}, r.Header[name]...)
			} else {
				r.Header[name] = []string{value}
			}
		}
		r.RawQuery, r.Public.RawQuery = cmp.Or(query, r.RawQuery), cmp.Or(query, r.Public.RawQuery)
		r.Path, r.Public.Path = cmp.Or(path, r.Path), cmp.Or(path, r.Public.Path)
		r.Body = append(r.Body, body...)
		if g.Provider.Verify(r, g.At) != nil {
			return
		}
		event, _ := providertest.Identify(t, profile, base)
		if got, _ := providertest.Identify(t, profile, r); got != event && !slices.Contains(unsignedEvents, preset) {
			t.Errorf("%s: event type %q, was %q", g.Name, got, event)
		}
		if got, want := providertest.CopyKey(t, profile, r), providertest.CopyKey(t, profile, base); got != want {
			t.Errorf("%s: key %q, was %q", g.Name, got, want)
		}
	})
}
