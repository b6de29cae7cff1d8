package module

import (
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// webhook is a request on its way through the gateway.
type webhook struct {
	*http.Request
	received time.Time
	body     bodyBuffer
	proof    provider.Request // with the path and the query that the app gets
	input    rules.Input
	view     *rules.View
	key      queue.DedupKey
	bodyHash uint64
	offline  bool // nothing may be fetched and nobody called
}

var webhooks = sync.Pool{New: func() any { return new(webhook) }}

// receive reads the body of a request. A request whose method the provider does
// not use for webhooks is a handshake at most, so its body is not read.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request) (*webhook, error) {
	received := time.Now()
	hook := webhooks.Get().(*webhook)
	if h.profile.Sends(r.Method) {
		hook.body.claim = share.Claim{Source: h.Source, Client: clientIP(r)}
		if err := hook.body.read(w, r, h.MaxBody); err != nil {
			hook.free()
			return nil, err
		}
	}
	h.describe(hook, r, hook.body.bytes, received)
	return hook, nil
}

// describe fills in what the provider looks at.
func (h *Handler) describe(hook *webhook, r *http.Request, content []byte, received time.Time) {
	hook.Request, hook.received = r, received
	hook.proof = provider.Request{
		Method:   r.Method,
		Path:     r.URL.EscapedPath(),
		RawQuery: r.URL.RawQuery,
		Header:   r.Header,
		Body:     content,
		Client:   clientIP(r),
	}
	if h.profile.SignsURL {
		hook.proof.Public = publicURL(r)
	}
	if h.profile.SignsID {
		hook.proof.DeliveryID = func() string { return h.signedID(hook) }
	}
}

// free returns the webhook to the pool, with its body and its view. Nobody may use
// the webhook afterwards.
func (hook *webhook) free() {
	if hook.view != nil {
		hook.view.Free()
	}
	hook.body.free()
	*hook = webhook{body: hook.body}
	webhooks.Put(hook)
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
