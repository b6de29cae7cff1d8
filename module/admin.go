package module

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

func init() { caddy.RegisterModule(Admin{}) }

// Admin is the gateway's part of Caddy's admin API:
//
//	GET  /webhook_gateway/sources
//	POST /webhook_gateway/sources/{source}/sample
//	GET  /webhook_gateway/events
//	GET  /webhook_gateway/events/{id}
type Admin struct{}

// CaddyModule returns the Caddy module information.
func (Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.webhook_gateway",
		New: func() caddy.Module { return new(Admin) },
	}
}

// Routes implements caddy.AdminRouter.
func (Admin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "GET /webhook_gateway/sources", Handler: withApp(listSources)},
		{Pattern: "POST /webhook_gateway/sources/{source}/sample", Handler: withApp(makeSample)},
		{Pattern: "GET /webhook_gateway/events", Handler: withApp(listEvents)},
		{Pattern: "GET /webhook_gateway/events/{id}", Handler: withApp(showEvent)},
	}
}

// withApp looks the app up for each request: admin routes outlive the
// configuration that they were made with. What the endpoint returns is the
// answer.
func withApp(endpoint func(*App, *http.Request) (any, error)) caddy.AdminHandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		app, err := caddy.ActiveContext().AppIfConfigured("webhook_gateway")
		if err != nil {
			return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("no webhook gateway is configured")}
		}
		result, err := endpoint(app.(*App), r)
		if err != nil {
			return apiError(err)
		}
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(w).Encode(result)
	}
}

// badRequest is an error that the caller of the API made.
type badRequest struct{ error }

// notFound is an error about something that is not there.
type notFound struct{ error }

func apiError(err error) error {
	status := http.StatusServiceUnavailable
	var bad badRequest
	var missing notFound
	switch {
	case errors.As(err, &bad):
		status = http.StatusBadRequest
	case errors.As(err, &missing), errors.Is(err, queue.ErrNotFound):
		status = http.StatusNotFound
	}
	return caddy.APIError{HTTPStatus: status, Err: err}
}

// SourceInfo is a source as the admin API shows it.
type SourceInfo struct {
	Source   string   `json:"source"`
	Provider string   `json:"provider"`
	Routes   []string `json:"routes"`
	Events   []string `json:"sample_events,omitempty"`
}

func listSources(a *App, _ *http.Request) (any, error) {
	sources := make([]SourceInfo, 0, len(a.sources))
	for _, name := range slices.Sorted(maps.Keys(a.sources)) {
		h := a.sources[name].handler
		info := SourceInfo{Source: name, Provider: h.providerName, Routes: []string{}}
		for _, route := range h.Routes {
			info.Routes = append(info.Routes, route.Name)
		}
		for _, sample := range h.profile.Samples {
			info.Events = append(info.Events, sample.Event)
		}
		sources = append(sources, info)
	}
	return sources, nil
}

// SignedRequest is a sample webhook that only needs to be sent.
type SignedRequest struct {
	Event  string      `json:"event"`
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Header http.Header `json:"headers"`
	Body   []byte      `json:"body"`
}

// makeSample signs a sample with the source's own secret, for the URL that the
// caller names.
func makeSample(a *App, r *http.Request) (any, error) {
	registered, ok := a.sources[r.PathValue("source")]
	if !ok {
		return nil, notFound{fmt.Errorf("no source is named %s", r.PathValue("source"))}
	}
	h := registered.handler
	target, err := url.Parse(r.URL.Query().Get("url"))
	if err != nil || target.Host == "" {
		return nil, badRequest{errors.New("url must be absolute")}
	}
	sample, err := findSample(h, r.URL.Query().Get("event"))
	if err != nil {
		return nil, err
	}
	request, err := sample.Request(time.Now(), sampleValues(h.provider))
	if err != nil {
		return nil, err
	}
	request.Path, request.RawQuery, request.Public = target.EscapedPath(), target.RawQuery, target
	if err := h.provider.Sign(request, time.Now()); err != nil {
		return nil, err
	}
	return SignedRequest{
		Event:  sample.Event,
		Method: request.Method,
		URL:    request.URL(target),
		Header: request.Header,
		Body:   request.Body,
	}, nil
}

