package module

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/bodies"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// webhook is a request on its way through the gateway.
type webhook struct {
	*http.Request
	received time.Time
	body     bodies.Body
	proof    provider.Request  // with the path and the query that the app gets
	provider provider.Provider // of the tenant, or the source's
	given    string            // the tenant that somebody names in place of the request
	tenant   string            // that the request names, where the source has tenants
	stranger error             // why there is no such tenant
	input    rules.Input
	view     *rules.View
	identity queue.Identity
	list     bool // the body has the list whose elements are to be events, and is stored whole
	offline  bool // nothing may be fetched and nobody called
}

var webhooks = sync.Pool{New: func() any { return new(webhook) }}

// receive reads the body of a request. A request whose method the provider does
// not use for webhooks is a handshake at most, so its body is not read. The tenant is the
// one that is given, or else the one that the request names.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, tenant string) (*webhook, error) {
	hook := webhooks.Get().(*webhook)
	h.describe(hook, r, nil, time.Now())
	hook.given = tenant
	h.findTenant(hook)
	if h.profile.Sends(r.Method) {
		if err := h.read(w, hook); err != nil {
			hook.free()
			return nil, err
		}
	}
	return hook, nil
}

// read reads the body, unless it is clear by now that the request is not genuine.
// Of what may be a handshake all the same, no more is read than a handshake has.
func (h *Handler) read(w http.ResponseWriter, hook *webhook) error {
	limit, reason := h.MaxBody, h.screen(hook)
	if reason != nil {
		if !h.profile.Greets {
			return reason
		}
		limit = min(limit, provider.MaxHandshake)
	}
	hook.body.Claim = share.Claim{Source: h.Source, Client: hook.proof.Client}
	err := hook.body.Read(w, hook.Request, limit)
	if err == nil {
		hook.proof.Body = hook.body.Bytes()
	}
	hook.forgetView() // Screen may have asked for the delivery ID, without the body
	if err == nil && h.tenants != nil && h.tenants.inBody {
		h.findTenant(hook)
	}
	if reason != nil && errors.Is(err, bodies.ErrTooLarge) {
		return reason
	}
	return err
}

// describe fills in what the provider looks at.
func (h *Handler) describe(hook *webhook, r *http.Request, content []byte, received time.Time) {
	hook.Request, hook.received, hook.provider = r, received, h.provider
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
		hook.proof.Expand = func(text string) string { return expand(r, text) }
	}
	if h.profile.SignsID {
		hook.proof.DeliveryID = func() string { return h.signedID(hook) }
	}
}

// free returns the webhook to the pool, with its body and its view. Nobody may use
// the webhook afterwards.
func (hook *webhook) free() {
	hook.forgetView()
	hook.body.Free()
	*hook = webhook{}
	webhooks.Put(hook)
}

// forgetView frees the view of a webhook that has changed. The next one sees the change.
func (hook *webhook) forgetView() {
	if hook.view != nil {
		hook.view.Free()
		hook.view = nil
	}
}

// publicURL returns the URL that the client asked for, before the site's other
// handlers and a trusted proxy changed it.
func publicURL(r *http.Request) *url.URL {
	public := *r.URL
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.URL != nil {
		public = *original.URL
	}
	public.Scheme, public.Host = "http", r.Host
	if isHTTPS(r) {
		public.Scheme = "https"
	}
	if fromTrustedProxy(r) {
		public.Host = cmp.Or(forwarded(r, "X-Forwarded-Host"), public.Host)
		addPrefix(&public, forwarded(r, "X-Forwarded-Prefix"))
	}
	return &public
}

// forwarded returns what the nearest proxy wrote into a header: it wrote last.
func forwarded(r *http.Request, name string) string {
	values := r.Header.Values(name)
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// addPrefix puts a path that a proxy has cut off before the path of a URL.
func addPrefix(u *url.URL, prefix string) {
	prefix = strings.TrimRight(prefix, "/")
	plain, err := url.PathUnescape(prefix)
	if err != nil || !strings.HasPrefix(prefix, "/") {
		return
	}
	u.RawPath = prefix + u.EscapedPath()
	u.Path = plain + u.Path
}

// expand resolves placeholders for a request, which may be one of a file.
func expand(r *http.Request, text string) string {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		repl = caddyhttp.NewTestReplacer(r)
	}
	return repl.ReplaceAll(text, "")
}
