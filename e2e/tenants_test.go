package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
)

const (
	acmeSecret   = "acme-0123456789abcdef"
	globexSecret = "globex-0123456789abcdef"
)

// shopSite is a site whose tenants stand in the path. %[1]s are the lines with their
// secrets, %[2]s and %[3]s the apps of all and of acme.
const shopSite = `{$HTTPS} {
	webhook_gateway /t/* {
		source shop
		provider insigner
		tenant ` + "`split(path, \"/\")[2]`" + `
		%[1]s
		route all %[2]s {
			sign provider
			retry 1h 50ms 50ms
		}
		route acme ` + "`tenant == \"acme\"`" + ` %[3]s
	}
}
`

// signedFor returns an inSigner webhook that a secret signs.
func signedFor(secret, id string) (http.Header, []byte) {
	header, body := insigner(id)
	header.Set("X-Insigner-Signature", "sha256="+hmacHex(secret, body))
	return header, body
}

// wantFor posts a webhook to a tenant's path.
func (g *gateway) wantFor(tenant, secret, id string, want int) {
	g.t.Helper()
	header, body := signedFor(secret, id)
	if status, _ := g.post("/t/"+tenant, header, body); status != want {
		g.t.Errorf("tenant %s, signed with %s…: %d, want %d", tenant, secret[:4], status, want)
	}
}

