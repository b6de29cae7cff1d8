package module

import (
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// maxPartsSize is how many bytes all parts of a request may take with their headers. A
// small body may have much around its list, which each part gets.
const maxPartsSize = 64 << 20

// part is an element of a batch on its way to become an event.
type part struct {
	content       []byte // the element
	body          []byte // what the app gets
	place         queue.Part
	eventType, id string
	noEvent, noID error // why one of them is not there
	identity      queue.Identity
}

// batch is a request that was cut into parts.
type batch struct {
	parts  []part
	header http.Header // of each part
}

// divide cuts a request into parts, if the source has its webhooks cut. It returns nil
// where the request is to be stored whole, which is counted: a verified request is not
// refused for its shape.
func (h *Handler) divide(hook *webhook) (*batch, error) {
	if h.Each == nil {
		return nil, nil
	}
	b, whole, err := h.cut(hook)
	if b != nil {
		h.countMissing(b)
	}
	if whole != nil {
		metrics.undivided.WithLabelValues(h.Source, reasonOfWhole(whole)).Inc()
		h.logger.Info("batch is stored whole", zap.String("source", h.Source), zap.Error(whole))
	}
	return b, err
}

// The reasons for which a batch is stored whole, as labels.
var wholeReasons = []struct {
	label string
	err   error
}{
	{"no_list", payload.ErrNoList}, {"empty", payload.ErrEmptyList}, {"too_many", payload.ErrManyElements}, {"unframed", payload.ErrUnframed},
}

func reasonOfWhole(err error) string {
	for _, reason := range wholeReasons {
		if errors.Is(err, reason.err) {
			return reason.label
		}
	}
	return wholeReasons[0].label
}

// cut cuts a request into parts, or says why it is to be stored whole.
func (h *Handler) cut(hook *webhook) (b *batch, whole, err error) {
	list, decoded, whole := h.Each.list.Split(h.viewOf(hook))
	if whole != nil {
		hook.list = !errors.Is(whole, payload.ErrNoList)
		return nil, whole, nil
	}
	b = &batch{make([]part, len(list.Elements)), h.Each.header(hook.Header, list, decoded)}
	size, bodies := int64(0), 0
	head := queue.Request{Header: b.header, URI: hook.proof.Path + hook.proof.RawQuery}
	for i, element := range list.Elements {
		b.parts[i].content = element
		if h.Each.As == "" {
			bodies += list.Size(i)
		}
		size += head.Size()
	}
	if h.Each.As != "" {
		size += int64(len(hook.proof.Body))
	}
	if size += int64(bodies); size > maxPartsSize {
		hook.list = true
		return nil, fmt.Errorf("%w: its parts would take %d bytes, the most is %d", payload.ErrUnframed, size, maxPartsSize), nil
	}
	// The store copies them twice.
	if err := hook.body.Reserve(2 * size); err != nil {
		return nil, nil, err
	}
	h.frame(b, list, bodies)
	h.identifyParts(hook, b, list)
	return b, nil, nil
}

// frame gives the parts the bodies that the app gets.
func (h *Handler) frame(b *batch, list *payload.Batch, size int) {
	memory := make([]byte, 0, size)
	for i := range b.parts {
		p := &b.parts[i]
		p.place = queue.Part{Number: i + 1, Of: len(b.parts)}
		if h.Each.As != "" {
			p.body, p.place.End = p.content, len(p.content)
			continue
		}
		start := len(memory)
		memory, p.place.Start, p.place.End = list.AppendFramed(memory, i)
		p.body, p.place.Encoded = memory[start:len(memory):len(memory)], list.Form
	}
}

// header returns the headers of the parts: those of the request, but for what they say of
// the whole body. decoded says that the elements have no Content-Encoding, and are UTF-8.
func (e *Each) header(whole http.Header, list *payload.Batch, decoded bool) http.Header {
	header := maps.Clone(whole)
	for _, name := range ofContent {
		if decoded || name != "Content-Encoding" {
			delete(header, name)
		}
	}
	contentType := header.Get("Content-Type")
	media, params, err := mime.ParseMediaType(contentType)
	if decoded && err == nil && params["charset"] != "" {
		header["Content-Type"] = []string{mime.FormatMediaType(media, map[string]string{"charset": "utf-8"})}
	}
	if e.As == "" {
		return header
	}
	switch {
	case strings.HasPrefix(media, "application/cloudevents-batch"):
		header["Content-Type"] = []string{strings.Replace(contentType, "cloudevents-batch", "cloudevents", 1)}
	case list.Form, list.Lines:
		header["Content-Type"] = []string{"application/json"}
	}
	return header
}

// identifyParts finds event types and delivery IDs, and what tells copies of the parts.
func (h *Handler) identifyParts(hook *webhook, b *batch, list *payload.Batch) {
	purse := rules.NewPurse(len(b.parts))
	for i := range b.parts {
		p := &b.parts[i]
		view, _ := h.viewOfPart(hook, p, purse)
		p.find(&h.Each.find, view)
		view.Free()
	}
	query := sync.OnceValue(func() string {
		query := h.contentQuery(hook)
		if h.Each.As != "" { // the part's body has nothing of what stands around the list
			around := queue.DigestBody(list.Around())
			query += "\n" + string(around[:])
		}
		return query
	})
	shared := h.sharedIDs(b.parts)
	for i := range b.parts {
		p := &b.parts[i]
		found := p.id
		body := func() queue.BodyDigest { return queue.DigestBody(h.Each.copies.omit.Body.From("", p.content)) }
		content := func() queue.DedupKey {
			return queue.ContentKey(hook.within(h.Source), hook.proof.Path, query(), h.digest(hook, p.body))
		}
		p.identity, p.id = h.Each.copies.identity(hook, found, content, body)
		if by := h.Each.copies.by; shared[found] && (by == provider.ByID || by == provider.ByIDAndBody) {
			digest := body()
			p.identity = queue.Identity{Key: queue.IDKey(hook.within(found + string(digest[:])))}
		}
	}
}

// sharedIDs returns the IDs that elements have which are not the same. Such an ID names
// none of them.
func (h *Handler) sharedIDs(parts []part) map[string]bool {
	first, shared := make(map[string]*part), make(map[string]bool)
	for i := range parts {
		p := &parts[i]
		if p.id == "" {
			continue
		}
		if other := first[p.id]; other == nil {
			first[p.id] = p
		} else if string(other.content) != string(p.content) {
			shared[p.id] = true
		}
	}
	return shared
}

// find finds the event type and the delivery ID of a part.
func (p *part) find(by *finder, view *rules.View) {
	p.eventType, p.noEvent = textOf(by.event, view)
	p.eventType = cutEvent(p.eventType)
	if p.id, p.noID = textOf(by.id, view); len(p.id) > maxIdentity {
		p.id, p.noID = "", errTooLong
	}
}

// countMissing counts the event types and delivery IDs that were not found.
func (h *Handler) countMissing(b *batch) {
	for i := range b.parts {
		p := &b.parts[i]
		if p.noEvent != nil {
			h.unidentified("event", p.noEvent)
		}
		if p.noID != nil {
			h.unidentified("id", p.noID)
		}
	}
}

// viewOfPart returns a part as expressions see it: the element is the body.
func (h *Handler) viewOfPart(hook *webhook, p *part, purse *rules.Purse) (*rules.View, *rules.Input) {
	input := hook.input
	input.Event, input.ID, input.Body, input.Element = p.eventType, p.id, p.content, true
	return purse.NewView(&input), &input
}

// acceptParts takes the parts of a request through the steps that come after identify. The
// request is acknowledged when all its parts are durable.
func (h *Handler) acceptParts(w http.ResponseWriter, hook *webhook, b *batch) (outcome string, err error) {
	engine, err := h.app.open()
	if err != nil {
		return "", err
	}
	identities := make([]queue.Identity, len(b.parts))
	for i := range b.parts {
		identities[i] = b.parts[i].identity
	}
	entered, err := engine.EnterAll(hook.Context(), h.Source, identities)
	if err != nil {
		return "", err
	}
	defer queue.ReleaseAll(entered) // does nothing with those that are kept
	stored, err := h.persistParts(engine, hook, b, entered)
	if err != nil {
		return "", err
	}
	for i := range entered {
		if entered[i].Flight == nil && entered[i].ID != (queue.ID{}) {
			if err := h.revive(engine, hook, entered[i].ID); err != nil {
				return "", err
			}
		}
	}
	metrics.parts.WithLabelValues(h.Source, accepted).Add(float64(stored))
	metrics.parts.WithLabelValues(h.Source, duplicate).Add(float64(len(b.parts) - stored))
	if stored > 0 {
		return accepted, nil
	}
	if len(entered) == 1 {
		w.Header().Set(eventIDHeader, entered[0].ID.String())
	}
	w.Header().Set(duplicateHeader, "true")
	return duplicate, nil
}

// persistParts stores the parts that are new, all in one transaction, and returns how many
// there are. Their IDs grow in the order of the list.
func (h *Handler) persistParts(engine *queue.Engine, hook *webhook, b *batch, entered []queue.Entered) (stored int, err error) {
	var events []*queue.Event
	var flights []*queue.Flight
	template, err := h.newEvent(hook)
	if err != nil {
		return 0, err
	}
	purse := rules.NewPurse(len(b.parts))
	for i := range b.parts {
		flight := entered[i].Flight
		if flight == nil {
			continue
		}
		event, err := h.newPart(hook, &b.parts[i], template, purse)
		if err != nil {
			return 0, err
		}
		event.Request.Header = b.header
		event.Dedup = flight.Entry(event.ID, event.ReceivedAt.Add(h.window))
		events, flights = append(events, event), append(flights, flight)
	}
	if events == nil {
		return 0, nil
	}
	results, err := engine.Append(hook.Context(), events)
	if err != nil {
		return 0, err
	}
	stored = len(events)
	for i, event := range events {
		id := event.ID
		if results != nil && results[i] != nil {
			id = results[i].ID
			stored--
		}
		flights[i].Keep(id, event.ReceivedAt.Add(h.window))
	}
	h.observeAccepted(hook, events[0], len(events))
	return stored, nil
}

// newPart makes the event of a part, like another event of its request but for what is its
// own.
func (h *Handler) newPart(hook *webhook, p *part, template *queue.Event, purse *rules.Purse) (*queue.Event, error) {
	id, err := queue.NewID()
	if err != nil {
		return nil, err
	}
	event, request := *template, *template.Request
	event.ID, event.Type, event.DeliveryID, event.Part = id, p.eventType, p.id, p.place
	event.Request = &request
	request.Body = p.body
	view, _ := h.viewOfPart(hook, p, purse)
	defer view.Free()
	event.SetRoutes(h.route(view), event.ReceivedAt)
	h.setKeys(&event, view)
	return &event, nil
}

// contentOf returns what expressions see as the body of a stored event: of a part, the
// element.
func contentOf(e *queue.Event) []byte {
	body, p := e.Request.Body, e.Part
	if p == (queue.Part{}) || p.Start < 0 || p.End > len(body) || p.Start > p.End {
		return body
	}
	content := body[p.Start:p.End]
	if p.Encoded {
		if decoded, err := url.QueryUnescape(string(content)); err == nil {
			return []byte(decoded)
		}
	}
	return content
}

// dropProof removes the headers of a proof that covers other parts as well.
func dropProof(header http.Header, p provider.Provider) {
	if inspector, ok := p.(provider.Inspector); ok {
		for _, name := range inspector.ProofHeaders() {
			delete(header, name)
		}
	}
}
