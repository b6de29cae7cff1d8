package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// proofCase is a request with a proof of some kind.
type proofCase struct {
	name   string
	path   string
	header http.Header
	body   string
	want   int
}

// runProofCases sends each case, and looks whether it was stored.
func runProofCases(t *testing.T, g *gateway, tests []proofCase) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := len(g.events(nil))
			answer := map[int]string{http.StatusUnauthorized: "Unauthorized\n"}[test.want]
			if status, body := g.post(test.path, test.header, []byte(test.body)); status != test.want || body != answer {
				t.Errorf("answer %d %q, want %d %q", status, body, test.want, answer)
			}
			stored := len(g.events(nil)) - before
			if want := map[int]int{http.StatusOK: 1}[test.want]; stored != want {
				t.Errorf("%d events were stored, want %d", stored, want)
			}
		})
	}
}

const (
	oldSecret, newSecret = "old-secret-5b1f", "new-secret-88c0"
	oldKey, newKey       = "old key 5b1f of Standard Webhooks", "new key 88c0 of Standard Webhooks"
)

// presetSites has sources of the data presets, in the middle of a rotation.
const presetSites = `{$HTTPS} {
	webhook_gateway /github {
		provider github {env.OLD} {env.NEW}
		route app %[1]s
	}
	webhook_gateway /stripe {
		provider stripe {
			secret {env.OLD} {env.NEW}
		}
		route app %[1]s
	}
	webhook_gateway /patient {
		source patient
		provider stripe {env.OLD} {
			tolerance 1h
		}
		route app %[1]s
	}
	webhook_gateway /endless {
		source endless
		provider stripe {env.OLD} {
			tolerance off
		}
		route app %[1]s
	}
	webhook_gateway /standard {
		provider standardwebhooks {env.OLD_KEY} {file.{$GATEWAY_DIR}/key}
		route app %[1]s
	}
	webhook_gateway /timed {
		source timed
		provider insigner {env.OLD} {
			tolerance 5m
		}
		route app %[1]s
	}
}
`

