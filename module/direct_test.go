package module

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// twoWays are two routes to the same upstreams: past a reverse_proxy, and
// through it.
type twoWays struct {
	direct, proxied *Route
}

// newTwoWays loads the reverse_proxy. h is a handler of the running configuration
// whose first route has an upstream.
func newTwoWays(t *testing.T, h *Handler, proxy string) *twoWays {
	t.Helper()
	handler := loadHandler(t, proxy)
	server := h.Routes[0].transport.(*direct).server
	proxied, past := *h.Routes[0], *h.Routes[0]
	proxied.transport = &chain{handler: handler, server: server}
	d := newDirect(json.RawMessage(proxy), handler, server)
	if d == nil {
		t.Fatalf("%s is not passed by", proxy)
	}
	past.transport = d
	return &twoWays{&past, &proxied}
}

// transport is that of both ways.
func (w *twoWays) transport() *http.Transport {
	return w.direct.transport.(*direct).roundTripper.Transport
}

// trust has the transport trust the certificate.
func (w *twoWays) trust(certificate *x509.Certificate) {
	if w.transport().TLSClientConfig == nil {
		w.transport().TLSClientConfig = new(tls.Config)
	}
	w.transport().TLSClientConfig.RootCAs = x509.NewCertPool()
	w.transport().TLSClientConfig.RootCAs.AddCert(certificate)
}

// loadHandler loads a handler under the running configuration.
func loadHandler(t *testing.T, config string) caddyhttp.MiddlewareHandler {
	t.Helper()
	module, err := caddy.ActiveContext().LoadModule(&Route{HandlerRaw: json.RawMessage(config)}, "HandlerRaw")
	if err != nil {
		t.Fatalf("%s: %v", config, err)
	}
	return module.(caddyhttp.MiddlewareHandler)
}

// plainProxyTo is the configuration of a reverse_proxy with further lines.
func plainProxyTo(address, more string) string {
	return fmt.Sprintf(`{"handler":"reverse_proxy","upstreams":[{"dial":%q}]%s}`, address, more)
}

// storedEvent is an event with the request, whose headers an attempt may change.
func storedEvent(request queue.Request) *queue.Event {
	header := make(map[string][]string)
	for name, values := range request.Header {
		header[name] = slices.Clone(values)
	}
	request.Header = header
	if request.Method == "" {
		request.Method = "POST"
	}
	if request.URI == "" {
		request.URI = "/hook"
	}
	return &queue.Event{
		ID: queue.ID{1}, Source: "insigner", Type: "document.completed",
		ReceivedAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Request: &request,
	}
}

// rawApp answers requests one by one, and keeps what it read of each connection.
type rawApp struct {
	net.Listener
	answer func(conn net.Conn, nth int, r *http.Request) // nth of the connection

	mu       sync.Mutex
	requests []string
	conns    int
}

func newRawApp(t *testing.T, config *tls.Config, answer func(net.Conn, int, *http.Request)) *rawApp {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	a := &rawApp{Listener: l, answer: answer}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go a.serve(conn)
		}
	}()
	return a
}

func (a *rawApp) serve(conn net.Conn) {
	defer conn.Close()
	a.mu.Lock()
	a.conns++
	a.mu.Unlock()
	var read bytes.Buffer
	in := bufio.NewReaderSize(io.TeeReader(conn, &read), 1<<20)
	for nth := 1; ; nth++ {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		a.mu.Lock()
		a.requests = append(a.requests, read.String()) // nothing is sent ahead
		a.mu.Unlock()
		read.Reset()
		a.answer(conn, nth, r)
	}
}

// taken returns the requests since it was last called, and how many connections
// there were.
func (a *rawApp) taken() (requests []string, conns int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() { a.requests = nil }()
	return a.requests, a.conns
}

func say(text string) func(net.Conn, int, *http.Request) {
	return func(conn net.Conn, _ int, _ *http.Request) { _, _ = io.WriteString(conn, text) }
}

