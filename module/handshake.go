package module

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// greet answers a handshake, and reports whether the request was one. What is
// none must be a webhook.
func (h *Handler) greet(w http.ResponseWriter, hook *webhook) (answered bool, err error) {
	if h.handshaker != nil {
		answer, err := h.handshaker.Handshake(&hook.proof, hook.received)
		if err == provider.NoKey {
			if err = h.fetchKey(hook); err == nil {
				answer, err = h.handshaker.Handshake(&hook.proof, hook.received)
			}
		}
		if err != nil {
			return false, err
		}
		if answer != nil {
			return true, h.answerHandshake(w, hook, answer)
		}
	}
	if !h.profile.Sends(hook.Method) {
		return false, refusedMethod
	}
	return false, nil
}

// answerHandshake does what a handshake asks for, and answers it.
func (h *Handler) answerHandshake(w http.ResponseWriter, hook *webhook, answer *provider.Reply) error {
	if answer.Secret != "" {
		if err := h.enroll(hook, answer.Secret); err != nil {
			return err
		}
	}
	if answer.Visit != "" {
		if err := visit(hook.Context(), answer.Visit); err != nil {
			return err
		}
	}
	h.requests.count(handshake)
	if entry := h.logger.Check(zap.DebugLevel, "handshake answered"); entry != nil {
		entry.Write(zap.String("source", h.Source), zap.Int("status", answer.Status),
			zap.String("client_ip", clientIP(hook.Request)), zap.String("method", hook.Method))
	}
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Status)
	io.WriteString(w, answer.Body)
	return nil
}

// visitor fetches the URLs that confirm a subscription. Where they lead is up
// to the provider's preset, so it goes nowhere else.
var visitor = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// visit fetches a URL. It may carry a token, which stays out of errors.
func visit(ctx context.Context, target string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return errors.New("the URL that confirms the subscription is malformed")
	}
	resp, err := visitor.Do(req)
	if err != nil {
		return fmt.Errorf("confirming the subscription: %w", errors.Unwrap(err)) // without the URL
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("confirming the subscription: %s answered %d", req.URL.Host, resp.StatusCode)
	}
	return nil
}