// TestTenants serves two tenants: what one of them signs is no other's, and the tenant is
// in rules, headers, lists and the dedup key, but in no metric.
func TestTenants(t *testing.T) {
	t.Parallel()
	app, own := newApp(t, nil), newApp(t, nil)
	g := start(t, fmt.Sprintf(shopSite, "secrets acme {env.OLDER} {env.ACME}\nsecrets globex {env.GLOBEX}", app.address, own.address),
		"OLDER=older-secret-of-acme", "ACME="+acmeSecret, "GLOBEX="+globexSecret)
	g.wantFor("acme", acmeSecret, "e1", 200)
	g.wantFor("globex", globexSecret, "e1", 200) // of the same ID and body
	g.wantFor("globex", globexSecret, "e1", 200) // a copy
	g.wantFor("globex", acmeSecret, "e2", 401)
	g.wantFor("acme", globexSecret, "e2", 401)
	g.wantFor("initech", acmeSecret, "e2", 401)
	g.wantFor("a%20b", acmeSecret, "e2", 401)
	g.wantFor("", acmeSecret, "e2", 401)
	g.wantFor(strings.Repeat("a", 65), acmeSecret, "e2", 401)

	secrets := map[string]string{"acme": "older-secret-of-acme", "globex": globexSecret}
	for _, d := range app.waitFor(t, 2) {
		tenant := d.header.Get("Webhook-Gateway-Tenant")
		if want := "sha256=" + hmacHex(secrets[tenant], d.body); secrets[tenant] == "" || d.header.Get("X-Insigner-Signature") != want || d.uri != "/t/"+tenant {
			t.Errorf("tenant %q got %s signed %s", tenant, d.uri, d.header.Get("X-Insigner-Signature"))
		}
	}
	if d := own.waitFor(t, 1)[0]; d.header.Get("Webhook-Gateway-Tenant") != "acme" || d.header.Get("X-Insigner-Signature") != "sha256="+hmacHex(acmeSecret, d.body) {
		t.Errorf("the route of acme got %v", d.header)
	}
	eventually(t, "all is delivered", func() bool { return len(g.events(url.Values{"state": {"delivered"}})) == 2 })
	if n := len(app.deliveries()) + len(own.deliveries()); n != 3 {
		t.Errorf("%d deliveries, want 3", n)
	}

	if list := g.events(url.Values{"tenant": {"globex"}}); len(list) != 1 || list[0].Tenant != "globex" || list[0].Source != "shop" {
		t.Errorf("the events of globex are %+v", list)
	}
	if out := g.must(t, "events", "--tenant", "acme"); strings.Count(out, "\n") != 2 || !strings.Contains(out, "SOURCE  TENANT  EVENT") || !strings.Contains(out, "  shop    acme    document.completed  ") {
		t.Errorf("events says %s", out)
	}
	if out := g.must(t, "show", g.events(url.Values{"tenant": {"acme"}})[0].ID); !strings.Contains(out, "tenant       acme\n") {
		t.Errorf("show says %s", out)
	}
	if out := g.must(t, "replay", "--tenant", "acme", "--state", "delivered", "--route", "all", "--yes"); !strings.Contains(out, "1 deliver") {
		t.Errorf("replay says %s", out)
	}
	metrics := g.adminText("/metrics")
	if strings.Contains(metrics, "acme\"") && strings.Contains(strings.ReplaceAll(metrics, `route="acme"`, ""), "acme") || strings.Contains(metrics, "globex") {
		t.Error("a tenant is in the metrics")
	}
	for name, want := range map[string]float64{
		`caddy_webhook_gateway_tenants{source="shop"}`:                              2,
		`caddy_webhook_gateway_requests_total{outcome="unverified",source="shop"}`:  6,
		`caddy_webhook_gateway_secret_matches_total{position="2",source="shop"}`:    1,
		`caddy_webhook_gateway_secret_matches_total{position="1",source="shop"}`:    2,
		`caddy_webhook_gateway_secrets_from_stale{source="shop"}`:                   0,
		`caddy_webhook_gateway_requests_total{outcome="accepted",source="shop"}`:    2,
		`caddy_webhook_gateway_requests_total{outcome="duplicate",source="shop"}`:   1,
		`caddy_webhook_gateway_requests_total{outcome="unavailable",source="shop"}`: 0,
		`caddy_webhook_gateway_queue_events{source="shop",state="routed"}`:          2,
	} {
		if got := g.metric(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	log := g.log.String()
	if !strings.Contains(log, "unknown tenant: initech") || !strings.Contains(log, "the expression yields no name of a tenant") {
		t.Error("the log does not say why a tenant is refused")
	}
	for _, secret := range []string{acmeSecret, globexSecret, secrets["acme"]} {
		if strings.Contains(log+metrics, secret) {
			t.Errorf("%s… is in what the gateway writes", secret[:4])
		}
	}
}

// An unknown tenant, a wrong signature and none get the same answer.
func TestUnknownTenantAnswer(t *testing.T) {
	t.Parallel()
	g := start(t, fmt.Sprintf(shopSite, "secrets acme "+acmeSecret, "127.0.0.1:1", "127.0.0.1:1"))
	var answers []string
	for _, path := range []string{"/t/acme", "/t/initech", "/t/"} {
		for _, sign := range []bool{true, false} {
			header, body := signedFor(globexSecret, "e1")
			if !sign {
				header.Del("X-Insigner-Signature")
			}
			resp, err := g.do("POST", "https://"+g.https+path, header, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			resp.header.Del("Date")
			answers = append(answers, fmt.Sprint(resp.status, resp.header, resp.body))
		}
	}
	for _, answer := range answers {
		if answer != answers[0] || !strings.HasPrefix(answer, "401 ") {
			t.Errorf("the answers differ: %q and %q", answers[0], answer)
		}
	}
}

// A secret of a tenant is masked wherever a sender puts it.
func TestTenantSecretsStayInside(t *testing.T) {
	t.Parallel()
	app := newApp(t, status(503))
	file := filepath.Join(t.TempDir(), "tenants")
	writeTenants(t, file, "globex "+globexSecret)
	g := start(t, fmt.Sprintf(shopSite, "secrets acme {env.ACME}\nsecrets_from "+file, app.address, app.address), "ACME="+acmeSecret)
	for tenant, secret := range map[string]string{"acme": acmeSecret, "globex": globexSecret} {
		header, body := signedFor(secret, "id-"+secret)
		header.Set("X-Insigner-Event", secret)
		header.Set("X-Note", base64.StdEncoding.EncodeToString([]byte("x"+secret)))
		if status, _ := g.post("/t/"+tenant, header, body); status != 200 {
			t.Fatal(status)
		}
	}
	written := g.must(t, "events") + g.must(t, "events", "--json") + string(g.adminCall("GET", "/webhook_gateway/sources"))
	for _, e := range g.events(nil) {
		written += g.must(t, "show", e.ID)
	}
	eventually(t, "an attempt has failed", func() bool { return strings.Contains(g.log.String(), "delivery attempt failed") })
	written += g.log.String()
	for _, secret := range []string{acmeSecret, globexSecret, base64.StdEncoding.EncodeToString([]byte("x" + globexSecret))} {
		if strings.Contains(written, secret) {
			t.Errorf("%s… is in what the gateway writes", secret[:4])
		}
	}
}

// Deliveries that are signed for a tenant who is gone wait for the tenant to come back.
func TestTenantGone(t *testing.T) {
	t.Parallel()
	app := newApp(t, status(503))
	site := func(lines string) string { return fmt.Sprintf(shopSite, lines, app.address, "127.0.0.1:1") }
	g := start(t, site("secrets globex "+globexSecret+"\nsecrets hooli x"))
	g.wantFor("globex", globexSecret, "e1", 200)
	app.waitFor(t, 1)
	g.mustLoad(site("secrets hooli x"))
	g.wantFor("globex", globexSecret, "e2", 401)
	eventually(t, "the attempt says why it fails", func() bool {
		events := g.events(url.Values{"tenant": {"globex"}})
		d := events[0].Deliveries[0]
		return d.State == "pending" && strings.Contains(d.Reason, "signing: tenant globex is not known any more")
	})
	app.setAnswer(nil)
	g.mustLoad(site("secrets globex new-" + globexSecret))
	eventually(t, "the delivery ends", func() bool { return len(g.events(url.Values{"state": {"delivered"}})) == 1 })
	all := app.deliveries()
	if last := all[len(all)-1]; last.header.Get("X-Insigner-Signature") != "sha256="+hmacHex("new-"+globexSecret, last.body) {
		t.Error("the delivery is not signed with the new secret")
	}
}

// writeTenants replaces a file of secrets as programs should: by renaming another one.
func writeTenants(t *testing.T, path string, lines ...string) {
	t.Helper()
	err := os.WriteFile(path+"~", []byte(strings.Join(lines, "\n")+"\n"), 0o600)
	if err == nil {
		err = os.Rename(path+"~", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestSecretsFromUnderLoad replaces secrets_from all the time, by good files and broken
// ones, while two tenants send. No genuine request is refused, and no reload is needed.
func TestSecretsFromUnderLoad(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	file := filepath.Join(t.TempDir(), "tenants")
	steady := []string{"acme " + acmeSecret, "globex " + globexSecret}
	for n := range map[bool]int{false: 1000, true: 100_000}[*full] {
		steady = append(steady, fmt.Sprintf("t%d secret-of-tenant-%d-0123456789abcdef", n, n))
	}
	writeTenants(t, file, steady...)
	g := start(t, strings.Replace(fmt.Sprintf(shopSite, "secrets_from "+file, app.address, app.address), "sign provider", "", 1))

	var sent, refused atomic.Int64
	var senders sync.WaitGroup
	done := make(chan struct{})
	for tenant, secret := range map[string]string{"acme": acmeSecret, "globex": globexSecret} {
		for worker := range 4 {
			senders.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-done:
						return
					default:
					}
					header, body := signedFor(secret, fmt.Sprintf("%s-%d-%d", tenant, worker, n))
					resp, err := g.do("POST", "https://"+g.https+"/t/"+tenant, header, bytes.NewReader(body))
					if sent.Add(1); err != nil || resp.status != 200 {
						refused.Add(1)
					}
				}
			})
		}
	}
	answered := func(tenant, secret, id string, want int) func() bool {
		return func() bool {
			header, body := signedFor(secret, id)
			status, _ := g.post("/t/"+tenant, header, body)
			return status == want
		}
	}
	stale := func() float64 { return g.metric(`caddy_webhook_gateway_secrets_from_stale{source="shop"}`) }

	// A new tenant comes, and its secret is changed.
	g.wantFor("initech", "initech-secret-1", "i0", 401)
	writeTenants(t, file, append(steady, "initech initech-secret-1")...)
	eventually(t, "the new tenant is known", answered("initech", "initech-secret-1", "i1", 200))
	writeTenants(t, file, append(steady, "initech initech-secret-2")...)
	eventually(t, "the new secret counts", answered("initech", "initech-secret-2", "i2", 200))
	g.wantFor("initech", "initech-secret-1", "i3", 401)

	// What is broken changes nothing, and is told.
	for i, broken := range []string{"acme\nglobex " + globexSecret, ""} {
		writeTenants(t, file, broken)
		eventually(t, "the broken file is noticed", func() bool { return stale() == 1 })
		g.wantFor("initech", "initech-secret-2", fmt.Sprint("broken", i), 200)
		var sources []operate.SourceInfo
		g.adminJSON("GET", "/webhook_gateway/sources", &sources)
		if sources[0].Problem == "" || *sources[0].Tenants != len(steady)+1 {
			t.Errorf("%q: the admin API shows %+v", broken, sources[0])
		}
		writeTenants(t, file, append(steady, "initech initech-secret-2", "# after "+strings.ReplaceAll(broken, "\n", " "))...)
		eventually(t, "the good file is noticed", func() bool { return stale() == 0 })
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the missing file is noticed", func() bool { return stale() == 1 })

	// One that is written in place, slowly.
	w, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"acme ", acmeSecret, "\n", "globex ", globexSecret, "\n"} {
		_, _ = io.WriteString(w, line)
		time.Sleep(300 * time.Millisecond)
	}
	_ = w.Close()
	eventually(t, "a tenant is gone", answered("initech", "initech-secret-2", "i5", 401))
	if stale() != 0 {
		t.Error("the file is still called broken")
	}
	close(done)
	senders.Wait()
	if refused.Load() > 0 || sent.Load() < 100 {
		t.Errorf("%d of %d genuine requests were refused", refused.Load(), sent.Load())
	}
	log := g.log.String()
	for _, text := range []string{"secrets of tenants read again", "secrets_from is not in use as it is; the last good secrets stay in use"} {
		if !strings.Contains(log, text) {
			t.Errorf("the log does not say %q", text)
		}
	}
	t.Logf("%d requests, %d of them refused", sent.Load(), refused.Load())
}

// TestTenantInBody has the tenant in the body, which is not decompressed before it is
// proven.
func TestTenantInBody(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /hook {
		source shop
		provider custom {
			token header X-Token
			event `+"`body.type`"+`
			id    `+"`body.id`"+`
		}
		tenant body.account
		secrets acme %s
		secrets 42 %s
		route app %s
	}
}
`, acmeSecret, globexSecret, app.address))
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(`{"id":"z","account":"acme"}`))
	_ = w.Close()
	for _, test := range []struct {
		body, token, encoding string
		want                  int
	}{
		{`{"id":"1","type":"a","account":"acme"}`, acmeSecret, "", 200},
		{`{"id":"2","type":"a","account":42}`, globexSecret, "", 200},
		{`{"id":"3","type":"a","account":"acme"}`, globexSecret, "", 401},
		{`{"id":"4","type":"a","account":"initech"}`, acmeSecret, "", 401},
		{`{"id":"5","type":"a"}`, acmeSecret, "", 401},
		{`{"id":"6","type":"a","account":{"acme":1}}`, acmeSecret, "", 401},
		{`{"id":"7","type":"a","account":"acme"`, acmeSecret, "", 401},
		{packed.String(), acmeSecret, "gzip", 401},
		{``, acmeSecret, "", 401},
		{`{"id":"8","account":"acme"}`, "", "", 401},
	} {
		header := http.Header{"Content-Type": {"application/json"}}
		if test.token != "" {
			header.Set("X-Token", test.token)
		}
		if test.encoding != "" {
			header.Set("Content-Encoding", test.encoding)
		}
		if status, _ := g.post("/hook", header, []byte(test.body)); status != test.want {
			t.Errorf("%q: %d, want %d", test.body, status, test.want)
		}
	}
	tenants := make(map[string]bool)
	for _, d := range app.waitFor(t, 2) {
		tenants[d.header.Get("Webhook-Gateway-Tenant")] = true
	}
	if len(tenants) != 2 || !tenants["acme"] || !tenants["42"] {
		t.Errorf("the app got webhooks of %v", tenants)
	}
}

// TestTenantsVerifyOnly hands on what the tenant's secret proves.
func TestTenantsVerifyOnly(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway {
		provider insigner
		tenant query.t
		secrets acme %s
		secrets globex %s
	}
	reverse_proxy %s
}
`, acmeSecret, globexSecret, app.address))
	for path, want := range map[string]int{"/?t=acme": 200, "/?t=globex": 401, "/": 401} {
		header, body := signedFor(acmeSecret, "e1")
		header.Set("Webhook-Gateway-Tenant", "globex")
		if status, _ := g.post(path, header, body); status != want {
			t.Errorf("%s: %d", path, status)
		}
	}
	if got := app.deliveries(); len(got) != 1 || got[0].header.Get("Webhook-Gateway-Tenant") != "acme" {
		t.Errorf("the app got %+v", got)
	}
}