const fine = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// oddRequests are what reverse_proxy treats in its own way.
var oddRequests = map[string]queue.Request{
	"simple":           {Header: map[string][]string{"Content-Type": {"application/json"}}, Body: []byte(`{"a":1}`)},
	"empty":            {},
	"large":            {Body: bytes.Repeat([]byte("0123456789"), 30_000)},
	"get":              {Method: "GET"},
	"get with a body":  {Method: "GET", Body: []byte("x")},
	"head":             {Method: "HEAD"},
	"put":              {Method: "PUT", Body: []byte("x")},
	"custom method":    {Method: "REPORT", Body: []byte("x")},
	"no method":        {Method: "PO ST", Body: []byte("x")},
	"connect":          {Method: "CONNECT", URI: "/hook", Proto: "HTTP/2.0", Header: map[string][]string{"X-A": {"websocket"}}},
	"odd target":       {URI: "/hook/a%2fb%2F%20//x/%7E~;v=1?a=%20&a=+&b;c=%zz&=&&d", Body: []byte("x")},
	"two slashes":      {URI: "//other.example/hook?x", Body: []byte("x")},
	"empty query":      {URI: "/hook?", Body: []byte("x")},
	"only a query":     {URI: "?a", Body: []byte("x")},
	"absolute":         {URI: "https://user:pass@other.example/hook?a=1", Body: []byte("x")},
	"star":             {Method: "OPTIONS", URI: "*"},
	"no URI":           {URI: "%", Body: []byte("x")},
	"binary":           {Header: map[string][]string{"Content-Encoding": {"gzip"}}, Body: []byte("\x00\xff\r\n\r\n\x1f")},
	"host with port":   {Host: "hooks.example:8443"},
	"repeated headers": {Header: map[string][]string{"X-A": {"2", "1", "", "3, 4"}, "Cookie": {"a=1; b=2", "c"}, "X-Latin": {"\xe4\xf6"}, "X_b": {"1"}}},
	"user agent":       {Header: map[string][]string{"User-Agent": {"Hooks/1.0"}, "Accept-Encoding": {"br"}}},
	"no user agent":    {Header: map[string][]string{"User-Agent": {""}, "Range": {"bytes=0-1"}}},
	"two user agents":  {Header: map[string][]string{"User-Agent": {"a", "b"}}},
	"bad value":        {Header: map[string][]string{"X-A": {"a\r\nX-B: b"}}},
	"bad name":         {Header: map[string][]string{"X A": {"a"}}},
	"length of before": {Header: map[string][]string{"Content-Length": {"999"}}, Body: []byte("x")},
	"hop by hop": {Body: []byte("x"), Header: map[string][]string{"Connection": {"keep-alive, X-Hop", "x-hop2"}, "X-Hop": {"1"}, "X-Hop2": {"1"},
		"Keep-Alive": {"5"}, "Proxy-Connection": {"x"}, "Proxy-Authorization": {"Basic eA=="}, "Proxy-Authenticate": {"x"}, "Te": {"trailers"},
		"Trailer": {"X-End"}, "Transfer-Encoding": {"gzip, chunked"}, "Alt-Svc": {"clear"}, "Expect": {"100-continue"}}},
	"upgrade": {Method: "GET", Header: map[string][]string{"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Key": {"x"}, "Sec-Websocket-Version": {"13"}}},
	"early":           {Header: map[string][]string{"Early-Data": {"1"}}, TLS: true},
	"incremental":     {Header: map[string][]string{"Incremental": {"?1"}}, Body: []byte("x")},
	"idempotent":      {Header: map[string][]string{"Idempotency-Key": {"1"}, "X-Idempotency-Key": {"1"}}, Body: []byte("x")},
	"traced":          {Header: map[string][]string{"Traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}},
	"HTTP/2":          {Proto: "HTTP/2.0", Header: map[string][]string{"Via": {"1.0 a", "1.1 b"}}, TLS: true},
	"HTTP/3":          {Proto: "HTTP/3.0", TLS: true},
	"no protocol":     {Proto: "websocket"},
	"own headers":     {Header: map[string][]string{"Webhook-Gateway-Event-Id": {"forged"}, "Webhook-Gateway-Attempt": {"7", "8"}}},
	"forwarded":       {Header: forwarding, Host: "inner.example"},
	"forwarded, TLS":  {Header: forwarding, TLS: true},
	"half forwarded":  {Header: map[string][]string{"X-Forwarded-For": {""}, "X-Forwarded-Proto": {"https", ""}}},
	"forwarded host":  {Header: map[string][]string{"X-Forwarded-Host": {"a.example"}}},
	"forwarded proto": {Header: map[string][]string{"X-Forwarded-Proto": {"https"}}},
}

var forwarding = map[string][]string{
	"X-Forwarded-For": {"192.0.2.7, 198.51.100.1", "203.0.113.9"}, "X-Forwarded-Proto": {"http", "https"}, "X-Forwarded-Host": {"other.example", "hooks.example"},
	"Forwarded": {"for=192.0.2.7"}, "X-Real-Ip": {"192.0.2.7"},
}

// Peers, of which trustingProxies trusts some.
var peers = []string{"198.51.100.20:0", "192.0.2.1:4711", "[2001:db8::1%eth0]:0", "@", "nonsense", "", ":0", "name:80"}

const trustingProxies = "servers {\ntrusted_proxies static 192.0.2.0/24 2001:db8::/32\ntrusted_proxies_unix\n}\n"

// What the app gets must not tell which way it came.
func TestDirectSendsWhatTheProxySends(t *testing.T) {
	for name, options := range map[string]string{"nobody is trusted": "", "proxies are trusted": trustingProxies} {
		t.Run(name, func(t *testing.T) {
			h := loadSource(t, options, "otherwise localhost:1\n")
			app := newRawApp(t, nil, say(fine))
			ways := newTwoWays(t, h, plainProxyTo(app.Addr().String(), ""))
			for name, request := range oddRequests {
				for _, peer := range peers {
					request.RemoteAddr = peer
					compareWays(t, name+" from "+peer, ways, request, app)
				}
			}
		})
	}
}

// compareWays sends the request both ways, and compares what the app got and
// what became of it.
func compareWays(t *testing.T, name string, ways *twoWays, request queue.Request, app interface{ taken() ([]string, int) }) {
	t.Helper()
	want := ways.proxied.deliver(t.Context(), storedEvent(request), 2)
	wanted, _ := app.taken()
	got := ways.direct.deliver(t.Context(), storedEvent(request), 2)
	gotten, _ := app.taken()
	if got != want {
		t.Errorf("%s: directly %+v, through the proxy %+v", name, got, want)
	}
	if !slices.Equal(gotten, wanted) {
		t.Errorf("%s: directly the app got\n%q\nthrough the proxy\n%q", name, gotten, wanted)
	}
	if want.Outcome == queue.Succeeded && len(wanted) == 0 {
		t.Errorf("%s: the app got nothing", name)
	}
}

// An app that speaks TLS or HTTP/2 gets the same, too.
func TestDirectSpeaksWhatTheProxySpeaks(t *testing.T) {
	h := loadSource(t, "", "otherwise localhost:1\n")
	tests := map[string]struct {
		transport, proto string
		protocols        http.Protocols
	}{
		"TLS":               {`{"protocol":"http","tls":{},"versions":["1.1"]}`, "HTTP/1.1", protocols((*http.Protocols).SetHTTP1)},
		"HTTP/2":            {`{"protocol":"http","tls":{}}`, "HTTP/2.0", protocols((*http.Protocols).SetHTTP2)},
		"HTTP/2 over TCP":   {`{"protocol":"http","versions":["h2c","2"]}`, "HTTP/2.0", protocols((*http.Protocols).SetUnencryptedHTTP2)},
		"HTTP/1.1 over TCP": {`{"protocol":"http"}`, "HTTP/1.1", protocols((*http.Protocols).SetHTTP1)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			app := newParsingApp(t, strings.Contains(test.transport, "tls"), &test.protocols)
			ways := newTwoWays(t, h, plainProxyTo(app.Listener.Addr().String(), `,"transport":`+test.transport))
			if app.TLS != nil {
				ways.trust(app.Certificate())
			}
			for name, request := range oddRequests {
				request.RemoteAddr = peers[0]
				compareWays(t, name, ways, request, app)
			}
			if result := ways.direct.deliver(t.Context(), storedEvent(queue.Request{}), 1); result.Outcome != queue.Succeeded {
				t.Error(result)
			}
			if got, _ := app.taken(); len(got) != 1 || !strings.HasPrefix(got[0], test.proto) {
				t.Errorf("the app got %q, want %s", got, test.proto)
			}
		})
	}
}

func protocols(set func(*http.Protocols, bool)) (p http.Protocols) {
	set(&p, true)
	return p
}

// parsingApp keeps the requests as net/http understands them.
type parsingApp struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string
}

