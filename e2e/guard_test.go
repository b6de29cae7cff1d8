package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// guardSites has one source for each way to guard one. Their events go nowhere.
const guardSites = `{
	webhook_gateway /tls {
		source tls
		provider iusign secret
		max_body 1KB
		route app 127.0.0.1:1
	}
	webhook_gateway /any {
		source any
		provider iusign secret
		insecure_http
		route app 127.0.0.1:1
	}
	webhook_gateway /own {
		source own
		provider insertsign
		insecure_http
		allow_ips 192.0.2.0/24 127.0.0.1 2001:db8::1
		route app 127.0.0.1:1
	}
	webhook_gateway /private {
		source private
		provider insertsign
		insecure_http
		allow_ips private_ranges
		route app 127.0.0.1:1
	}
	webhook_gateway /others {
		source others
		provider insertsign
		insecure_http
		allow_ips 192.0.2.0/24 2001:db8::/32
		route app 127.0.0.1:1
	}
	webhook_gateway /listed {
		source listed
		provider insertsign
		insecure_http
		allow_ips 198.51.100.1
		allow_ips_from static 203.0.113.0/24
		allow_ips_from static 127.0.0.0/8
		route app 127.0.0.1:1
	}
	webhook_gateway /none {
		source none
		provider custom {
			none
		}
		allow_ips 127.0.0.1
		route app 127.0.0.1:1
	}
	webhook_gateway /named {
		source named
		provider custom {
			none
			ranges 203.0.113.0/24 127.0.0.0/8
		}
		allow_ips published
		route app 127.0.0.1:1
	}
	webhook_gateway /telegram {
		source telegram
		provider telegram secret
		insecure_http
		allow_ips published 192.0.2.0/24
		route app 127.0.0.1:1
	}
	webhook_gateway /unlisted {
		source unlisted
		provider insertsign
		insecure_http
		allow_ips_from static 203.0.113.0/24
		route app 127.0.0.1:1
	}
}
`

// guardCase is a request and its answer.
type guardCase struct {
	name, method, target string // the target begins with tls: or http:
	header               http.Header
	body                 io.Reader // nil: a signed one
	status               int
	outcome              string // the metric that counts it
}

