package module

import (
	"context"
	"errors"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// verify checks the proof, and cuts the gateway's own token from the URL.
func (h *Handler) verify(hook *webhook) error {
	if err := h.prove(hook); err != nil {
		return err
	}
	h.requests.match(hook.proof.Matched)
	h.strip(hook)
	return nil
}

// prove returns nil if the proof is right. A proof that only a call can check is
// right for now.
func (h *Handler) prove(hook *webhook) error {
	err := hook.provider.Verify(&hook.proof, hook.received)
	if errors.Is(err, provider.NoKey) {
		if err = h.fetchKey(hook); err == nil {
			err = hook.provider.Verify(&hook.proof, hook.received)
		}
	}
	return hook.known(err)
}

// strip cuts the gateway's own token from the URL.
func (h *Handler) strip(hook *webhook) {
	h.provider.Strip(&hook.proof)
	hook.forgetView() // the proof may have needed one, which knows the token
}

// keyDeadline is how long a request waits until the key that it names is fetched.
const keyDeadline = 3 * time.Second

// fetchKey fetches the key that a request names.
func (h *Handler) fetchKey(hook *webhook) error {
	if hook.offline {
		return errOffline
	}
	ctx, cancel := context.WithTimeout(hook.Context(), keyDeadline)
	defer cancel()
	return hook.provider.(provider.Fetcher).Fetch(ctx, &hook.proof)
}
