package operate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// selection understands a filter, and refuses one that names a source or a route
// that is neither in the configuration nor in the queue.
func (s *Service) selection(f Filter) (*selection, error) {
	selected, err := f.selection()
	if err != nil {
		return nil, err
	}
	return selected, s.checkNames(f.Source, f.Route)
}

// checkNames refuses a source or a route that nobody knows. Empty names are good.
func (s *Service) checkNames(source, route string) error {
	known := s.routes()
	if source != "" && known[source] == nil {
		return NotFoundError{fmt.Errorf("no source is named %s; there are: %s", source, strings.Join(slices.Sorted(maps.Keys(known)), ", "))}
	}
	if route == "" {
		return nil
	}
	var routes []string
	for name, ofSource := range known {
		if source == "" || source == name {
			routes = append(routes, ofSource...)
		}
	}
	if slices.Contains(routes, route) {
		return nil
	}
	slices.Sort(routes)
	return NotFoundError{fmt.Errorf("no route is named %s; there are: %s", route, strings.Join(slices.Compact(routes), ", "))}
}

// routes returns the routes of each source, of those in the configuration and of
// those that events in the queue have.
func (s *Service) routes() map[string][]string {
	known := make(map[string][]string)
	for _, h := range s.app.Sources() {
		known[h.Source] = []string{}
		for _, route := range h.Routes {
			known[h.Source] = append(known[h.Source], route.Name)
		}
	}
	engine := s.app.Opened()
	if engine == nil {
		return known
	}
	usage := engine.Usage()
	for source := range usage.Events {
		if known[source] == nil {
			known[source] = []string{}
		}
	}
	for _, key := range append(slices.Collect(maps.Keys(usage.Deliveries)), engine.Paused()...) {
		known[key.Source] = append(known[key.Source], key.Route)
	}
	return known
}

// checkTarget refuses a route to replay to that no source has which may be meant.
func (s *Service) checkTarget(source, route string) error {
	if route == "" {
		return nil
	}
	for _, h := range s.app.Sources() {
		if (source == "" || source == h.Source) && h.RouteNamed(route) != nil {
			return nil
		}
	}
	return NotFoundError{fmt.Errorf("no route is named %s in the configuration", route)}
}

// hasRoute reports whether an event has, or its source has, a route of that name.
func (s *Service) hasRoute(e *queue.Event, route string) bool {
	if h := s.app.Source(e.Source); h != nil && h.RouteNamed(route) != nil {
		return true
	}
	return slices.ContainsFunc(e.Deliveries, func(d queue.Delivery) bool { return d.Route == route })
}
