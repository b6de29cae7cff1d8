package sdks

import (
	"context"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/line/line-bot-sdk-go/v8/linebot/webhook"
)

// oddText is a text in which libraries differ, as JSON.
const oddText = `"\"<b>&'\/\u00e9é😀\n` + "\u2028" + ` 1"`

// What TestBatches has. None of these may become less.
const (
	leastBatches       = 7 // sources
	leastBatchesSigned = 3 // those whose SDK accepts parts by sign provider
	leastStandard      = 5 // SDKs that accept parts by sign standard
)

// batch is a webhook with three events, by the form of its provider.
type batch struct {
	contentType   string
	before, after string // what stands around the elements
	between       string // what stands between two of them
	elements      []string
	types, ids    []string // of the elements, by the vendor's documents
	proof         string   // its header

	// sign signs in the provider's place, where the SDK cannot.
	sign func(x *trial, m *message) error
	// parse has the SDK say the types of the events in a message. Not every SDK can.
	parse func(ctx context.Context, m *message) ([]string, error)
}

// batches are the providers' batches.
func batches(t *testing.T) map[string]*batch {
	return map[string]*batch{
		"sendgrid": {
			contentType: "application/json", before: "[", between: ",\r\n", after: "]\r\n",
			elements: []string{
				`{"email":"a@example.com","timestamp":1513299569,"event":"open","sg_event_id":"one=="}`,
				`{ "email": "b@example.com", "odd": ` + oddText + `, "timestamp": 1513299570, "event": "click", "sg_event_id": "two" }`,
				`{"email":"c@example.com","timestamp":1.513299571e9,"event":"bounce","sg_event_id":"three"}`,
			},
			types: []string{"open", "click", "bounce"}, ids: []string{"one==", "two", "three"},
			proof: "X-Twilio-Email-Event-Webhook-Signature", sign: signSendGrid,
		},
		"hubspot": {
			contentType: "application/json", before: "[", between: ",", after: "]",
			elements: []string{
				`{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1462216307945,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123}`,
				`{"eventId":2,"subscriptionId":12346,"portalId":62515,"occurredAt":1462216307946,"subscriptionType":"deal.propertyChange","propertyValue":` + oddText + `}`,
				`{"eventId":1,"subscriptionId":12347,"portalId":62515,"occurredAt":1462216307945,"subscriptionType":"company.deletion","objectId":125}`,
			},
			types: []string{"contact.creation", "deal.propertyChange", "company.deletion"},
			ids:   []string{"12345.1.1462216307945", "12346.2.1462216307946", "12347.1.1462216307945"},
			proof: "X-HubSpot-Signature-v3",
		},
		"line": {
			contentType: "application/json; charset=utf-8", between: " , ",
			before: `{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[`, after: `]}`,
			elements: []string{
				`{"type":"message","mode":"active","timestamp":1462629479859,"webhookEventId":"01A","deliveryContext":{"isRedelivery":false},"source":{"type":"user","userId":"U1"},"message":{"type":"text","id":"1","quoteToken":"q","text":` + oddText + `}}`,
				`{"type":"follow","mode":"active","timestamp":1462629479860,"webhookEventId":"01B","deliveryContext":{"isRedelivery":false},"source":{"type":"user","userId":"U2"},"replyToken":"r","follow":{"isUnblocked":false}}`,
				`{"type":"unfollow","mode":"active","timestamp":1462629479861,"webhookEventId":"01C","deliveryContext":{"isRedelivery":true},"source":{"type":"user","userId":"U3"}}`,
			},
			types: []string{"message", "follow", "unfollow"}, ids: []string{"01A", "01B", "01C"},
			proof: "X-Line-Signature", sign: signLINE, parse: parseLINE,
		},
		"cloudevents": cloudEventsBatch(t),
	}
}

