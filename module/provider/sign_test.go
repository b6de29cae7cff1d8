package provider_test

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// symmetric are providers whose proof the gateway can make; @ stands for the
// secret. Presets that need nothing but a secret join them by themselves.
func symmetric() []string {
	return append(simplePresets(),
		"insigner @ {\ntolerance 5m\n}",
		"custom @ {\nhmac sha512 {\nheader X-Sig\nsigned {timestamp}{body}\nvalue {signature},t={timestamp}\n}\n}",
		"custom @ {\nhmac {\nheader X-Sig\nsigned {timestamp}.{url}{id}\nencoding base64\ntimestamp header X-Time unix_ms\n}\nid body.id\nexternal_url https://public.example.com\n}",
		"github @ {\ntoken header X-Guard guard\n}", "stripe @ {\ntoken query k guard\n}",
		"hubspot @ {\nexternal_url https://public.example.com\n}",
		"square @ {\nexternal_url https://public.example.com\n}",
		"trello @ {\nexternal_url https://public.example.com\n}",
		"okta @ {\nheader X-Hook-Key\n}",
		"convoy @ {\nhash sha512\nencoding base64\nheader X-Acme-Signature\n}",
		"klaviyo @ {\nencoding hex\nsigned {timestamp}{body}\nunit unix\n}", "salesforce_mc @ {\nkey raw\n}",
		"plivo @ {\nexternal_url https://public.example.com\n}", "mandrill @ {\nexternal_url https://public.example.com\n}",
		"signnow @ {\nheader X-Sig\nhash sha256\nencoding base64\n}", "signsecure @ {\nhash sha1\nencoding hex\nkey base64\n}",
		"pusher @ {\napp_key k\n}",
	)
}

// asymmetric are the other presets: what they prove is made with a key that only
// the provider has, stands elsewhere than in a header, or is nothing.
var asymmetric = []string{
	"insertsign",
	"ignisign", // whose tokens cannot be made
	"adyen", "mailgun", "pandadoc", "signhost", "dropbox_sign", "signwell", "xodo_sign", "microsoft_graph", "signeasy",
	"azure_event_grid", "monday", "braintree", "shopify_query", "transloadit",
	"cloudevents", // whose token may stand in the query
}

// special are symmetric presets that have tests of their own, or take other
// secrets than those.
var special = []string{
	"linear",                                         // its time is in the body, which stays as it is
	"twilio",                                         // by what a request is: see TestTwilio
	"vonage", "messagebird", "fusionauth", "netlify", // see TestJWTSign
	"adyen_platform", "onfleet", "squarespace", // their keys are in hex
	"adobe_sign",            // a client ID, which is an option
	"openai", "sinch_voice", // not every secret is a key
	"websub", // without a secret it proves nothing: see TestOptionalSecret
}

func simplePresets() (list []string) {
	for _, p := range provider.Presets() {
		needs := slices.ContainsFunc(p.Options, func(o provider.Option) bool { return o.Required })
		if !needs && providertest.KeyedConfigs[p.Name] == "" && !slices.Contains(asymmetric, p.Name) && !slices.Contains(special, p.Name) {
			list = append(list, p.Name+" @")
		}
	}
	return list
}

func configOf(config, secrets string) string { return strings.Replace(config, "@", secrets, 1) }

// bodyOf returns a body that the scheme can sign.
func bodyOf(config string) string {
	if strings.HasPrefix(config, "mandrill ") { // the fields of a form
		return "id=1"
	}
	return `{"id":1}`
}

// TestSignsAgain takes what a provider sent, and signs it ten hours later for
// an app with the same secret and for one with another.
func TestSignsAgain(t *testing.T) {
	later := providertest.Now.Add(10 * time.Hour)
	for _, config := range symmetric() {
		source := providertest.MustParse(t, configOf(config, providertest.OwnSecret+" "+providertest.OtherSecret))
		// The app knows nothing of a guard.
		app, _, _ := strings.Cut(config, "{\ntoken")
		for given, secret := range map[string]string{"": providertest.OwnSecret, providertest.OtherSecret: providertest.OtherSecret} {
			r := providertest.Hook(bodyOf(config), "Webhook-Id: msg_1", "X-Other: 1", "Content-Type: "+providertest.FormType)
			if err := providertest.MustParse(t, configOf(app, providertest.OtherSecret)).Sign(r, providertest.Now); err != nil {
				t.Fatal(err)
			}
			r.Public.Host = "public.example.com"
			headers := len(r.Header)
			signer, err := source.(provider.Resigner).SignerWith(given)
			if err != nil {
				t.Fatal(err)
			}
			if err := signer.Sign(r, later); err != nil {
				t.Fatal(err)
			}
			if err := providertest.MustParse(t, configOf(app, secret)).Verify(r, later); err != nil {
				t.Errorf("%s for %q: the app says %v", config, given, err)
			}
			for name, values := range r.Header {
				if len(values) != 1 {
					t.Errorf("%s: %s has %d values", config, name, len(values))
				}
			}
			if len(r.Header) != headers || r.HeaderValue("Webhook-Id") != "msg_1" || r.RawQuery != "x=1&y=2" {
				t.Errorf("%s: left %v and %s", config, r.Header, r.RawQuery)
			}
			if err := providertest.MustParse(t, configOf(config, providertest.OwnSecret)).Sign(r, later); err != nil {
				t.Fatal(err)
			}
			if err := source.Verify(r, later); err != nil || r.Matched != 1 {
				t.Errorf("%s: the source itself now says %v, secret %d", config, err, r.Matched)
			}
		}
	}
}

