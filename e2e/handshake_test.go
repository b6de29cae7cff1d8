package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
)

// handshakeSites has a source for each kind of handshake. %[1]s is the app,
// %[2]s the URL that confirms subscriptions.
const handshakeSites = `{$HTTPS} {
	webhook_gateway /meta {
		provider meta {env.META} {
			verify_token {env.VERIFY}
		}
		route app %[1]s
	}
	webhook_gateway /zoom {
		provider zoom {env.ZOOM}
		route app %[1]s
	}
	webhook_gateway /plain {
		source plain
		provider custom {env.PLAIN} {
			hmac {
				header X-Sig
			}
			handshake echo query challenge
			handshake probe {
				method HEAD
			}
			handshake hmac query crc_token {
				encoding base64
				json ` + "`" + `{"response_token":"sha256={digest}"}` + "`" + `
			}
			handshake echo header X-Origin {
				method OPTIONS
				header X-Allowed {challenge}
				header X-Rate {header.X-Asked-Rate}
			}
			handshake confirm body SubscribeURL {
				when body Type Confirm
				pattern %[2]s/[a-z0-9?=/]+
				signed always
			}
		}
		route app %[1]s
	}
	webhook_gateway /closed {
		source closed
		provider custom closed-secret-4d {
			hmac {
				header X-Sig
			}
			handshake echo query challenge
		}
		allow_ips 192.0.2.1
		route app %[1]s
	}
	webhook_gateway /none {
		source none
		provider github none-secret-5e
		route app %[1]s
	}
}
{$HTTP} {
	webhook_gateway /meta {
		provider meta {env.META} {
			verify_token {env.VERIFY}
		}
		route app %[1]s
	}
}
`

var handshakeSecrets = []string{"META=app-secret-1b", "VERIFY=v3rify-7c", "ZOOM=zoom-secret-2f", "PLAIN=plain-secret-9a"}

