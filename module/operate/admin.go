package operate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

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
//	GET  /webhook_gateway/events/{id}/raw                  the request as it came, secrets included
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
// stop those behind them. Both need a filter. A parameter that an endpoint does
// not know, or that is there twice, is an error.
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
		{Pattern: "POST " + sourcesPath + "/{source}/send", Handler: serve(sendSamples, "url", "event", "tamper", "count", "rate", "concurrency")},
		{Pattern: "POST " + sourcesPath + "/{source}/rules", Handler: serve(askRules)},
		{Pattern: "POST " + sourcesPath + "/{source}/pause", Handler: serve(pauseSource, "route")},
		{Pattern: "POST " + sourcesPath + "/{source}/resume", Handler: serve(resumeSource, "route")},
		{Pattern: "POST " + sourcesPath + "/{source}/enroll", Handler: serve(enrollSource, "for", "forget")},
		{Pattern: "GET " + eventsPath, Handler: serve(listEvents, append(filterNames(), "id")...)},
		{Pattern: "GET " + eventsPath + "/{id}", Handler: serve(showEvent)},
		{Pattern: "GET " + eventsPath + "/{id}/raw", Handler: serve(showRaw)},
		{Pattern: "POST " + eventsPath + "/{id}/replay", Handler: serve(replayEvent, "route", "to", "reroute", "dry_run")},
		{Pattern: "POST " + eventsPath + "/{id}/drop", Handler: serve(dropEvent, "route", "dry_run")},
		{Pattern: "GET " + deadPath, Handler: serve(listDeadLetters, filterNames()...)},
		{Pattern: "POST " + replayPath, Handler: serve(replaySelected, append(filterNames(), "to", "reroute", "dry_run")...)},
		{Pattern: "POST " + dropPath, Handler: serve(dropSelected, append(filterNames(), "dry_run")...)},
	}
}

// serve makes a handler of an endpoint, which reads parameters out of a request,
// calls the service, and returns what is answered. The parameters are those that
// the endpoint may get.
func serve(endpoint func(*Service, *http.Request) (any, error), parameters ...string) caddy.AdminHandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		service, err := Running()
		if err != nil {
			return apiError(err)
		}
		if err := checkParameters(r.URL, parameters); err != nil {
			return apiError(err)
		}
		result, err := endpoint(service, r)
		if err != nil {
			return service.apiError(err)
		}
		switch answer := result.(type) {
		case rawRequest:
			w.Header().Set("Content-Type", "application/octet-stream")
			_, err := w.Write(answer)
			return err
		case list:
			w.Header().Set("Content-Type", "application/json")
			return service.apiError(answer.write(w))
		}
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(w).Encode(result)
	}
}

// checkParameters refuses a query with other parameters than these, and one that
// cannot be read.
func checkParameters(u *url.URL, known []string) error {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return InvalidError{fmt.Errorf("reading the query: %v", err)}
	}
	for name, values := range query {
		switch {
		case !slices.Contains(known, name) && len(known) == 0:
			return InvalidError{fmt.Errorf("unknown parameter %q: there are none here", name)}
		case !slices.Contains(known, name):
			return InvalidError{fmt.Errorf("unknown parameter %q: want one of %v", name, known)}
		case len(values) > 1 && name != "id":
			return InvalidError{fmt.Errorf("parameter %s is there %d times", name, len(values))}
		case slices.Contains(values, "") && !mayBeEmpty(name, known):
			return InvalidError{fmt.Errorf("parameter %s has no value", name)}
		}
	}
	return nil
}

// mayBeEmpty reports whether a parameter without a value is one that is not given: of
// a page, or of a sample whose event has no name. Elsewhere it is a slip that could
// select everything.
func mayBeEmpty(name string, known []string) bool {
	return name == "before" || name == "after" || name == "event" && slices.Contains(known, "tamper")
}

// readFlag reads a parameter that is true or false, and false if it is missing.
func readFlag(query url.Values, name string) (bool, error) {
	if !query.Has(name) {
		return false, nil
	}
	value, err := strconv.ParseBool(query.Get(name))
	if err != nil {
		return false, InvalidError{fmt.Errorf("%s is true or false, not %q", name, query.Get(name))}
	}
	return value, nil
}

// apiError gives an error the status that belongs to it, and masks secrets in it.
func (s *Service) apiError(err error) error {
	var answer caddy.APIError
	if !errors.As(apiError(err), &answer) {
		return nil
	}
	answer.Err = errors.New(s.app.Mask(answer.Err.Error()))
	return answer
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
