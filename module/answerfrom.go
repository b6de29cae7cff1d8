package module

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/bodies"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// AnswerFrom names the route whose app answers the provider itself.
type AnswerFrom struct {
	// The name of the route. The provider of an event that this route takes gets the
	// answer of the app.
	Route string `json:"route,omitempty"`

	// How long after the arrival of a request the provider gets its answer at the
	// latest. If the app has not answered by then, the provider gets the answer of
	// respond, and the delivery goes on. At most 1m. Default: 2.5s.
	Deadline caddy.Duration `json:"deadline,omitempty"`
}

const (
	defaultDeadline = 2500 * time.Millisecond
	maxDeadline     = time.Minute
)

// checkAnswerFrom refuses an answer_from that could never have an answer.
func (h *Handler) checkAnswerFrom(p provider.Provider) error {
	from := h.AnswerFrom
	switch {
	case from == nil:
		return nil
	case len(h.Routes) == 0:
		return errors.New("answer_from needs a route; in a source without any, the provider gets the answer of the site's next handler anyway, so remove the line")
	case h.RouteNamed(from.Route) == nil:
		var names []string
		for _, r := range h.Routes {
			names = append(names, r.Name)
		}
		return fmt.Errorf("answer_from names the route %q, which the source does not have; its routes: %s", from.Route, strings.Join(names, ", "))
	case provider.CheckerOf(p) != nil:
		return errors.New("answer_from is not possible here: the provider's proof is checked by a call, and the event may be held until then; remove the line")
	case from.Deadline < 0:
		return errors.New("the deadline of answer_from must be greater than zero")
	case time.Duration(from.Deadline) > maxDeadline:
		return fmt.Errorf("the deadline of answer_from must not be longer than %s: no provider waits that long", strings.TrimSuffix(maxDeadline.String(), "0s"))
	}
	return nil
}

// asking is a provider that waits for the answer of an app.
type asking struct {
	*queue.Asker
	until time.Time
}

// ask announces that the provider waits for an app's answer to an event which is about to
// be stored. It returns nil if the route does not take the event, or if the provider is
// to be answered without the app.
func (h *Handler) ask(engine *queue.Engine, hook *webhook, event *queue.Event) *asking {
	from := h.AnswerFrom
	if from == nil || event.Delivery(from.Route) == nil {
		return nil
	}
	asker := engine.Ask(queue.RouteKey{Source: h.Source, Route: from.Route}, event.ID)
	if asker == nil {
		h.requests.answered[queue.Queued].Inc()
		return nil
	}
	return &asking{asker, hook.received.Add(time.Duration(from.Deadline))}
}

// relay answers a request with what the app answers, or as any other request that is
// accepted.
func (h *Handler) relay(w http.ResponseWriter, r *http.Request, a *asking) {
	bodies.SetReadDeadline(w, time.Time{}) // its end would look like the client going away
	ctx, cancel := context.WithDeadline(r.Context(), a.until)
	defer cancel()
	answer, asked := a.Wait(ctx)
	h.requests.answered[asked].Inc()
	if entry := h.logger.Check(zap.DebugLevel, "waited for the app's answer"); entry != nil {
		entry.Write(zap.String("source", h.Source), zap.String("route", h.AnswerFrom.Route), zap.String("answer", string(asked)))
	}
	if answer == nil {
		h.acknowledge(w, r, accepted)
		return
	}
	defer answer.Free()
	h.requests.count(accepted)
	h.echo(w, r)
	answer.(*keptAnswer).write(w)
}

// write passes an app's answer on.
func (k *keptAnswer) write(w http.ResponseWriter) {
	header := w.Header()
	removeHopByHop(k.header)
	for name, values := range k.header {
		if name != "Set-Cookie" && !strings.HasPrefix(name, ownPrefix) {
			header[name] = values
		}
	}
	// The body may have been decoded, or cut off where an answer has none.
	delete(header, "Content-Length")
	if body := k.body(); len(body) > 0 {
		header.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(k.status)
		_, _ = w.Write(body) // a client that has gone needs no answer
		return
	}
	w.WriteHeader(k.status)
}

// readAnswerFrom reads the line, which is checked when the routes are known.
func (p *handlerParser) readAnswerFrom(d *caddyfile.Dispenser) (err error) {
	p.answerFrom = caddyfile.NewDispenser([]caddyfile.Token{d.Token()})
	p.answerFrom.Next()
	if !d.NextArg() {
		return d.ArgErr()
	}
	from := &AnswerFrom{Route: d.Val()}
	p.handler.AnswerFrom = from
	if d.NextArg() {
		if from.Deadline, err = syntax.ParseDuration(d); err != nil {
			return err
		}
	}
	return syntax.End(d)
}

// allAsked are what may come of the wait for an app's answer.
var allAsked = []queue.Asked{queue.Answered, queue.Queued, queue.Retried, queue.Unkept, queue.Late, queue.Gone}