// TestTenantsHandshakes has tenants' secrets answer challenges, and a tenant's secret
// delivered by a handshake.
func TestTenantsHandshakes(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /x/* {
		provider twitter
		tenant `+"`split(path, \"/\")[2]`"+`
		secrets acme %s
		route app %[2]s
	}
	webhook_gateway /asana/* {
		provider asana
		tenant `+"`split(path, \"/\")[2]`"+`
		route app %[2]s {
			sign provider
		}
	}
}
`, acmeSecret, app.address))
	mac := hmac.New(sha256.New, []byte(acmeSecret))
	mac.Write([]byte("c1"))
	for tenant, want := range map[string]string{
		"acme":   `200 {"response_token":"sha256=` + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + `"}`,
		"globex": "401 Unauthorized\n",
	} {
		resp, err := g.do("GET", "https://"+g.https+"/x/"+tenant+"?crc_token=c1", nil, nil)
		if err != nil || fmt.Sprint(resp.status, " ", resp.body) != want {
			t.Errorf("%s: %+v, %v", tenant, resp, err)
		}
	}

	const first, second = "b537207f20cbfa02357cf448134da559", "0dd0a9a0e4b41c2f96a6a5d0d7d2a3b1"
	deliver := func(tenant, secret string, want int) {
		t.Helper()
		if status, _ := g.post("/asana/"+tenant, http.Header{"X-Hook-Secret": {secret}}, []byte("{}")); status != want {
			t.Errorf("%s delivers a secret: %d, want %d", tenant, status, want)
		}
	}
	send := func(tenant, secret string, want int) {
		t.Helper()
		body := fmt.Appendf(nil, `{"events":[{"tenant":%q}]}`, tenant)
		if status, _ := g.post("/asana/"+tenant, http.Header{"X-Hook-Signature": {hmacHex(secret, body)}}, body); status != want {
			t.Errorf("%s signs with %s…: %d, want %d", tenant, secret[:4], status, want)
		}
	}
	deliver("acme", first, 401)
	if _, stderr, status := g.webhook("enroll", "asana"); status != 2 || !strings.Contains(stderr, "name the one whose secret is delivered (--tenant)") {
		t.Errorf("enroll without a tenant: %d %s", status, stderr)
	}
	if out := g.must(t, "enroll", "asana", "--tenant", "acme"); !strings.Contains(out, "asana, tenant acme, accepts one secret until ") {
		t.Errorf("enroll says %s", out)
	}
	deliver("globex", second, 401)
	deliver("acme", first, 200)
	g.must(t, "enroll", "asana", "--tenant", "globex")
	deliver("globex", second, 200)
	for range 2 { // the secrets outlive a reload
		send("acme", first, 200)
		send("globex", second, 200)
		send("acme", second, 401)
		send("globex", first, 401)
		if err := g.reload(); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range app.waitFor(t, 2) {
		tenant := d.header.Get("Webhook-Gateway-Tenant")
		if d.header.Get("X-Hook-Signature") != hmacHex(map[string]string{"acme": first, "globex": second}[tenant], d.body) {
			t.Errorf("the delivery of %q is signed with another secret", tenant)
		}
	}
	var info struct {
		Delivered []struct{ Tenant, Fingerprint string }
	}
	if err := json.Unmarshal([]byte(g.must(t, "enroll", "asana", "--tenant", "acme", "--for", "0", "--json")), &info); err != nil || len(info.Delivered) != 2 || info.Delivered[0].Tenant != "acme" {
		t.Fatalf("%+v, %v", info, err)
	}
	g.must(t, "enroll", "asana", "--forget", info.Delivered[0].Fingerprint)
	send("acme", first, 401)
	send("globex", second, 200)
}

// TestTenantsCommands sends and verifies with the secrets of a tenant.
func TestTenantsCommands(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, fmt.Sprintf(shopSite, "secrets acme "+acmeSecret+"\nsecrets globex "+globexSecret, app.address, app.address))
	if out := g.must(t, "send", "shop", "--tenant", "globex"); !strings.Contains(out, "answer    200 OK") || !strings.Contains(out, "/t/globex\n") {
		t.Errorf("send says %s", out)
	}
	if list := g.events(url.Values{"tenant": {"globex"}}); len(list) != 1 {
		t.Errorf("%d events of globex", len(list))
	}
	for args, want := range map[string]string{
		"send shop":                  "source shop has tenants, and none is named",
		"send shop --tenant initech": "source shop knows no tenant initech",
		"send shop --tenant acme --url https://" + g.https + "/t/globex":                   `the request would name tenant "globex", not acme`,
		"send --provider insigner --secret s --tenant acme --url https://" + g.https + "/": "--tenant goes with a source",
	} {
		if _, stderr, status := g.webhook(strings.Fields(args)...); status != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %s", args, status, stderr)
		}
	}

	header, body := signedFor(acmeSecret, "e1")
	var raw strings.Builder
	fmt.Fprintf(&raw, "POST /t/%%s HTTP/1.1\r\nHost: %s\r\n", g.https)
	_ = header.Write(&raw)
	raw.WriteString("\r\n")
	for _, test := range []struct {
		tenant string
		more   []string
		status int
		says   string
	}{
		{"acme", nil, 0, "valid, by secret or key 1\n  tenant       acme\n"},
		{"globex", nil, 1, "invalid: "},
		{"initech", nil, 1, "invalid: unknown tenant: initech\n"},
		{"initech", []string{"--tenant", "acme"}, 0, "valid, by secret or key 1\n  tenant       acme\n"},
		{"acme", []string{"--tenant", "hooli"}, 2, "knows no tenant hooli"},
	} {
		file := filepath.Join(g.dir, "request")
		if err := os.WriteFile(file, append([]byte(fmt.Sprintf(raw.String(), test.tenant)), body...), 0o600); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"webhook", "verify", "--config", g.config, "--source", "shop"}, append(test.more, file)...)
		if stdout, stderr, status := g.command(args...); status != test.status || !strings.Contains(stdout+stderr, test.says) {
			t.Errorf("%s %v: exit %d, %s%s", test.tenant, test.more, status, stdout, stderr)
		}
	}
	file := filepath.Join(g.dir, "request")
	if out, stderr, status := g.command("webhook", "rules", "--config", g.config, "--source", "shop", file); status != 0 || !strings.Contains(out, "acme") {
		t.Errorf("rules: exit %d, %s%s", status, out, stderr)
	}
}
