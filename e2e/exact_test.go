package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"
)

// trusting is queueIn for a gateway that trusts a proxy on this machine. It
// ends the block that it stands in and begins another.
const trusting = queueIn + `
}
servers {
	trusted_proxies static 127.0.0.1
	trusted_proxies_strict
`

// besideProxy has a source and a plain reverse_proxy to the same app, which a
// header asks for.
const besideProxy = `
	@plain header X-Plain yes
	handle @plain {
		reverse_proxy %[1]s
	}
	webhook_gateway /hook* {
		provider iusign secret
		insecure_http
		dedup off
		route app %[1]s
	}
`

// TestDeliversLikeReverseProxy sends requests twice, through the gateway and
// through Caddy's reverse_proxy, and compares what the app gets.
func TestDeliversLikeReverseProxy(t *testing.T) {
	t.Parallel()
	const json = "Content-Type: application/json\r\n"
	tests := map[string]struct {
		target, headers, body string
		plainHTTP             bool
	}{
		"simple":           {target: "/hook", headers: json, body: `{"event":"e"}`},
		"empty body":       {target: "/hook"},
		"odd target":       {target: "/hook/a%2fb%2F%20//x/%7E~;v=1" + oddQuery, body: "{}"},
		"empty query":      {target: "/hook?", body: "{}"},
		"any bytes":        {target: "/hook", headers: "Content-Type: text/plain; charset=latin1\r\n", body: "\x00\xff\xfe\r\n\t{\n"},
		"encoded body":     {target: "/hook", headers: json + "Content-Encoding: gzip\r\n", body: "\x1f\x8b no real gzip"},
		"repeated headers": {target: "/hook", headers: "X-A: 2\r\nX-B: x\r\nx-a: 1\r\nX-A: \r\nX-A: 3, 4\r\nCookie: a=1; b=2\r\nCookie: c\r\n", body: "{}"},
		"user agent":       {target: "/hook", headers: "User-Agent: IUSign-Webhook-Manager/1.0\r\nAccept: */*\r\nAccept-Encoding: br\r\n", body: "{}"},
		"credentials":      {target: "/hook", headers: "Authorization: Bearer x\r\n", body: "{}"},
		"hop by hop": {target: "/hook", body: "{}", headers: "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n" +
			"Proxy-Authorization: Basic eA==\r\nTe: gzip\r\nX-End: 1\r\n"},
		"forwarded by a stranger": {target: "/hook", headers: "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: other.example\r\nVia: 1.0 x\r\n", body: "{}"},
		"forwarded by a proxy": {target: "/hook", plainHTTP: true, body: "{}",
			headers: "X-Forwarded-For: 192.0.2.7, 198.51.100.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: hooks.example\r\n"},
	}
	app := newApp(t, nil)
	sites := fmt.Sprintf(besideProxy, app.address)
	stranger := start(t, "{$HTTPS} {"+sites+"}\n")
	proxied := newGateway(t)
	proxied.write(trusting, "{$HTTP} {"+sites+"}\n")
	proxied.run()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := stranger
			if test.plainHTTP {
				g = proxied
			}
			before := len(app.deliveries())
			for _, mark := range []string{"X-Plain: yes\r\n", ""} {
				request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%sX-IUSign-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
					test.target, test.headers, mark, hmacHex("secret", []byte(test.body)), len(test.body), test.body)
				if resp := g.raw(test.plainHTTP, request); resp.StatusCode != http.StatusOK {
					t.Fatalf("answer %d, want 200", resp.StatusCode)
				}
			}
			got := app.waitFor(t, before+2)[before:]
			compare(t, got[0], got[1])
		})
	}
}

var ownHeaders = []string{"Source", "Event-Id", "Event-Type", "Attempt", "Received-At"}

// compare says where a delivery differs from what reverse_proxy passed on,
// apart from the gateway's own headers.
func compare(t *testing.T, plain, gateway delivery) {
	t.Helper()
	plain.header.Del("X-Plain")
	for _, name := range ownHeaders {
		gateway.header.Del("Webhook-Gateway-" + name)
	}
	if !reflect.DeepEqual(plain, gateway) {
		t.Errorf("the gateway delivered\n%+v\nand reverse_proxy passes on\n%+v", gateway, plain)
	}
}

