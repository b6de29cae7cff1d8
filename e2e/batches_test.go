package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
)

// batchSite is a site with a source for batches, which a token guards. %[1]s is the line
// each, %[2]s are the routes.
const batchSite = `{$HTTPS} {
	webhook_gateway /hook {
		source batches
		provider custom {
			token header X-Key k
			event ` + "`body.kind`" + `
			id    ` + "`body.id`" + `
		}
		%[1]s
		%[2]s
	}
}
`

var batchKey = http.Header{"X-Key": {"k"}, "Content-Type": {"application/json"}}

// startBatches runs a gateway whose source has a line each and a route to an app.
func startBatches(t *testing.T, each string, more ...string) (*gateway, *app) {
	t.Helper()
	a := newApp(t, nil)
	routes := strings.Join(append(more, "route app "+a.address), "\n\t\t")
	return start(t, fmt.Sprintf(batchSite, each, routes)), a
}

// bodies returns what the app got, in order.
func (a *app) bodies() (bodies []string) {
	for _, d := range a.deliveries() {
		bodies = append(bodies, string(d.body))
	}
	slices.Sort(bodies)
	return bodies
}

// Each element is an event with its own type, ID, routes and duplicates, and reaches the
// app byte for byte in what stood around the list.
func TestBatch(t *testing.T) {
	t.Parallel()
	clicks := newApp(t, nil)
	g, a := startBatches(t, "each body.list", "route clicks `event == \"click\" && body.id != \"x\"` "+clicks.address)
	before, after := `{ "account":7,`+"\t"+`"list" : [`, `], "list2":[1] }`
	one, two, three := `{"kind": "open",  "id":"a", "n":1.00}`, `{"id":"b","kind":"click","é":"\u00e9"}`, `{"kind":"open","id":"c"}`
	batch := before + one + ",\n  " + two + " , " + one + "," + three + " " + after
	header := batchKey.Clone()
	header.Set("Content-Digest", "sha-256=:AAAA:")
	if status, _ := g.post("/hook", header, []byte(batch)); status != 200 {
		t.Fatal(status)
	}
	a.waitFor(t, 3)
	want := []string{before + one + after, before + two + after, before + three + after}
	slices.Sort(want)
	if got := a.bodies(); !slices.Equal(got, want) {
		t.Errorf("delivered\n%q, want\n%q", got, want)
	}
	parts := map[string]string{}
	for _, d := range a.deliveries() {
		parts[d.header.Get("Webhook-Gateway-Part")] = d.header.Get("Webhook-Gateway-Event-Type")
		if d.header.Get("Content-Digest") != "" {
			t.Error("the digest of the whole is delivered with a part")
		}
	}
	if !maps.Equal(parts, map[string]string{"1/4": "open", "2/4": "click", "4/4": "open"}) {
		t.Errorf("parts are %v", parts)
	}
	if got := clicks.waitFor(t, 1); string(got[0].body) != before+two+after {
		t.Errorf("clicks got %q", got[0].body)
	}
	var ids []string
	for _, e := range g.events(url.Values{"source": {"batches"}}) { // newest first
		ids = append(ids, e.DeliveryID)
	}
	if strings.Join(ids, "") != "cba" {
		t.Errorf("events are in the order %v", ids)
	}

	// What is known is a duplicate, the rest is new.
	if status, _ := g.post("/hook", batchKey, []byte(before+two+","+strings.Replace(three, `"c"`, `"d"`, 1)+after)); status != 200 {
		t.Fatal(status)
	}
	a.waitFor(t, 4)
	resp, err := g.do(http.MethodPost, "https://"+g.https+"/hook", batchKey, strings.NewReader(before+two+","+one+after))
	if err != nil || resp.status != 200 || resp.header.Get("Webhook-Gateway-Duplicate") != "true" {
		t.Errorf("a batch of duplicates is answered %+v, %v", resp, err)
	}
	for outcome, want := range map[string]float64{"accepted": 4, "duplicate": 4} {
		if n := g.metric(`caddy_webhook_gateway_parts_total{outcome="` + outcome + `",source="batches"}`); n != want {
			t.Errorf("%v parts are counted as %s, want %v", n, outcome, want)
		}
	}
}