// signSendGrid signs as SendGrid does, with the key that stands in for SendGrid's:
// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features.
func signSendGrid(x *trial, m *message) error {
	block, _ := pem.Decode([]byte(x.PEM))
	if block == nil {
		return errors.New("the private key is no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return err
	}
	at := fmt.Sprint(time.Now().Unix())
	digest := sha256.Sum256(append([]byte(at), m.Body...))
	signature, err := ecdsa.SignASN1(rand.Reader, key.(*ecdsa.PrivateKey), digest[:])
	m.set("X-Twilio-Email-Event-Webhook-Timestamp", at)
	m.set("X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(signature))
	return err
}

// signLINE signs as LINE does:
// https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/.
func signLINE(x *trial, m *message) error {
	mac := hmac.New(sha256.New, []byte(x.own))
	mac.Write(m.Body)
	m.set("X-Line-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}

// parseLINE reads the events as LINE's SDK for Go does once the proof is right.
func parseLINE(_ context.Context, m *message) (types []string, err error) {
	var callback webhook.CallbackRequest
	err = json.Unmarshal(m.Body, &callback)
	for _, e := range callback.Events {
		types = append(types, e.GetType())
	}
	return types, err
}

// cloudEventsBatch is made by the SDK.
func cloudEventsBatch(t *testing.T) *batch {
	t.Helper()
	b := &batch{proof: "Authorization", parse: parseCloudEvents, sign: func(x *trial, m *message) error {
		m.set("Authorization", "Bearer "+x.own)
		return nil
	}}
	list := make([]cloudevents.Event, 0, 3)
	for i, kind := range []string{"signed", "extended", "ended"} {
		e := cloudevents.NewEvent()
		e.SetType("com.example.lease." + kind)
		e.SetSource("https://example.com/leases")
		e.SetID(fmt.Sprint("lease-", i))
		e.SetTime(time.Now())
		e.SetExtension("tenant", "t1")
		if err := e.SetData(cloudevents.ApplicationJSON, map[string]any{"odd": json.RawMessage(oddText), "lease": 17}); err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
		b.types, b.ids = append(b.types, e.Type()), append(b.ids, e.Source()+" "+e.ID())
	}
	r, err := cloudevents.NewHTTPRequestFromEvents(t.Context(), "http://unused", list)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(body, &elements); err != nil {
		t.Fatal(err)
	}
	for _, element := range elements {
		b.elements = append(b.elements, string(element))
	}
	b.contentType, b.before, b.between, b.after = r.Header.Get("Content-Type"), "[", ",", "]\n"
	if b.whole() != string(body) {
		t.Fatalf("the SDK writes a batch in another form: %q", body)
	}
	return b
}

// parseCloudEvents reads the events with the SDK, be it one or a batch.
func parseCloudEvents(ctx context.Context, m *message) (types []string, err error) {
	var list []cloudevents.Event
	if r := request(ctx, m); r.Header.Get("Content-Type") == cloudevents.ApplicationCloudEventsBatchJSON {
		list, err = cloudevents.NewEventsFromHTTPRequest(r)
	} else {
		var e *cloudevents.Event
		if e, err = cloudevents.NewEventFromHTTPRequest(r); err == nil {
			list = append(list, *e)
		}
	}
	for _, e := range list {
		if err := e.Validate(); err != nil {
			return nil, err
		}
		var data struct {
			Lease int    `json:"lease"`
			Odd   string `json:"odd"`
		}
		if err := e.DataAs(&data); err != nil || data.Lease != 17 || !strings.Contains(data.Odd, "<b>") || e.Extensions()["tenant"] != "t1" {
			return nil, fmt.Errorf("the event has other content: %v, %w", e, err)
		}
		types = append(types, e.Type())
	}
	return types, err
}

func (b *batch) whole() string {
	return b.before + strings.Join(b.elements, b.between) + b.after
}

// batchTrial is one SDK with a batch of its provider, and a source that cuts it.
type batchTrial struct {
	*trial
	*batch
	each string // the line of the source
	apps *batchApps
}

// batchApps are the apps of the three routes.
type batchApps struct{ again, standard, unsigned *app }

func newBatchTrial(t *testing.T, g *gateway, apps *batchApps, s *sdk, each string, b *batch, p preset, n int) *batchTrial {
	t.Helper()
	x := newTrial(t, g, apps.again, s, fmt.Sprint(s.Provider, "-batch-", n), p)
	return &batchTrial{trial: x, batch: b, each: each, apps: apps}
}

// block returns the source in the Caddyfile.
func (x *batchTrial) block() string {
	again := ""
	if x.signsAgain {
		again = fmt.Sprintf("route again %s {\nsign provider %s\n}\n", x.apps.again.address, x.ours)
	}
	return fmt.Sprintf("webhook_gateway /%[1]s {\nsource %[1]s\nprovider %[2]s %[3]s {\n%[4]s\n}\n%[5]s\ninsecure_http\n%[6]sroute standard %[7]s {\nsign standard %[8]s\n}\nroute unsigned %[9]s\n}\n",
		x.source, x.Provider, x.own, strings.Join(x.Options, "\n"), x.each, again, x.apps.standard.address, secretOf("whsec", theApp), x.apps.unsigned.address)
}

// A batch that a provider signed is cut. Each part is an event of its own, and the SDKs of
// the app accept the proof that the route makes of it.
func TestBatches(t *testing.T) {
	install(t)
	g := build(t)
	_, list := startNode(t)
	list = append(list, goSDKs()...)
	apps := &batchApps{newApp(t), newApp(t), newApp(t)}
	presets, known := g.presets(), batches(t)
	var standard []*sdk
	var trials []*batchTrial
	add := func(s *sdk, each string) {
		trials = append(trials, newBatchTrial(t, g, apps, s, each, known[s.Provider], presets[s.Provider], len(trials)))
	}
	for _, s := range list {
		switch {
		case s.Provider == "standardwebhooks" || s.Provider == "svix":
			standard = append(standard, s)
		case known[s.Provider] != nil:
			add(s, "each")
		}
	}
	// Its SDK verifies nothing.
	cloud := &sdk{Name: "github.com/cloudevents/sdk-go", Provider: "cloudevents", ID: "body.id", Tamper: "header.authorization"}
	add(cloud, "each")
	add(cloud, "each body as element")
	var sources strings.Builder
	signed := 0
	for _, x := range trials {
		sources.WriteString(x.block())
		if x.signsAgain {
			signed++
		}
	}
	if len(trials) < leastBatches || signed < leastBatchesSigned || len(standard) < leastStandard {
		t.Errorf("of %d sources %d sign again, and %d SDKs verify Standard Webhooks; there were %d, %d and %d",
			len(trials), signed, len(standard), leastBatches, leastBatchesSigned, leastStandard)
	}
	g.run(sources.String())
	t.Run("each", func(t *testing.T) {
		for _, x := range trials {
			t.Run(x.source+" "+x.Name, func(t *testing.T) {
				t.Parallel()
				x.run(t.Context(), t, standard)
			})
		}
	})
}

// run plays the provider, then the apps of the routes.
func (x *batchTrial) run(ctx context.Context, t *testing.T, standard []*sdk) {
	m := &message{Method: http.MethodPost, Header: map[string]string{"content-type": x.contentType}, Body: []byte(x.whole())}
	x.public(m)
	x.provides(ctx, t, m)
	for _, part := range x.parts(t, x.apps.unsigned) {
		x.unproved(ctx, t, m, part)
	}
	ids := make(map[string]bool)
	for i, part := range x.parts(t, x.apps.standard) {
		if id := part.get("Webhook-Id"); ids[id] {
			t.Errorf("part %d of %s has the webhook-id of another: %q", i+1, x.source, id)
		}
		ids[part.get("Webhook-Id")] = true
		for _, s := range standard {
			(&trial{sdk: s}).accepts(ctx, t, fmt.Sprintf("sign standard, part %d of %s", i+1, x.source), secretOf("whsec", theApp), part)
		}
		x.parses(ctx, t, part, i)
	}
	if x.signsAgain {
		for i, part := range x.parts(t, x.apps.again) {
			x.accepts(ctx, t, fmt.Sprintf("sign provider, part %d of %s", i+1, x.source), x.ours, part)
		}
	}
	x.listed(t)
}

// provides signs the batch, and has the gateway accept it and refuse a copy that was
// tampered with. If the test signs, the SDK says whether it does so rightly.
func (x *batchTrial) provides(ctx context.Context, t *testing.T, m *message) {
	t.Helper()
	var err error
	if x.trial.sign != nil {
		err = x.trial.sign(ctx, x.own, m)
	} else {
		err = x.batch.sign(x.trial, m)
	}
	if err != nil {
		t.Fatalf("%s is not signed: %v", x.source, err)
	}
	if x.verify != nil {
		x.accepts(ctx, t, "the provider", x.own, m)
	}
	bad, err := m.tampered(x.Tamper)
	if err != nil {
		t.Fatal(err)
	}
	if status, answer, err := x.g.post(bad); status != http.StatusUnauthorized {
		t.Fatalf("tampered with, the batch of %s gets %d %s, %v", x.source, status, answer, err)
	}
	if status, answer, err := x.g.post(m); status != http.StatusOK {
		t.Fatalf("the batch of %s gets %d %s, %v", x.source, status, answer, err)
	}
}

// parts waits for what the app of a route gets, and holds that it is each element once, in
// the form that the source asks for. It returns them in the order of the list.
func (x *batchTrial) parts(t *testing.T, at *app) []*message {
	t.Helper()
	got := make([]*message, len(x.elements))
	for range got {
		m, err := at.next("/" + x.source)
		if err != nil {
			t.Fatal(err)
		}
		x.public(m)
		k := slices.IndexFunc(x.elements, func(element string) bool { return strings.Contains(string(m.Body), element) })
		if k < 0 || got[k] != nil {
			t.Fatalf("%s delivers no element, or one twice: %s", x.source, m.Body)
		}
		got[k] = m
		body, contentType := x.before+x.elements[k]+x.after, x.contentType
		if strings.HasSuffix(x.each, "as element") {
			body, contentType = x.elements[k], "application/cloudevents+json"
		}
		if string(m.Body) != body || m.get("Content-Type") != contentType {
			t.Errorf("part %d of %s is %s\n%q, want %s\n%q", k+1, x.source, m.get("Content-Type"), m.Body, contentType, body)
		}
		if place := m.get("Webhook-Gateway-Part"); place != fmt.Sprintf("%d/%d", k+1, len(got)) {
			t.Errorf("part %d of %s says that it is part %q", k+1, x.source, place)
		}
		if kind := m.get("Webhook-Gateway-Event-Type"); kind != x.types[k] {
			t.Errorf("part %d of %s has the type %q, want %q", k+1, x.source, kind, x.types[k])
		}
	}
	return got
}

// unproved holds that a part which no route signs has no proof, and that its SDK would
// refuse it with that of the whole.
func (x *batchTrial) unproved(ctx context.Context, t *testing.T, whole, part *message) {
	t.Helper()
	if value := part.get(x.proof); value != "" || whole.get(x.proof) == "" {
		t.Errorf("a part of %s has the %s %q, the whole %q", x.source, x.proof, value, whole.get(x.proof))
	}
	if x.verify == nil {
		return
	}
	if err := x.verify(ctx, x.own, part); err == nil || errors.Is(err, errHarness) {
		t.Errorf("%s does not refuse a part without a proof: %v", x.Name, err)
	}
	for name, value := range whole.Header {
		part.set(name, value)
	}
	if err := x.verify(ctx, x.own, part); err == nil || errors.Is(err, errHarness) {
		t.Errorf("%s does not refuse a part with the proof of the whole: %v", x.Name, err)
	}
}

// parses has the SDK find one event in the part of a place in the list.
func (x *batchTrial) parses(ctx context.Context, t *testing.T, part *message, k int) {
	t.Helper()
	if x.parse == nil {
		return
	}
	types, err := x.parse(ctx, part)
	if err != nil || !slices.Equal(types, x.types[k:k+1]) {
		t.Errorf("%s finds the events %q in a part of %s, want %q: %v\n%s", x.Name, types, x.source, x.types[k:k+1], err, part.Body)
	}
}

// listed holds that the source has an event for each element, in the order of the list.
func (x *batchTrial) listed(t *testing.T) {
	t.Helper()
	events, err := x.g.events(x.source)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(events) // newest first
	var types, ids []string
	for _, e := range events {
		types, ids = append(types, e.Type), append(ids, e.DeliveryID)
	}
	if !slices.Equal(types, x.types) || !slices.Equal(ids, x.ids) {
		t.Errorf("%s has the events %q with the IDs %q, want %q with %q", x.source, types, ids, x.types, x.ids)
	}
}
