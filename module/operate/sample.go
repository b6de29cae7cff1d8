package operate

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/httpclient"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Sent is what became of a sample webhook.
type Sent struct {
	Event    string  `json:"event"`
	URL      string  `json:"url"`                // without a token
	Tampered string  `json:"tampered,omitempty"` // where a byte was changed
	Status   int     `json:"status"`
	OK       bool    `json:"ok"` // taken, or refused if it was tampered with
	Answer   string  `json:"answer,omitempty"`
	Millis   float64 `json:"ms"`
	EventID  string  `json:"event_id,omitempty"` // if the queue has it
}

// sending says which sample is sent where.
type sending struct {
	event  string // "": the provider's first
	url    string
	tamper bool // with a byte changed after it was signed
}

func parseSending(query url.Values) *sending {
	return &sending{event: query.Get("event"), url: query.Get("url"), tamper: query.Get("tamper") != ""}
}

func (s *sending) query() url.Values {
	query := optional("event", s.event)
	query.Set("url", s.url)
	if s.tamper {
		query.Set("tamper", "true")
	}
	return query
}

// sendSamples signs samples with the source's own secret and posts them to the
// URL that the caller names. The gateway does that itself, because the requests
// would tell the caller secrets.
func sendSamples(a *module.App, r *http.Request) (any, error) {
	h, err := source(a, r)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	s, err := newSampler(h.ProviderName(), h.Provider(), parseSending(query), &tls.Config{RootCAs: httpclient.GatewayRoots()})
	if err != nil {
		return nil, err
	}
	defer s.close()
	if query.Has("count") {
		return sendStep(r.Context(), s, query)
	}
	began := time.Now()
	signed, err := s.sign(began)
	if err != nil {
		return nil, err
	}
	sent, err := s.post(r.Context(), signed)
	if err != nil {
		return nil, fmt.Errorf("posting to %s: %w", s.target.Redacted(), err)
	}
	if engine := a.Opened(); engine != nil {
		sent.EventID = findSent(r.Context(), engine, h.Source, began, signed.Body)
	}
	return sent, nil
}

// sendStep makes one step of a load.
func sendStep(ctx context.Context, s *sampler, query url.Values) (any, error) {
	l, err := parseLoad(query)
	if err != nil {
		return nil, badRequest{err}
	}
	l.count = min(l.count, loadStepMost)
	if _, err := s.sign(time.Now()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, loadStep)
	defer cancel()
	return l.run(ctx, s), nil
}

// findSent returns the ID of the event that a sample became, "" if it became
// none. Under traffic there may be others of the same moment.
func findSent(ctx context.Context, engine *queue.Engine, source string, began time.Time, body []byte) (id string) {
	err := engine.List(ctx, queue.ID{}, func(e *queue.Event) bool {
		if e.ReceivedAt.Before(began) {
			return false
		}
		if e.Source == source {
			if event, err := engine.Get(ctx, e.ID); err == nil && bytes.Equal(event.Request.Body, body) {
				id = e.ID.String()
			}
		}
		return id == ""
	})
	if err != nil {
		return ""
	}
	return id
}
