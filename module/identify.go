package module

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// maxIdentity is the length of the longest event type, and of the longest delivery
// ID, in bytes. Both go into headers and lists.
const maxIdentity = 256

// Why an event type or a delivery ID is not found, besides the errors of rules.
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
	find := h.finderFor(hook)
	view := h.viewOf(hook)
	event, noEvent := textOf(find.event, view)
	id, noID := textOf(find.id, view)
	switch {
	case len(id) <= maxIdentity:
	case h.checker != nil: // a proof that can be used once is told by all of it
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:])
	default:
		id, noID = "", errTooLong
	}
	hook.identity, id = h.identity(hook, id)
	h.viewOf(hook).SetIdentity(cutEvent(event), id)
	return noEvent, noID
}

// cutEvent cuts an event type that is too long.
func cutEvent(event string) string {
	if len(event) > maxIdentity {
		return strings.ToValidUTF8(event[:maxIdentity], "")
	}
	return event
}

// textOf evaluates an expression that finds the event type or the delivery ID. No
// expression finds nothing, and that is no error.
func textOf(value *rules.Value, view *rules.View) (string, error) {
	if value == nil {
		return "", nil
	}
	text, err := value.Text(view)
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
		h.fillInput(hook)
		hook.view = rules.NewView(&hook.input)
	}
	return hook.view
}

func (h *Handler) fillInput(hook *webhook) {
	hook.input = rules.Input{
		Provider:   h.providerName,
		Source:     h.Source,
		Tenant:     hook.tenant,
		Method:     hook.Method,
		Path:       hook.proof.Path,
		RawQuery:   hook.proof.RawQuery,
		Header:     hook.Header,
		Body:       hook.proof.Body,
		Forms:      h.profile.Forms,
		RemoteIP:   hook.proof.Client,
		ReceivedAt: hook.received,
	}
}