// With as element the app gets the element alone.
func TestBatchAsElement(t *testing.T) {
	t.Parallel()
	g, a := startBatches(t, "each body as element")
	packed := new(bytes.Buffer)
	w := gzip.NewWriter(packed)
	fmt.Fprint(w, "\ufeff[ {\"kind\":\"a\" , \"id\":1} ,{\"kind\":\"b\",\"id\":2}]")
	w.Close()
	header := batchKey.Clone()
	header.Set("Content-Encoding", "gzip")
	if status, _ := g.post("/hook", header, packed.Bytes()); status != 200 {
		t.Fatal(status)
	}
	a.waitFor(t, 2)
	if got := a.bodies(); !slices.Equal(got, []string{`{"kind":"a" , "id":1}`, `{"kind":"b","id":2}`}) {
		t.Errorf("delivered %q", got)
	}
	header = batchKey.Clone()
	header.Set("Content-Type", "application/x-ndjson")
	if status, _ := g.post("/hook", header, []byte("{\"kind\":\"c\",\"id\":3}\n\n{\"kind\":\"d\",\"id\":4}\n")); status != 200 {
		t.Fatal(status)
	}
	last := a.waitFor(t, 4)[2:]
	for _, d := range last {
		if encoding, media := d.header.Get("Content-Encoding"), d.header.Get("Content-Type"); encoding != "" || media != "application/json" {
			t.Errorf("%s is delivered as %q, %q", d.body, encoding, media)
		}
	}
}

// A verified request is never refused for its shape: what cannot be cut is one event.
func TestBatchStoredWhole(t *testing.T) {
	t.Parallel()
	g, a := startBatches(t, "each body.list")
	many := `{"list":[` + strings.Repeat(`{"kind":"m"},`, 10_000) + `{"kind":"m"}]}`
	around := `{"big":"` + strings.Repeat("x", 1<<20) + `","list":[` + strings.Repeat(`1,`, 70) + `1]}`
	for n, test := range []struct{ body, reason, event, id string }{
		{`{"kind":"single","id":"s"}`, "no_list", "single", "s"},
		{`{"list":{"kind":"x"}}`, "no_list", "", ""},
		{`no JSON`, "no_list", "", ""},
		{`{"list":[]}`, "empty", "batch", ""},
		{many, "too_many", "batch", ""},
		{around, "unframed", "batch", ""},
	} {
		metric := `caddy_webhook_gateway_undivided_total{reason="` + test.reason + `",source="batches"}`
		before := g.metric(metric)
		if status, _ := g.post("/hook", batchKey, []byte(test.body)); status != 200 {
			t.Errorf("%.40s is answered %d", test.body, status)
			continue
		}
		got := a.waitFor(t, n+1)[n]
		if string(got.body) != test.body || got.header.Get("Webhook-Gateway-Event-Type") != test.event || got.header.Get("Webhook-Gateway-Part") != "" || got.header.Get("X-Key") != "k" {
			t.Errorf("%.40s is delivered as %.40s with %v", test.body, got.body, got.header)
		}
		if g.metric(metric) != before+1 {
			t.Errorf("%.40s is not counted as %s", test.body, test.reason)
		}
		if e := g.events(url.Values{"limit": {"1"}})[0]; test.id != "" && e.DeliveryID != test.id || len(e.DeliveryID) < len(test.id) || e.Part != nil {
			t.Errorf("%.40s is event %+v", test.body, e)
		}
	}
}

// Elements that share an ID and are not the same are events of their own.
func TestBatchSharedID(t *testing.T) {
	t.Parallel()
	g, a := startBatches(t, "each body", "id `\"same\"`")
	for range 2 {
		if status, _ := g.post("/hook", batchKey, []byte(`[{"n":1},{"n":2},{"n":1}]`)); status != 200 {
			t.Fatal(status)
		}
	}
	a.waitFor(t, 2)
	g.settled("batches", 2)
	if got := a.bodies(); !slices.Equal(got, []string{`[{"n":1}]`, `[{"n":2}]`}) {
		t.Errorf("delivered %q", got)
	}
}

