package provider_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// handshakeVector says who sends a handshake.
type handshakeVector struct {
	Provider, Secret string
	PublicKey        string
}

// handshakesOf returns the handshakes of a preset with options and secrets.
func handshakesOf(name string, options map[string]string, secrets ...string) (provider.Handshakes, error) {
	values := map[string]string{"verify_token": "", "endpoint": "", "public_key": ""}
	maps.Copy(values, options)
	lists := map[string][]string{"client_ids": secrets, "topic": strings.Fields(options["topic"])}
	d, err := (&provider.Definition{Handshakes: providertest.PresetOf(name).Handshakes}).Filled(values, lists)
	if err != nil {
		return provider.Handshakes{}, err
	}
	return provider.ProvisionHandshakes(d, nil, secrets, d.AllMethods())
}

// provider returns what verifies a signed handshake.
func (v *handshakeVector) provider(t *testing.T) provider.Provider {
	switch v.Provider {
	case "discord":
		key, err := hex.DecodeString(v.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		return proven{verify: func(r *template.Request) bool {
			signature, _ := hex.DecodeString(r.HeaderValue("X-Signature-Ed25519"))
			return ed25519.Verify(key, append([]byte(r.HeaderValue("X-Signature-Timestamp")), r.Body...), signature)
		}}
	case "xero", "line", "twitch", "slack", "aws_sns":
		return proven{verify: func(r *template.Request) bool {
			return r.HeaderValue("X-Signature") == providertest.MACHex(v.Secret, string(r.Body))
		}}
	case "zoom":
		return providertest.MustParse(t, "zoom "+v.Secret)
	}
	return nil
}

// proven is a provider whose signature is checked in the test.
type proven struct {
	provider.Provider
	verify func(*template.Request) bool
}

func (p proven) Verify(r *template.Request, _ time.Time) error {
	switch {
	case p.verify(r):
		return nil
	case r.HeaderValue("X-Signature") == "":
		return scheme.Missing
	}
	return scheme.Wrong
}

// handshakeCase is a handshake in short: method and URL's query, headers, body.
type handshakeCase struct {
	provider, request, body string
	headers                 []string
	status                  int // 0: it is no handshake
	header, want            string
}

const sharedSecret = "s3cret-0123456789"

// TestHandshakes goes through what the vectors leave out.
func TestHandshakes(t *testing.T) {
	crc := hmac.New(sha256.New, []byte(sharedSecret))
	crc.Write([]byte("9b4507b3-9040-4669-9ca3-6b94edb50553"))
	signed := func(body string) []string { return []string{"X-Signature: " + providertest.MACHex(sharedSecret, body)} }
	form := "Content-Type: application/x-www-form-urlencoded"
	sns := `{"Type":"SubscriptionConfirmation","TopicArn":"arn:1","SubscribeURL":"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=2"}`
	for _, c := range []handshakeCase{
		{"meta", "GET hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=v3rify", "", nil, 200, "text/plain", "1158201444"},
		{"meta", "GET hub.mode=subscribe&hub.challenge=%3Cscript%3E&hub.verify_token=v3rify", "", nil, 400, "", ""},
		{"meta", "GET hub.mode=subscribe&hub.challenge=1", "", nil, 403, "", ""},
		{"meta", "GET hub.mode=subscribe&hub.challenge=1&hub.verify_token=", "", nil, 403, "", ""},
		{"meta", "GET hub.challenge=1&hub.verify_token=v3rify", "", nil, 0, "", ""},
		{"websub", "GET hub.mode=subscribe&hub.topic=topic-1&hub.challenge=abc&hub.lease_seconds=60", "", nil, 200, "text/plain", "abc"},
		{"websub", "GET hub.mode=subscribe&hub.topic=other&hub.challenge=abc&hub.lease_seconds=60", "", nil, 404, "", ""},
		{"websub", "GET hub.mode=denied&hub.topic=topic-1", "", nil, 200, "", ""},
		{"websub", "GET hub.mode=unsubscribe&hub.topic=topic-1&hub.challenge=abc", "", nil, 0, "", ""},
		{"twitter", "GET crc_token=9b4507b3-9040-4669-9ca3-6b94edb50553&nonce=x", "", nil, 200, "application/json",
			`{"response_token":"sha256=` + base64.StdEncoding.EncodeToString(crc.Sum(nil)) + `"}`},
		{"twitter", "GET crc_token=%7B%22for_user_id%22%3A%221%22%7D", "", nil, 400, "", ""},
		{"twitter", "POST ", "9b4507b3-9040-4669-9ca3-6b94edb50553", nil, 401, "", ""},
		{"twitter", "POST ", `{"for_user_id":"1"}`, nil, 0, "", ""},
		{"braintree", "POST ", "bt_payload=20f9f8ed05f77439fe955c977e4c8a53&bt_signature=x", []string{form}, 401, "", ""},
		{"braintree", "POST ", "bt_payload=PG5vdGlmaWNhdGlvbj4K&bt_signature=x", []string{form}, 0, "", ""},
		{"slack", "POST ", `{"type":"url_verification","challenge":"3eZbrw1aB"}`, nil, 200, "text/plain", "3eZbrw1aB"},
		{"slack", "POST ", `{"type":"url_verification","challenge":"3eZbrw1aB"}`, []string{"X-Signature: 00"}, 401, "", ""},
		{"slack", "POST ", `{"type":"event_callback","event":{"text":"url_verification"},"challenge":"x"}`, nil, 0, "", ""},
		{"lark", "POST ", `{"type":"url_verification","challenge":"ajls384kdjx98XX","token":"v3rify"}`, nil, 200, "application/json", `{"challenge":"ajls384kdjx98XX"}`},
		{"lark", "POST ", `{"type":"url_verification","challenge":"ajls384kdjx98XX","token":"x"}`, nil, 403, "", ""},
		{"twitch", "POST ", `{"challenge":"pogchamp"}`, append(signed(`{"challenge":"pogchamp"}`), "Twitch-Eventsub-Message-Type: webhook_callback_verification"), 200, "text/plain", "pogchamp"},
		{"twitch", "POST ", `{"challenge":"pogchamp"}`, []string{"Twitch-Eventsub-Message-Type: webhook_callback_verification"}, 401, "", ""},
		{"xero", "POST ", `{"events":[],"entropy":"x"}`, signed(`{"events":[],"entropy":"x"}`), 200, "", ""},
		{"xero", "POST ", `{"events":[],"entropy":"x"}`, []string{"X-Signature: 00"}, 401, "", ""},
		{"xero", "POST ", `{"events":[{}]}`, nil, 0, "", ""},
		{"line", "POST ", `{"events":[]}`, signed(`{"events":[]}`), 200, "", ""},
		{"nylas", "GET challenge=abc-1", "", nil, 200, "text/plain", "abc-1"},
		{"nylas", "POST challenge=abc-1", "{}", nil, 0, "", ""},
		{"trello", "HEAD ", "", nil, 200, "", ""},
		{"trello", "GET ", "", nil, 0, "", ""},
		{"mandrill", "HEAD ", "", nil, 200, "", ""},
		{"mandrill", "POST ", "mandrill_events=%5B%5D", []string{form}, 200, "", ""},
		{"mandrill", "POST ", "mandrill_events=%5B%7B%7D%5D", []string{form}, 0, "", ""},
		{"mailchimp", "GET ", "", nil, 200, "", ""},
		{"intercom", "HEAD ", "", nil, 200, "", ""},
		{"woocommerce", "POST ", "webhook_id=12", []string{form}, 200, "", ""},
		{"woocommerce", "POST ", `{"note":"a&webhook_id=12&"}`, []string{"Content-Type: application/json"}, 0, "", ""},
		{"bitbucket_server", "POST ", `{"test":true}`, []string{"X-Event-Key: diagnostics:ping"}, 200, "", ""},
		{"bitbucket_server", "POST ", `{}`, []string{"X-Event-Key: repo:refs_changed"}, 0, "", ""},
		{"ebay", "GET challenge_code=a8628072-3d33-45ee-9004-bee86830a22d", "", nil, 200, "application/json",
			`{"challengeResponse":"` + hexSum("a8628072-3d33-45ee-9004-bee86830a22d"+"v3rify"+"https://hooks.example.com/ebay") + `"}`},
		{"cloudevents", "OPTIONS ", "", []string{"WebHook-Request-Origin: a.example.com"}, 200, "", ""},
		{"cloudevents", "OPTIONS ", "", []string{"Origin: https://a.example.com"}, 0, "", ""},
		{"aws_sns", "POST ", sns, append(signed(sns), "X-Amz-Sns-Message-Type: SubscriptionConfirmation"), 403, "", ""}, // of another topic
		{"notion", "POST ", `{"verification_token":"secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"}`, nil, 200, "", ""},
		{"asana", "POST ", `{}`, []string{"X-Hook-Secret: short"}, 400, "", ""},
		{"asana", "GET ", ``, []string{"X-Hook-Secret: b537207f20cbfa02357cf448134da559"}, 0, "", ""},
	} {
		c.run(t)
	}
}

func hexSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (c *handshakeCase) run(t *testing.T) {
	t.Helper()
	r := providertest.Hook(c.body, c.headers...)
	r.Method, r.RawQuery, _ = strings.Cut(c.request, " ")
	options := map[string]string{"verify_token": "v3rify", "topic": "topic-1", "endpoint": "https://hooks.example.com/ebay"}
	hs, err := handshakesOf(c.provider, options, sharedSecret)
	if err != nil {
		t.Fatal(err)
	}
	v := &handshakeVector{Provider: c.provider, Secret: sharedSecret}
	answer, err := hs.Answer(v.provider(t), r, providertest.Now)
	var denial provider.Denial
	status := 0
	switch {
	case errors.As(err, &denial):
		status = denial.Status
	case err != nil:
		status = http.StatusUnauthorized
	case answer != nil:
		status = answer.Status
	}
	if status != c.status {
		t.Errorf("%s %s %s: status %d (%v), want %d", c.provider, c.request, c.body, status, err, c.status)
	}
	if answer != nil && (answer.Body != c.want || answer.Header.Get("Content-Type") != c.header) {
		t.Errorf("%s %s: answered %q as %q", c.provider, c.request, answer.Body, answer.Header.Get("Content-Type"))
	}
}

// TestHandshakesNeedWhatTheyCompareWith holds that an option that is not
// configured matches nothing, in particular not what is empty.
func TestHandshakesNeedWhatTheyCompareWith(t *testing.T) {
	p := providertest.MustParse(t, "meta s").(provider.Handshaker)
	for _, query := range []string{"hub.verify_token=", "hub.verify_token={option.verify_token}", "x=1"} {
		r := providertest.Hook("")
		r.Method, r.RawQuery = "GET", "hub.mode=subscribe&hub.challenge=1&"+query
		if answer, err := p.Handshake(r, providertest.Now); answer != nil || !errors.Is(err, scheme.Wrong) {
			t.Errorf("%s: %+v, %v", query, answer, err)
		}
	}
}

// TestSignsNoEventForStrangers holds that no pattern makes the gateway sign what
// could be an event.
func TestSignsNoEventForStrangers(t *testing.T) {
	p := providertest.MustParse(t, "custom s {\nhmac {\nheader X-Sig\nsigned {header.X-Part}{body}\n}\nhandshake hmac query c {\npattern (?s).*\n}\n}").(provider.Handshaker)
	for _, body := range []string{"", "c", "bc"} { // of the challenge abc
		if _, err := p.Handshake(providertest.Hook(body, "X-Part: "+strings.TrimSuffix("abc", body)), providertest.Now); !errors.Is(err, scheme.Wrong) {
			t.Errorf("the body %q, of a challenge: %v", body, err)
		}
	}
	for challenge, want := range map[string]bool{"abc": true, `{"a":1}`: false, "1": true, "1.{}": false, "a=1&b=2": false, "[]": false, "a\r\nb": false} {
		r := providertest.Hook("")
		r.Method, r.RawQuery = "GET", "c="+url.QueryEscape(challenge)
		if answer, err := p.Handshake(r, providertest.Now); (err == nil) != want || (answer != nil) != want {
			t.Errorf("%s: %+v, %v", challenge, answer, err)
		}
		// The signature that is given away is no good for an event.
		event := providertest.Hook(challenge, "X-Sig: "+providertest.MACHex("s", challenge))
		if _, err := p.Handshake(event, providertest.Now); errors.Is(err, scheme.Wrong) != want {
			t.Errorf("%s as an event: %v", challenge, err)
		}
	}
}

// TestSignsNoPartOfAnEvent holds that what is signed for anybody is no hash, and no
// field, of what could be an event.
func TestSignsNoPartOfAnEvent(t *testing.T) {
	for _, test := range []struct {
		signed, field string
		loads         bool
	}{
		{"{body}", "", true},
		{"{timestamp}.{body}", "", true},
		{"{form.a}", "field a", true},
		{"{form.a}", "field {form.a}", true},
		{"{json.a}", "field {json.a}", true},
		{"{form.a}", "field b", false},
		{"{form.a}", "", false},
		{"{body}", "field a", false},
		{"{body|sha256|hex}", "", false},
		{"{body|json a}", "", false},
		{"{json.a}", "", false},
		{"{url}", "", false},
	} {
		_, err := providertest.Parse("custom s {\nhmac {\nheader X-Sig\nsigned `" + test.signed + "`\ntimestamp header X-Time\n}\nhandshake hmac query c {\n" + test.field + "\n}\n}")
		if (err == nil) != test.loads {
			t.Errorf("%s, %s: %v", test.signed, test.field, err)
		}
	}
}

// TestChallengeIsNoEvent asks Braintree's handshake for the signature of a
// challenge, and sends it as an event in each kind of form.
func TestChallengeIsNoEvent(t *testing.T) {
	const challenge = "20f9f8ed05f77439fe955c977e4c8a53"
	p := providertest.MustParse(t, "braintree s3cret {\npublic_key k\n}").(provider.Handshaker)
	ask := providertest.Hook("")
	ask.Method, ask.RawQuery = "GET", "bt_challenge="+challenge
	answer, err := p.Handshake(ask, providertest.Now)
	if err != nil || answer == nil {
		t.Fatalf("the challenge: %+v, %v", answer, err)
	}
	part := func(name, value string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	pairs := "bt_signature=" + url.QueryEscape(answer.Body) + "&bt_payload=" + challenge
	for name, r := range map[string]*template.Request{
		"formType":      providertest.Hook(pairs, "Content-Type: "+providertest.FormType),
		"in upper case": providertest.Hook(pairs, "Content-Type: APPLICATION/X-WWW-FORM-URLENCODED; charset=utf-8"),
		"twice":         providertest.Hook(pairs+"&bt_payload=x", "Content-Type: "+providertest.FormType),
		"without type":  providertest.Hook(pairs),
		"multipart":     providertest.Hook(part("bt_signature", answer.Body)+part("bt_payload", challenge)+"--b--", "Content-Type: multipart/form-data; boundary=b"),
	} {
		if answer, err := p.Handshake(r, providertest.Now); answer != nil || err == nil && p.Verify(r, providertest.Now) == nil {
			t.Errorf("%s: taken: %+v", name, answer)
		}
	}
}

// TestReflectsNothingUnprintable holds that no pattern lets through what could
// end a header.
func TestReflectsNothingUnprintable(t *testing.T) {
	p := providertest.MustParse(t, "custom s {\nhmac {\nheader X-Sig\n}\nhandshake echo query c {\npattern (?s).*\nheader X-C {challenge}\n}\n}").(provider.Handshaker)
	for challenge, want := range map[string]bool{"abc <b>": true, "a\r\nX-Evil: 1": false, "\x00": false, "é": false, strings.Repeat("a", 1001): false} {
		r := providertest.Hook("")
		r.Method, r.RawQuery = "GET", "c="+url.QueryEscape(challenge)
		if answer, err := p.Handshake(r, providertest.Now); (err == nil) != want || (answer != nil) != want {
			t.Errorf("%q: %+v, %v", challenge, answer, err)
		}
	}
}

// TestConfirm holds that only a genuine message of Amazon's makes the gateway
// visit a URL, and only at Amazon.
func TestConfirm(t *testing.T) {
	hs, err := handshakesOf("aws_sns", map[string]string{"topic": "arn:aws:sns:eu-west-1:1:mine"})
	if err != nil {
		t.Fatal(err)
	}
	genuine := true
	p := proven{verify: func(*template.Request) bool { return genuine }}
	visit := func(target string) string {
		r := providertest.Hook(`{"Type":"SubscriptionConfirmation","TopicArn":"arn:aws:sns:eu-west-1:1:mine","SubscribeURL":"`+target+`"}`, "x-amz-sns-message-type: SubscriptionConfirmation")
		answer, err := hs.Answer(p, r, providertest.Now)
		if err != nil || answer == nil {
			return ""
		}
		return answer.Visit
	}
	for target, want := range map[string]bool{
		"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=1": true,
		"https://sns.cn-north-1.amazonaws.com.cn/?Token=1":                        true,
		"http://sns.us-east-1.amazonaws.com/?Token=1":                             false,
		"https://sns.us-east-1.amazonaws.com.evil.example/?Token=1":               false,
		"https://sns.us-east-1.amazonaws.com@evil.example/?Token=1":               false,
		"https://evil.example/sns.us-east-1.amazonaws.com/":                       false,
		"https://s3.us-east-1.amazonaws.com/?Token=1":                             false,
		"https://sns.us-east-1.amazonaws.com:8443/?Token=1":                       false,
		"https://169.254.169.254/latest/meta-data/":                               false,
		"https://sns.us-gov-west-1.amazonaws.com/?Token=1":                        true,
		"https://sns.s3-us-west-2.amazonaws.com/?Token=1":                         false,
		"https://sns.elasticbeanstalk.amazonaws.com/?Token=1":                     false,
	} {
		if got := visit(target); (got == target) != want {
			t.Errorf("%s: visits %q", target, got)
		}
	}
	genuine = false
	if got := visit("https://sns.us-east-1.amazonaws.com/?Token=1"); got != "" {
		t.Errorf("an unsigned message makes it visit %s", got)
	}
}

// TestConfirmAnywhere holds which URLs may lead to private addresses: those of a host
// that the pattern spells out.
func TestConfirmAnywhere(t *testing.T) {
	for _, test := range []struct {
		pattern, target string
		anywhere        bool
	}{
		{`http://127\.0\.0\.1:8080/[a-z]+`, "http://127.0.0.1:8080/a", true},
		{`http://127.0.0.1:8080/[a-z]+`, "http://127.0.0.1:8080/a", true},
		{`^https://hooks.internal/[a-z]+`, "https://hooks.internal/a", true},
		{`http://10.0.0.1/[a-z]+`, "http://10a0.0.1/a", false},
		{`https://[a-z.]+\.example\.com/[a-z]+`, "https://a.example.com/a", false},
		{`https?://app\.internal/[a-z]+`, "https://app.internal/a", false},
		{`https://app\.internal/[a-z]+|http://[0-9.]+/[a-z]+`, "http://169.254.169.254/a", false},
		{`https://app\.internal(:[0-9]+)?/[a-z]+`, "https://app.internal/a", false},
		{`https://app\.internal[/a-z@.]+`, "https://app.internal@evil.example/a", false},
	} {
		p := providertest.MustParse(t, "custom s {\nhmac {\nheader X-Sig\n}\nhandshake confirm body url {\nsigned always\npattern `"+test.pattern+"`\n}\n}")
		r := providertest.Hook(`{"url":"` + test.target + `"}`)
		r.Header["X-Sig"] = []string{providertest.MACHex("s", string(r.Body))}
		answer, err := p.(provider.Handshaker).Handshake(r, providertest.Now)
		if err != nil || answer == nil || answer.Visit != test.target {
			t.Errorf("%s: %+v, %v", test.target, answer, err)
		} else if answer.Anywhere != test.anywhere {
			t.Errorf("%s by %s: anywhere is %v", test.target, test.pattern, answer.Anywhere)
		}
	}
}

// TestEnrolledProofKeepsItsNeeds holds that the gateway knows what a proof asks
// of a request before its secret is there, and that a token in the URL is cut off
// once it is.
func TestEnrolledProofKeepsItsNeeds(t *testing.T) {
	const delivered = "b537207f20cbfa02357cf448134da559"
	p := providertest.MustParse(t, "custom {\nhmac {\nheader X-Sig\nsigned {url}{body}\n}\ntoken query t\n"+
		"handshake enroll header X-Hook-Secret {\nmethod POST\n}\n}").(provider.Enroller)
	if !p.Profile().SignsURL {
		t.Error("the URL is signed, and nobody would know")
	}
	r := providertest.Hook("{}")
	r.RawQuery = "a=1&t=" + delivered
	r.Public = &url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/hook", RawQuery: r.RawQuery}
	r.Header["X-Sig"] = []string{providertest.MACHex(delivered, r.Public.String()+"{}")}
	if err := p.Verify(r, providertest.Now); !errors.Is(err, scheme.Wrong) {
		t.Errorf("before enrollment: %v", err)
	}
	if err := p.(provider.Resigner).Sign(r, providertest.Now); !errors.Is(err, provider.ErrNotEnrolled) {
		t.Errorf("signs with a secret that nobody has: %v", err)
	}
	if err := p.Enroll([]string{delivered}); err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(r, providertest.Now); err != nil {
		t.Error(err)
	}
	if p.Strip(r); r.RawQuery != "a=1" {
		t.Errorf("the app gets the query %s", r.RawQuery)
	}
}

// TestEnroll holds that a delivered secret verifies beside configured ones.
func TestEnroll(t *testing.T) {
	const delivered = "b537207f20cbfa02357cf448134da559"
	for _, config := range []string{"asana", "asana configured", "custom {\nhmac {\nheader X-Hook-Signature\n}\nhandshake enroll header X-Hook-Secret {\nmethod POST\n}\n}"} {
		p := providertest.MustParse(t, config).(provider.Enroller)
		if !p.Enrolls() || !p.Proves() {
			t.Errorf("%s enrolls nothing", config)
		}
		r := providertest.Hook("{}", "X-Hook-Signature: "+providertest.MACHex(delivered, "{}"))
		if err := p.Verify(r, providertest.Now); !errors.Is(err, scheme.Wrong) {
			t.Errorf("%s: before enrollment: %v", config, err)
		}
		if err := p.Enroll([]string{"another-secret-0123", delivered}); err != nil {
			t.Fatal(err)
		}
		if err := p.Verify(r, providertest.Now); err != nil {
			t.Errorf("%s: %v", config, err)
		}
		if err := p.Enroll(nil); err != nil {
			t.Fatal(err)
		}
		if err := p.Verify(r, providertest.Now); !errors.Is(err, scheme.Wrong) {
			t.Errorf("%s: after its removal: %v", config, err)
		}
		own := providertest.Hook("{}", "X-Hook-Signature: "+providertest.MACHex("configured", "{}"))
		if err := p.Verify(own, providertest.Now); (err == nil) != (config == "asana configured") {
			t.Errorf("%s: the configured one: %v", config, err)
		}
	}
	if err := providertest.MustParse(t, "asana").Sign(providertest.Hook("{}"), providertest.Now); !errors.Is(err, provider.ErrNotEnrolled) {
		t.Errorf("it signs with no secret: %v", err)
	}
	if _, err := providertest.MustParse(t, "asana").(provider.Resigner).SignerWith(""); !errors.Is(err, provider.ErrNoSecret) {
		t.Errorf("it signs again with no secret: %v", err)
	}
}

// TestEncryptedHandshake holds that Lark's challenge is found in what it sends
// encrypted, and that nothing else makes the gateway answer.
func TestEncryptedHandshake(t *testing.T) {
	seal := func(secret, text string) string {
		padding := aes.BlockSize - len(text)%aes.BlockSize
		body := append([]byte(text), bytes.Repeat([]byte{byte(padding)}, padding)...)
		blocks, err := provider.CiphersOf([]string{secret})
		if err != nil {
			t.Fatal(err)
		}
		vector := []byte("0123456789abcdef")
		cipher.NewCBCEncrypter(blocks[0], vector).CryptBlocks(body, body)
		return `{"encrypt":"` + base64.StdEncoding.EncodeToString(append(vector, body...)) + `"}`
	}
	// The example in Lark's documents.
	blocks, err := provider.CiphersOf([]string{"test key"})
	if err != nil {
		t.Fatal(err)
	}
	if got := provider.DecryptCBC(blocks[0], "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="); string(got) != "hello world" {
		t.Errorf("Lark's example is %q", got)
	}
	const asks = `{"challenge":"ajls384kdjx98XX","token":"v3rify","type":"url_verification"}`
	for body, want := range map[string]int{
		seal(sharedSecret, asks):    200,
		seal("another", asks):       0,
		seal(sharedSecret, `{}`):    0,
		seal(sharedSecret, ``):      0,
		`{"encrypt":"AAAA"}`:        0,
		`{"encrypt":"` + "!" + `"}`: 0,
		`{"encrypt":{}}`:            0,
		seal(sharedSecret, strings.Replace(asks, "v3rify", "x", 1)): 403,
	} {
		c := handshakeCase{provider: "lark", request: "POST ", body: body, status: want}
		if want == 200 {
			c.header, c.want = "application/json", `{"challenge":"ajls384kdjx98XX"}`
		}
		c.run(t)
	}
}

// TestEventsAreNotParsedForHandshakes holds that most webhooks of a provider
// with handshakes cost next to nothing here.
func TestEventsAreNotParsedForHandshakes(t *testing.T) {
	for _, name := range []string{"slack", "zoom", "meta", "asana", "aws_sns", "dropbox", "monday", "smartsheet"} {
		hs, err := handshakesOf(name, nil, sharedSecret)
		if err != nil {
			t.Fatal(err)
		}
		r := providertest.Hook(`{"type":"event_callback","event":{"type":"message","text":"hello"}}`)
		if n := testing.AllocsPerRun(100, func() { _, _ = hs.Answer(nil, r, providertest.Now) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestHandshakesBehindAToken holds that a guard in the URL guards handshakes.
func TestHandshakesBehindAToken(t *testing.T) {
	p := providertest.MustParse(t, "custom s {\nhmac {\nheader X-Sig\n}\ntoken query token t0ken\nhandshake echo query challenge\n}").(provider.Handshaker)
	for query, want := range map[string]bool{"challenge=abc&token=t0ken": true, "challenge=abc&token=x": false, "challenge=abc": false} {
		r := providertest.Hook("")
		r.Method, r.RawQuery = "GET", query
		if answer, err := p.Handshake(r, providertest.Now); (err == nil) != want || (answer != nil) != want {
			t.Errorf("%s: %+v, %v", query, answer, err)
		}
	}
}

// FuzzHandshake sends anything to every preset's handshakes. What comes back
// is marked as no page, is of the challenge's alphabet, and never panics.
func FuzzHandshake(f *testing.F) {
	f.Add("GET", "hub.mode=subscribe&hub.challenge=1", "X-Hook-Secret", "x", "")
	f.Add("POST", "", "Content-Type", "application/json", `[{"data":{"validationCode":"x"}}]`)
	f.Add("POST", "", "Content-Type", "application/json", `{"type":"url_verification","challenge":"x","payload":{"plainToken":1}}`)
	f.Add("POST", "", "X-Amz-Sns-Message-Type", "SubscriptionConfirmation", `{"SubscribeURL":null}`)
	f.Add("POST", "", "Content-Type", "application/json", `{"encrypt":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}`)
	f.Add("POST", "a=%zz&=&&", "Content-Type", "application/x-www-form-urlencoded", "mandrill_events=[]&bt_payload=%")
	all := make(map[string]provider.Handshakes)
	for _, p := range provider.Presets() {
		if p.Handshakes == nil {
			continue
		}
		var err error
		name := p.Name
		if all[name], err = handshakesOf(name, map[string]string{"verify_token": "v"}, sharedSecret); err != nil {
			f.Fatal(err)
		}
	}
	p := proven{verify: func(*template.Request) bool { return true }}
	f.Fuzz(func(t *testing.T, method, query, header, value, body string) {
		for name, hs := range all {
			r := providertest.Hook(body, header+": "+value)
			r.Method, r.RawQuery = method, query
			answer, err := hs.Answer(p, r, providertest.Now)
			if err != nil || answer == nil {
				continue
			}
			if answer.Body != "" && (answer.Header.Get("X-Content-Type-Options") != "nosniff" || !provider.Reflectable.MatchString(answer.Body)) {
				t.Errorf("%s answers %q", name, answer.Body)
			}
			for name, values := range answer.Header {
				if !provider.Reflectable.MatchString(values[0]) {
					t.Errorf("%s: %q", name, values[0])
				}
			}
		}
	})
}

// TestHandshakeLimitIsDocumented holds docs/configuration.md against the bound of this package.
func TestHandshakeLimitIsDocumented(t *testing.T) {
	providertest.Documented(t, map[string]int{"| %d bytes of body, and 1000 ch": provider.MaxHandshake})
}

// TestDiscordEvents tells a webhook event, which has the type 1 as well, from the ping of
// an interaction.
func TestDiscordEvents(t *testing.T) {
	public, private := providertest.EdKey('a')
	p := providertest.MustParse(t, fmt.Sprintf("discord {\npublic_key %x\n}", public)).(provider.Handshaker)
	for body, want := range map[string]bool{
		`{"type":1}`:                          true,
		`{"type":1,"event":{"type":"QUEST"}}`: false,
		`{"type":0}`:                          true,
		`{"type":2}`:                          false,
	} {
		signature := hex.EncodeToString(ed25519.Sign(private, []byte("1"+body)))
		reply, err := p.Handshake(providertest.Hook(body, "X-Signature-Ed25519: "+signature, "X-Signature-Timestamp: 1"), providertest.Now)
		if err != nil || (reply != nil) != want {
			t.Errorf("%s is answered %v, %v", body, reply, err)
		}
	}
}
