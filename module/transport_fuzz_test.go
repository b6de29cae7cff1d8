package module

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// FuzzTo delivers stored requests of any content to an app that reads them strictly.
// What arrives is one request: the stored one, or nothing where it cannot be sent.
func FuzzTo(f *testing.F) {
	for name, request := range oddRequests {
		var lines []string
		for header, values := range request.Header {
			for _, value := range values {
				lines = append(lines, header+":"+value)
			}
		}
		if request.Host == "" {
			request.Host = "hooks.example.com"
		}
		if len(request.Body) < 1000 {
			f.Add(request.Method, request.URI, request.Host, strings.Join(lines, "\n"), request.Body, name == "HTTP/2")
		}
	}
	f.Add("POST", "/a?b HTTP/1.1\r\nX: y", "a\r\nX: y", "Transfer-Encoding:chunked\nContent-Length:1\nContent-Length:2", []byte("0\r\n\r\nGET / HTTP/1.1\r\n\r\n"), true)
	f.Add("GET", "/", "a", "Content-Length:5", []byte(nil), false)
	f.Add("POST", "/", "a", "Connection:webhook-gateway-source, host, content-length\nTrailer:X\nTe:trailers", []byte("x"), false)

	app := newStrictApp()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	f.Cleanup(cancel)
	transport, err := (&To{Upstreams: []string{"localhost:1"}}).provision(ctx, nil, 64)
	if err != nil {
		f.Fatal(err)
	}
	transport.roundTripper.Transport.DialContext = app.dial
	route := &Route{Name: "app", RetryOn: defaultRetryOn, transport: transport, logger: zap.NewNop()}

	f.Fuzz(func(t *testing.T, method, uri, host, headers string, body []byte, http2 bool) {
		request := queue.Request{Method: method, URI: uri, Host: host, RemoteAddr: "192.0.2.1:4711", Header: make(map[string][]string), Body: body}
		if http2 {
			request.Proto = "HTTP/2.0"
		}
		for line := range strings.SplitSeq(headers, "\n") {
			if name, value, ok := strings.Cut(line, ":"); ok {
				name = textproto.CanonicalMIMEHeaderKey(name)
				request.Header[name] = append(request.Header[name], value)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		event := storedEvent(request) // which an attempt changes
		result := route.deliver(ctx, event, 1)
		arrived := app.taken()
		if result.Outcome != queue.Succeeded {
			for _, got := range arrived {
				t.Errorf("%+v, but the app got %q", result, got.raw)
			}
			return
		}
		if len(arrived) != 1 {
			t.Fatalf("%d requests arrived", len(arrived))
		}
		if err := arrived[0].is(&request); err != nil {
			t.Errorf("%v\nin %q", err, arrived[0].raw)
		}
	})
}

// arrival is a request as a strict app reads it.
type arrival struct {
	raw            string
	err            error // why it is none
	method, target string
	header         map[string][]string
	body           []byte
}

// is returns how the request differs from a stored one.
func (a *arrival) is(stored *queue.Request) error {
	if a.err != nil {
		return a.err
	}
	method, target := stored.Method, stored.URI
	if method == "" {
		method = http.MethodPost // as storedEvent has it
	}
	if u, err := url.ParseRequestURI(target); err == nil && (u.IsAbs() || !strings.HasPrefix(target, "/")) || target == "" {
		target = a.target // no server gives the gateway such a URI
	}
	switch {
	case a.method != method:
		return fmt.Errorf("the method is %q", a.method)
	case a.target != target && !strings.ContainsAny(target, "\"<>\\^`{|}") && isASCII(target):
		return fmt.Errorf("the target is %q", a.target)
	case !bytes.Equal(a.body, stored.Body):
		return fmt.Errorf("the body is %q", a.body)
	case !slices.Equal(a.header["Webhook-Gateway-Source"], []string{"insigner"}), !slices.Equal(a.header["Webhook-Gateway-Attempt"], []string{"1"}):
		return fmt.Errorf("the gateway's own headers are %q and %q", a.header["Webhook-Gateway-Source"], a.header["Webhook-Gateway-Attempt"])
	}
	return a.hasHeaders(stored.Header)
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) }

// hasHeaders returns how the headers differ from stored ones, besides those that
// belong to the connection, and those that a proxy sets.
func (a *arrival) hasHeaders(stored map[string][]string) error {
	set := slices.Concat(ownNames[:], hopByHop, []string{"Host", "Via", "Content-Length", "Accept-Encoding", "User-Agent", forwardedFor, forwardedProto, forwardedHost})
	for _, value := range stored["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			set = append(set, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
		}
	}
	for name, values := range stored {
		var trimmed []string
		for _, value := range values {
			trimmed = append(trimmed, textproto.TrimString(value))
		}
		if !slices.Contains(set, name) && !slices.Equal(a.header[name], trimmed) {
			return fmt.Errorf("the header %s is %q", name, a.header[name])
		}
	}
	for name, values := range a.header {
		if stored[name] == nil && !slices.Contains(set, name) {
			return fmt.Errorf("there is a header %s: %q", name, values)
		}
	}
	return nil
}

