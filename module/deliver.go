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

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/httpclient"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// deliver makes one attempt to deliver an event.
func (r *Route) deliver(ctx context.Context, e *queue.Event, attempt int) queue.Result {
	began := time.Now()
	result := r.attempt(ctx, e, attempt, nil)
	r.logAttempt(e, attempt, &result, time.Since(began))
	return result
}

// ask makes one attempt at an event whose provider waits for the app's answer.
func (r *Route) ask(ctx context.Context, e *queue.Event, attempt int, waits func() bool) (result queue.Result) {
	began := time.Now()
	kept := newKeptAnswer(r.source, e.Request.ClientIP, waits)
	defer func() {
		if result.Answer == nil { // after a panic, too
			kept.Free()
		}
	}()
	result = r.attempt(ctx, e, attempt, kept)
	r.logAttempt(e, attempt, &result, time.Since(began))
	return result
}

// attempt makes the request of an attempt. An answer that ends the delivery goes into
// kept, unless that is nil.
func (r *Route) attempt(ctx context.Context, e *queue.Event, attempt int, kept *keptAnswer) queue.Result {
	sent, ctx, err := r.sent(ctx, e)
	if err != nil {
		return r.unanswered(ctx, err)
	}
	req, err := newRequest(ctx, sent, attempt)
	if err != nil {
		return queue.Result{Outcome: queue.Refused, Reason: err.Error(), Unsent: true}
	}
	if e.Part != (queue.Part{}) && !r.Sign.byProvider() {
		dropProof(req.Header, r.provider)
	}
	if err := r.Sign.sign(req.Header, sent.Request.Body, e, time.Now()); err != nil {
		return r.unsigned(err)
	}
	answer, err := r.transport.send(req, kept)
	switch {
	case err == nil:
		result := r.judge(answer)
		if kept != nil && kept.whole(answer.size) && result.Outcome != queue.Retry {
			kept.status, kept.header = answer.status, answer.header
			result.Answer = kept
		}
		return result
	case errors.Is(err, errBrokenOff):
		return queue.Result{Outcome: queue.Retry, Status: answer.status, Reason: err.Error()}
	}
	return r.unanswered(ctx, err)
}

// unsigned is the result of an attempt that could not be signed. A body that the route
// makes stays as it is: some schemes sign what stands in the provider's. Secrets may come
// back.
func (r *Route) unsigned(err error) queue.Result {
	outcome := queue.Retry
	if r.RewriteBody != nil && !errors.As(err, new(noSecret)) {
		outcome = queue.Refused
	}
	return queue.Result{Outcome: outcome, Reason: "signing: " + err.Error(), Unsent: true}
}

// unsendable says that no request can be made of the event for the route.
type unsendable struct{ error }

// unanswered is the result of an attempt without an answer.
func (r *Route) unanswered(ctx context.Context, err error) queue.Result {
	switch {
	case errors.As(err, new(unsendable)):
		return queue.Result{Outcome: queue.Refused, Reason: err.Error(), Unsent: true}
	case errors.Is(ctx.Err(), context.Canceled):
		return queue.Result{Outcome: queue.Interrupted, Reason: "the gateway is shutting down"}
	case ctx.Err() != nil:
		return queue.Result{Outcome: queue.Retry, Reason: fmt.Sprintf("no answer within %v", time.Duration(r.Timeout))}
	}
	return queue.Result{Outcome: queue.Retry, Reason: reasonOf(err)}
}

// reasonOf returns why nothing answered, without Caddy's error ID and trace.
func reasonOf(err error) string {
	var handlerErr caddyhttp.HandlerError
	if errors.As(err, &handlerErr) && handlerErr.Err != nil {
		return handlerErr.Err.Error()
	}
	return err.Error()
}

// judge says what the app's answer makes of the delivery.
func (r *Route) judge(w *response) queue.Result {
	status := w.status
	result := queue.Result{Status: status, Reason: strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))}
	switch {
	case matches(status, r.GiveUpOn):
		result.Outcome = queue.Refused
	case matches(status, r.RetryOn):
		result.Outcome = queue.Retry
	case status >= 200 && status < 300:
		result.Outcome = queue.Succeeded
	case len(r.GiveUpOn) > 0: // then no other status ends a delivery
		result.Outcome = queue.Retry
	default:
		result.Outcome = queue.Refused
	}
	if result.Outcome == queue.Retry {
		result.RetryAfter = httpclient.RetryAfter(w.header, time.Now())
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

// logAttempt logs a failed attempt as a warning, and any other at the debug level.
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

// newRequest makes of a stored event the request that the site's handlers would
// have seen. The request takes over the headers and the body of the event, which a
// transport may read even after the attempt.
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
		source: e.Source, eventID: e.ID.String(), eventType: e.Type, attempt: attempt, receivedAt: e.ReceivedAt, tenant: e.Tenant, part: e.Part,
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

// hopByHop are the headers of a connection, not of a message. Expect is among
// them because the gateway has read the body.
var hopByHop = []string{"Alt-Svc", "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate",
	"Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect"}

func removeHopByHop(header http.Header) {
	for _, value := range header["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		delete(header, name)
	}
}

// ownHeaders holds what the gateway tells the app about an event in headers.
type ownHeaders struct {
	source, eventID, eventType string
	attempt                    int
	receivedAt                 time.Time
	tenant                     string
	part                       queue.Part
}

// ownPrefix begins the names of the gateway's headers.
const ownPrefix = "Webhook-Gateway-"

// ownNames are the names of these headers, in the order of the fields.
var ownNames = [...]string{"Webhook-Gateway-Source", "Webhook-Gateway-Event-Id", "Webhook-Gateway-Event-Type",
	"Webhook-Gateway-Attempt", "Webhook-Gateway-Received-At", "Webhook-Gateway-Tenant", "Webhook-Gateway-Part"}

// setOwnHeaders sets the gateway's headers, in place of whatever came in under
// their names.
func setOwnHeaders(header http.Header, own *ownHeaders) {
	attempt := ""
	if own.attempt > 0 {
		attempt = strconv.Itoa(own.attempt)
	}
	part := ""
	if own.part.Of > 0 {
		part = fmt.Sprintf("%d/%d", own.part.Number, own.part.Of)
	}
	values := [...]string{own.source, own.eventID, headerValue(own.eventType), attempt,
		own.receivedAt.UTC().Format(time.RFC3339Nano), own.tenant, part}
	for i, name := range ownNames {
		if values[i] == "" {
			delete(header, name)
		} else {
			header[name] = values[i : i+1 : i+1]
		}
	}
}

// headerValue drops the characters that no header may contain. The sender chooses
// the event type.
func headerValue(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}
