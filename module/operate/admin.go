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

// Admin is the gateway's part of Caddy's admin API. docs/admin-api.md describes its
// endpoints. A parameter that an endpoint does not know, or that is there twice, is
// an error.
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

// endpoint is one endpoint of the admin API.
type endpoint struct {
	pattern    string
	handler    func(*Service, *http.Request) (any, error)
	parameters []string // those that the endpoint may get
}

// endpoints returns the endpoints, in the order of docs/admin-api.md.
func endpoints() []endpoint {
	filter := filterNames()
	return []endpoint{
		{"GET " + sourcesPath, listSources, nil},
		{"POST " + sourcesPath + "/{source}/pause", pauseSource, []string{"route"}},
		{"POST " + sourcesPath + "/{source}/resume", resumeSource, []string{"route"}},
		{"POST " + sourcesPath + "/{source}/send", sendSamples, []string{"url", "event", "tenant", "local", "tamper", "count", "rate", "concurrency"}},
		{"POST " + sourcesPath + "/{source}/rules", askRules, nil},
		{"POST " + sourcesPath + "/{source}/enroll", enrollSource, []string{"tenant", "for", "forget"}},
		{"GET " + eventsPath, listEvents, append(filter[:len(filter):len(filter)], "id")},
		{"GET " + eventsPath + "/{id}", showEvent, nil},
		{"GET " + eventsPath + "/{id}/raw", showRaw, nil},
		{"POST " + eventsPath + "/{id}/replay", replayEvent, []string{"route", "to", "reroute", "dry_run"}},
		{"POST " + eventsPath + "/{id}/drop", dropEvent, []string{"route", "dry_run"}},
		{"GET " + deadPath, listDeadLetters, filter},
		{"POST " + replayPath, replaySelected, append(filter[:len(filter):len(filter)], "to", "reroute", "dry_run")},
		{"POST " + dropPath, dropSelected, append(filter[:len(filter):len(filter)], "dry_run")},
		{"GET " + auditPath, auditRunning, nil},
	}
}

// Routes implements caddy.AdminRouter.
func (Admin) Routes() (routes []caddy.AdminRoute) {
	for _, e := range endpoints() {
		routes = append(routes, caddy.AdminRoute{Pattern: e.pattern, Handler: serve(e.handler, e.parameters...)})
	}
	return routes
}

// serve makes a handler of an endpoint, which reads parameters out of a request,
// calls the service, and returns what is answered. The parameters are those that
// the endpoint may get.
func serve(call func(*Service, *http.Request) (any, error), parameters ...string) caddy.AdminHandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		service, err := Running()
		if err != nil {
			return apiError(err)
		}
		if err := checkParameters(r.URL, parameters); err != nil {
			return apiError(err)
		}
		result, err := call(service, r)
		if err != nil {
			return maskedError(service, err)
		}
		switch answer := result.(type) {
		case rawRequest:
			w.Header().Set("Content-Type", "application/octet-stream")
			_, err := w.Write(answer)
			return err
		case list:
			w.Header().Set("Content-Type", "application/json")
			return maskedError(service, answer.write(w))
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

// mayBeEmpty reports whether a parameter may be given without a value: before and after
// (first page), and event of a sample. Elsewhere an empty value could select everything by
// mistake.
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

// maskedError gives an error of the service the status that belongs to it, and masks secrets
// in it.
func maskedError(s *Service, err error) error {
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