// TestEveryScheme holds that a preset is either among the symmetric ones or
// proves nothing.
func TestEveryScheme(t *testing.T) {
	known := make(map[string]bool)
	for _, name := range asymmetric {
		known[name] = false
	}
	for _, name := range special {
		known[name] = true
	}
	for name := range providertest.KeyedConfigs {
		known[name] = false
	}
	for _, config := range symmetric() {
		name, _, _ := strings.Cut(config, " ")
		known[name] = true
	}
	for _, p := range provider.Presets() {
		got := p.Unsignable() == ""
		if want, listed := known[p.Name]; got != want || !listed {
			t.Errorf("%s: signable is %v", p.Name, got)
		}
	}
	for text, want := range map[string]bool{
		"insertsign {\ntoken path s\n}":                false,
		"custom {\ntoken header X-Token s\n}":          false,
		"custom {\nnone\n}":                            false,
		"custom s {\nhmac {\nheader X-Signature\n}\n}": true,
	} {
		if got := providertest.MustParse(t, text).(provider.Resigner).Unsignable("") == ""; got != want {
			t.Errorf("%s: signable is %v", text, got)
		}
	}
}

// TestSignsInTheFormThatCame holds that an app gets the spelling, and the
// weaker signatures, that the provider uses.
func TestSignsInTheFormThatCame(t *testing.T) {
	for _, test := range []struct {
		config string
		sent   []string
		prefix map[string]string // of each header that must have been signed
	}{
		{"iusign @", []string{"X-IUSign-Signature: 00"}, map[string]string{"X-Iusign-Signature": ""}},
		{"iusign @", []string{"X-IUSign-Signature: sha256=00"}, map[string]string{"X-Iusign-Signature": "sha256="}},
		{"github @", []string{"X-Hub-Signature-256: sha256=00"}, map[string]string{"X-Hub-Signature-256": "sha256="}},
		{"github @", []string{"X-Hub-Signature-256: sha256=00", "X-Hub-Signature: sha1=00"},
			map[string]string{"X-Hub-Signature-256": "sha256=", "X-Hub-Signature": "sha1="}},
		{"github @", []string{"X-Hub-Signature: sha512=00"},
			map[string]string{"X-Hub-Signature-256": "sha256=", "X-Hub-Signature": "sha512="}},
		{"github @", []string{"X-Hub-Signature-256: sha256=00", "X-Hub-Signature: nonsense"}, map[string]string{"X-Hub-Signature-256": "sha256="}},
		{"convoy @", []string{"X-Convoy-Signature: t=1,v1=00"}, map[string]string{"X-Convoy-Signature": "t=" + strconv.FormatInt(providertest.Now.Unix(), 10) + ",v1="}},
		{"convoy @", []string{"X-Convoy-Signature: 00"}, map[string]string{"X-Convoy-Signature": ""}},
		{"github @", nil, map[string]string{"X-Hub-Signature-256": "sha256="}},
	} {
		r := providertest.Hook("body", test.sent...)
		p := providertest.MustParse(t, configOf(test.config, providertest.OwnSecret))
		signer, err := p.(provider.Resigner).SignerWith("")
		if err != nil {
			t.Fatal(err)
		}
		if err := signer.Sign(r, providertest.Now); err != nil {
			t.Fatal(err)
		}
		for name, prefix := range test.prefix {
			signature, ok := strings.CutPrefix(r.HeaderValue(name), prefix)
			if !ok || len(signature) < 40 || strings.ContainsAny(signature, "=,") {
				t.Errorf("%v became %s: %q", test.sent, name, r.HeaderValue(name))
			}
			alone := providertest.Hook("body", name+": "+r.HeaderValue(name))
			if err := p.Verify(alone, providertest.Now); err != nil {
				t.Errorf("%v: %s alone: %v", test.sent, name, err)
			}
		}
		if len(r.Header) != len(test.prefix) {
			t.Errorf("%v became %v", test.sent, r.Header)
		}
	}
}

