package module

import (
	"net/http"
	"net/url"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// Handshake is the verdict on requests that are handshakes.
const Handshake = handshake

// Otherwise is the name of the route for events that no other took.
const Otherwise = otherwise

// AnySecret stands in for secrets that this machine does not have.
var AnySecret = anySecret

// ProofCheck is what a request is checked by.
type ProofCheck struct {
	Source    *Handler
	Public    *url.URL  // that the provider called; nil: what the request says
	At        time.Time // of the check
	Callable  bool      // the provider's API may be called
	Delivered int       // secrets that handshakes delivered
}

func (c *ProofCheck) inner() *proofCheck {
	return &proofCheck{c.Source, c.Public, c.At, c.Callable, c.Delivered}
}

// Check does what the gateway does with a request.
func (c *ProofCheck) Check(r *http.Request, body []byte) *Verification {
	return c.inner().check(r, body)
}

// GreetUnknown answers a handshake for which no secret is needed, of a provider
// that has none here; nil if the request is none.
func GreetUnknown(make func(secret string) (*ProofCheck, error), r *http.Request, body []byte) *Verification {
	return greetUnknown(func(secret string) (*proofCheck, error) {
		c, err := make(secret)
		if err != nil {
			return nil, err
		}
		return c.inner(), nil
	}, r, body)
}

// ByCall reports whether the proof of the source is checked by a call.
func (h *Handler) ByCall() bool { return h.checker != nil }

// ReadDelivered gives the provider the secrets that handshakes delivered, and
// returns how many there are.
func (h *Handler) ReadDelivered() (int, error) {
	p, ok := h.provider.(provider.Enroller)
	if !ok || !p.Enrolls() {
		return 0, nil
	}
	delivered := &enrolment{path: h.deliveredPath(), users: make(map[provider.Enroller]struct{})}
	if err := delivered.attach(p); err != nil {
		return 0, err
	}
	return len(delivered.secrets), nil
}

// Explain asks the rules about a request as it comes from the provider. Its
// proof is not looked at.
func (h *Handler) Explain(r *http.Request, body []byte) *Explanation { return h.explain(r, body) }

// CallsAPI reports whether a provider's configuration names an API to call.
var CallsAPI = callsAPI
