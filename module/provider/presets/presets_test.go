package presets_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// TestIdentify finds event type and delivery ID where a provider has more than
// one place for them.
func TestIdentify(t *testing.T) {
	const form = "Content-Type: application/x-www-form-urlencoded"
	for _, test := range []struct {
		config    string
		request   *template.Request
		event, id string
	}{
		{"shopify s", providertest.Hook("{}", "X-Shopify-Topic: a", "X-Shopify-Webhook-Id: b"), "a", "b"},
		{"shopify s", providertest.Hook("{}", "Shopify-Topic: a", "Shopify-Webhook-Id: b"), "a", "b"},
		{"gitlab s", providertest.Hook("{}", "X-Gitlab-Event: a", "Idempotency-Key: b", "Webhook-Id: c"), "a", "b"},
		{"gitlab s", providertest.Hook(`{"object_kind":"a"}`, "Webhook-Id: c", "X-Gitlab-Event-Uuid: d"), "a", "c"},
		{"gitlab s", providertest.Hook("{}", "X-Gitlab-Event: a", "X-Gitlab-Event-Uuid: d"), "a", "d"},
		{"twilio s", providertest.Hook("SmsStatus=a&MessageSid=b", form, "I-Twilio-Idempotency-Token: c"), "a", "c"},
		{"twilio s", providertest.Hook("CallStatus=a&CallSid=b", form), "a", "b"},
		{"slack s", providertest.Hook(`{"type":"url_verification"}`), "url_verification", ""},
		{"slack s", providertest.Hook(`{"type":"event_callback","event":{"type":"a"},"event_id":"b"}`), "a", "b"},
		{"mailgun s", providertest.Hook("event=a&Message-Id=b", form), "a", ""}, // which is the mail's
		{"mailgun s", providertest.Hook(`{"event-data":{"event":"a","id":"b"}}`), "a", "b"},
		{"telegram s", providertest.Hook(`{"update_id":17,"message":{}}`), "message", "17"},
		{"telegram s", providertest.Hook(`{"poll":{},"update_id":17}`), "poll", "17"},
		{"hubspot s", providertest.Hook(`[{"eventId":1,"subscriptionId":2,"occurredAt":3,"subscriptionType":"a"}]`), "a", "2.1.3"},
		{"paystack s", providertest.Hook(`{"event":"a","data":{"id":17}}`), "a", "a.17"},
		{"paystack s", providertest.Hook(`{"event":"a","data":{}}`), "a", ""},
		{"flutterwave s", providertest.Hook(`{"event":"a","data":{"id":17}}`), "a", ""},
		{"flutterwave s", providertest.Hook(`{"type":"a","webhook_id":"b"}`), "a", "b"},
		{"modern_treasury s", providertest.Hook(`{"event":"b"}`, "X-Topic: a", "X-Event-Id: c"), "a.b", "c"},
		{"modern_treasury s", providertest.Hook(`{"event":"b"}`), "b", ""},
		{"modern_treasury s", providertest.Hook(`{}`, "X-Topic: a"), "a", ""},
		{"lemonsqueezy s", providertest.Hook(`{}`, "X-Event-Name: a"), "a", ""},
		{"lemonsqueezy s", providertest.Hook(`{"meta":{"event_name":"b"}}`, "X-Event-Name: a"), "b", ""},
		{"mercadopago s", providertest.Hook(`{"type":"a","id":"b"}`), "a", "b"},
		{"gocardless s", providertest.Hook(`{"events":[{"resource_type":"a","action":"b"}]}`), "a.b", ""},
		{"coinbase_cdp s", providertest.Hook(`{"eventType":"a"}`), "a", ""},
		{"woocommerce s", providertest.Hook(`{"id":17}`, "X-WC-Webhook-Topic: a", "X-WC-Webhook-Delivery-ID: b"), "a", "b.17"},
		{"woocommerce s", providertest.Hook(`{"action":"x","arg":"y"}`, "X-WC-Webhook-Topic: a", "X-WC-Webhook-Delivery-ID: b"), "a", `b."y"`},
		{"woocommerce s", providertest.Hook(`{"id":17}`, "X-WC-Webhook-Topic: a"), "a", ""},
		{"ably s", providertest.Hook(`{"items":[{"source":"a","name":"x"},{"source":"b"}]}`), "batch", ""},
		{"btcpay s", providertest.Hook(`{"type":"a","deliveryId":"c","originalDeliveryId":"b","isRedelivery":true}`), "a", "b"},
		{"btcpay s", providertest.Hook(`{"type":"a","deliveryId":"b"}`), "a", "b"},
		{"buildkite s", providertest.Hook(`{}`, "X-Buildkite-Event: a", "X-Buildkite-Request: b"), "a", "b"},
		{"buildkite s", providertest.Hook(`{"event":"c"}`, "X-Buildkite-Event: a"), "c", ""},
		{"chargify s", providertest.Hook("event=a&id=b&payload[x]=c", form), "a", "b"},
		{"chargify s", providertest.Hook(`{"event":"a","id":"b"}`), "a", "b"},
		{"cronofy s", providertest.Hook(`{"example":"well-known"}`), "", ""},
		{"deel s", providertest.Hook(`{"data":{"meta":{"event_type":"a"}}}`), "a", ""},
		{"jobber s", providertest.Hook(`{"data":{"webHookEvent":{"topic":"a"}}}`), "a", ""},
		{"recurly s", providertest.Hook(`{"id":"a","object_type":"b","event_type":"c","event_time":"d"}`), "b.c", "a.b.c.d"},
	} {
		profile := providertest.MustParse(t, test.config).Profile()
		event, id := providertest.Evaluate(t, profile.Event, test.request), ""
		if profile.ID != "" {
			id = providertest.Evaluate(t, profile.ID, test.request)
		}
		if event != test.event || id != test.id {
			t.Errorf("%s, %s: event %q and ID %q, want %q and %q", test.config, test.request.Body, event, id, test.event, test.id)
		}
	}
}

