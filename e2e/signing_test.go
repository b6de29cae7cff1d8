package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// The provider's own secrets, and those that only gateway and app know.
var (
	theirSecret, ourSecret = "their-secret-61aa", "our-secret-9d0e"
	theirKey               = "whsec_" + base64.StdEncoding.EncodeToString([]byte("their key of Standard Webhooks"))
	ourKey                 = "whsec_" + base64.StdEncoding.EncodeToString([]byte("our key of Standard Webhooks"))
)

const late = 10 * time.Hour

// lateSender is a provider whose webhooks come late, with what verifies them.
type lateSender struct {
	provider, own, ours string // a preset, its secret and the app's
	options             string // for the source to take what is late
	webhook             func(at time.Time, body []byte) http.Header
	verify              func(secret string) verifier
	tooOld              string // what an app says to the original
}

var lateSenders = []lateSender{
	{
		provider: "github", own: theirSecret, ours: ourSecret, verify: byGitHub,
		webhook: func(_ time.Time, body []byte) http.Header { return github(theirSecret, "g-1", "push", body) },
	}, {
		provider: "stripe", own: theirSecret, ours: ourSecret, verify: byStripe, tooOld: "timestamp outside the tolerance zone",
		options: "tolerance 12h",
		webhook: func(at time.Time, body []byte) http.Header {
			return jsonHeader("Stripe-Signature", stripe(at, body, theirSecret))
		},
	}, {
		provider: "standardwebhooks", own: theirKey, ours: ourKey, verify: byStandard, tooOld: "timestamp outside the tolerance zone",
		options: "tolerance 12h",
		webhook: func(at time.Time, body []byte) http.Header {
			return standard("msg_1", at, body, "their key of Standard Webhooks")
		},
	},
}

// TestSignedAtAnyTime lets ten hours pass on the clock that signing and
// verifying are given.
func TestSignedAtAnyTime(t *testing.T) {
	accepted := time.Unix(1_760_000_000, 0)
	for _, s := range lateSenders {
		p := loadProvider(t, s.provider, s.own)
		signers := make(map[string]provider.Signer)
		var err error
		if signers["the same secret"], err = p.SignerWith(""); err != nil {
			t.Fatal(err)
		}
		if signers["another secret"], err = p.SignerWith(s.ours); err != nil {
			t.Fatal(err)
		}
		if signers["standard"], err = provider.Standard(ourKey); err != nil {
			t.Fatal(err)
		}
		body := []byte(`{"id":"evt_1",  "type":"t"}`)
		for how, signer := range signers {
			header := s.webhook(accepted, body)
			verify := s.verify(map[string]string{"the same secret": s.own, "another secret": s.ours}[how])
			if how == "standard" {
				verify = byStandard(ourKey)
				header.Set("Webhook-Id", "event-1")
			}
			if how == "the same secret" {
				if err := verify(header, body, accepted); err != nil {
					t.Errorf("%s: the original is refused at once: %v", s.provider, err)
				}
				if err := verify(header, body, accepted.Add(late)); fmt.Sprint(err) != orNil(s.tooOld) {
					t.Errorf("%s: ten hours late the original gets %v", s.provider, err)
				}
			}
			if err := signer.Sign(&provider.Request{Method: "POST", Header: header, Body: body}, accepted.Add(late)); err != nil {
				t.Fatal(err)
			}
			if err := verify(header, body, accepted.Add(late)); err != nil {
				t.Errorf("%s with %s: %v", s.provider, how, err)
			}
			if err := verify(header, body, accepted.Add(2*late)); how == "standard" && err == nil {
				t.Errorf("%s with %s is accepted twenty hours late", s.provider, how)
			}
		}
	}
}

func orNil(text string) string {
	if text == "" {
		return "<nil>"
	}
	return text
}

func loadProvider(t *testing.T, name, secret string) provider.Resigner {
	t.Helper()
	info, err := caddy.GetModule("webhook_gateway.providers." + name)
	if err != nil {
		t.Fatal(err)
	}
	p := info.New()
	if err := caddy.StrictUnmarshalJSON(fmt.Appendf(nil, `{"secrets": [%q]}`, secret), p); err != nil {
		t.Fatal(err)
	}
	if err := p.(caddy.Provisioner).Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	return p.(provider.Resigner)
}

