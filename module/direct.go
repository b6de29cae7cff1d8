package module

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// direct sends a request through the transport of a reverse_proxy that only
// passes requests on, as that proxy would. It spares each attempt the proxy's
// copies, placeholders and log fields, which cost as much as the round trip.
type direct struct {
	roundTripper *reverseproxy.HTTPTransport
	upstreams    []string // host and port of each
	server       *caddyhttp.Server
}

// plainProxy has all that a reverse_proxy may be configured with to be passed
// by. Whatever it does not name, today or in a later Caddy, asks for more.
type plainProxy struct {
	Handler   string `json:"handler"`
	Upstreams []struct {
		Dial string `json:"dial"`
	} `json:"upstreams"`
	Transport struct {
		Protocol string   `json:"protocol"`
		TLS      struct{} `json:"tls"`
		Versions []string `json:"versions"`
	} `json:"transport"`
}

// newDirect returns what sends past a reverse_proxy, given its configuration. It
// returns nil if that asks for anything that only the proxy itself does.
func newDirect(raw json.RawMessage, handler caddyhttp.MiddlewareHandler, server *caddyhttp.Server) *direct {
	proxy, ok := handler.(*reverseproxy.Handler)
	if !ok || caddy.StrictUnmarshalJSON(raw, new(plainProxy)) != nil {
		return nil
	}
	rt, ok := proxy.Transport.(*reverseproxy.HTTPTransport)
	if !ok || slices.Contains(rt.Versions, "3") || !reflect.DeepEqual(rt.RequestHeaderOps(), hostOps(rt)) {
		return nil
	}
	d := &direct{roundTripper: rt, server: server}
	for _, upstream := range proxy.Upstreams {
		address, ok := tcpAddress(upstream.Dial)
		if !ok {
			return nil
		}
		d.upstreams = append(d.upstreams, address)
	}
	if d.upstreams == nil {
		return nil
	}
	return d
}

// hostOps is all that the transport may do to headers: over TLS, the upstream's
// own name is the host.
func hostOps(rt *reverseproxy.HTTPTransport) *headers.HeaderOps {
	if !rt.TLSEnabled() {
		return nil
	}
	return &headers.HeaderOps{Set: http.Header{"Host": {"{http.reverse_proxy.upstream.hostport}"}}}
}

// tcpAddress returns host and port of an upstream that a URL can stand for.
func tcpAddress(dial string) (address string, ok bool) {
	addr, err := caddy.ParseNetworkAddress(dial)
	if err != nil || addr.Network != "tcp" || addr.PortRangeSize() != 1 || strings.Contains(dial, "{") ||
		strings.ContainsFunc(dial, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", false
	}
	return addr.JoinHostPort(0), true
}

// send implements transport.
func (d *direct) send(req *http.Request) (*answer, error) {
	d.address(req)
	resp, err := d.roundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode < http.StatusOK { // protocols switched unasked, or no status at all
		return nil, errNoAnswer
	}
	answer := &answer{header: resp.Header, status: resp.StatusCode}
	// A body that is read to its end leaves the connection to the next attempt.
	if answer.size, err = io.CopyN(io.Discard, resp.Body, maxAnswer+1); err != nil && err != io.EOF {
		return answer, errBrokenOff
	}
	return answer, nil
}

// address makes of the request what reverse_proxy would send to an upstream.
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

// setForwarded tells the app how the webhook came. What came in under these
// names counts as far as it is from a proxy that the server trusts.
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

// trusts reports whether the request came from a proxy that the server trusts,
// which only the server knows. It is asked where that makes a difference.
func (d *direct) trusts(req *http.Request) bool {
	if req.RemoteAddr != "@" && req.Header[forwardedFor] == nil && req.Header[forwardedProto] == nil && req.Header[forwardedHost] == nil {
		return false
	}
	prepared := caddyhttp.PrepareRequest(req, caddy.NewReplacer(), nil, d.server)
	trusted, _ := caddyhttp.GetVar(prepared.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// last returns the last of a header's values, or the other if that is empty.
func last(values []string, otherwise string) string {
	if len(values) == 0 || values[len(values)-1] == "" {
		return otherwise
	}
	return values[len(values)-1]
}
