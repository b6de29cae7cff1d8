package operate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

func init() { caddy.RegisterModule(Admin{}) }

// Admin is the gateway's part of Caddy's admin API:
//
//	GET  /webhook_gateway/sources
//	POST /webhook_gateway/sources/{source}/send?url=…&event=…&tamper=true[&count=…&rate=…&concurrency=…]
//	POST /webhook_gateway/sources/{source}/rules           the body is a raw request
//	POST /webhook_gateway/sources/{source}/pause?route=…
//	POST /webhook_gateway/sources/{source}/resume?route=…
//	POST /webhook_gateway/sources/{source}/enroll?for=…
//	GET  /webhook_gateway/events?<filter>                  or ?id=…&id=…
//	GET  /webhook_gateway/events/{id}
//	POST /webhook_gateway/events/{id}/replay?route=…&to=…&reroute=true&dry_run=true
//	POST /webhook_gateway/events/{id}/drop?route=…&dry_run=true
//	GET  /webhook_gateway/dead?<filter>
//	POST /webhook_gateway/replay?<filter>&to=…&reroute=true&dry_run=true
//	POST /webhook_gateway/drop?<filter>&dry_run=true
//
// With a count, send makes a step of a load: as much of it as a second allows.
//
// A filter is made of state, source, route, event, older, newer, where and limit.
// Lists go on with before, and replay and drop, which begin with the oldest
// event, with after: each is what the answer before names as next. Without a
// state, replay means dead letters, and drop what waits and dead letters that
// stop those behind them.
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
		{Pattern: "POST /webhook_gateway/sources/{source}/send", Handler: withApp(sendSamples)},
		{Pattern: "POST /webhook_gateway/sources/{source}/rules", Handler: withApp(askRules)},
		{Pattern: "POST /webhook_gateway/sources/{source}/pause", Handler: withApp(pauseSource)},
		{Pattern: "POST /webhook_gateway/sources/{source}/resume", Handler: withApp(resumeSource)},
		{Pattern: "POST /webhook_gateway/sources/{source}/enroll", Handler: withApp(enrollSource)},
		{Pattern: "GET /webhook_gateway/events", Handler: withApp(listEvents)},
		{Pattern: "GET /webhook_gateway/events/{id}", Handler: withApp(showEvent)},
		{Pattern: "POST /webhook_gateway/events/{id}/replay", Handler: withApp(one(newReplay))},
		{Pattern: "POST /webhook_gateway/events/{id}/drop", Handler: withApp(one(newDrop))},
		{Pattern: "GET /webhook_gateway/dead", Handler: withApp(listDead)},
		{Pattern: "POST /webhook_gateway/replay", Handler: withApp(many(newReplay))},
		{Pattern: "POST /webhook_gateway/drop", Handler: withApp(many(newDrop))},
	}
}

// withApp looks the app up for each request: admin routes outlive the
// configuration that they were made with. What the endpoint returns is the
// answer.
func withApp(endpoint func(*module.App, *http.Request) (any, error)) caddy.AdminHandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		app, err := caddy.ActiveContext().AppIfConfigured("webhook_gateway")
		if err != nil {
			return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("no webhook gateway is configured")}
		}
		result, err := endpoint(app.(*module.App), r)
		if err != nil {
			return apiError(err)
		}
		w.Header().Set("Content-Type", "application/json")
		if list, ok := result.(list); ok {
			return apiError(list.write(w))
		}
		return json.NewEncoder(w).Encode(result)
	}
}

// badRequest is an error that the caller of the API made.
type badRequest struct{ error }

// notFound is an error about something that is not there.
type notFound struct{ error }

func apiError(err error) error {
	if err == nil {
		return nil
	}
	status := http.StatusServiceUnavailable
	var bad badRequest
	var missing notFound
	var left queue.Left
	switch {
	case errors.As(err, &left):
		status = http.StatusConflict
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
	Paused   []string `json:"paused,omitempty"` // routes
	Events   []string `json:"sample_events,omitempty"`
}

func listSources(a *module.App, _ *http.Request) (any, error) {
	engine, handlers := a.Opened(), a.Sources()
	sources := make([]SourceInfo, 0, len(handlers))
	for _, h := range handlers {
		name := h.Source
		info := SourceInfo{Source: name, Provider: h.ProviderName(), Routes: []string{}, Events: sampleEvents(h.Provider())}
		for _, route := range h.Routes {
			info.Routes = append(info.Routes, route.Name)
			if engine != nil && engine.IsPaused(queue.RouteKey{Source: name, Route: route.Name}) {
				info.Paused = append(info.Paused, route.Name)
			}
		}
		sources = append(sources, info)
	}
	return sources, nil
}

// source returns the source that a request names.
func source(a *module.App, r *http.Request) (*module.Handler, error) {
	h := a.Source(r.PathValue("source"))
	if h == nil {
		return nil, notFound{fmt.Errorf("no source is named %s", r.PathValue("source"))}
	}
	return h, nil
}

func showEvent(a *module.App, r *http.Request) (any, error) {
	engine, event, err := event(a, r)
	if err != nil {
		return nil, err
	}
	info := describe(engine, event)
	info.Request = describeRequest(event.Request)
	return info, nil
}

// event loads the event that a request names.
func event(a *module.App, r *http.Request) (*queue.Engine, *queue.Event, error) {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return nil, nil, badRequest{err}
	}
	engine, err := a.Engine()
	if err != nil {
		return nil, nil, err
	}
	event, err := engine.Get(r.Context(), id)
	return engine, event, err
}

// Interface guards
var _ caddy.AdminRouter = Admin{}