// run sends the request, signed for IUSign, and looks at the answer.
func (c *guardCase) run(t *testing.T, g *gateway, id int) {
	header := c.header.Clone()
	if header == nil {
		header = jsonHeader()
	}
	body := c.body
	if body == nil {
		content := fmt.Appendf(nil, `{"n":%d}`, id)
		body = bytes.NewReader(content)
		if header.Get("X-IUSign-Signature") == "" {
			header.Set("X-IUSign-Signature", hmacHex("secret", content))
		}
	}
	target := strings.NewReplacer("tls:", "https://"+g.https, "http:", "http://"+g.http).Replace(c.target)
	source := c.target[strings.Index(c.target, "/")+1:]
	metric := fmt.Sprintf(`caddy_webhook_gateway_requests_total{outcome=%q,source=%q}`, c.outcome, source)
	before := g.metric(metric)
	resp, err := g.do(c.method, target, header, body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.status != c.status {
		t.Errorf("answer %d, want %d", resp.status, c.status)
	}
	wantBody := http.StatusText(c.status) + "\n"
	if c.status == http.StatusOK || c.method == http.MethodHead {
		wantBody = ""
	}
	if resp.body != wantBody {
		t.Errorf("answer %q, want %q", resp.body, wantBody)
	}
	if allow := resp.header.Get("Allow"); (allow == "POST") != (c.status == http.StatusMethodNotAllowed) {
		t.Errorf("Allow is %q", allow)
	}
	if n := g.metric(metric) - before; n != 1 {
		t.Errorf("%s was counted %v times", c.outcome, n)
	}
}

// chunks is a body of n bytes that is sent in chunks.
func chunks(n int) io.Reader { return io.MultiReader(strings.NewReader(strings.Repeat("x", n))) }

// sized is a body of n bytes whose length is declared.
func sized(n int) io.Reader { return strings.NewReader(strings.Repeat("x", n)) }

func signed(n int) http.Header {
	return jsonHeader("X-IUSign-Signature", hmacHex("secret", []byte(strings.Repeat("x", n))))
}

func TestGuard(t *testing.T) {
	t.Parallel()
	forwarded := func(more ...string) http.Header {
		return jsonHeader(append([]string{"X-Forwarded-Proto", "https"}, more...)...)
	}
	tests := []guardCase{
		{name: "plain HTTP", target: "http:/tls", status: 403, outcome: "plain_http"},
		{name: "plain HTTP, said to be HTTPS by a stranger", target: "http:/tls", header: forwarded(), status: 403, outcome: "plain_http"},
		{name: "plain HTTP allowed", target: "http:/any", status: 200, outcome: "accepted"},
		{name: "own address", target: "tls:/own", status: 200, outcome: "accepted"},
		{name: "private range", target: "tls:/private", status: 200, outcome: "accepted"},
		{name: "other addresses", target: "tls:/others", status: 403, outcome: "address"},
		{name: "address said to be allowed by a stranger", target: "tls:/others", header: forwarded("X-Forwarded-For", "192.0.2.7"), status: 403, outcome: "address"},
		{name: "provider that proves nothing", target: "tls:/none", status: 200, outcome: "accepted"},
		{name: "listed", target: "tls:/listed", status: 200, outcome: "accepted"},
		{name: "named as published", target: "tls:/named", status: 200, outcome: "accepted"},
		{name: "not published", target: "tls:/telegram", status: 403, outcome: "address"},
		{name: "not listed", target: "tls:/unlisted", status: 403, outcome: "address"},
		{name: "GET", method: "GET", target: "tls:/tls", status: 405, outcome: "method"},
		{name: "HEAD", method: "HEAD", target: "tls:/tls", status: 405, outcome: "method"},
		{name: "PUT", method: "PUT", target: "tls:/tls", status: 405, outcome: "method"},
		{name: "as large as may be", target: "tls:/tls", header: signed(1000), body: sized(1000), status: 200, outcome: "accepted"},
		{name: "as large as may be, in chunks", target: "tls:/tls", header: signed(999), body: chunks(999), status: 200, outcome: "accepted"},
		{name: "one byte too large", target: "tls:/tls", header: signed(1001), body: sized(1001), status: 413, outcome: "size"},
		{name: "one byte too large, in chunks", target: "tls:/tls", header: signed(1001), body: chunks(1001), status: 413, outcome: "size"},
		{name: "far too large, in chunks", target: "tls:/tls", header: jsonHeader("X-IUSign-Signature", "00"), body: chunks(3 << 20), status: 413, outcome: "size"},
		{name: "wrong signature", target: "tls:/tls", header: jsonHeader("X-IUSign-Signature", "00"), status: 401, outcome: "unverified"},

		// Which answer comes first.
		{name: "plain HTTP and all the rest", method: "GET", target: "http:/tls", body: sized(1001), status: 403, outcome: "plain_http"},
		{name: "address and method", method: "GET", target: "tls:/others", status: 403, outcome: "address"},
		{name: "method and size", method: "PUT", target: "tls:/tls", body: sized(1001), status: 405, outcome: "method"},
		{name: "no signature and size", target: "tls:/tls", body: sized(1001), status: 401, outcome: "unverified"},
		{name: "size and wrong signature", target: "tls:/tls", header: jsonHeader("X-IUSign-Signature", "00"), body: sized(1001), status: 413, outcome: "size"},
	}
	g := start(t, "{$HTTPS} "+guardSites+"{$HTTP} "+guardSites)
	runGuardCases(t, g, tests)
	for _, e := range g.events(nil) {
		if e.Source == "others" || e.Source == "unlisted" {
			t.Errorf("a refused webhook was stored: %+v", e)
		}
	}
}

// runGuardCases runs each case, and a good request after each.
func runGuardCases(t *testing.T, g *gateway, tests []guardCase) {
	good := guardCase{method: "POST", target: "http:/any", status: 200, outcome: "accepted"}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.method == "" {
				test.method = http.MethodPost
			}
			test.run(t, g, 2*i)
			good.run(t, g, 2*i+1)
		})
	}
}