// byLINE is https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/:
// the base64 of the HMAC-SHA256 of the body.
func byLINE(secret string) verifier {
	return func(header http.Header, body []byte, _ time.Time) error {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		if got, err := only(header, "X-Line-Signature"); err != nil || got != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			return errSignature
		}
		return nil
	}
}

// hubspotV3 is the signature of https://developers.hubspot.com/docs/api/webhooks/validating-requests.
func hubspotV3(secret, target, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("POST" + target + string(body) + timestamp))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// A part has no proof, since the proof of the request covers the others as well, unless
// the route signs it: then an app with the provider's own check takes it.
func TestBatchSignedAgain(t *testing.T) {
	t.Parallel()
	unsigned, line, hubspot, standard := newApp(t, nil), newApp(t, nil), newApp(t, nil), newApp(t, nil)
	const secret, whsec = "s3cret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	g := start(t, `{$HTTPS} {
	webhook_gateway /line {
		provider line `+secret+`
		each
		route unsigned `+unsigned.address+`
		route signed `+line.address+` {
			sign provider
		}
	}
	webhook_gateway /hubspot {
		provider hubspot `+secret+`
		each
		route signed `+hubspot.address+` {
			sign provider
		}
		route standard `+standard.address+` {
			sign standard `+whsec+`
		}
	}
}
`)
	body := []byte(`{"destination":"U1","events":[{"type":"message","webhookEventId":"1"},{"type":"follow","webhookEventId":"2"}]}`)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	if status, _ := g.post("/line", http.Header{"X-Line-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))}}, body); status != 200 {
		t.Fatal(status)
	}
	for _, d := range line.waitFor(t, 2) {
		if err := byLINE(secret)(d.header, d.body, time.Now()); err != nil {
			t.Errorf("%s: %v", d.body, err)
		}
	}
	for _, d := range unsigned.waitFor(t, 2) {
		if got := d.header.Get("X-Line-Signature"); got != "" {
			t.Errorf("%s has the proof of the whole: %s", d.body, got)
		}
	}

	body, now := []byte(`[{"subscriptionType":"contact.creation","subscriptionId":1,"eventId":1,"occurredAt":1},{"subscriptionType":"deal.creation","subscriptionId":1,"eventId":2,"occurredAt":2}]`), strconv.FormatInt(time.Now().UnixMilli(), 10)
	target := "https://" + g.https + "/hubspot"
	header := http.Header{
		"X-Hubspot-Signature-V3": {hubspotV3(secret, target, now, body)}, "X-Hubspot-Request-Timestamp": {now},
		"X-Hubspot-Signature": {"0123"}, "X-Hubspot-Signature-Version": {"v2"},
	}
	if status, _ := g.post("/hubspot", header, body); status != 200 {
		t.Fatal(status)
	}
	for _, d := range hubspot.waitFor(t, 2) {
		at := d.header.Get("X-Hubspot-Request-Timestamp")
		if d.header.Get("X-Hubspot-Signature-V3") != hubspotV3(secret, target, at, d.body) || d.header.Get("X-Hubspot-Signature") == "0123" {
			t.Errorf("%s has the headers %v", d.body, d.header)
		}
	}
	for _, d := range standard.waitFor(t, 2) {
		if err := byStandard(whsec)(d.header, d.body, time.Now()); err != nil || d.header.Get("X-Hubspot-Signature-V3") != "" {
			t.Errorf("%s with %v: %v", d.body, d.header, err)
		}
	}
}

// Mandrill's list is JSON in a field of a form.
func TestBatchInForm(t *testing.T) {
	t.Parallel()
	framed, bare := newApp(t, nil), newApp(t, nil)
	site := `	webhook_gateway /%[1]s {
		source %[1]s
		provider custom {
			token header X-Key k
		}
		event body.event
		each body.mandrill_events %[2]s
		route opens ` + "`body.event == \"open\"`" + ` %[3]s
	}
`
	g := start(t, "{$HTTPS} {\n"+fmt.Sprintf(site, "framed", "", framed.address)+fmt.Sprintf(site, "bare", "as element", bare.address)+"}\n")
	element := `{"event":"open","msg":{"subject":"é & ü","_id":"1"}}`
	form := "a=1&mandrill_events=" + url.QueryEscape("["+element+`,{"event":"click"}]`) + "&z=%20"
	header := http.Header{"X-Key": {"k"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	for _, path := range []string{"/framed", "/bare"} {
		if status, _ := g.post(path, header, []byte(form)); status != 200 {
			t.Fatal(status)
		}
	}
	if d := framed.waitFor(t, 1)[0]; string(d.body) != "a=1&mandrill_events="+url.QueryEscape("["+element+"]")+"&z=%20" || d.header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("delivered %s with %v", d.body, d.header)
	}
	if d := bare.waitFor(t, 1)[0]; string(d.body) != element || d.header.Get("Content-Type") != "application/json" {
		t.Errorf("delivered %s with %v", d.body, d.header)
	}
	// An expression over a stored part sees the element, too.
	if found := g.events(url.Values{"source": {"framed"}, "where": {`body.msg.subject == "é & ü"`}}); len(found) != 1 || found[0].Type != "open" {
		t.Errorf("found %+v", found)
	}
}

// The commands know parts.
func TestBatchCommands(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	g := start(t, `{$HTTPS} {
	webhook_gateway /line {
		provider line s3cret
		each
		route messages `+"`event == \"message\" && body.source.userId != \"\"` "+a.address+`
		otherwise `+a.address+`
	}
}
`)
	stdout, stderr, status := g.command("webhook", "send", "line", "--address", g.admin)
	if status != 0 || !strings.Contains(stdout, "delivery  to messages: delivered") {
		t.Errorf("send: %d %s%s", status, stdout, stderr)
	}
	e := g.events(url.Values{"source": {"line"}})[0]
	if e.Part == nil || *e.Part != (operate.PartInfo{Number: 1, Of: 1}) {
		t.Errorf("the event is %+v", e)
	}
	if stdout, _, _ := g.command("webhook", "show", e.ID, "--address", g.admin); !strings.Contains(stdout, "1 of 1 events of one request") {
		t.Errorf("show: %s", stdout)
	}
	if stdout, _, _ := g.command("webhook", "events", "--address", g.admin); !strings.Contains(stdout, "message 1/1") {
		t.Errorf("events: %s", stdout)
	}

	body := `{"destination":"U1","events":[{"type":"message","webhookEventId":"1","source":{"userId":"u"}},{"type":"follow","webhookEventId":"2"}]}`
	mac := hmac.New(sha256.New, []byte("s3cret"))
	mac.Write([]byte(body))
	file := filepath.Join(g.dir, "request.txt")
	raw := "POST /line HTTP/1.1\nHost: " + g.https + "\nX-Line-Signature: " + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + "\n\n" + body
	if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, status = g.command("webhook", "verify", "--config", g.config, "--source", "line", file)
	if status != 0 || !strings.Contains(stdout, "event type message, delivery ID 1") || !strings.Contains(stdout, "event type follow, delivery ID 2") {
		t.Errorf("verify: %d %s%s", status, stdout, stderr)
	}
	stdout, stderr, status = g.command("webhook", "rules", "--address", g.admin, "--source", "line", file)
	if status != 0 || !strings.Contains(stdout, "part   2/2\nevent  follow\nid     2\n") {
		t.Errorf("rules: %d %s%s", status, stdout, stderr)
	}
}

// Batches with the same elements in another order come over 64 connections at once. None
// waits for ever, and each element is one event.
func TestBatchesCross(t *testing.T) {
	t.Parallel()
	g, a := startBatches(t, "each body")
	const elements, rounds = 40, 6
	chance := dice(t)
	list := func() []byte {
		order := chance.Perm(elements)
		var b bytes.Buffer
		for i, n := range order {
			fmt.Fprintf(&b, "%c{\"kind\":\"k\",\"id\":%d}", "[,"[min(i, 1)], n)
		}
		return append(b.Bytes(), ']')
	}
	var bodies [][]byte
	for range 64 * rounds {
		bodies = append(bodies, list())
	}
	work := make(chan []byte, len(bodies))
	for _, body := range bodies {
		work <- body
	}
	close(work)
	began := time.Now()
	crowd(64, func() (done int) {
		for body := range work {
			if status := g.try("/hook", batchKey, body); status != 200 {
				t.Errorf("answered %d", status)
			}
			done++
		}
		return done
	})
	t.Logf("%d batches of %d elements took %v", len(bodies), elements, time.Since(began))
	a.waitFor(t, elements)
	g.settled("batches", elements)
	if n := len(a.deliveries()); n != elements {
		t.Errorf("%d deliveries of %d events", n, elements)
	}
}

// The process is killed while batches come in. Of each batch all elements are stored, or
// none.
func TestBatchSIGKILL(t *testing.T) {
	t.Parallel()
	g, _ := startBatches(t, "each body", "route parked `false` 127.0.0.1:9")
	chance := dice(t)
	acknowledged, batch := map[string]bool{}, 0
	const size = 700
	for range rounds(4, 60) {
		killing := make(chan struct{})
		go func(after time.Duration) {
			time.Sleep(after)
			g.kill()
			close(killing)
		}(time.Duration(chance.Int64N(int64(600 * time.Millisecond))))
		for alive := true; alive; {
			batch++
			var b bytes.Buffer
			for i := range size {
				fmt.Fprintf(&b, "%c{\"kind\":\"%d\",\"id\":\"%d.%d\",\"x\":%q}", "[,"[min(i, 1)], batch, batch, i, strings.Repeat("x", 200))
			}
			b.WriteByte(']')
			resp, err := g.do(http.MethodPost, "https://"+g.https+"/hook", batchKey, &b)
			if alive = err == nil; alive && resp.status == 200 {
				acknowledged[strconv.Itoa(batch)] = true
			}
		}
		<-killing
		g.run()
	}
	stored := map[string]int{}
	for _, e := range g.events(url.Values{"source": {"batches"}, "limit": {"1000000"}}) {
		stored[e.Type]++
	}
	for kind, n := range stored {
		if n != size {
			t.Errorf("%d of the %d elements of batch %s are stored", n, size, kind)
		}
		delete(acknowledged, kind)
	}
	if len(acknowledged) > 0 {
		t.Errorf("acknowledged and lost: %v", acknowledged)
	}
	t.Logf("%d batches, %d of them stored", batch, len(stored))
}

// A batch of as many elements as there may be: what it costs.
func TestBatchOfTenThousand(t *testing.T) {
	t.Parallel()
	g, _ := startBatches(t, "each body")
	var b bytes.Buffer
	for i := range 10_000 {
		fmt.Fprintf(&b, "%c{\"kind\":\"open\",\"id\":\"%d\",\"email\":\"someone%d@example.com\",\"x\":%q}", "[,"[min(i, 1)], i, i, strings.Repeat("x", 200))
	}
	b.WriteByte(']')
	before := g.memory()
	began := time.Now()
	if status, answer := g.post("/hook", batchKey, b.Bytes()); status != 200 {
		t.Fatal(status, answer)
	}
	took := time.Since(began)
	t.Logf("a batch of 10,000 elements and %d bytes was acknowledged after %v; memory grew from %d to %d MiB", b.Len(), took, before>>20, g.memory()>>20)
	if grown := g.memory() - before; grown > 250<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
	if n := g.metric(`caddy_webhook_gateway_parts_total{outcome="accepted",source="batches"}`); n != 10_000 {
		t.Errorf("%v parts were accepted", n)
	}
}
