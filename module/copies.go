package module

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// copies says what tells copies of an event from other events.
type copies struct {
	by, withoutID string // as in provider.Copies
	omit          provider.Omission
}

// checkCopies refuses settings that would not tell copies. The provider need not be
// provisioned.
func (h *Handler) checkCopies(p provider.Provider) error {
	d, once := h.Dedup, provider.CheckerOf(p) != nil
	switch {
	case once && h.ID != "":
		return errors.New("id is not possible here: the provider's proof can be used only once, so the proof itself tells copies; remove the line")
	case d == nil:
		return nil
	case once && d.Off:
		return errors.New("dedup off is not possible here: the provider's proof can be used only once, so it must not be checked again; remove the line")
	case d.Window < 0 || d.Entries < 0:
		return errors.New("the window and the entries of dedup must be greater than zero")
	case d.Off && (d.Window != 0 || d.Entries != 0 || d.By != ""):
		return errors.New("dedup off takes no window, entries or by")
	case !slices.Contains([]string{"", provider.ByID, provider.ByIDAndBody}, d.By):
		return fmt.Errorf("dedup by takes id or id_and_body, not %q", d.By)
	case once && d.By == provider.ByIDAndBody:
		return errors.New("dedup by id_and_body is not possible here: the provider's proof can be used only once, so it must not be checked with another body; remove the line")
	}
	return nil
}

// provisionCopies decides how copies are recognized. Call it after the expression for the
// delivery ID is compiled.
func (h *Handler) provisionCopies() (err error) {
	c := h.profile.Copies.Resolve(h.profile.ID != "")
	switch {
	case h.checker != nil:
		c.By = provider.ByID // what was used up must not be used with another body
	case h.Dedup.By != "" && h.Each == nil && h.idValue == nil && !slices.ContainsFunc(h.own, func(f finder) bool { return f.id != nil }):
		return fmt.Errorf("dedup by %s is not possible here: the provider gives no ID; add a line: id <expression>", h.Dedup.By)
	}
	return h.copies.decide(h, c)
}

// decide has the source's own settings come before what is known of the provider.
func (c *copies) decide(h *Handler, known provider.Copies) (err error) {
	switch {
	case h.Dedup.By != "":
		known.By = h.Dedup.By
	case h.ID != "":
		known.By = provider.ByID
	}
	if h.window <= 0 {
		known.By, known.WithoutID = provider.ByNothing, provider.ByNothing
	}
	c.by, c.withoutID = known.By, known.WithoutID
	c.omit, err = known.Omission()
	return err
}

// identity returns what tells a webhook from others of its source, and the delivery ID:
// where none was found, a hash stands in.
func (h *Handler) identity(hook *webhook, id string) (queue.Identity, string) {
	body := func() queue.BodyDigest { return h.digest(hook, hook.proof.Body) }
	content := func() queue.DedupKey {
		return queue.ContentKey(hook.within(h.Source), hook.proof.Path, h.contentQuery(hook), body())
	}
	return h.copies.identity(hook, id, content, body)
}

// identity returns what tells an event from others, and its delivery ID. content returns a
// hash of all that it says, and body a hash of its body.
func (c *copies) identity(hook *webhook, id string, content func() queue.DedupKey, body func() queue.BodyDigest) (queue.Identity, string) {
	by := c.by
	if id == "" && by != provider.ByNothing {
		by = c.withoutID
	}
	var hash queue.DedupKey
	if id == "" || by == provider.ByBody {
		hash = content()
	}
	shown := id
	if id == "" {
		shown = hex.EncodeToString(hash[:])
	}
	switch by {
	case provider.ByID:
		return queue.Identity{Key: queue.IDKey(hook.within(id))}, shown
	case provider.ByIDAndBody:
		return queue.Identity{Key: queue.IDKey(hook.within(id)), Body: body()}, shown
	case provider.ByBody:
		return queue.Identity{Key: hash}, shown
	}
	return queue.Identity{}, shown
}

// contentQuery returns the query without what the provider changes from one try to the
// next.
func (h *Handler) contentQuery(hook *webhook) string {
	query := hook.proof.RawQuery
	for _, name := range h.copies.omit.Query {
		query = payload.DropPair(query, name)
	}
	return query
}

// within returns a text that tells a webhook from others of its tenant, as one that tells
// it from those of all tenants.
func (hook *webhook) within(text string) string {
	if hook.tenant == "" {
		return text
	}
	return hook.tenant + "\n" + text
}

// digest returns a hash of a body of the webhook, without what the provider changes.
func (h *Handler) digest(hook *webhook, body []byte) queue.BodyDigest {
	contentType := ""
	if values := hook.Header["Content-Type"]; len(values) > 0 {
		contentType = values[0]
	}
	return queue.DigestBody(h.copies.omit.Body.From(contentType, body))
}