// TestSignsAgain sends webhooks that are ten hours old to apps that keep their
// vendor's check. Without sign they get the original headers, untouched.
func TestSignsAgain(t *testing.T) {
	t.Parallel()
	for _, s := range lateSenders {
		t.Run(s.provider, func(t *testing.T) {
			t.Parallel()
			plain, same := newStrictApp(t, s.verify(s.own)), newStrictApp(t, s.verify(s.own))
			other, std := newStrictApp(t, s.verify(s.ours)), newStrictApp(t, byStandard(ourKey))
			g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /hook {
		provider %s {env.OWN} b2xkZXI= {
			%s
		}
		route plain %s
		route same %s {
			sign provider
		}
		route other %s {
			sign provider {env.OURS}
		}
		route standard %s {
			sign standard {env.OUR_KEY}
		}
	}
}
`, s.provider, s.options, plain.address, same.address, other.address, std.address),
				"OWN="+s.own, "OURS="+s.ours, "OUR_KEY="+ourKey)
			body := []byte("{\"id\":\"evt_1\",  \"type\":\"t\"}\r\n")
			sent := s.webhook(time.Now().Add(-late), body)
			if status, answer := g.post("/hook", sent, body); status != http.StatusOK {
				t.Fatalf("answer %d %s", status, answer)
			}
			original := plain.wantSaid(t, "the original", s.tooOld)
			for name, values := range sent {
				if !reflect.DeepEqual(original.header[name], values) {
					t.Errorf("without sign the app got %s %q, want %q", name, original.header[name], values)
				}
			}
			again := same.wantSaid(t, "sign provider", "")
			other.wantSaid(t, "sign provider with a secret", "")
			last := std.wantSaid(t, "sign standard", "")
			if id := last.header.Get("Webhook-Id"); id != last.header.Get("Webhook-Gateway-Event-Id") {
				t.Errorf("sign standard has the ID %s", id)
			}
			if id := again.header.Get("Webhook-Id"); id != sent.Get("Webhook-Id") {
				t.Errorf("sign provider made the ID %s of %s", id, sent.Get("Webhook-Id"))
			}
			for _, d := range []delivery{again, last} {
				if string(d.body) != string(body) {
					t.Errorf("the app got %q", d.body)
				}
			}
			g.checkLeaks([]string{s.own, s.ours, ourKey, strings.TrimPrefix(ourKey, "whsec_")})
		})
	}
}

// TestSignsEachAttempt holds that a delivery that waits for its app is signed anew
// at each attempt, under one ID.
func TestSignsEachAttempt(t *testing.T) {
	t.Parallel()
	app := newApp(t, func(w http.ResponseWriter, r *http.Request) {
		if attemptOf(r) < 3 {
			withHeader("Retry-After", "1", http.StatusServiceUnavailable)(w, r)
		}
	})
	g := start(t, insignerSite(app.address+" {\nretry 1h 10ms 10ms\nsign standard "+ourKey+"\n}", ""))
	g.mustSend("a")
	verify, timestamps := byStandard(ourKey), make(map[string]bool)
	for _, d := range app.waitFor(t, 3) {
		if err := verify(d.header, d.body, time.Now()); err != nil {
			t.Error(err)
		}
		if id := d.header.Get("Webhook-Id"); id == "" || id != app.deliveries()[0].header.Get("Webhook-Id") {
			t.Errorf("attempt %s has the ID %s", d.header.Get("Webhook-Gateway-Attempt"), id)
		}
		timestamps[d.header.Get("Webhook-Timestamp")] = true
	}
	if len(timestamps) != 3 {
		t.Errorf("three attempts a second apart have the timestamps %v", timestamps)
	}
}

// TestSignsTheURL signs what covers the URL, behind a path that the site cuts, a
// restart and a token that the app must not see.
func TestSignsTheURL(t *testing.T) {
	t.Parallel()
	app := unstartedApp(t, freeAddress(t), nil)
	source := func(name, more string) string {
		return fmt.Sprintf(`handle_path /%[1]s/* {
		webhook_gateway {
			source %[1]s
			provider custom their {
				hmac {
					header X-Sig
					signed "{url} {id} {body}"
				}
				id body.id
				%[2]s
			}
			route %[1]s %[3]s {
				sign provider {env.OURS}
				retry 1h 50ms 200ms
			}
		}
	}
`, name, more, app.address)
	}
	sites := "{$HTTPS} {\n" + source("public", "token query key {env.GUARD}") + source("external", "external_url https://hooks.example") +
		source("anonymous", "") + source("before", "") + "}\n"
	// One webhook is stored before its scheme covers the URL.
	i := strings.Index(sites, "handle_path /before/*")
	g := start(t, sites[:i]+strings.Replace(sites[i:], "{url} {id} {body}", "{body}", 1), "OURS="+ourSecret, "GUARD=guard-8c1f")
	here := "https://" + g.https
	for path, signed := range map[string]string{
		"/public/a%2Fb?key=guard-8c1f&x=%20": here + "/public/a%2Fb?key=guard-8c1f&x=%20 1",
		"/external/a%2Fb?x=%20":              "https://hooks.example/external/a%2Fb?x=%20 1",
		"/anonymous/a":                       here + "/anonymous/a ",
		"/before/a%2Fb?x=%20":                "",
	} {
		body := `{"id":1}`
		if strings.HasPrefix(path, "/anonymous") { // the hash stands in for an ID, but is none
			body = `{}`
		}
		header := http.Header{"X-Sig": {hmacHex("their", []byte(strings.TrimPrefix(signed+" "+body, " ")))}}
		if status, answer := g.post(path, header, []byte(body)); status != http.StatusOK {
			t.Fatalf("%s: answer %d %s", path, status, answer)
		}
	}
	g.stop()
	app.listen(t)
	g.write(queueIn, sites)
	g.run()
	want := map[string]string{
		"public":    "/a%2Fb?x=%20 " + here + "/public/a%2Fb?x=%20 1",
		"external":  "/a%2Fb?x=%20 https://hooks.example/external/a%2Fb?x=%20 1",
		"anonymous": "/a " + here + "/anonymous/a ",
		"before":    "/a%2Fb?x=%20 " + here + "/a%2Fb?x=%20 1",
	}
	for _, d := range app.waitFor(t, len(want)) {
		name := d.header.Get("Webhook-Gateway-Source")
		uri, signed, _ := strings.Cut(want[name], " ")
		if d.uri != uri {
			t.Errorf("%s: the app got %s", name, d.uri)
		}
		if got := d.header.Values("X-Sig"); len(got) != 1 || got[0] != hex.EncodeToString(sum(sha256.New, ourSecret, signed+" "+string(d.body))) {
			t.Errorf("%s: the app got the signature %v, want one over %s", name, got, signed)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("not delivered: %v", want)
	}
	g.checkLeaks([]string{ourSecret})
	files, err := filepath.Glob(g.dir + "/queue/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files of the queue: %v", err)
	}
	for _, file := range files { // Caddy's own log of rewrites has it while it debugs
		if strings.Contains(readFile(t, file), "guard-8c1f") {
			t.Errorf("%s holds the token", file)
		}
	}
}

// TestSignsAFixedValue gives the app the value that it knows, in place of the
// provider's.
func TestSignsAFixedValue(t *testing.T) {
	t.Parallel()
	own, given := newApp(t, nil), newApp(t, nil)
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /hook {
		provider fusesign {env.NEW} {env.OLD}
		route own %s {
			sign provider
		}
		route given %s {
			sign provider {env.OURS}
		}
	}
}
`, own.address, given.address), "NEW="+newSecret, "OLD="+oldSecret, "OURS="+ourSecret)
	body := []byte(`{"WebhookId":"w-1","EventType":"BundleCreated"}`)
	if status, answer := g.post("/hook", jsonHeader("Fuse-Signature", oldSecret), body); status != http.StatusOK {
		t.Fatalf("answer %d %s", status, answer)
	}
	for app, want := range map[*app]string{own: newSecret, given: ourSecret} {
		if got := app.waitFor(t, 1)[0].header.Values("Fuse-Signature"); len(got) != 1 || got[0] != want {
			t.Errorf("the app got %v, want %s", got, want)
		}
	}
	g.checkLeaks([]string{newSecret, oldSecret, ourSecret})
}