// TestHandshakes asks what providers ask, and what strangers may ask.
func TestHandshakes(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	var visits atomic.Int32
	confirms := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if visits.Add(1); r.URL.RawQuery == "token=bad" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(confirms.Close)
	g := start(t, fmt.Sprintf(handshakeSites, app.address, confirms.URL), handshakeSecrets...)
	mac := hmac.New(sha256.New, []byte("plain-secret-9a"))
	mac.Write([]byte("abc"))
	now := fmt.Sprint(time.Now().Unix())
	validation := `{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}`
	zoom := func(secret string) []string {
		return []string{"X-Zm-Request-Timestamp", now, "X-Zm-Signature", "v0=" + hmacHex(secret, []byte("v0:"+now+":"+validation))}
	}
	confirm := func(target string) string { return fmt.Sprintf(`{"Type":"Confirm","SubscribeURL":%q}`, target) }
	signed := func(body string) []string { return []string{"X-Sig", hmacHex("plain-secret-9a", []byte(body))} }
	const challenge = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
	for _, c := range []struct {
		method, target, body string
		header               []string
		status               int
		want                 string // of the answer
	}{
		{"GET", "/plain?challenge=abc%26123", "", nil, 200, "abc&123"},
		{"GET", "/plain?challenge=a%0Ab", "", nil, 400, "Bad Request\n"},
		{"GET", "/plain?challenge=" + strings.Repeat("a", 2000), "", nil, 400, "Bad Request\n"},
		{"GET", "/plain?other=abc", "", nil, 405, "Method Not Allowed\n"},
		{"HEAD", "/plain", "", nil, 200, ""},
		{"GET", "/plain?crc_token=abc", "", nil, 200, `{"response_token":"sha256=` + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + `"}`},
		{"GET", "/plain?crc_token=%7B%22a%22%3A1%7D", "", nil, 400, "Bad Request\n"},
		{"POST", "/plain", "abc", signed("abc"), 401, "Unauthorized\n"}, // that signature is to be had above
		{"OPTIONS", "/plain", "", []string{"X-Origin", "a.example", "X-Asked-Rate", "120"}, 200, ""},
		{"GET", "/meta?" + challenge + "v3rify-7c", "", nil, 200, "1158201444"},
		{"GET", "/meta?" + challenge + "wrong", "", nil, 403, "Forbidden\n"},
		{"GET", "/meta?" + challenge, "", nil, 403, "Forbidden\n"},
		{"GET", "/meta", "", nil, 405, "Method Not Allowed\n"},
		{"POST", "/zoom", validation, zoom("zoom-secret-2f"), 200,
			`{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"` + hmacHex("zoom-secret-2f", []byte("qgg8vlvZRS6UYooatFL8Aw")) + `"}`},
		{"POST", "/zoom", validation, zoom("wrong"), 401, "Unauthorized\n"},
		{"POST", "/plain", confirm(confirms.URL + "/?token=1"), signed(confirm(confirms.URL + "/?token=1")), 200, ""},
		{"POST", "/plain", confirm(confirms.URL + "/?token=2"), signed("other"), 401, "Unauthorized\n"},
		{"POST", "/plain", confirm(confirms.URL + "/?token=bad"), signed(confirm(confirms.URL + "/?token=bad")), 503, "Service Unavailable\n"},
		{"POST", "/plain", confirm("http://127.0.0.1:1/?token=1"), signed(confirm("http://127.0.0.1:1/?token=1")), 400, "Bad Request\n"},
		{"GET", "/closed?challenge=abc", "", nil, 403, "Forbidden\n"},
		{"GET", "/none?challenge=abc", "", nil, 405, "Method Not Allowed\n"},
		{"HEAD", "/none", "", nil, 405, ""},
	} {
		header := make(http.Header)
		for i := 0; i+1 < len(c.header); i += 2 {
			header.Set(c.header[i], c.header[i+1])
		}
		resp, err := g.do(c.method, "https://"+g.https+c.target, header, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if resp.status != c.status || resp.body != c.want {
			t.Errorf("%s %s %s: %d %q, want %d %q", c.method, c.target, c.body, resp.status, resp.body, c.status, c.want)
		}
		if resp.status == 200 && resp.body != "" && resp.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: a browser may take the answer for a page", c.target)
		}
		if c.method == "OPTIONS" && (resp.header.Get("X-Allowed") != "a.example" || resp.header.Get("X-Rate") != "120") {
			t.Errorf("OPTIONS is answered with %v", resp.header)
		}
	}
	if resp, err := g.do("GET", "http://"+g.http+"/meta?"+challenge+"v3rify-7c", nil, nil); err != nil || resp.status != 403 {
		t.Errorf("a handshake over plain HTTP: %+v, %v", resp, err)
	}
	if n := visits.Load(); n != 2 {
		t.Errorf("%d visits to confirm, want 2", n)
	}
	for source, want := range map[string]float64{"plain": 5, "meta": 1, "zoom": 1, "closed": 0} {
		if n := g.metric(fmt.Sprintf(`caddy_webhook_gateway_requests_total{outcome="handshake",source=%q}`, source)); n != want {
			t.Errorf("%s: %v handshakes counted, want %v", source, n, want)
		}
	}
	if events := g.events(nil); len(events) != 0 || len(app.deliveries()) != 0 {
		t.Errorf("handshakes were stored: %+v", events)
	}
	for _, secret := range []string{"v3rify-7c", "app-secret-1b", "plain-secret-9a", "zoom-secret-2f", "token=bad"} {
		if strings.Contains(g.log.String(), secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

// TestAdobeSign holds that its client ID comes back with each answer, and that
// others' does not.
func TestAdobeSign(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, fmt.Sprintf("{$HTTPS} {\nwebhook_gateway {\nprovider adobe_sign {\nclient_ids CBJCHBCAABAA CBJCHBCAABBB\n}\nroute app %s\n}\n}\n", app.address))
	for _, c := range []struct {
		method, id string
		status     int
	}{
		{"GET", "CBJCHBCAABBB", 200}, {"GET", "EVIL", 400}, {"GET", "", 405}, {"POST", "CBJCHBCAABAA", 200}, {"POST", "EVIL", 401},
	} {
		resp, err := g.do(c.method, "https://"+g.https+"/", http.Header{"X-Adobesign-Clientid": {c.id}}, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if c.status == 200 {
			want = c.id
		}
		if resp.status != c.status || resp.header.Get("X-AdobeSign-ClientId") != want {
			t.Errorf("%s of %q: %d with %v", c.method, c.id, resp.status, resp.header)
		}
	}
	if n := len(app.waitFor(t, 1)); n != 1 {
		t.Errorf("the app got %d webhooks, want 1", n)
	}
}

// asanaSite has a source whose secret comes by handshake.
const asanaSite = `{$HTTPS} {
	webhook_gateway /asana {
		provider asana
		route app %s
	}
}
`

// TestEnroll has Asana deliver its secret, which survives a kill and a reload.
func TestEnroll(t *testing.T) {
	t.Parallel()
	const first, second, third = "b537207f20cbfa02357cf448134da559", "0dd0a9a0e4b41c2f96a6a5d0d7d2a3b1", "7c1d0f3b5e9a4c2d8f6b1a0e3d5c7b9f"
	app := newApp(t, nil)
	g := start(t, fmt.Sprintf(asanaSite, app.address))
	deliver := func(secret string) *response {
		t.Helper()
		resp, err := g.do("POST", "https://"+g.https+"/asana", http.Header{"X-Hook-Secret": {secret}}, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	n := 0
	send := func(secret string) int {
		n++
		body := fmt.Appendf(nil, `{"events":[{"n":%d}]}`, n)
		status, _ := g.post("/asana", http.Header{"X-Hook-Signature": {hmacHex(secret, body)}}, body)
		return status
	}
	wantSends := func(when string, want map[string]int) {
		t.Helper()
		for secret, status := range want {
			if got := send(secret); got != status {
				t.Errorf("%s: a webhook signed with %s… is answered %d, want %d", when, secret[:4], got, status)
			}
		}
	}
	if resp := deliver(first); resp.status != 401 || resp.header.Get("X-Hook-Secret") != "" {
		t.Errorf("before enrollment: %+v", resp)
	}
	wantSends("before enrollment", map[string]int{first: 401, "": 401})

	out := g.must(t, "enroll", "asana", "--for", "1m")
	if !strings.Contains(out, "asana accepts one secret until ") || !strings.Contains(out, "0 so far") {
		t.Errorf("enroll says %q", out)
	}
	if resp := deliver(first); resp.status != 200 || resp.header.Get("X-Hook-Secret") != first || resp.body != "" {
		t.Errorf("in the open window: %+v", resp)
	}
	wantSends("enrolled", map[string]int{first: 200, second: 401})
	if resp := deliver(second); resp.status != 401 {
		t.Errorf("the window is open after the first secret: %+v", resp)
	}
	file := filepath.Join(g.dir, "queue", "secrets", "asana.json")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: want a file that only its owner can read", info, err)
	}

	g.kill()
	g.run()
	wantSends("after SIGKILL", map[string]int{first: 200, second: 401})
	if resp := deliver(second); resp.status != 401 {
		t.Errorf("the window is open after a restart: %+v", resp)
	}
	if resp := deliver(first); resp.status != 200 {
		t.Errorf("asked again for what it has: %+v", resp)
	}

	var info operate.EnrollInfo
	if err := json.Unmarshal([]byte(g.must(t, "enroll", "asana", "--json")), &info); err != nil || info.Secrets != 1 || info.File != file {
		t.Errorf("enroll says %+v, %v", info, err)
	}
	g.write(queueIn, strings.Replace(fmt.Sprintf(asanaSite, app.address), "provider", "max_body 1MiB\nprovider", 1))
	if err := g.reload(); err != nil {
		t.Fatal(err)
	}
	if resp := deliver(second); resp.status != 200 {
		t.Errorf("the window is shut after a reload: %+v", resp)
	}
	wantSends("two enrolled", map[string]int{first: 200, second: 200, third: 401})

	if out := g.must(t, "enroll", "asana", "--for", "0"); !strings.Contains(out, "asana accepts no more secrets\n2 so far") {
		t.Errorf("enroll --for 0 says %q", out)
	}
	if resp := deliver(third); resp.status != 401 {
		t.Errorf("in a window that was shut: %+v", resp)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(content, []byte(first), nil, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.reload(); err != nil {
		t.Fatal(err)
	}
	wantSends("one removed", map[string]int{first: 401, second: 200})

	open := func() {
		t.Helper()
		if resp, err := g.do("POST", "http://"+g.admin+"/webhook_gateway/sources/asana/enroll", nil, nil); err != nil || resp.status != 200 {
			t.Fatalf("enroll: %+v, %v", resp, err)
		}
	}
	for i := range 99 {
		open()
		if resp := deliver(fmt.Sprintf("one-of-too-many-secrets-%d", i)); resp.status != 200 {
			t.Fatalf("secret %d of many: %+v", i, resp)
		}
	}
	open()
	if resp := deliver("one-too-many-secrets"); resp.status != 401 {
		t.Errorf("more secrets than a source takes: %+v", resp)
	}
	if err := os.WriteFile(file, []byte("["+second), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.reload(); err == nil || !strings.Contains(err.Error(), "asana.json is damaged") || strings.Contains(err.Error(), second) {
		t.Errorf("with a damaged file: %v", err)
	}
	wantSends("after a failed reload", map[string]int{second: 200})
	for _, secret := range []string{first, second, third} {
		if strings.Contains(g.log.String(), secret) || strings.Contains(out, secret) {
			t.Errorf("%s… was printed", secret[:4])
		}
	}
}

// TestForget drops a secret that a stranger delivered.
func TestForget(t *testing.T) {
	t.Parallel()
	const genuine, strange = "b537207f20cbfa02357cf448134da559", "0dd0a9a0e4b41c2f96a6a5d0d7d2a3b1"
	app := newApp(t, nil)
	g := start(t, fmt.Sprintf(asanaSite, app.address))
	prints := make(map[string]string)
	for _, secret := range []string{strange, genuine} {
		g.must(t, "enroll", "asana")
		if status, _ := g.post("/asana", http.Header{"X-Hook-Secret": {secret}}, nil); status != 200 {
			t.Fatalf("delivering a secret is answered %d", status)
		}
		sum := sha256.Sum256([]byte(secret))
		prints[secret] = hex.EncodeToString(sum[:6])
	}
	send := func(secret string) int {
		body := []byte(`{"events":["` + secret[:4] + `"]}`)
		status, _ := g.post("/asana", http.Header{"X-Hook-Signature": {hmacHex(secret, body)}}, body)
		return status
	}
	out := g.must(t, "enroll", "asana", "--for", "0")
	for _, print := range prints {
		if !strings.Contains(out, print+" from 127.0.0.1, ") || !strings.Contains(g.log.String(), print) {
			t.Errorf("%s is not in %q, or not in the log", print, out)
		}
	}
	if got := send(strange); got != 200 {
		t.Errorf("a webhook signed with a secret to be forgotten is answered %d", got)
	}
	if _, stderr, status := g.webhook("enroll", "asana", "--forget", "012345abcdef"); status != 1 || !strings.Contains(stderr, "no delivered secret") {
		t.Errorf("forgetting what is not there: exit %d, %s", status, stderr)
	}
	if out := g.must(t, "enroll", "asana", "--forget", prints[strange]); strings.Contains(out, prints[strange]) || !strings.Contains(out, prints[genuine]) {
		t.Errorf("enroll --forget says %q", out)
	}
	for _, when := range []string{"forgotten", "after a restart"} {
		if got := [2]int{send(strange), send(genuine)}; got != [2]int{401, 200} {
			t.Errorf("%s: the stranger and the provider are answered %d", when, got)
		}
		g.stop()
		g.run()
	}
}

// TestEnrollRefuses asks for what cannot be enrolled.
func TestEnrollRefuses(t *testing.T) {
	t.Parallel()
	g := start(t, strings.Replace(fmt.Sprintf(asanaSite, "127.0.0.1:1"), "\n}\n", "\nwebhook_gateway /github {\nprovider github s\n}\n}\n", 1))
	for args, want := range map[string]string{
		"nobody":            "no source is named nobody",
		"github":            "delivers no secret by handshake",
		"asana --for soon":  "is not a duration",
		"asana --for 1000h": "is not a duration",
		"asana --for -1s":   "is not a duration",
		"":                  "usage: caddy webhook enroll <source>",
	} {
		_, stderr, status := g.webhook(append([]string{"enroll"}, strings.Fields(args)...)...)
		if status == 0 || !strings.Contains(stderr, want) {
			t.Errorf("enroll %s: exit %d, %s", args, status, stderr)
		}
	}
}
