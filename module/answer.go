package module

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/bodies"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// refusal says how a request is answered that was not accepted. The gateway writes
// the answer itself: Caddy's error chain would log headers and query.
type refusal struct {
	status  int
	outcome string // for metrics and log
	detail  string // for the log
}

func (r *refusal) Error() string { return r.outcome + ": " + r.detail }

// The outcomes of a request.
const (
	accepted  = "accepted"
	duplicate = "duplicate"
	held      = "held"
	passed    = "passed"
	handshake = "handshake"

	complete = "" // the request is answered and counted already
)

var (
	refusedPlainHTTP = &refusal{http.StatusForbidden, "plain_http", "the connection is not encrypted"}
	refusedAddress   = &refusal{http.StatusForbidden, "address", "the client's address is not allowed"}
	refusedUnknown   = &refusal{http.StatusServiceUnavailable, "unavailable", "the addresses that the provider publishes are not known yet"}
	refusedMethod    = &refusal{http.StatusMethodNotAllowed, "method", "the provider does not use this method"}
	refusedSize      = &refusal{http.StatusRequestEntityTooLarge, "size", "the body is larger than max_body"}
	refusedRead      = &refusal{http.StatusBadRequest, "incomplete", "the body did not arrive whole"}
	refusedByCall    = &refusal{http.StatusUnauthorized, "unverified", "the provider does not vouch for it"}
)

var outcomes = []string{accepted, duplicate, held, passed, handshake,
	"plain_http", "address", "method", "size", "incomplete", "busy", "unverified", "unavailable"}

// retryAfter is how many seconds a provider is asked to wait.
const retryAfter = 5

// refusalOf returns the answer that an error calls for.
func refusalOf(err error) *refusal {
	var answer *refusal
	var unverified provider.Refusal
	var denial provider.Denial
	var usedUp share.UsedUp
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.Is(err, bodies.ErrTooLarge):
		return refusedSize
	case errors.Is(err, bodies.ErrCut):
		return refusedRead
	case errors.As(err, &usedUp):
		return &refusal{http.StatusServiceUnavailable, "busy", usedUp.Error()}
	case errors.As(err, &denial):
		return &refusal{denial.Status, "unverified", denial.Error()}
	case errors.Is(err, provider.NoKey): // the key is unknown even after a fetch
		return &refusal{http.StatusServiceUnavailable, "unavailable", err.Error()}
	case errors.As(err, &unverified):
		return &refusal{http.StatusUnauthorized, "unverified", detailOf(unverified, err)}
	case errors.Is(err, context.Canceled):
		return &refusal{http.StatusServiceUnavailable, "incomplete", "the client went away"}
	}
	return &refusal{http.StatusServiceUnavailable, "unavailable", err.Error()}
}

// detailOf returns the refusal in words, with how old a request is that is too old.
func detailOf(unverified provider.Refusal, err error) string {
	var mistimed *provider.Mistimed
	if errors.As(err, &mistimed) {
		return mistimed.Error()
	}
	return string(unverified)
}

// statusOf returns the status of a refusal as the provider wants it.
func (h *Handler) statusOf(answer *refusal) int {
	if answer.status == http.StatusUnauthorized {
		return h.profile.Answer.Refused
	}
	return answer.status
}

// refuse answers a request that was not accepted, and says why in the log.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	answer := refusalOf(err)
	status := h.statusOf(answer)
	h.requests.count(answer.outcome)
	bodies.SetReadDeadline(w, time.Now().Add(bodies.DrainDeadline))
	level := zap.InfoLevel
	if status >= 500 {
		level = zap.WarnLevel
	}
	hint := h.noteUntrusted(r, err)
	if entry := h.logger.Check(level, "webhook refused"); entry != nil {
		entry.Write(zap.String("source", h.Source), zap.Int("status", status),
			zap.String("outcome", answer.outcome), zap.String("detail", answer.detail+hint),
			zap.String("client_ip", clientIP(r)), zap.String("method", r.Method))
	}
	switch status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", h.methods)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	if bare(err) {
		w.WriteHeader(answer.status)
		return
	}
	w.Header().Set("Content-Type", plainText)
	w.WriteHeader(status)
	io.WriteString(w, cmp.Or(http.StatusText(status), http.StatusText(answer.status))+"\n")
}

// bare reports whether a refusal is answered without a body.
func bare(err error) bool {
	var denial provider.Denial
	return errors.As(err, &denial) && denial.Bare
}

// acknowledge answers a request that is accepted, now or before.
func (h *Handler) acknowledge(w http.ResponseWriter, r *http.Request, outcome string) {
	h.requests.count(outcome)
	h.echo(w, r)
	h.Respond.write(w, r)
}

// echo sets the headers that the provider wants back.
func (h *Handler) echo(w http.ResponseWriter, r *http.Request) {
	for _, name := range h.profile.Echo {
		w.Header().Set(name, r.Header.Get(name))
	}
}
