package module

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/cespare/xxhash/v2"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// webhook is a request on its way through the gateway.
type webhook struct {
	*http.Request
	received time.Time
	body     *body
	proof    provider.Request // its path and query are those that the app gets
	input    rules.Input
	view     *rules.View
	key      queue.DedupKey
	bodyHash uint64
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	outcome, err := h.accept(w, r, next)
	switch {
	case err != nil:
		h.refuse(w, r, err)
		return nil
	case outcome.err != nil || outcome.name == passed:
		return outcome.err // of the next handler, which has answered
	}
	return h.acknowledge(w, outcome.name)
}

// outcome is what became of a request that was not refused.
type outcome struct {
	name string
	err  error // of the site's next handler
}

// accept takes a request through all steps that come before its answer.
func (h *Handler) accept(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) (outcome, error) {
	if err := h.admit(r); err != nil {
		return outcome{}, err
	}
	hook, err := h.receive(w, r)
	if err != nil {
		return outcome{}, err
	}
	defer hook.free()
	if err := h.verify(hook); err != nil {
		return outcome{}, err
	}
	h.identify(hook)
	engine, err := h.app.open()
	if err != nil {
		return outcome{}, err
	}
	flight, seen, err := engine.Enter(r.Context(), h.Source, hook.key, hook.bodyHash)
	if err != nil {
		return outcome{}, err
	}
	if flight == nil {
		return outcome{name: duplicate}, h.revive(engine, hook, seen)
	}
	defer flight.Release() // unless it was kept
	if len(h.Routes) == 0 {
		return h.pass(w, hook, next, flight), nil
	}
	return h.persist(engine, hook, flight)
}

// receive reads the body.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request) (*webhook, error) {
	received := time.Now()
	body, err := readBody(w, r, h.MaxBody)
	if err != nil {
		return nil, err
	}
	hook := &webhook{Request: r, received: received, body: body}
	hook.proof = provider.Request{
		Method:   r.Method,
		Path:     r.URL.EscapedPath(),
		RawQuery: r.URL.RawQuery,
		Header:   r.Header,
		Body:     body.bytes,
	}
	return hook, nil
}

// free gives back what the request used.
func (hook *webhook) free() {
	if hook.view != nil {
		hook.view.Free()
	}
	hook.body.free()
}

// verify checks the proof, and cuts the gateway's own token from the URL.
func (h *Handler) verify(hook *webhook) error {
	if h.profile.SignsURL {
		hook.proof.Public = publicURL(hook.Request)
	}
	if h.profile.SignsID {
		hook.proof.DeliveryID = func() string { return h.signedID(hook) }
	}
	if err := h.provider.Verify(&hook.proof, hook.received); err != nil {
		return err
	}
	h.provider.Strip(&hook.proof)
	if hook.view != nil { // it was made for the signature, and knows the token
		hook.view.Free()
		hook.view = nil
	}
	return nil
}

// publicURL returns the URL that the client asked for, before the site's other
// handlers changed it.
func publicURL(r *http.Request) *url.URL {
	public := *r.URL
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.URL != nil {
		public = *original.URL
	}
	public.Scheme, public.Host = "http", r.Host
	if isHTTPS(r) {
		public.Scheme = "https"
	}
	return &public
}

// signedID finds the delivery ID of a request that is not verified yet, for
// schemes that sign it.
func (h *Handler) signedID(hook *webhook) string {
	id, err := h.idValue.Text(h.viewOf(hook))
	if err != nil {
		return ""
	}
	return id
}

// viewOf returns the request as expressions see it.
func (h *Handler) viewOf(hook *webhook) *rules.View {
	if hook.view == nil {
		hook.input = rules.Input{
			Provider:   h.providerName,
			Source:     h.Source,
			Method:     hook.Method,
			Path:       hook.proof.Path,
			RawQuery:   hook.proof.RawQuery,
			Header:     hook.Header,
			Body:       hook.proof.Body,
			RemoteIP:   clientIP(hook.Request),
			ReceivedAt: hook.received,
		}
		hook.view = rules.NewView(&hook.input)
	}
	return hook.view
}

// identify finds event type and delivery ID.
func (h *Handler) identify(hook *webhook) {
	event := h.text("event", h.eventValue, hook)
	id := h.text("id", h.idValue, hook)
	sum := sha256.New()
	if id == "" {
		for _, part := range []string{h.Source, hook.proof.Path, hook.proof.RawQuery} {
			io.WriteString(sum, part)
			sum.Write([]byte{0})
		}
		sum.Write(hook.proof.Body)
	} else {
		io.WriteString(sum, id)
	}
	digest := sum.Sum(nil)
	if id == "" {
		id = hex.EncodeToString(digest[:16])
	}
	hook.key = queue.DedupKey(digest)
	hook.bodyHash = xxhash.Sum64(hook.proof.Body)
	h.viewOf(hook).SetIdentity(event, id)
}

// text evaluates an expression that finds the event type or the delivery ID.
// What it cannot find is missing, and never costs the event.
func (h *Handler) text(what string, value *rules.Value, hook *webhook) string {
	if value == nil {
		return ""
	}
	text, err := value.Text(h.viewOf(hook))
	if err == nil && text != "" {
		return text
	}
	metrics.unidentified.WithLabelValues(h.Source, what).Inc()
	if entry := h.logger.Check(zap.DebugLevel, "not found in webhook"); entry != nil {
		entry.Write(zap.String("source", h.Source), zap.String("what", what), zap.Error(err))
	}
	return ""
}

