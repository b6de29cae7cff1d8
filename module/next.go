package module

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/bodies"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// pass hands a request that is verified and new to the site's next handler.
func (h *Handler) pass(w http.ResponseWriter, hook *webhook, next caddyhttp.Handler, flight *queue.Flight) {
	r := hook.Request
	bodies.SetReadDeadline(w, time.Time{}) // its end would look like the client going away
	// A transport may read the body even after the handler has returned.
	body := bytes.Clone(hook.proof.Body)
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	r.Trailer = nil
	// What Connection names is the connection's own. A proxy would drop it later, and
	// the gateway's headers with it.
	removeHopByHop(r.Header)
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	r.URL.RawQuery = hook.proof.RawQuery
	if path, err := url.PathUnescape(hook.proof.Path); err == nil && hook.proof.Path != r.URL.EscapedPath() {
		r.URL.Path, r.URL.RawPath = path, hook.proof.Path
	}
	setOwnHeaders(r.Header, &ownHeaders{source: h.Source, eventType: hook.input.Event, receivedAt: hook.received, tenant: hook.tenant})
	r.RequestURI = r.URL.RequestURI() // without a token
	rec := caddyhttp.NewResponseRecorder(w, nil, nil)
	err := next.ServeHTTP(rec, r)
	if err != nil {
		h.answerFor(rec, err)
	}
	if status := rec.Status(); status == 0 || status >= 200 && status < 300 {
		flight.Keep(queue.ID{}, queue.Now().Add(h.window))
	}
	h.requests.count(passed)
}

// answerFor answers in place of a next handler that failed. Caddy's error chain
// would log the request with its credentials.
func (h *Handler) answerFor(rec caddyhttp.ResponseRecorder, err error) {
	status := http.StatusInternalServerError
	var handlerErr caddyhttp.HandlerError
	if errors.As(err, &handlerErr) && handlerErr.StatusCode != 0 {
		status = handlerErr.StatusCode
	}
	h.logger.Warn("the next handler failed", zap.String("source", h.Source), zap.Int("status", status),
		zap.String("error", reasonOf(err)))
	if rec.Status() != 0 {
		return
	}
	if status == http.StatusServiceUnavailable {
		rec.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	rec.WriteHeader(status)
}
