package module

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
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
	body     body
	proof    provider.Request // its path and query are those that the app gets
	input    rules.Input
	view     *rules.View
	key      queue.DedupKey
	bodyHash uint64
	offline  bool // nothing may be fetched and nobody called
}

var webhooks = sync.Pool{New: func() any { return new(webhook) }}

// receive reads the body of a webhook. What comes with another method is at
// most a handshake, and has none.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request) (*webhook, error) {
	received := time.Now()
	hook := webhooks.Get().(*webhook)
	if h.profile.Sends(r.Method) {
		if err := hook.body.read(w, r, h.MaxBody); err != nil {
			hook.free()
			return nil, err
		}
	}
	h.describe(hook, r, hook.body.bytes, received)
	return hook, nil
}

// describe makes a request what the provider looks at.
func (h *Handler) describe(hook *webhook, r *http.Request, content []byte, received time.Time) {
	hook.Request, hook.received = r, received
	hook.proof = provider.Request{
		Method:   r.Method,
		Path:     r.URL.EscapedPath(),
		RawQuery: r.URL.RawQuery,
		Header:   r.Header,
		Body:     content,
	}
	if h.profile.SignsURL {
		hook.proof.Public = publicURL(r)
	}
	if h.profile.SignsID {
		hook.proof.DeliveryID = func() string { return h.signedID(hook) }
	}
}

// free gives back what the request used. Nothing may hold on to it.
func (hook *webhook) free() {
	if hook.view != nil {
		hook.view.Free()
	}
	hook.body.free()
	*hook = webhook{body: hook.body}
	webhooks.Put(hook)
}

// verify checks the proof, and cuts the gateway's own token from the URL.
func (h *Handler) verify(hook *webhook) error {
	if err := h.prove(hook); err != nil {
		return err
	}
	h.requests.match(hook.proof.Matched)
	h.strip(hook)
	return nil
}

// prove returns nil if the proof is right. Where only a call can tell, the call
// comes later.
func (h *Handler) prove(hook *webhook) error {
	err := h.provider.Verify(&hook.proof, hook.received)
	if errors.Is(err, provider.NoKey) {
		if err = h.fetchKey(hook); err == nil {
			err = h.provider.Verify(&hook.proof, hook.received)
		}
	}
	return err
}

// strip cuts the gateway's own token from the URL.
func (h *Handler) strip(hook *webhook) {
	h.provider.Strip(&hook.proof)
	if hook.view != nil { // the proof needed a view, which knows the token
		hook.view.Free()
		hook.view = nil
	}
}

// keyDeadline is how long a request waits for the key that it names.
const keyDeadline = 3 * time.Second

// fetchKey gets the key that a request names.
func (h *Handler) fetchKey(hook *webhook) error {
	if hook.offline {
		return errOffline
	}
	ctx, cancel := context.WithTimeout(hook.Context(), keyDeadline)
	defer cancel()
	return h.provider.(provider.Fetcher).Fetch(ctx, &hook.proof)
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

// strippedURL returns the URL that the provider called, without a token of the
// gateway's own.
func (h *Handler) strippedURL(public *url.URL) string {
	r := provider.Request{Path: public.EscapedPath(), RawQuery: public.RawQuery}
	h.provider.Strip(&r)
	return r.URL(public)
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

// maxIdentity is the longest event type, and the longest delivery ID, in bytes:
// they go into headers and lists.
const maxIdentity = 256

// Why an event type or a delivery ID is not found, besides what rules say.
var (
	errTooLong = errors.New("longer than 256 bytes")
	errNothing = errors.New("the expression yields nothing")
)

// identify finds event type and delivery ID, and counts what is not there.
func (h *Handler) identify(hook *webhook) {
	noEvent, noID := h.find(hook)
	if noEvent != nil {
		h.unidentified("event", noEvent)
	}
	if noID != nil {
		h.unidentified("id", noID)
	}
}

// find finds event type and delivery ID, and returns why one of them is not
// there. A webhook without them is good all the same.
func (h *Handler) find(hook *webhook) (noEvent, noID error) {
	event, noEvent := h.text(h.eventValue, hook)
	id, noID := h.text(h.idValue, hook)
	if len(id) > maxIdentity {
		id, noID = "", errTooLong
	}
	if len(event) > maxIdentity {
		event = strings.ToValidUTF8(event[:maxIdentity], "")
	}
	if id == "" {
		digest := h.digest(hook)
		id = hex.EncodeToString(digest[:])
		hook.key = digest
	} else {
		digest := sha256.Sum256([]byte(id))
		hook.key = queue.DedupKey(digest[:])
	}
	hook.bodyHash = xxhash.Sum64(hook.proof.Body)
	h.viewOf(hook).SetIdentity(event, id)
	return noEvent, noID
}

// digest stands in for the delivery ID of a webhook that has none.
func (h *Handler) digest(hook *webhook) queue.DedupKey {
	sum := sha256.New()
	for _, part := range []string{h.Source, hook.proof.Path, hook.proof.RawQuery} {
		io.WriteString(sum, part)
		sum.Write([]byte{0})
	}
	sum.Write(hook.proof.Body)
	return queue.DedupKey(sum.Sum(nil))
}

// text evaluates an expression that finds the event type or the delivery ID. No
// expression finds nothing, and that is no error.
func (h *Handler) text(value *rules.Value, hook *webhook) (string, error) {
	if value == nil {
		return "", nil
	}
	text, err := value.Text(h.viewOf(hook))
	switch {
	case err != nil:
		return "", err
	case text == "":
		return "", errNothing
	}
	return text, nil
}

// unidentified counts a webhook in which the event type or the delivery ID is not
// found.
func (h *Handler) unidentified(what string, err error) {
	metrics.unidentified.WithLabelValues(h.Source, what).Inc()
	if entry := h.logger.Check(levelOf(err), "not found in webhook"); entry != nil {
		entry.Write(zap.String("source", h.Source), zap.String("what", what), zap.Error(err))
	}
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
	now := queue.Now()
	event := &queue.Event{
		ID:         id,
		Source:     h.Source,
		Provider:   h.providerName,
		Type:       hook.input.Event,
		DeliveryID: hook.input.ID,
		ReceivedAt: now,
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
	if h.profile.SignsURL {
		event.Request.PublicURL = h.strippedURL(hook.proof.Public)
	}
	if h.window > 0 {
		event.Dedup = queue.Dedup{Key: hook.key, Body: hook.bodyHash, Until: now.Add(h.window)}
	}
	return event, nil
}