// TestTrustedProxy has the gateway behind a proxy that it believes.
func TestTrustedProxy(t *testing.T) {
	t.Parallel()
	via := func(proto, client string) http.Header {
		return jsonHeader("X-Forwarded-Proto", proto, "X-Forwarded-For", client)
	}
	tests := []guardCase{
		{name: "HTTPS", target: "http:/tls", header: via("https", "198.51.100.9"), status: 200, outcome: "accepted"},
		{name: "HTTPS in capitals", target: "http:/tls", header: via("HTTPS", "198.51.100.9"), status: 200, outcome: "accepted"},
		{name: "plain HTTP", target: "http:/tls", header: via("http", "198.51.100.9"), status: 403, outcome: "plain_http"},
		{name: "nothing said", target: "http:/tls", header: jsonHeader(), status: 403, outcome: "plain_http"},
		{name: "the nearest proxy counts", target: "http:/tls", header: via("https, http", "198.51.100.9"), status: 403, outcome: "plain_http"},
		{name: "client allowed", target: "http:/others", header: via("https", "192.0.2.7"), status: 200, outcome: "accepted"},
		{name: "what the client says of itself", target: "http:/others", header: via("https", "192.0.2.7, 198.51.100.9"), status: 403, outcome: "address"},
		{name: "IPv6 client allowed", target: "http:/others", header: via("https", "2001:db8::5"), status: 200, outcome: "accepted"},
		{name: "IPv4 client as IPv6", target: "http:/others", header: via("https", "::ffff:192.0.2.7"), status: 200, outcome: "accepted"},
		{name: "client not allowed", target: "http:/others", header: via("https", "198.51.100.9"), status: 403, outcome: "address"},
		{name: "the proxy's own address", target: "http:/own", header: via("https", "198.51.100.9"), status: 403, outcome: "address"},
		{name: "client listed", target: "http:/unlisted", header: via("https", "203.0.113.80"), status: 200, outcome: "accepted"},
		{name: "client published", target: "http:/telegram", header: via("https", "149.154.167.220"), status: 401, outcome: "unverified"},
		{name: "client beside what is published", target: "http:/telegram", header: via("https", "192.0.2.7"), status: 401, outcome: "unverified"},
		{name: "client not published", target: "http:/telegram", header: via("https", "149.154.176.1"), status: 403, outcome: "address"},
		{name: "client not listed", target: "http:/unlisted", header: via("https", "203.0.114.80"), status: 403, outcome: "address"},
	}
	g := newGateway(t)
	g.write(trusting, "{$HTTP} "+guardSites)
	g.run()
	runGuardCases(t, g, tests)
	event := g.events(url.Values{"source": {"unlisted"}})[0]
	if shown := g.adminText("/webhook_gateway/events/" + event.ID); !strings.Contains(shown, `"client_ip":"203.0.113.80"`) {
		t.Errorf("the client's address is not in %s", shown)
	}
}

// TestQueueShare fills the share of one source with what cannot be delivered
// yet: the others go on.
func TestQueueShare(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	const sites = `{$HTTPS} {
	webhook_gateway /greedy {
		source greedy
		provider iusign secret
		route app 127.0.0.1:1
	}
	webhook_gateway /modest {
		source modest
		provider iusign secret
		route app 127.0.0.1:1
	}
}
`
	options := strings.Replace(queueIn, "path", "max_size 100KB\n\tpath", 1)
	g.write(options, sites)
	g.run()
	send := func(source string, n int) int {
		body := fmt.Appendf(nil, `{"n":%d,"fill":%q}`, n, strings.Repeat("x", 5000))
		status, _ := g.post("/"+source, jsonHeader("X-IUSign-Signature", hmacHex("secret", body)), body)
		return status
	}
	taken := 0
	for taken < 20 && send("greedy", taken) == http.StatusOK {
		taken++
	}
	if taken < 7 || taken > 9 {
		t.Errorf("half of 100 kB took %d events of 5 kB", taken)
	}
	if status := send("modest", 0); status != http.StatusOK {
		t.Errorf("the other source is answered %d, want 200", status)
	}
	g.write(strings.Replace(options, "100KB", "1MB", 1), sites)
	if err := g.reload(); err != nil {
		t.Fatal(err)
	}
	if status := send("greedy", taken); status != http.StatusOK {
		t.Errorf("the refused delivery is answered %d when there is space, want 200", status)
	}
}
