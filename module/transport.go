package module

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// Why an attempt ended without an answer, or with half an answer.
var (
	errNoAnswer  = errors.New("no handler of the route answered")
	errBrokenOff = errors.New("the upstream broke its answer off")
)

// transport takes the request of an attempt to the app, and returns the app's
// response. With errBrokenOff the response has status and headers. The response's body
// goes into kept, unless that is nil.
type transport interface {
	send(req *http.Request, kept *keptAnswer) (*response, error)
}

// maxAnswer is how many bytes of a response are read. The status of a longer response
// counts all the same.
const maxAnswer = 1 << 20

// response is the response of an app. Its status and its headers count, and its
// body is thrown away, unless somebody waits for it. A chain writes the response, as to
// an http.ResponseWriter.
type response struct {
	header http.Header
	status int
	size   int64       // of the body
	kept   *keptAnswer // nil: nobody waits for the body
}

// Header implements http.ResponseWriter.
func (r *response) Header() http.Header { return r.header }

// Write implements http.ResponseWriter.
func (r *response) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.size += int64(len(p)); r.size > maxAnswer {
		panic(http.ErrAbortHandler) // an error would be logged by reverse_proxy, with all headers
	}
	if r.kept != nil {
		return r.kept.Write(p)
	}
	return len(p), nil
}

// WriteHeader implements http.ResponseWriter.
func (r *response) WriteHeader(status int) {
	if r.status == 0 && status >= 200 { // 1xx come before the answer
		r.status = status
	}
}

// To is the upstreams of a route, to which it delivers without an HTTP handler.
type To struct {
	// The upstreams, each as host:port. All of them are of one service: each attempt
	// goes to one of them, chosen at random.
	Upstreams []string `json:"upstreams,omitempty"`

	// The transport: the module http of reverse_proxy. Placeholders, the PROXY protocol
	// and HTTP/3 are not possible here; for those, forward to a reverse_proxy. Default:
	// HTTP/1.1 without TLS.
	TransportRaw json.RawMessage `json:"transport,omitempty" caddy:"namespace=http.reverse_proxy.transport inline_key=protocol"`
}

// provision returns the transport to the upstreams. attempts is how many attempts
// may run at once.
func (t *To) provision(ctx caddy.Context, server *caddyhttp.Server, attempts int) (*direct, error) {
	d := &direct{server: server}
	for _, upstream := range t.Upstreams {
		address, ok := tcpAddress(upstream)
		if !ok {
			return nil, fmt.Errorf("%q is not host:port; for any other upstream, forward to a reverse_proxy", upstream)
		}
		d.upstreams = append(d.upstreams, address)
	}
	if d.upstreams == nil {
		return nil, errors.New("there are no upstreams")
	}
	var err error
	if d.roundTripper, err = t.loadTransport(ctx); err != nil {
		return nil, err
	}
	keepConnections(d.roundTripper, attempts)
	return d, nil
}

// loadTransport refuses transports that only work behind reverse_proxy.
func (t *To) loadTransport(ctx caddy.Context) (*reverseproxy.HTTPTransport, error) {
	if t.TransportRaw == nil {
		t.TransportRaw = json.RawMessage(`{"protocol": "http"}`)
	}
	module, err := ctx.LoadModule(t, "TransportRaw")
	if err != nil {
		return nil, fmt.Errorf("loading transport: %w", err)
	}
	rt, ok := module.(*reverseproxy.HTTPTransport)
	if !ok || rt.ProxyProtocol != "" || slices.Contains(rt.Versions, "3") ||
		rt.TLS != nil && strings.Contains(rt.TLS.ServerName, "{") {
		return nil, errors.New("only the transport http works here, without placeholders, PROXY protocol and HTTP/3; for others, forward to a reverse_proxy")
	}
	return rt, nil
}

// tcpAddress returns host and port of an upstream, and whether a URL can name
// them.
func tcpAddress(upstream string) (address string, ok bool) {
	if _, _, err := net.SplitHostPort(upstream); err != nil {
		return "", false
	}
	parsed, err := caddy.ParseNetworkAddress(upstream)
	if err != nil || parsed.Network != "tcp" || parsed.PortRangeSize() != 1 || strings.Contains(upstream, "{") ||
		strings.ContainsFunc(upstream, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", false
	}
	return parsed.JoinHostPort(0), true
}

// direct sends a request as a reverse_proxy would that only passes requests on.
// It spares each attempt that handler's copies, placeholders and log fields, which
// cost as much as the round trip.
type direct struct {
	roundTripper *reverseproxy.HTTPTransport
	upstreams    []string // host and port of each
	server       *caddyhttp.Server
}

// send implements transport.
func (d *direct) send(req *http.Request, kept *keptAnswer) (*response, error) {
	d.address(req)
	resp, err := d.roundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode < http.StatusOK { // protocols switched unasked, or no status at all
		return nil, errNoAnswer
	}
	got := &response{header: resp.Header, status: resp.StatusCode}
	body := io.Discard
	if kept != nil {
		body = kept
	}
	// A body that is read to its end leaves the connection to the next attempt.
	if got.size, err = io.CopyN(body, resp.Body, maxAnswer+1); err != nil && !errors.Is(err, io.EOF) {
		return got, errBrokenOff
	}
	return got, nil
}