func newParsingApp(t *testing.T, secure bool, protocols *http.Protocols) *parsingApp {
	t.Helper()
	a := new(parsingApp)
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.requests = append(a.requests, fmt.Sprintf("%s %s %s %s %v %d %v %v %s %v", r.Proto, r.Method, r.Host, r.RequestURI,
			r.Header, r.ContentLength, r.TransferEncoding, r.Trailer, body, err))
	}))
	a.Config.Protocols, a.Config.DisableGeneralOptionsHandler = protocols, true
	if secure {
		a.EnableHTTP2 = protocols.HTTP2()
		a.StartTLS()
	} else {
		a.Start()
	}
	t.Cleanup(a.Close)
	return a
}

func (a *parsingApp) taken() ([]string, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() { a.requests = nil }()
	return a.requests, 0
}

// Whatever the app answers, it means the same on both ways.
func TestDirectJudgesLikeTheProxy(t *testing.T) {
	h := loadSource(t, "", "otherwise localhost:1 {\ntimeout 300ms\n}\n")
	body := strings.Repeat("x", maxAnswer)
	answers := map[string]struct {
		text   string
		status int
	}{
		"200":                         {fine, 200},
		"without a length":            {"HTTP/1.0 200 OK\r\n\r\nfine", 200},
		"204":                         {"HTTP/1.1 204 No Content\r\n\r\n", 204},
		"hints before":                {"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + fine, 200},
		"many hints before":           {strings.Repeat("HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n", 20) + "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", 503},
		"continue":                    {"HTTP/1.1 100 Continue\r\n\r\n" + fine, 200},
		"redirect":                    {"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", 302},
		"kept redirect":               {"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", 307},
		"410":                         {"HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone", 410},
		"499":                         {"HTTP/1.1 499 Closed\r\nContent-Length: 0\r\n\r\n", 499},
		"retry later":                 {"HTTP/1.1 503 Busy\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n", 503},
		"odd status":                  {"HTTP/1.1 799 What\r\nContent-Length: 0\r\n\r\n", 799},
		"trailers":                    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n1\r\na\r\n0\r\nX: 1\r\n\r\n", 200},
		"switch":                      {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", 0},
		"switch to nothing":           {"HTTP/1.1 101 Switching Protocols\r\n\r\n", 0},
		"as long as it may":           {fmt.Sprintf("HTTP/1.1 500 Oops\r\nContent-Length: %d\r\n\r\n%s", maxAnswer, body), 500},
		"longer":                      {fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", 10*maxAnswer, body+"xx"), 200},
		"longer, without a length":    {"HTTP/1.1 400 No\r\n\r\n" + body + "x", 400},
		"compressed":                  {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxyz", 200},
		"half a body":                 {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", 200},
		"half a body of an error":     {"HTTP/1.1 400 No\r\nContent-Length: 10\r\n\r\n12345", 400},
		"half a chunk":                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n12345", 200},
		"no HTTP":                     {"SSH-2.0-OpenSSH_9.6\r\n", 0},
		"half a head":                 {"HTTP/1.1 200 OK\r\nContent-Le", 0},
		"nothing":                     {"", 0},
		"two lengths":                 {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 0},
		"a bad header":                {"HTTP/1.1 200 OK\r\n: x\r\n\r\n", 0},
		"a status without an answer":  {"HTTP/1.1 103 Early Hints\r\n\r\n", 0},
		"more than was asked for":     {fine + fine, 200},
		"a length and nothing behind": {"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 304},
	}
	for name, test := range answers {
		app := newRawApp(t, nil, func(conn net.Conn, nth int, r *http.Request) {
			_, _ = io.WriteString(conn, test.text)
			conn.Close()
		})
		for _, request := range []queue.Request{{Body: []byte("x")}, {}, {Method: "GET"}} {
			results, requests := [2]queue.Result{}, [2]int{}
			for i := range results {
				ways := newTwoWays(t, h, plainProxyTo(app.Addr().String(), "")) // with connections of its own
				results[i] = []*Route{ways.direct, ways.proxied}[i].deliver(t.Context(), storedEvent(request), 1)
				taken, _ := app.taken()
				requests[i] = len(taken)
			}
			if results[0] != results[1] || results[0].Status != test.status || requests[0] != 1 || requests[1] != 1 {
				t.Errorf("%s to %q: directly and through the proxy %+v after %d requests; want status %d after 1",
					name, request.Method, results, requests, test.status)
			}
		}
	}
}

// Without an answer there is a reason, the same on both ways.
func TestDirectFailsLikeTheProxy(t *testing.T) {
	h := loadSource(t, "", "otherwise localhost:1 {\ntimeout 500ms\n}\n")
	silent := newRawApp(t, nil, func(conn net.Conn, _ int, _ *http.Request) { time.Sleep(time.Second) })
	slow := newRawApp(t, nil, func(conn net.Conn, _ int, _ *http.Request) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
		time.Sleep(time.Second)
	})
	closed := newRawApp(t, nil, nil)
	closed.Close()
	one := protocols((*http.Protocols).SetHTTP1)
	insecure, stranger := newParsingApp(t, false, &one), newParsingApp(t, true, &one)
	const overTLS = `,"transport":{"protocol":"http","tls":{}}`
	for name, test := range map[string]struct{ proxy, reason string }{
		"silent":         {plainProxyTo(silent.Addr().String(), ""), "no answer within 500ms"},
		"slow":           {plainProxyTo(slow.Addr().String(), ""), "the upstream broke its answer off"},
		"refuses":        {plainProxyTo(closed.Addr().String(), ""), "connection refused"},
		"without a name": {plainProxyTo("nowhere.invalid:80", ""), "nowhere.invalid"},
		"speaks no TLS":  {plainProxyTo(insecure.Listener.Addr().String(), overTLS), "tls: first record does not look like a TLS handshake"},
		"is a stranger":  {plainProxyTo(stranger.Listener.Addr().String(), overTLS), "tls: "},
		"has no port":    {plainProxyTo("127.0.0.1:0", ""), "127.0.0.1:0"},
	} {
		ways := newTwoWays(t, h, test.proxy)
		for _, end := range []struct {
			after   time.Duration
			outcome queue.Outcome
		}{{500 * time.Millisecond, queue.Retry}, {0, queue.Interrupted}} {
			results := make(map[*Route]queue.Result)
			for _, route := range []*Route{ways.direct, ways.proxied} {
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				if end.after == 0 {
					ctx, cancel = context.WithCancel(t.Context())
					cancel()
				}
				results[route] = route.deliver(ctx, storedEvent(queue.Request{Body: []byte("x")}), 1)
				cancel()
			}
			got, want := results[ways.direct], results[ways.proxied]
			got.Reason, want.Reason = withoutPort(got.Reason), withoutPort(want.Reason)
			if got != want || got.Outcome != end.outcome || end.outcome == queue.Retry && !strings.Contains(got.Reason, withoutPort(test.reason)) {
				t.Errorf("%s: directly %+v, through the proxy %+v; want %s because of %q", name, got, want, end.outcome, test.reason)
			}
		}
	}
}

// withoutPort cuts off what differs from attempt to attempt: the client's port.
func withoutPort(reason string) string {
	head, tail, found := strings.Cut(reason, "->")
	if !found {
		return reason
	}
	return head[:strings.LastIndex(head, ":")] + "->" + tail
}

// Connections are used again, unless an answer does not end.
func TestDirectKeepsConnections(t *testing.T) {
	h := loadSource(t, "", "otherwise localhost:1\n")
	const n = 10
	for name, test := range map[string]struct {
		answer string
		conns  int
	}{
		"short":    {fine, 1},
		"long":     {"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n" + strings.Repeat("x", 500_000), 1},
		"too long": {"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + strings.Repeat("x", maxAnswer+1), n},
	} {
		app := newRawApp(t, nil, say(test.answer))
		ways := newTwoWays(t, h, plainProxyTo(app.Addr().String(), ""))
		for range n {
			if result := ways.direct.deliver(t.Context(), storedEvent(queue.Request{Body: []byte("x")}), 1); result.Outcome != queue.Succeeded {
				t.Fatalf("%s: %+v", name, result)
			}
		}
		if _, conns := app.taken(); conns != test.conns {
			t.Errorf("%s: %d connections, want %d", name, conns, test.conns)
		}
	}
}

// A connection that the app gives up just then: what may have arrived is not
// sent again within the attempt, unless its method or a key says that it may.
func TestDirectOnAStaleConnection(t *testing.T) {
	h := loadSource(t, "", "otherwise localhost:1\n")
	for name, test := range map[string]struct {
		request queue.Request
		sent    int
	}{
		"with a body":    {queue.Request{Body: []byte("x")}, 1},
		"without a body": {queue.Request{}, 1},
		"get":            {queue.Request{Method: "GET"}, 2},
		"with a key":     {queue.Request{Body: []byte("x"), Header: map[string][]string{"Idempotency-Key": {"1"}}}, 1},
		"only a key":     {queue.Request{Header: map[string][]string{"Idempotency-Key": {"1"}}}, 2},
	} {
		app := newRawApp(t, nil, func(conn net.Conn, nth int, _ *http.Request) {
			if nth == 1 {
				_, _ = io.WriteString(conn, fine)
			} else {
				conn.Close()
			}
		})
		ways := newTwoWays(t, h, plainProxyTo(app.Addr().String(), ""))
		for way, route := range map[string]*Route{"directly": ways.direct, "through the proxy": ways.proxied} {
			route.deliver(t.Context(), storedEvent(queue.Request{}), 1)
			app.taken()
			result := route.deliver(t.Context(), storedEvent(test.request), 1)
			requests, _ := app.taken()
			if len(requests) != test.sent || (result.Outcome == queue.Succeeded) != (test.sent == 2) {
				t.Errorf("%s, %s: the app got it %d times, want %d; %+v", name, way, len(requests), test.sent, result)
			}
			ways.transport().CloseIdleConnections()
		}
	}
}

// Each of several upstreams gets its share, and none is left out.
func TestDirectPicksUpstreams(t *testing.T) {
	h := loadSource(t, "", "otherwise localhost:1\n")
	const n, each = 3, 40
	var apps []*rawApp
	var dials []map[string]string
	for range n {
		apps = append(apps, newRawApp(t, nil, say(fine)))
		dials = append(dials, map[string]string{"dial": apps[len(apps)-1].Addr().String()})
	}
	upstreams, _ := json.Marshal(dials)
	ways := newTwoWays(t, h, fmt.Sprintf(`{"handler":"reverse_proxy","upstreams":%s}`, upstreams))
	for range n * each {
		ways.direct.deliver(t.Context(), storedEvent(queue.Request{Body: []byte("x")}), 1)
	}
	for i, app := range apps {
		if requests, _ := app.taken(); len(requests) < each/4 {
			t.Errorf("upstream %d got %d of %d requests", i, len(requests), n*each)
		}
	}
}

// Only a proxy that does nothing else is passed by.
func TestDirectIsForPlainProxies(t *testing.T) {
	h := loadSource(t, "", "route plain localhost:1\nroute secure https://localhost https://other:8443\nroute h2c h2c://localhost:1\n"+
		"route env {env.APP}\nroute socket unix//run/app.sock\nroute forward {\nforward {\nreverse_proxy localhost:1 {\nheader_up X-A b\n}\n}\n}\n")
	for name, want := range map[string]bool{"plain": true, "secure": true, "h2c": true, "env": false, "socket": false, "forward": false} {
		if _, direct := h.routeNamed(name).transport.(*direct); direct != want {
			t.Errorf("route %s: direct is %t", name, direct)
		}
	}
	for _, more := range []string{
		`"load_balancing":{"retries":1}`, `"load_balancing":{"selection_policy":{"policy":"first"}}`, `"health_checks":{"passive":{"fail_duration":1}}`,
		`"flush_interval":-1`, `"trusted_proxies":["192.0.2.0/24"]`, `"headers":{"request":{"set":{"X-A":["b"]}}}`, `"request_buffers":1`, `"response_buffers":1`,
		`"stream_timeout":1`, `"rewrite":{"uri":"/x"}`, `"handle_response":[{}]`, `"verbose_logs":true`, `"dynamic_upstreams":{"source":"a","name":"x"}`,
		`"transport":{"protocol":"http","proxy_protocol":"v1"}`, `"transport":{"protocol":"http","tls":{"server_name":"{http.request.host}"}}`,
		`"transport":{"protocol":"http","tls":{"except_ports":["1"]}}`, `"transport":{"protocol":"http","tls":{},"versions":["3"]}`,
		`"transport":{"protocol":"fastcgi"}`, `"transport":{"protocol":"http","dial_timeout":1}`, `"upstreams":[{"dial":"localhost:1","max_requests":1}]`,
		`"upstreams":[]`, `"upstreams":[{"dial":"localhost:1"},{"dial":"unix//run/app.sock"}]`, `"upstreams":[{"dial":"localhost:1-2"}]`,
		`"upstreams":[{"dial":"tcp4/localhost:1"}]`, `"upstreams":[{"dial":"bücher.example:1"}]`, `"upstreams":[{"dial":"{env.APP}:1"}]`,
	} {
		config := `{"handler":"reverse_proxy","upstreams":[{"dial":"localhost:1"}],` + more + `}`
		if newDirect([]byte(config), loadHandler(t, config), nil) != nil {
			t.Errorf("a proxy with %s is passed by", more)
		}
	}
}
