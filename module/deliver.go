package module

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// errNoAnswer says that the route's handlers let the event fall through, or
// ended without an answer.
var errNoAnswer = errors.New("no handler of the route answered")

// deliver makes one attempt to deliver an event through the route's handlers.
func (r *Route) deliver(ctx context.Context, e *queue.Event, attempt int) (result queue.Result) {
	began := time.Now()
	defer func() { r.logAttempt(e, attempt, &result, time.Since(began)) }()
	w := &answer{header: make(http.Header)}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler: // reverse_proxy's way to say it
			if w.size > maxAnswer { // it was we who broke it off
				result = r.judge(w)
				return
			}
			result = queue.Result{Outcome: queue.Retry, Status: w.status, Reason: "the upstream broke its answer off"}
		default:
			panic(p)
		}
	}()
	req, err := newRequest(ctx, e, attempt)
	if err != nil {
		return queue.Result{Outcome: queue.Refused, Reason: err.Error()}
	}
	if err := r.Sign.sign(req.Header, e, time.Now()); err != nil {
		return queue.Result{Outcome: queue.Retry, Reason: "signing: " + err.Error()}
	}
	req = caddyhttp.PrepareRequest(req, caddy.NewReplacer(), w, r.server)
	fell := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return errNoAnswer })
	err = r.handler.ServeHTTP(w, req, fell)
	const clientClosed = 499 // what reverse_proxy makes of a context that was cancelled
	switch {
	case answered(err, w) && (ctx.Err() == nil || w.status != clientClosed):
		return r.judge(w)
	case errors.Is(ctx.Err(), context.Canceled):
		return queue.Result{Outcome: queue.Interrupted, Reason: "the gateway is shutting down"}
	case ctx.Err() != nil:
		return queue.Result{Outcome: queue.Retry, Reason: fmt.Sprintf("no answer within %v", time.Duration(r.Timeout))}
	case err == nil: // such as a proxy whose upstream switched protocols unasked
		err = errNoAnswer
	}
	return queue.Result{Outcome: queue.Retry, Reason: reasonOf(err)}
}

// answered reports whether there was an answer. The error of an error directive
// is one, and its status is taken; that of reverse_proxy says that there was none.
func answered(err error, w *answer) bool {
	var handlerErr caddyhttp.HandlerError
	if w.status == 0 && errors.As(err, &handlerErr) && handlerErr.StatusCode < 500 {
		w.status = handlerErr.StatusCode
	}
	return w.status != 0
}

// reasonOf returns why nothing answered, without Caddy's error ID and trace.
func reasonOf(err error) string {
	var handlerErr caddyhttp.HandlerError
	if errors.As(err, &handlerErr) && handlerErr.Err != nil {
		return handlerErr.Err.Error()
	}
	return err.Error()
}

// judge tells from the app's answer what becomes of the delivery.
func (r *Route) judge(w *answer) queue.Result {
	status := w.status
	result := queue.Result{Status: status, Reason: strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))}
	switch {
	case matches(status, r.GiveUpOn):
		result.Outcome = queue.Refused
	case matches(status, r.RetryOn):
		result.Outcome = queue.Retry
	case status >= 200 && status < 300:
		result.Outcome = queue.Succeeded
	case len(r.GiveUpOn) > 0: // it names all that there are
		result.Outcome = queue.Retry
	default:
		result.Outcome = queue.Refused
	}
	if result.Outcome == queue.Retry {
		result.RetryAfter = parseRetryAfter(w.header.Get("Retry-After"), time.Now())
	}
	return result
}

func matches(status int, codes []int) bool {
	for _, code := range codes {
		if caddyhttp.StatusCodeMatches(status, code) {
			return true
		}
	}
	return false
}

