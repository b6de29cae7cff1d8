package operate

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

func init() { caddy.RegisterModule(Admin{}) }

// Admin is the gateway's part of Caddy's admin API:
//
//	GET  /webhook_gateway/audit
//	GET  /webhook_gateway/sources
//	POST /webhook_gateway/sources/{source}/send?url=…&event=…&tamper=true[&count=…&rate=…&concurrency=…]
//	POST /webhook_gateway/sources/{source}/rules           the body is a raw request
//	POST /webhook_gateway/sources/{source}/pause?route=…
//	POST /webhook_gateway/sources/{source}/resume?route=…
//	POST /webhook_gateway/sources/{source}/enroll?for=…    or ?forget=…, a fingerprint
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

// The paths of the endpoints.
const (
	auditPath   = "/webhook_gateway/audit"
	sourcesPath = "/webhook_gateway/sources"
	eventsPath  = "/webhook_gateway/events"
	deadPath    = "/webhook_gateway/dead"
	replayPath  = "/webhook_gateway/replay"
	dropPath    = "/webhook_gateway/drop"
)

// Routes implements caddy.AdminRouter.
func (Admin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "GET " + auditPath, Handler: serve(auditRunning)},
		{Pattern: "GET " + sourcesPath, Handler: serve(listSources)},
		{Pattern: "POST " + sourcesPath + "/{source}/send", Handler: serve(sendSamples)},
		{Pattern: "POST " + sourcesPath + "/{source}/rules", Handler: serve(askRules)},
		{Pattern: "POST " + sourcesPath + "/{source}/pause", Handler: serve(pauseSource)},
		{Pattern: "POST " + sourcesPath + "/{source}/resume", Handler: serve(resumeSource)},
		{Pattern: "POST " + sourcesPath + "/{source}/enroll", Handler: serve(enrollSource)},
		{Pattern: "GET " + eventsPath, Handler: serve(listEvents)},
		{Pattern: "GET " + eventsPath + "/{id}", Handler: serve(showEvent)},
		{Pattern: "POST " + eventsPath + "/{id}/replay", Handler: serve(replayEvent)},
		{Pattern: "POST " + eventsPath + "/{id}/drop", Handler: serve(dropEvent)},
		{Pattern: "GET " + deadPath, Handler: serve(listDeadLetters)},
		{Pattern: "POST " + replayPath, Handler: serve(replaySelected)},
		{Pattern: "POST " + dropPath, Handler: serve(dropSelected)},
	}
}

// serve makes a handler of an endpoint, which reads parameters out of a request,
// calls the service, and returns what is answered.
func serve(endpoint func(*Service, *http.Request) (any, error)) caddy.AdminHandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		service, err := Running()
		if err != nil {
			return apiError(err)
		}
		result, err := endpoint(service, r)
		if err != nil {
			return apiError(err)
		}
		w.Header().Set("Content-Type", "application/json")
		if rows, ok := result.(list); ok {
			return apiError(rows.write(w))
		}
		return json.NewEncoder(w).Encode(result)
	}
}

// apiError gives an error of the service the status that belongs to it.
func apiError(err error) error {
	if err == nil {
		return nil
	}
	status := http.StatusServiceUnavailable
	switch {
	case errors.As(err, new(queue.Left)):
		status = http.StatusConflict
	case errors.As(err, new(InvalidError)):
		status = http.StatusBadRequest
	case errors.As(err, new(NotFoundError)), errors.Is(err, queue.ErrNotFound):
		status = http.StatusNotFound
	}
	return caddy.APIError{HTTPStatus: status, Err: err}
}

// Interface guards
var _ caddy.AdminRouter = Admin{}