// revive queues the dead deliveries of an event again that the provider sent
// once more.
func (h *Handler) revive(engine *queue.Engine, hook *webhook, seen queue.Seen) error {
	if seen.ID == (queue.ID{}) {
		return nil // it was not stored
	}
	revived, err := engine.Revive(hook.Context(), seen.ID)
	if revived > 0 {
		h.logger.Info("dead deliveries revived by a duplicate", zap.String("source", h.Source),
			zap.Stringer("event", seen.ID), zap.Int("deliveries", revived))
	}
	return err
}

// persist stores the event with its deliveries. It returns once that cannot be
// undone any more.
func (h *Handler) persist(engine *queue.Engine, hook *webhook, flight *queue.Flight) (outcome, error) {
	event, err := h.newEvent(hook)
	if err != nil {
		return outcome{}, err
	}
	name := accepted
	if h.checker == nil {
		event.SetRoutes(h.route(hook.view), hook.received)
		err = engine.Append(hook.Context(), event)
	} else {
		name, err = h.hold(engine, hook, event)
	}
	if err != nil {
		return outcome{}, err
	}
	flight.Keep(event.ID, hook.received.Add(h.window))
	h.requests.ack.Observe(time.Since(hook.received).Seconds())
	if entry := h.logger.Check(zap.DebugLevel, "webhook accepted"); entry != nil {
		entry.Write(zap.String("source", h.Source), zap.Stringer("event", event.ID), zap.String("type", event.Type))
	}
	return outcome{name: name}, nil
}

// hold stores an event whose proof is checked by a call, and has it checked.
func (h *Handler) hold(engine *queue.Engine, hook *webhook, event *queue.Event) (string, error) {
	verdict, err := engine.Hold(hook.Context(), event)
	switch {
	case err != nil:
		return "", err
	case verdict.Finding == queue.Forged:
		return "", refusedByCall
	case verdict.Finding == queue.Genuine:
		return accepted, nil
	}
	h.logger.Warn("webhook held: its proof could not be checked", zap.String("source", h.Source),
		zap.Stringer("event", event.ID), zap.String("reason", verdict.Reason))
	return held, nil
}

// newEvent describes the request to the queue.
func (h *Handler) newEvent(hook *webhook) (*queue.Event, error) {
	id, err := queue.NewID()
	if err != nil {
		return nil, err
	}
	uri := hook.proof.Path
	if hook.proof.RawQuery != "" || hook.URL.ForceQuery {
		uri += "?" + hook.proof.RawQuery
	}
	event := &queue.Event{
		ID:         id,
		Source:     h.Source,
		Provider:   h.providerName,
		Type:       hook.input.Event,
		DeliveryID: hook.input.ID,
		ReceivedAt: hook.received,
		Request: &queue.Request{
			Method:     hook.Method,
			Host:       hook.Host,
			URI:        uri,
			Proto:      hook.Proto,
			RemoteAddr: hook.RemoteAddr,
			ClientIP:   hook.input.RemoteIP,
			TLS:        hook.TLS != nil,
			Header:     hook.Header,
			Body:       hook.proof.Body,
			Secret:     h.profile.SecretHeaders,
		},
	}
	if h.window > 0 {
		event.Dedup = queue.Dedup{Key: hook.key, Body: hook.bodyHash, Until: hook.received.Add(h.window)}
	}
	return event, nil
}

// pass hands a request that is verified and new to the site's next handler.
func (h *Handler) pass(w http.ResponseWriter, hook *webhook, next caddyhttp.Handler, flight *queue.Flight) outcome {
	r := hook.Request
	// A transport may read the body even after the handler has returned.
	body := bytes.Clone(hook.proof.Body)
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	r.Header.Del("Transfer-Encoding")
	r.URL.RawQuery = hook.proof.RawQuery
	if path, err := url.PathUnescape(hook.proof.Path); err == nil && hook.proof.Path != r.URL.EscapedPath() {
		r.URL.Path, r.URL.RawPath = path, hook.proof.Path
	}
	setOwnHeaders(r.Header, &ownHeaders{source: h.Source, eventType: hook.input.Event, receivedAt: hook.received})
	rec := caddyhttp.NewResponseRecorder(w, nil, nil)
	err := next.ServeHTTP(rec, r)
	if status := rec.Status(); err == nil && (status == 0 || status >= 200 && status < 300) {
		flight.Keep(queue.ID{}, hook.received.Add(h.window))
	}
	h.requests.count(passed)
	return outcome{name: passed, err: err}
}

// checkProof asks the provider about the proof of a held event.
func (h *Handler) checkProof(ctx context.Context, e *queue.Event) queue.Verdict {
	verdict := h.checker.Check(ctx, &provider.Request{
		Method: e.Request.Method,
		Header: e.Request.Header,
		Body:   e.Request.Body,
	})
	finding := map[provider.Outcome]queue.Finding{
		provider.Genuine: queue.Genuine, provider.Forged: queue.Forged, provider.Used: queue.Used,
	}[verdict.Outcome]
	if finding == "" {
		finding = queue.Undecided
	}
	return queue.Verdict{Finding: finding, Sent: verdict.Sent, Reason: verdict.Reason}
}

// routeHeld names the routes that take an event that was held.
func (h *Handler) routeHeld(e *queue.Event) []string {
	path, query := splitURI(e.Request.URI)
	view := rules.NewView(&rules.Input{
		Event: e.Type, ID: e.DeliveryID, Provider: e.Provider, Source: e.Source,
		Method: e.Request.Method, Path: path, RawQuery: query,
		Header: e.Request.Header, Body: e.Request.Body,
		RemoteIP: e.Request.ClientIP, ReceivedAt: e.ReceivedAt,
	})
	defer view.Free()
	return h.route(view)
}