// TestOneHeaderForSeveralProofs signs what came in each form of a header in which several
// proofs can stand. The app gets the same form, made with the right key.
func TestOneHeaderForSeveralProofs(t *testing.T) {
	const raw = "a text that is no key"
	later := providertest.Now.Add(10 * time.Hour)
	for _, test := range []struct {
		config, given, app string
		timed              bool // the request has a signed time
	}{
		{"openai " + providertest.OwnSecret, "", "replicate " + providertest.OwnSecret, true},
		{"openai " + raw, "", "openai " + raw, true},
		{"openai " + raw + " " + providertest.OwnSecret, "", "openai " + raw, true},
		{"openai " + providertest.OwnSecret, providertest.OtherSecret, "replicate " + providertest.OtherSecret, true},
		{"grafana s", "", "custom s {\nhmac {\nheader X-Grafana-Alerting-Signature\nsigned {timestamp}:{body}\ntimestamp header X-Grafana-Alerting-Timestamp\n}\n}", true},
		{"grafana s", "", "custom s {\nhmac {\nheader X-Grafana-Alerting-Signature\n}\n}", false},
		{"convoy s", "", "custom s {\nhmac {\nheader X-Convoy-Signature\nvalue t={timestamp},v1={signature}\nsigned {timestamp},{body}\n}\n}", true},
		{"convoy s", "", "custom s {\nhmac {\nheader X-Convoy-Signature\n}\n}", false},
		{"standardwebhooks " + providertest.OwnSecret + " {\npublic_key " + providertest.Rfc8032Key + "\n}", providertest.OtherSecret,
			"replicate " + providertest.OtherSecret, true},
		{"hook0 s {\nlegacy\n}", "", "hook0 s", true},
	} {
		config := strings.Replace(strings.Replace(test.config, raw, "`"+raw+"`", 1), "`` ", "", 1)
		app := providertest.MustParse(t, strings.Replace(test.app, raw, "`"+raw+"`", 1))
		source := providertest.MustParse(t, config)
		r := providertest.Hook(`{"id":1}`, "Webhook-Id: msg_1")
		sender := app
		if test.given != "" {
			sender = providertest.MustParse(t, strings.Replace(test.app, providertest.OtherSecret, providertest.OwnSecret, 1))
		}
		if err := sender.Sign(r, providertest.Now); err != nil {
			t.Fatal(err)
		}
		headers := len(r.Header)
		if why := source.(provider.Resigner).Unsignable(test.given); why != "" {
			t.Errorf("%s: %s", config, why)
			continue
		}
		signer, err := source.(provider.Resigner).SignerWith(test.given)
		if err != nil {
			t.Fatal(err)
		}
		if err := signer.Sign(r, later); err != nil {
			t.Errorf("%s: %v", config, err)
		}
		if err := app.Verify(r, later); err != nil || len(r.Header) != headers {
			t.Errorf("%s, with a time %v: the app says %v to %v", config, test.timed, err, r.Header)
		}
	}
}

// TestTokensKeepTheirForm signs a token that came alone, and one after Bearer.
func TestTokensKeepTheirForm(t *testing.T) {
	const config = "custom s {\njwt HS256 {\nheader Authorization\nbody_hash sha256 base64\nissuer key\n%s\n}\n}"
	for _, test := range []struct {
		line, before string
		bearer       bool
	}{
		{"", "", true}, {"bare", "", false},
		{"", "Bearer ", true}, {"", "alone", false}, {"bare", "Bearer ", true}, {"bare", "alone", false},
	} {
		p := providertest.MustParse(t, strings.Replace(config, "%s", test.line, 1))
		r := providertest.Hook(`{"event":"room_started"}`)
		for range 2 { // the second time, there is a token of that form
			if err := p.Sign(r, providertest.Now); err != nil {
				t.Fatal(err)
			}
			if test.before != "" {
				token := strings.TrimPrefix(r.HeaderValue("Authorization"), "Bearer ")
				r.Header["Authorization"] = []string{strings.TrimPrefix(test.before, "alone") + token}
			}
			if err := p.Verify(r, providertest.Now); err != nil {
				t.Error(err)
			}
		}
		if err := p.Sign(r, providertest.Now); err != nil {
			t.Fatal(err)
		}
		if got := strings.HasPrefix(r.HeaderValue("Authorization"), "Bearer "); got != test.bearer {
			t.Errorf("with the line %q, after %q: %s", test.line, test.before, r.HeaderValue("Authorization"))
		}
	}
}

