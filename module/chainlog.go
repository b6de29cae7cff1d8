package module

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// quiet has the handlers of a chain keep credentials out of the debug log. What
// cannot be kept out is said in the log.
func (h *Handler) quiet(ctx caddy.Context, top caddyhttp.MiddlewareHandler) {
	switch handler := top.(type) {
	case *caddyhttp.Subroute:
		h.quietRoutes(ctx, handler.Routes)
	case *reverseproxy.Handler:
		if inner, ok := handler.Transport.(caddy.Module); ok {
			h.warnOfDebug(ctx, inner)
		}
		if logsDebug(ctx, handler) {
			handler.Transport = &quietTransport{handler.Transport, h}
		}
		for _, handling := range handler.HandleResponse {
			h.quietRoutes(ctx, handling.Routes)
		}
	case caddy.Module:
		h.warnOfDebug(ctx, handler)
	}
}

func (h *Handler) quietRoutes(ctx caddy.Context, routes caddyhttp.RouteList) {
	for _, route := range routes {
		for _, handler := range route.Handlers {
			h.quiet(ctx, handler)
		}
	}
}

// outspoken are the modules that log the headers of a request before anybody could
// mask them.
var outspoken = map[caddy.ModuleID]bool{
	"http.handlers.rewrite":                true,
	"http.reverse_proxy.transport.fastcgi": true,
}

func (h *Handler) warnOfDebug(ctx caddy.Context, m caddy.Module) {
	if id := m.CaddyModule().ID; outspoken[id] && logsDebug(ctx, m) {
		h.logger.Warn("at the level debug, Caddy's "+string(id)+" logs the headers of webhooks, credentials among them; leave it out of the log with: exclude "+string(id),
			zap.String("source", h.Source))
	}
}

// logsDebug reports whether anything is logged that a module says at the level debug.
func logsDebug(ctx caddy.Context, m caddy.Module) bool {
	return ctx.Logger(m).Core().Enabled(zapcore.DebugLevel)
}

// quietTransport is the transport of a reverse_proxy, which logs the headers of a
// request after the round trip.
type quietTransport struct {
	http.RoundTripper
	source *Handler
}

// RoundTrip implements http.RoundTripper. The transport within keeps a request of its
// own, with the headers as they are: it may read them even later.
func (t *quietTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(req.WithContext(req.Context()))
	known := t.source.app.Mask
	req.Header = shownHeader(req.Header, t.source.profile.SecretHeaders, known)
	req.RequestURI = known(maskFields(req.RequestURI))
	return resp, err
}

// ProxyProtocolEnabled implements reverseproxy.ProxyProtocolTransport.
func (t *quietTransport) ProxyProtocolEnabled() bool {
	inner, ok := t.RoundTripper.(reverseproxy.ProxyProtocolTransport)
	return ok && inner.ProxyProtocolEnabled()
}

// RequiresContentLength implements reverseproxy.ContentLengthRequiredTransport.
func (t *quietTransport) RequiresContentLength() bool {
	inner, ok := t.RoundTripper.(reverseproxy.ContentLengthRequiredTransport)
	return ok && inner.RequiresContentLength()
}

// Interface guards
var (
	_ http.RoundTripper                           = (*quietTransport)(nil)
	_ reverseproxy.ProxyProtocolTransport         = (*quietTransport)(nil)
	_ reverseproxy.ContentLengthRequiredTransport = (*quietTransport)(nil)
)