// address changes the request to what reverse_proxy would send to an upstream.
func (d *direct) address(req *http.Request) {
	if req.ContentLength == 0 {
		req.Body = nil // or the length would be unknown
	}
	if _, ok := req.Header["User-Agent"]; !ok {
		req.Header["User-Agent"] = []string{""} // or net/http sends its own
	}
	d.setForwarded(req)
	req.Header["Via"] = append(req.Header["Via"], strconv.Itoa(req.ProtoMajor)+"."+strconv.Itoa(req.ProtoMinor)+" Caddy")
	upstream := d.upstreams[rand.IntN(len(d.upstreams))]
	req.URL.Scheme, req.URL.Host = "", upstream // the transport knows the scheme
	if d.roundTripper.TLSEnabled() {
		req.Host = upstream
	}
}

// The headers that tell how a request came to the first proxy.
const forwardedFor, forwardedProto, forwardedHost = "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"

// setForwarded tells the app how the webhook came. Headers of the request under
// these names count if they are from a proxy that the server trusts.
func (d *direct) setForwarded(req *http.Request) {
	header, trusted := req.Header, d.trusts(req)
	client, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil && !trusted { // such as a Unix socket
		delete(header, forwardedFor)
		delete(header, forwardedProto)
		delete(header, forwardedHost)
		return
	}
	client, _, _ = strings.Cut(client, "%") // its zone
	proto, host := "http", req.Host
	if req.TLS != nil {
		proto = "https"
	}
	if trusted {
		if prior := strings.Join(header[forwardedFor], ", "); prior != "" {
			client = strings.TrimSuffix(prior+", "+client, ", ")
		}
		proto, host = last(header[forwardedProto], proto), last(header[forwardedHost], host)
	}
	if client != "" {
		header[forwardedFor] = []string{client}
	}
	header[forwardedProto] = []string{proto}
	header[forwardedHost] = []string{host}
}

// trusts reports whether the request came from a proxy that the server trusts. It
// asks the server, which takes time, only where the answer makes a difference.
func (d *direct) trusts(req *http.Request) bool {
	if req.RemoteAddr != "@" && req.Header[forwardedFor] == nil && req.Header[forwardedProto] == nil && req.Header[forwardedHost] == nil {
		return false
	}
	prepared := caddyhttp.PrepareRequest(req, caddy.NewReplacer(), nil, d.server)
	trusted, _ := caddyhttp.GetVar(prepared.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// last returns the last of a header's values, or otherwise if there is none.
func last(values []string, otherwise string) string {
	if len(values) == 0 || values[len(values)-1] == "" {
		return otherwise
	}
	return values[len(values)-1]
}

// chain sends a request through Caddy handlers, as a site would.
type chain struct {
	handler      caddyhttp.MiddlewareHandler
	server       *caddyhttp.Server
	placeholders map[string]findValue // nil: the handlers have none of webhooks
	source       *Handler
}

// send implements transport.
func (c *chain) send(req *http.Request, kept *keptAnswer) (*response, error) {
	repl := caddy.NewReplacer()
	if c.placeholders == nil {
		return c.pass(req, repl, kept)
	}
	values, req, err := c.valuesFor(req)
	defer values.stop(nil)
	if err != nil {
		return nil, err
	}
	repl.Map(values.get)
	w, err := c.pass(req, repl, kept)
	if values.err != nil {
		return nil, unsendable{values.err}
	}
	return w, err
}

// pass takes a request through the handlers.
func (c *chain) pass(req *http.Request, repl *caddy.Replacer, kept *keptAnswer) (w *response, err error) {
	w = &response{header: make(http.Header), kept: kept}
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p != http.ErrAbortHandler: // reverse_proxy's way to say that the answer broke off
			panic(p)
		case w.size <= maxAnswer: // Write itself breaks longer answers off
			err = errBrokenOff
		}
	}()
	prepared := caddyhttp.PrepareRequest(req, repl, w, c.server)
	none := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return errNoAnswer })
	err = c.handler.ServeHTTP(w, prepared, none)
	const clientClosed = 499 // what reverse_proxy makes of a context that was cancelled
	switch ctx := req.Context(); {
	case answered(err, w) && (ctx.Err() == nil || w.status != clientClosed):
		return w, nil
	case err == nil: // such as a proxy whose upstream switched protocols unasked
		return w, errNoAnswer
	}
	return w, err
}

// answered reports whether the chain answered. The error of an error directive is
// an answer, with the status of the error. An error of reverse_proxy, whose status is
// 500 or more, says that nobody answered.
func answered(err error, w *response) bool {
	var handlerErr caddyhttp.HandlerError
	if w.status == 0 && errors.As(err, &handlerErr) && handlerErr.StatusCode < 500 {
		w.status = handlerErr.StatusCode
	}
	return w.status != 0
}