// TestStandardReplacesSvix holds that Svix's library finds no older headers of its own.
func TestStandardReplacesSvix(t *testing.T) {
	signer, err := provider.Standard(providertest.OtherSecret)
	if err != nil {
		t.Fatal(err)
	}
	r := providertest.Hook("{}", "Webhook-Id: msg_1", "Svix-Id: msg_0", "X-Other: 1")
	if err := providertest.MustParse(t, "svix "+providertest.OwnSecret).Sign(r, providertest.Now); err != nil {
		t.Fatal(err)
	}
	if err := signer.Sign(r, providertest.Now); err != nil {
		t.Fatal(err)
	}
	// The preset reads as the library does: svix-… first, where it is there.
	if err := providertest.MustParse(t, "svix "+providertest.OtherSecret).Verify(r, providertest.Now); err != nil || len(r.Header) != 4 {
		t.Errorf("%v, with %v", err, r.Header)
	}
}

func TestSignersSecret(t *testing.T) {
	t.Setenv("EMPTY", "")
	p := providertest.MustParse(t, "standardwebhooks "+providertest.OwnSecret).(provider.Resigner)
	for secret, want := range map[string]string{
		"{env.EMPTY}":    "secret 1 has no value: {env.EMPTY} is empty",
		"{envv.EMPTY}":   "there is no placeholder",
		"whsec_":         "not a key in base64",
		"s3cret, s3cret": "not a key in base64",
	} {
		_, fromProvider := p.SignerWith(secret)
		_, standard := provider.Standard(secret)
		for _, err := range []error{fromProvider, standard} {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: got %v", secret, err)
			}
		}
	}
	if _, err := provider.Standard(""); err == nil {
		t.Error("Standard Webhooks signs without a secret")
	}
}

// TestMatched holds that each secret is told by its position, the first one that
// matches winning, and that no position is larger than announced.
func TestMatched(t *testing.T) {
	third := "whsec_aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ="
	for _, config := range append(symmetric(), "insertsign {\ntoken path @\n}", "custom {\ntoken header X-Token @\n}") {
		p := providertest.MustParse(t, configOf(config, providertest.OwnSecret+" "+providertest.OtherSecret+" "+third+" "+third))
		if n := p.Profile().Secrets; n != 4 {
			t.Errorf("%s announces %d secrets", config, n)
		}
		for secret, want := range map[string]int{providertest.OwnSecret: 1, providertest.OtherSecret: 2, third: 3, "whsec_bm9uZQ==": 0} {
			r := providertest.Hook(bodyOf(config), "Webhook-Id: msg_1", "Content-Type: "+providertest.FormType)
			r.Public.Host = "public.example.com"
			if err := providertest.MustParse(t, configOf(config, secret)).Sign(r, providertest.Now); err != nil {
				t.Fatal(err)
			}
			if err := p.Verify(r, providertest.Now); (err == nil) != (want > 0) || err == nil && r.Matched != want {
				t.Errorf("%s: %v and secret %d, want %d", config, err, r.Matched, want)
			}
		}
	}
	legacy := providertest.Hook("body", "X-Hub-Signature: sha1=25e6bdc5bb6d1d0a0ae58eb0d4d6a5ee8a3b0d0c")
	if err := providertest.MustParse(t, "github a").Verify(legacy, providertest.Now); !errors.Is(err, scheme.Wrong) || legacy.Matched != 0 {
		t.Errorf("%v and secret %d", err, legacy.Matched)
	}
}

// TestSignsTheURLWithTheToken has a token that guards the source in the URL that
// the proof covers: the gateway sees it there.
func TestSignsTheURLWithTheToken(t *testing.T) {
	for _, name := range []string{"twilio", "square", "hubspot", "trello", "plivo"} {
		for _, token := range []string{"token query tk guard", "token path guard"} {
			p := providertest.MustParse(t, name+" "+providertest.OwnSecret+" {\n"+token+"\n}")
			r, err := p.Profile().Samples()[0].Request(providertest.Now, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.To(&url.URL{Scheme: "https", Host: "example.com", Path: "/hook", RawQuery: "a=1"})
			if err := p.Sign(r, providertest.Now); err != nil {
				t.Fatal(err)
			}
			called, err := url.Parse(r.URL(&url.URL{Scheme: "https", Host: "example.com"}))
			if err != nil {
				t.Fatal(err)
			}
			r.Public = called
			if err := p.Verify(r, providertest.Now); err != nil {
				t.Errorf("%s with %s: %v, at %s", name, token, err, called)
			}
		}
	}
}