func findSample(h *Handler, event string) (*provider.Sample, error) {
	samples := h.profile.Samples
	if len(samples) == 0 {
		return nil, notFound{fmt.Errorf("provider %s has no samples", h.providerName)}
	}
	if event == "" {
		return &samples[0], nil
	}
	for i := range samples {
		if samples[i].Event == event {
			return &samples[i], nil
		}
	}
	return nil, notFound{fmt.Errorf("provider %s has no sample of %s", h.providerName, event)}
}

// sampleValues are what a sample needs from the configuration.
func sampleValues(p provider.Provider) map[string]string {
	if configured, ok := p.(interface{ SampleValues() map[string]string }); ok {
		return configured.SampleValues()
	}
	return nil
}

func listEvents(a *App, r *http.Request) (any, error) {
	filter, err := parseFilter(r.URL.Query())
	if err != nil {
		return nil, badRequest{err}
	}
	engine, err := a.open()
	if err != nil {
		return nil, err
	}
	events := []EventInfo{}
	err = engine.List(r.Context(), queue.ID{}, func(e *queue.Event) bool {
		if info := describe(engine, e); filter.matches(&info) {
			events = append(events, info)
		}
		return len(events) < filter.Limit && !filter.passed(e)
	})
	return events, err
}

func showEvent(a *App, r *http.Request) (any, error) {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return nil, badRequest{err}
	}
	engine, err := a.open()
	if err != nil {
		return nil, err
	}
	event, err := engine.Get(r.Context(), id)
	if err != nil {
		return nil, err
	}
	info := describe(engine, event)
	info.Request = describeRequest(event.Request)
	return info, nil
}

// Filter selects events.
type Filter struct {
	State, Source, Route, Event string
	Older, Newer                time.Time
	Limit                       int
}

const defaultLimit = 50

// parseFilter reads a filter from a query. Times are RFC 3339, or durations
// back from now.
func parseFilter(query url.Values) (f Filter, err error) {
	f = Filter{State: query.Get("state"), Source: query.Get("source"), Route: query.Get("route"),
		Event: query.Get("event"), Limit: defaultLimit}
	if f.State != "" && !slices.Contains(states, f.State) {
		return f, fmt.Errorf("unknown state %q: want one of %v", f.State, states)
	}
	if limit := query.Get("limit"); limit != "" {
		if f.Limit, err = strconv.Atoi(limit); err != nil || f.Limit < 1 {
			return f, fmt.Errorf("limit %q is not a number greater than zero", limit)
		}
	}
	if f.Older, err = parseMoment(query.Get("older")); err != nil {
		return f, err
	}
	f.Newer, err = parseMoment(query.Get("newer"))
	return f, err
}

var states = []string{string(queue.Routed), string(queue.Unrouted), string(queue.Held), string(queue.Uncertain),
	string(queue.Pending), string(queue.Delivering), string(queue.Parked), string(queue.Delivered), string(queue.Dead)}

func parseMoment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at, nil
	}
	ago, err := caddy.ParseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a time such as 2026-01-02T15:04:05Z nor a duration such as 2h", text)
	}
	return time.Now().Add(-ago), nil
}

// matches reports whether the filter selects an event.
func (f *Filter) matches(e *EventInfo) bool {
	return (f.Source == "" || e.Source == f.Source) &&
		(f.Event == "" || e.Type == f.Event) &&
		(f.Older.IsZero() || e.ReceivedAt.Before(f.Older)) &&
		(f.Newer.IsZero() || e.ReceivedAt.After(f.Newer)) &&
		(f.Route == "" && (f.State == "" || f.State == e.State) || e.hasDelivery(f.Route, f.State))
}

// passed reports whether no older event can match.
func (f *Filter) passed(e *queue.Event) bool {
	return !f.Newer.IsZero() && e.ReceivedAt.Before(f.Newer)
}

// Interface guards
var _ caddy.AdminRouter = Admin{}