// strictApp reads requests as RFC 9112 writes them, and takes nothing else. It closes
// each connection behind the first request.
type strictApp struct{ arrivals chan *arrival }

func newStrictApp() *strictApp { return &strictApp{make(chan *arrival, 100)} }

func (a *strictApp) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		var raw bytes.Buffer
		in := bufio.NewReader(io.TeeReader(server, &raw))
		got := new(arrival)
		got.err = got.read(in)
		if errors.Is(got.err, io.EOF) && raw.Len() == 0 {
			return // the request could not be sent
		}
		if got.err == nil && in.Buffered() > 0 {
			got.err = fmt.Errorf("%d bytes stand behind the request", in.Buffered())
		}
		got.raw = raw.String()
		a.arrivals <- got
		_, _ = io.WriteString(server, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	}()
	return client, nil
}

// taken returns what has arrived since it was last called.
func (a *strictApp) taken() (arrivals []*arrival) {
	for {
		select {
		case got := <-a.arrivals:
			arrivals = append(arrivals, got)
		default:
			return arrivals
		}
	}
}

const tokenCharacters = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func isToken(s string) bool { return s != "" && strings.Trim(s, tokenCharacters) == "" }

func (a *arrival) read(in *bufio.Reader) error {
	line, err := readLine(in)
	if err != nil {
		return err
	}
	words := strings.Split(line, " ")
	if len(words) != 3 || !isToken(words[0]) || words[1] == "" || words[2] != "HTTP/1.1" || strings.ContainsAny(words[1], "\t#") {
		return fmt.Errorf("the request line is %q", line)
	}
	a.method, a.target, a.header = words[0], words[1], make(map[string][]string)
	for {
		line, err := readLine(in)
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ": ")
		if !ok || !isToken(name) || value != strings.Trim(value, " \t") {
			return fmt.Errorf("a header is %q", line)
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		a.header[name] = append(a.header[name], value)
	}
	length, framed := a.header["Content-Length"]
	switch {
	case len(a.header["Host"]) != 1 || strings.ContainsAny(a.header["Host"][0], " /@,"):
		return fmt.Errorf("the hosts are %q", a.header["Host"])
	case a.header["Transfer-Encoding"] != nil || a.header["Trailer"] != nil || a.header["Expect"] != nil:
		return fmt.Errorf("the body is framed by more than its length")
	case !framed:
		return nil
	case len(length) != 1:
		return fmt.Errorf("the lengths are %q", length)
	}
	n, err := strconv.ParseUint(length[0], 10, 31)
	if err != nil {
		return err
	}
	a.body = make([]byte, n)
	_, err = io.ReadFull(in, a.body)
	return err
}

// readLine reads a line that ends with CR LF and has no other control characters but
// tabs.
func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		if line != "" {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return "", fmt.Errorf("a line is %q", line)
	}
	return text, nil
}
