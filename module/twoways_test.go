package module

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// twoWays are two routes to the same upstreams: to, and forward with a
// reverse_proxy.
type twoWays struct {
	direct, proxied *Route
}

// newTwoWays provisions both ways with the configuration of a transport, "" for the
// default transport. h is a handler of the running configuration whose first route
// has upstreams.
func newTwoWays(t *testing.T, h *Handler, protocol string, upstreams ...string) *twoWays {
	t.Helper()
	server := h.Routes[0].transport.(*direct).server
	to, config := &To{Upstreams: upstreams}, map[string]any{"handler": "reverse_proxy"}
	if protocol != "" {
		to.TransportRaw, config["transport"] = json.RawMessage(protocol), json.RawMessage(protocol)
	}
	var dials []map[string]string
	for _, upstream := range upstreams {
		dials = append(dials, map[string]string{"dial": upstream})
	}
	config["upstreams"] = dials
	forward, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	past, proxied := *h.Routes[0], *h.Routes[0]
	if past.transport, err = to.provision(caddy.ActiveContext(), server, 64); err != nil {
		t.Fatal(err)
	}
	module, err := caddy.ActiveContext().LoadModule(&Route{HandlerRaw: forward}, "HandlerRaw")
	if err != nil {
		t.Fatal(err)
	}
	proxied.transport = &chain{handler: module.(caddyhttp.MiddlewareHandler), server: server}
	return &twoWays{&past, &proxied}
}

// transports returns the transports of both ways.
func (w *twoWays) transports() []*http.Transport {
	proxy := w.proxied.transport.(*chain).handler.(*reverseproxy.Handler)
	return []*http.Transport{w.direct.transport.(*direct).roundTripper.Transport, proxy.Transport.(*reverseproxy.HTTPTransport).Transport}
}

// trust has both ways trust the certificate.
func (w *twoWays) trust(certificate *x509.Certificate) {
	for _, rt := range w.transports() {
		if rt.TLSClientConfig == nil {
			rt.TLSClientConfig = new(tls.Config)
		}
		rt.TLSClientConfig.RootCAs = x509.NewCertPool()
		rt.TLSClientConfig.RootCAs.AddCert(certificate)
	}
}

// storedEvent returns an event with the request, whose headers an attempt may
// change.
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
	"forwarded for":   {Header: map[string][]string{"X-Forwarded-For": {"192.0.2.7"}}},
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