func TestPresets(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := newGateway(t)
	g.env = append(g.env, "OLD="+oldSecret, "NEW="+newSecret, "OLD_KEY=whsec_"+base64.StdEncoding.EncodeToString([]byte(oldKey)))
	key := base64.StdEncoding.EncodeToString([]byte(newKey)) // without the prefix, which is no part of it
	if err := os.WriteFile(filepath.Join(g.dir, "key"), []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.write(queueIn, fmt.Sprintf(presetSites, app.address))
	g.run()

	n, now := 0, time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	// Each body is another one, so that no case is a duplicate.
	body := func() []byte { n++; return fmt.Appendf(nil, `{"id":"evt_%d","type":"t"}`, n) }
	stripeCase := func(name, path string, want int, proof func([]byte) string) proofCase {
		b := body()
		return proofCase{name, path, jsonHeader("Stripe-Signature", proof(b)), string(b), want}
	}
	githubCase := func(name string, want int, change func(http.Header, []byte)) proofCase {
		b := body()
		header := github(newSecret, fmt.Sprint("delivery-", n), "push", b)
		change(header, b)
		return proofCase{name, "/github", header, string(b), want}
	}
	standardCase := func(name string, want int, at time.Time, change func(http.Header), keys ...string) proofCase {
		b := body()
		header := standard(fmt.Sprint("msg_", n), at, b, keys...)
		if change != nil {
			change(header)
		}
		return proofCase{name, "/standard", header, string(b), want}
	}
	by := func(at time.Time, secrets ...string) func([]byte) string {
		return func(b []byte) string { return stripe(at, b, secrets...) }
	}
	insignerCase := func(name, timestamp string, want int) proofCase {
		b := body()
		header := jsonHeader("X-InSigner-Signature", "sha256="+hmacHex(oldSecret, b))
		if timestamp != "" {
			header.Set("X-InSigner-Timestamp", timestamp)
		}
		return proofCase{name, "/timed", header, string(b), want}
	}
	runProofCases(t, g, []proofCase{
		githubCase("github", 200, func(http.Header, []byte) {}),
		githubCase("github, the older secret", 200, func(h http.Header, b []byte) { h.Set("X-Hub-Signature-256", "sha256="+hmacHex(oldSecret, b)) }),
		githubCase("github, a form", 200, func(h http.Header, b []byte) { h.Set("Content-Type", "application/x-www-form-urlencoded") }),
		githubCase("github, capital hex", 200, func(h http.Header, b []byte) {
			h.Set("X-Hub-Signature-256", "sha256="+strings.ToUpper(hmacHex(oldSecret, b)))
		}),
		githubCase("github, another secret", 401, func(h http.Header, b []byte) { h.Set("X-Hub-Signature-256", "sha256="+hmacHex("other", b)) }),
		githubCase("github, SHA-1 alone", 401, func(h http.Header, b []byte) {
			h.Del("X-Hub-Signature-256")
			h.Set("X-Hub-Signature", "sha1=0000000000000000000000000000000000000000")
		}),
		githubCase("github, empty signature", 401, func(h http.Header, b []byte) { h.Set("X-Hub-Signature-256", "sha256=") }),

		stripeCase("stripe", "/stripe", 200, by(now, newSecret)),
		stripeCase("stripe, the older secret", "/stripe", 200, by(now, oldSecret)),
		stripeCase("stripe, several signatures, the last one good", "/stripe", 200, by(now, "other", "another", newSecret)),
		stripeCase("stripe, with the scheme of tests", "/stripe", 200, func(b []byte) string { return stripe(now, b, newSecret) + ",v0=abc" }),
		stripeCase("stripe, another secret", "/stripe", 401, by(now, "other")),
		stripeCase("stripe, the scheme of tests alone", "/stripe", 401, func(b []byte) string {
			return strings.Replace(stripe(now, b, newSecret), "v1=", "v0=", 1)
		}),
		stripeCase("stripe, nearly too old", "/stripe", 200, by(ago(4*time.Minute), newSecret)),
		stripeCase("stripe, too old", "/stripe", 401, by(ago(6*time.Minute), newSecret)),
		stripeCase("stripe, from the future", "/stripe", 401, by(ago(-6*time.Minute), newSecret)),
		stripeCase("stripe, another time than signed", "/stripe", 401, func(b []byte) string {
			return strings.Replace(stripe(ago(time.Hour), b, newSecret), fmt.Sprint(ago(time.Hour).Unix()), fmt.Sprint(now.Unix()), 1)
		}),
		stripeCase("stripe, the good time appended", "/stripe", 401, func(b []byte) string {
			return stripe(ago(time.Hour), b, newSecret) + fmt.Sprintf(",t=%d", now.Unix())
		}),
		stripeCase("stripe, no time", "/stripe", 401, func(b []byte) string { return "v1=" + hmacHex(newSecret, append([]byte("."), b...)) }),
		stripeCase("stripe, longer tolerance", "/patient", 200, by(ago(50*time.Minute), oldSecret)),
		stripeCase("stripe, older than the longer tolerance", "/patient", 401, by(ago(70*time.Minute), oldSecret)),
		stripeCase("stripe, no tolerance", "/endless", 200, by(ago(10000*time.Hour), oldSecret)),
		stripeCase("stripe, no tolerance, wrong", "/endless", 401, by(now, newSecret)),

		standardCase("standard", 200, now, nil, oldKey),
		standardCase("standard, the newer key", 200, now, nil, newKey),
		standardCase("standard, several signatures", 200, now, nil, "other", newKey, "another"),
		standardCase("standard, another version beside", 200, now, func(h http.Header) { h.Set("Webhook-Signature", "v1a,AAAA "+h.Get("Webhook-Signature")) }, newKey),
		standardCase("standard, another version alone", 401, now, func(h http.Header) {
			h.Set("Webhook-Signature", strings.Replace(h.Get("Webhook-Signature"), "v1,", "v2,", 1))
		}, newKey),
		standardCase("standard, another key", 401, now, nil, "other"),
		standardCase("standard, another ID", 401, now, func(h http.Header) { h.Set("Webhook-Id", "msg_other") }, newKey),
		standardCase("standard, no ID", 401, now, func(h http.Header) { h.Del("Webhook-Id") }, newKey),
		standardCase("standard, no time", 401, now, func(h http.Header) { h.Del("Webhook-Timestamp") }, newKey),
		standardCase("standard, too old", 401, ago(6*time.Minute), nil, newKey),
		standardCase("standard, from the future", 401, ago(-6*time.Minute), nil, newKey),

		insignerCase("insigner with tolerance", fmt.Sprint(now.Unix()), 200),
		insignerCase("insigner with tolerance, too old", fmt.Sprint(ago(6*time.Minute).Unix()), 401),
		insignerCase("insigner with tolerance, no time", "", 401),
	})
	// The log says how old a refused request is, and its sender gets no word of that.
	log := g.log.String()
	for _, says := range []string{`"detail":"timestamp too old: signed 6m`, `"detail":"timestamp in the future: signed `} {
		if !strings.Contains(log, `"outcome":"unverified",`+says) {
			t.Errorf("the log has no line with %s", says)
		}
	}
	if status, answer := g.post("/stripe", jsonHeader("Stripe-Signature", stripe(ago(time.Hour), nil, newSecret)), nil); status != 401 || answer != "Unauthorized\n" {
		t.Errorf("a request that is too old is answered %d %s", status, answer)
	}
	g.checkLeaks([]string{oldSecret, newSecret, key, strings.TrimRight(key, "=")})
}