// TestGitLabGoesByTheSignature holds that a right token does not make good a
// wrong signature, where there is a key to check it.
func TestGitLabGoesByTheSignature(t *testing.T) {
	for _, test := range []struct {
		config, signature string
		want              error
	}{
		{"gitlab tok " + providertest.OwnSecret, "", nil},
		{"gitlab tok " + providertest.OwnSecret, "v1,AAAA", scheme.Wrong},
		{"gitlab tok " + providertest.OwnSecret, "v1a,AAAA", scheme.Missing},
		{"gitlab tok", "v1,AAAA", nil}, // a token is all that is configured
		{"gitlab " + providertest.OwnSecret, "", scheme.Wrong},
	} {
		r := providertest.Hook("{}", "X-Gitlab-Token: tok", "Webhook-Id: m", "Webhook-Timestamp: 1760000000")
		if test.signature != "" {
			r.Header["Webhook-Signature"] = []string{test.signature}
		}
		if err := providertest.MustParse(t, test.config).Verify(r, providertest.Now); !errors.Is(err, test.want) {
			t.Errorf("%s, %q: got %v, want %v", test.config, test.signature, err, test.want)
		}
	}
}

// TestTwilio signs by what a request is: a form, JSON with its hash in the
// query, or a GET.
func TestTwilio(t *testing.T) {
	p := providertest.MustParse(t, "twilio s {\nexternal_url https://example.com/a?b=c\n}")
	for name, test := range map[string]struct {
		request *template.Request
		change  func(*template.Request)
	}{
		"form":         {providertest.Hook("b=2&a=1", "Content-Type: application/x-www-form-urlencoded; charset=UTF-8"), func(r *template.Request) { r.Body = []byte("b=2&a=2") }},
		"empty":        {providertest.Hook(""), func(r *template.Request) { r.Body = []byte("{}") }},
		"another kind": {providertest.Hook("a=1", "Content-Type: application/x-www-form-urlencoded"), func(r *template.Request) { r.Header["Content-Type"] = []string{"text/plain"} }},
	} {
		r := test.request
		if err := p.Sign(r, providertest.Now); err != nil {
			t.Fatal(err)
		}
		if err := p.Verify(r, providertest.Now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if test.change(r); p.Verify(r, providertest.Now) == nil {
			t.Errorf("%s: changed, and still valid", name)
		}
	}
}

// TestFlutterwaveGoesByTheSignature holds that the token, which anybody can copy,
// does not make good a wrong signature.
func TestFlutterwaveGoesByTheSignature(t *testing.T) {
	p := providertest.MustParse(t, "flutterwave s")
	r := providertest.Hook("{}", "Verif-Hash: s")
	if err := p.Verify(r, providertest.Now); err != nil {
		t.Error(err)
	}
	r.Header["Flutterwave-Signature"] = []string{"AAAA"}
	if err := p.Verify(r, providertest.Now); !errors.Is(err, scheme.Wrong) {
		t.Errorf("a wrong signature beside the token: %v", err)
	}
}

// TestMercadoPagoID holds that a signature without an ID is not good for a URL
// that has two, or one that cannot be read.
func TestMercadoPagoID(t *testing.T) {
	p := providertest.MustParse(t, "mercadopago s")
	r := providertest.Hook("{}", "X-Request-Id: a")
	if err := p.Sign(r, providertest.Now); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]error{
		"":                    nil,
		"type=payment":        nil,
		"data.id=1":           scheme.Wrong,
		"data.id=1&data.id=2": scheme.Wrong,
		"data.id=1;a=b":       scheme.Wrong,
		"data.id=%zz":         scheme.Wrong,
	} {
		r.Public.RawQuery = query
		if err := p.Verify(r, providertest.Now); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", query, err, want)
		}
	}
}