// parseRetryAfter reads seconds or a date; 0 if it is neither or has passed.
func parseRetryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// logAttempt logs an attempt: for everybody if it failed, else for those who
// debug.
func (r *Route) logAttempt(e *queue.Event, attempt int, result *queue.Result, took time.Duration) {
	level, message := zap.DebugLevel, "delivery attempted"
	if result.Outcome == queue.Retry || result.Outcome == queue.Refused {
		level, message = zap.WarnLevel, "delivery attempt failed"
	}
	entry := r.logger.Check(level, message)
	if entry == nil {
		return
	}
	entry.Write(zap.String("source", r.source), zap.String("route", r.Name), zap.Stringer("event", e.ID),
		zap.Int("attempt", attempt), zap.String("outcome", string(result.Outcome)), zap.Int("status", result.Status),
		zap.Duration("duration", took), zap.String("reason", result.Reason))
}

// newRequest makes the request that an event was, as the site's handlers would
// have seen it.
func newRequest(ctx context.Context, e *queue.Event, attempt int) (*http.Request, error) {
	stored := e.Request
	u, err := url.ParseRequestURI(stored.URI)
	if err != nil {
		return nil, fmt.Errorf("stored URI: %w", err)
	}
	header := http.Header(stored.Header)
	if header == nil {
		header = make(http.Header)
	}
	removeHopByHop(header)
	setOwnHeaders(header, &ownHeaders{
		source: e.Source, eventID: e.ID.String(), eventType: e.Type, attempt: attempt, receivedAt: e.ReceivedAt,
	})
	header.Set("Content-Length", strconv.Itoa(len(stored.Body)))
	proto := stored.Proto // for the Via header
	major, minor, ok := http.ParseHTTPVersion(proto)
	if !ok {
		proto, major, minor = "HTTP/1.1", 1, 1
	}
	req := &http.Request{
		Method:        stored.Method,
		URL:           u,
		Proto:         proto,
		ProtoMajor:    major,
		ProtoMinor:    minor,
		Header:        header,
		Body:          io.NopCloser(bytes.NewReader(stored.Body)),
		ContentLength: int64(len(stored.Body)),
		Host:          stored.Host,
		RemoteAddr:    stored.RemoteAddr,
		RequestURI:    stored.URI,
	}
	if stored.TLS {
		// reverse_proxy tells the app that the client's connection was encrypted.
		req.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: (&url.URL{Host: stored.Host}).Hostname()}
	}
	return req.WithContext(ctx), nil
}

// hopByHop are the headers of a connection, not of a message. Expect was met
// when the body was read.
var hopByHop = []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate",
	"Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect"}

func removeHopByHop(header http.Header) {
	for _, value := range header["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		header.Del(name)
	}
}

// ownHeaders are what the gateway tells the app about an event.
type ownHeaders struct {
	source, eventID, eventType string
	attempt                    int
	receivedAt                 time.Time
}

// setOwnHeaders sets the gateway's headers, in place of whatever came in under
// their names.
func setOwnHeaders(header http.Header, own *ownHeaders) {
	attempt := ""
	if own.attempt > 0 {
		attempt = strconv.Itoa(own.attempt)
	}
	for name, value := range map[string]string{
		"Webhook-Gateway-Source":      own.source,
		"Webhook-Gateway-Event-Id":    own.eventID,
		"Webhook-Gateway-Event-Type":  headerValue(own.eventType),
		"Webhook-Gateway-Attempt":     attempt,
		"Webhook-Gateway-Received-At": own.receivedAt.UTC().Format(time.RFC3339Nano),
	} {
		if value == "" {
			delete(header, name)
		} else {
			header[name] = []string{value}
		}
	}
}

// headerValue drops what no header may contain: the event type is the sender's.
func headerValue(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// maxAnswer is how much of an answer's body is awaited. An app that goes on and
// on has said what it thinks of the event.
const maxAnswer = 1 << 20

// answer takes the app's answer: its status and headers count, its body not.
type answer struct {
	header http.Header
	status int
	size   int64 // of the body
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if a.size += int64(len(p)); a.size > maxAnswer {
		panic(http.ErrAbortHandler) // an error would be logged by reverse_proxy, with all headers
	}
	return len(p), nil
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 { // 1xx come before the answer
		a.status = status
	}
}