// raw sends a request as it stands, over TLS or not, and returns the answer.
func (g *gateway) raw(plainHTTP bool, request string) *http.Response {
	g.t.Helper()
	conn, err := g.dial(plainHTTP)
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		g.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

func (g *gateway) dial(plainHTTP bool) (net.Conn, error) {
	if plainHTTP {
		return net.Dial("tcp", g.http)
	}
	return tls.Dial("tcp", g.https, g.client.Transport.(*http.Transport).TLSClientConfig)
}

// TestProtocols posts in each version of HTTP.
func TestProtocols(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, "{$HTTPS} {"+fmt.Sprintf(besideProxy, app.address)+"}\n")
	trust := g.client.Transport.(*http.Transport).TLSClientConfig
	three := &http3.Transport{TLSClientConfig: trust}
	t.Cleanup(func() { three.Close() })
	for proto, transport := range map[string]http.RoundTripper{
		"HTTP/1.1": g.client.Transport,
		"HTTP/2.0": &http.Transport{TLSClientConfig: trust.Clone(), ForceAttemptHTTP2: true},
		"HTTP/3.0": three,
	} {
		t.Run(proto, func(t *testing.T) {
			client := &http.Client{Transport: transport, Timeout: patience}
			before := len(app.deliveries())
			for _, plain := range []string{"yes", "no"} {
				body := strings.Repeat("x", 100_000)
				req, err := http.NewRequest(http.MethodPost, "https://"+g.https+"/hook?a=%20", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header = jsonHeader("X-Plain", plain, "X-IUSign-Signature", hmacHex("secret", []byte(body)))
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK || resp.Proto != proto {
					t.Fatalf("answer %d in %s, want 200 in %s", resp.StatusCode, resp.Proto, proto)
				}
			}
			got := app.waitFor(t, before+2)[before:]
			got[1].header.Del("X-Plain")
			compare(t, got[0], got[1])
		})
	}
}

// TestChunkedBody is what reverse_proxy would pass on in chunks: the app gets a
// length, and nothing of how the body arrived.
func TestChunkedBody(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, "{$HTTPS} {"+fmt.Sprintf(besideProxy, app.address)+"}\n")
	body := strings.Repeat("a", 5000) + strings.Repeat("b", 5000)
	chunked := fmt.Sprintf("1388\r\n%s\r\n1388\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n", body[:5000], body[5000:])
	resp := g.raw(false, "POST /hook HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nTrailer: X-Trailer\r\n"+
		"Expect: 100-continue\r\nX-IUSign-Signature: "+hmacHex("secret", []byte(body))+"\r\n\r\n"+chunked)
	if resp.StatusCode != http.StatusContinue {
		t.Fatalf("first answer %d, want 100", resp.StatusCode)
	}
	got := app.waitFor(t, 1)[0]
	if string(got.body) != body || got.length != int64(len(body)) || got.chunked {
		t.Errorf("app got %d bytes, length %d, chunked %t; want %d bytes with a length", len(got.body), got.length, got.chunked, len(body))
	}
	for _, name := range []string{"Expect", "Transfer-Encoding", "Trailer", "X-Trailer"} {
		if got.header.Values(name) != nil {
			t.Errorf("app got %s: %q", name, got.header.Values(name))
		}
	}
}

// TestOwnHeaders sends the gateway's own headers, which it replaces or drops.
func TestOwnHeaders(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, "{$HTTPS} {"+fmt.Sprintf(besideProxy, app.address)+"}\n")
	header := jsonHeader("X-IUSign-Signature", hmacHex("secret", []byte("{}")))
	for _, name := range ownHeaders {
		header["Webhook-Gateway-"+name] = []string{"forged", "forged too"}
	}
	if status, _ := g.post("/hook", header, []byte("{}")); status != http.StatusOK {
		t.Fatalf("answer %d, want 200", status)
	}
	got := app.waitFor(t, 1)[0].header
	for _, name := range ownHeaders {
		values := got.Values("Webhook-Gateway-" + name)
		switch {
		case name == "Event-Type": // the body names none
			if values != nil {
				t.Errorf("app got an event type %q where there is none", values)
			}
		case len(values) != 1 || values[0] == "" || strings.Contains(values[0], "forged"):
			t.Errorf("app got Webhook-Gateway-%s %q", name, values)
		}
	}
}
