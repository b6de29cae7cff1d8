package module

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

func init() { caddy.RegisterModule(Admin{}) }

// Admin is the gateway's part of Caddy's admin API:
//
//	GET  /webhook_gateway/sources
//	POST /webhook_gateway/sources/{source}/send?url=…&event=…
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
		{Pattern: "POST /webhook_gateway/sources/{source}/send", Handler: withApp(sendSample)},
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
		for _, sample := range h.samples() {
			info.Events = append(info.Events, sample.Event)
		}
		sources = append(sources, info)
	}
	return sources, nil
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

// Interface guards
var _ caddy.AdminRouter = Admin{}
