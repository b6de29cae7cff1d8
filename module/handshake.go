package module

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/httpclient"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/public"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// greet answers the request if it is a handshake, and reports whether it was.
func (h *Handler) greet(w http.ResponseWriter, hook *webhook) (answered bool, err error) {
	reply, err := h.replyTo(hook)
	if reply == nil || err != nil {
		return false, err
	}
	return true, h.answerHandshake(w, hook, reply)
}

// replyTo returns the answer that a handshake wants. It returns nil for a request
// that is no handshake, and refuses the request if it can be no webhook either.
func (h *Handler) replyTo(hook *webhook) (*provider.Reply, error) {
	if h.handshaker != nil {
		handshaker := hook.provider.(provider.Handshaker)
		reply, err := handshaker.Handshake(&hook.proof, hook.received)
		if errors.Is(err, provider.NoKey) {
			if err = h.fetchKey(hook); err == nil {
				reply, err = handshaker.Handshake(&hook.proof, hook.received)
			}
		}
		if reply != nil && reply.Keyed {
			err = hook.known(err)
		}
		if reply != nil || err != nil {
			return reply, err
		}
	}
	if !h.profile.Sends(hook.Method) {
		return nil, refusedMethod
	}
	return nil, nil
}

// answerHandshake does what a handshake asks for, and answers it.
func (h *Handler) answerHandshake(w http.ResponseWriter, hook *webhook, reply *provider.Reply) error {
	if reply.Secret != "" {
		if err := h.enroll(hook, reply.Secret); err != nil {
			return err
		}
	}
	if reply.Visit != "" {
		if err := visit(hook.Context(), reply); err != nil {
			return err
		}
	}
	h.requests.count(handshake)
	if entry := h.logger.Check(zap.DebugLevel, "handshake answered"); entry != nil {
		entry.Write(zap.String("source", h.Source), zap.Int("status", reply.Status),
			zap.String("client_ip", clientIP(hook.Request)), zap.String("method", hook.Method))
	}
	for name, values := range reply.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(reply.Status)
	io.WriteString(w, reply.Body)
	return nil
}

// The URLs that confirm a subscription are fetched from public addresses only, unless
// the configuration names their host. The provider's preset says where such a URL may
// lead, so no redirect is followed.
var (
	publicVisitor = public.Client()
	visitor       = &http.Client{CheckRedirect: public.NoRedirect}
)

// visitTime is how long a visit may take.
const visitTime = 10 * time.Second

// visit fetches the URL of a reply. The URL may carry a token, so errors do not
// quote it.
func visit(ctx context.Context, reply *provider.Reply) error {
	ctx, cancel := context.WithTimeout(ctx, visitTime)
	defer cancel()
	client := publicVisitor
	if reply.Anywhere {
		client = visitor
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, reply.Visit, nil)
	if err != nil {
		return errors.New("the URL that confirms the subscription is malformed")
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("confirming the subscription: %w", httpclient.WithoutURL(err))
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("confirming the subscription: %s answered %d", req.URL.Host, resp.StatusCode)
	}
	return nil
}