// TestMollie takes the signature with and without its prefix, in any of the
// headers that there are.
func TestMollie(t *testing.T) {
	p := providertest.MustParse(t, "mollie old new")
	for _, test := range []struct {
		headers []string
		want    error
	}{
		{[]string{"sha256=" + mollieSignature}, nil},
		{[]string{mollieSignature}, nil},
		{[]string{"sha256=00", "sha256=" + mollieSignature}, nil},
		{[]string{"sha1=" + mollieSignature}, scheme.Wrong},
		{[]string{"sha256="}, scheme.Wrong},
		{nil, scheme.Missing},
	} {
		r := providertest.Hook(`{"id":"event_1"}`)
		r.Header["X-Mollie-Signature"] = test.headers
		if err := p.Verify(r, providertest.Now); !errors.Is(err, test.want) {
			t.Errorf("%q: got %v, want %v", test.headers, err, test.want)
		}
	}
}

// mollieSignature is made with the secret new.
const mollieSignature = "034abb4ca93a11f3498e8355fe3d86ee00d97089944bde06bfaaa92010de1665"

// TestMicrosoftGraphWantsEveryClientState holds that one right notification does
// not vouch for others of the same webhook.
func TestMicrosoftGraphWantsEveryClientState(t *testing.T) {
	p := providertest.MustParse(t, "microsoft_graph s")
	for body, want := range map[string]error{
		`{"value":[{"clientState":"s"}]}`:                        nil,
		`{"value":[{"clientState":"s"},{"clientState":"s"}]}`:    nil,
		`{"value":[{"clientState":"s"},{"clientState":"x"}]}`:    scheme.Wrong,
		`{"value":[{"clientState":"s"},{}]}`:                     scheme.Missing,
		`{"value":[{"clientState":"s"},{"clientState":null}]}`:   scheme.Missing,
		`{"value":[{"clientState":"s"},{"clientState":""}]}`:     scheme.Missing,
		`{"value":[{"clientState":"s"},"other"]}`:                scheme.Missing,
		`{"value":[{"clientState":"s"},{"other":{"a":1}},1,{}]}`: scheme.Missing,
		`{"value":[]}`: scheme.Missing,
		`{}`:           scheme.Missing,
	} {
		if err := p.Verify(providertest.Hook(body), providertest.Now); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", body, err, want)
		}
	}
}

// TestDropboxSign reads the event as JSON, and in a field of either kind of form.
func TestDropboxSign(t *testing.T) {
	p := providertest.MustParse(t, "dropbox_sign s")
	sign := func(r *template.Request) *template.Request {
		if err := p.Sign(r, providertest.Now); err != nil {
			t.Fatal(err)
		}
		return r
	}
	event := string(sign(providertest.Hook(`{"event":{"event_time":"1760000000","event_type":"a","event_hash":""}}`)).Body)
	for _, r := range []*template.Request{
		providertest.Hook(event),
		providertest.Hook("json="+url.QueryEscape(event), "Content-Type: application/x-www-form-urlencoded"),
		providertest.Hook("--b\r\nContent-Disposition: form-data; name=\"json\"\r\n\r\n"+event+"\r\n--b--\r\n", "Content-Type: multipart/form-data; boundary=b"),
	} {
		if err := p.Verify(r, providertest.Now); err != nil {
			t.Errorf("%s: %v", r.Body, err)
		}
		if got := providertest.Evaluate(t, p.Profile().Event, r); got != "a" {
			t.Errorf("%s: event %q", r.Body, got)
		}
	}
}
