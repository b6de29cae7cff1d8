package module

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// What the app gets must not tell which way it came.
func TestDirectSendsWhatTheProxySends(t *testing.T) {
	for name, options := range map[string]string{"nobody is trusted": "", "proxies are trusted": trustingProxies} {
		t.Run(name, func(t *testing.T) {
			h := loadSource(t, options, "otherwise localhost:1\n")
			app := newRawApp(t, nil, say(fine))
			ways := newTwoWays(t, h, "", app.Addr().String())
			for name, request := range oddRequests {
				for _, peer := range peers {
					request.RemoteAddr = peer
					compareWays(t, name+" from "+peer, ways, request, app)
				}
			}
		})
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
			ways := newTwoWays(t, h, test.transport, app.Listener.Addr().String())
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
		"no status":                   {"HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n", 0},
		"trailers":                    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n1\r\na\r\n0\r\nX: 1\r\n\r\n", 200},
		"switch":                      {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", 0},
		"switch to nothing":           {"HTTP/1.1 101 Switching Protocols\r\n\r\n", 0},
		"as long as it may":           {fmt.Sprintf("HTTP/1.1 500 Oops\r\nContent-Length: %d\r\n\r\n%s", maxAnswer, body), 500},
		"longer":                      {fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", 10*maxAnswer, body+"xx"), 200},
		"longer, without a length":    {"HTTP/1.1 400 No\r\n\r\n" + body + "x", 400},
		"broken off where it may end": {fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", 2*maxAnswer, body), 200},
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
				ways := newTwoWays(t, h, "", app.Addr().String()) // with connections of its own
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

// Without an answer there is a reason, which is the same on both ways.
func TestDirectFailsLikeTheProxy(t *testing.T) {
	h := loadSource(t, "", "otherwise localhost:1 {\ntimeout 500ms\n}\n")
	over := make(chan struct{})
	defer close(over)
	silent := newRawApp(t, nil, func(net.Conn, int, *http.Request) { <-over })
	slow := newRawApp(t, nil, func(conn net.Conn, _ int, _ *http.Request) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
		<-over
	})
	closed := newRawApp(t, nil, nil)
	closed.Close()
	one := protocols((*http.Protocols).SetHTTP1)
	insecure, stranger := newParsingApp(t, false, &one), newParsingApp(t, true, &one)
	const overTLS = `{"protocol":"http","tls":{}}`
	for name, test := range map[string]struct{ upstream, transport, reason string }{
		"silent":         {silent.Addr().String(), "", "no answer within 500ms"},
		"slow":           {slow.Addr().String(), "", "the upstream broke its answer off"},
		"refuses":        {closed.Addr().String(), "", "connection refused"},
		"without a name": {"nowhere.invalid:80", "", "nowhere.invalid"},
		"speaks no TLS":  {insecure.Listener.Addr().String(), overTLS, "tls: first record does not look like a TLS handshake"},
		"is a stranger":  {stranger.Listener.Addr().String(), overTLS, "tls: "},
		"has no port":    {"127.0.0.1:0", "", "127.0.0.1:0"},
	} {
		ways := newTwoWays(t, h, test.transport, test.upstream)
		for _, end := range []struct {
			after   time.Duration
			outcome queue.Outcome
		}{{500 * time.Millisecond, queue.Retry}, {0, queue.Interrupted}} {
			results := make(map[*Route]queue.Result)
			for _, route := range []*Route{ways.direct, ways.proxied} {
				limit := 10 * time.Second // a handshake takes its time on a busy machine
				if name == "silent" || name == "slow" {
					limit = 200 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
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
		ways := newTwoWays(t, h, "", app.Addr().String())
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
		ways := newTwoWays(t, h, "", app.Addr().String())
		for way, route := range map[string]*Route{"directly": ways.direct, "through the proxy": ways.proxied} {
			route.deliver(t.Context(), storedEvent(queue.Request{}), 1)
			app.taken()
			result := route.deliver(t.Context(), storedEvent(test.request), 1)
			requests, _ := app.taken()
			if len(requests) != test.sent || (result.Outcome == queue.Succeeded) != (test.sent == 2) {
				t.Errorf("%s, %s: the app got it %d times, want %d; %+v", name, way, len(requests), test.sent, result)
			}
			for _, rt := range ways.transports() {
				rt.CloseIdleConnections()
			}
		}
	}
}

// Each of several upstreams gets its share, and none is left out.
func TestDirectPicksUpstreams(t *testing.T) {
	h := loadSource(t, "", "otherwise localhost:1\n")
	const n, each = 3, 40
	var apps []*rawApp
	var upstreams []string
	for range n {
		apps = append(apps, newRawApp(t, nil, say(fine)))
		upstreams = append(upstreams, apps[len(apps)-1].Addr().String())
	}
	ways := newTwoWays(t, h, "", upstreams...)
	for range n * each {
		ways.direct.deliver(t.Context(), storedEvent(queue.Request{Body: []byte("x")}), 1)
	}
	for i, app := range apps {
		if requests, _ := app.taken(); len(requests) < each/4 {
			t.Errorf("upstream %d got %d of %d requests", i, len(requests), n*each)
		}
	}
}

// TestToIsForPlainUpstreams holds that the Caddyfile gives upstreams that only
// reverse_proxy can reach a forward to reverse_proxy.
func TestToIsForPlainUpstreams(t *testing.T) {
	h := loadSource(t, "", "route plain localhost:1\nroute secure https://localhost https://other:8443\nroute h2c h2c://localhost:1\nroute range localhost:1-2\n"+
		"route env {env.APP}\nroute port localhost:{env.PORT}\nroute socket unix//run/app.sock\nroute mixed localhost:1 unix//run/app.sock\nroute four tcp4/localhost:1\n"+
		"route name bücher.example:1\nroute forward {\nforward {\nreverse_proxy localhost:1 {\nheader_up X-A b\n}\n}\n}\n")
	for name, want := range map[string]bool{"plain": true, "secure": true, "h2c": true, "range": true, "env": false, "port": false,
		"socket": false, "mixed": false, "four": false, "name": false, "forward": false} {
		if _, isDirect := h.RouteNamed(name).transport.(*direct); isDirect != want {
			t.Errorf("route %s: direct is %t", name, isDirect)
		}
	}
}

// TestToRefuses holds that what only reverse_proxy can do is refused, not ignored.
func TestToRefuses(t *testing.T) {
	ctx := caddy.Context{Context: t.Context()}
	for config, want := range map[string]string{
		`{"upstreams":["localhost:1"]}`: "",
		`{"upstreams":["localhost:1"],"transport":{"protocol":"http","tls":{"server_name":"a"},"dial_timeout":1}}`: "",
		`{}`:                                         "no upstreams",
		`{"upstreams":[]}`:                           "no upstreams",
		`{"upstreams":["localhost"]}`:                `"localhost" is not host:port`,
		`{"upstreams":["localhost:1-2"]}`:            "not host:port",
		`{"upstreams":["http://a:1"]}`:               "not host:port",
		`{"upstreams":["tcp4/a:1"]}`:                 "not host:port",
		`{"upstreams":["bücher.example:1"]}`:         "not host:port",
		`{"upstreams":["{env.APP}:1"]}`:              "not host:port",
		`{"upstreams":["a:1","unix//run/app.sock"]}`: "not host:port",
		`{"upstreams":["localhost:1"],"transport":{"protocol":"http","proxy_protocol":"v1"}}`:                       "only the transport http",
		`{"upstreams":["localhost:1"],"transport":{"protocol":"http","tls":{"server_name":"{http.request.host}"}}}`: "only the transport http",
		`{"upstreams":["localhost:1"],"transport":{"protocol":"http","tls":{},"versions":["3"]}}`:                   "only the transport http",
		`{"upstreams":["localhost:1"],"transport":{"protocol":"fastcgi"}}`:                                          "only the transport http",
		`{"upstreams":["localhost:1"],"transport":{"protocol":"http","colour":1}}`:                                  `unknown field "colour"`,
		`{"upstreams":["localhost:1"],"transport":{"protocol":"pigeon"}}`:                                           "pigeon",
	} {
		to := new(To)
		if err := json.Unmarshal([]byte(config), to); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := caddy.NewContext(ctx)
		_, err := to.provision(ctx, nil, 64)
		cancel()
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%s: got %s, want %q", config, got, want)
		}
	}
}

// TestToKeepsConnections holds that each attempt that may run at once finds a
// connection, on both ways.
func TestToKeepsConnections(t *testing.T) {
	h := loadSource(t, "", "route a localhost:1 {\nconcurrency 100\n}\nroute b {env.APP} {\nconcurrency 100\n}\n")
	ways := &twoWays{h.RouteNamed("a"), h.RouteNamed("b")}
	for i, rt := range ways.transports() {
		if rt.MaxIdleConnsPerHost != 100 {
			t.Errorf("way %d keeps %d connections, want 100", i, rt.MaxIdleConnsPerHost)
		}
	}
}
