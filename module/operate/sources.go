package operate

import (
	"net/http"
	"slices"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// SourceInfo is a source as the admin API shows it.
type SourceInfo struct {
	Source   string   `json:"source"`
	Provider string   `json:"provider"`
	Routes   []string `json:"routes"`
	Paused   []string `json:"paused,omitempty"` // routes
	Events   []string `json:"sample_events,omitempty"`

	// Tenants is how many tenants the source knows; nil if its secrets are not those of
	// tenants. Problem says why secrets_from is not in use as it is.
	Tenants *int   `json:"tenants,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// Sources returns the sources of the configuration, ordered by name.
func (s *Service) Sources() []SourceInfo {
	engine, handlers := s.app.Opened(), s.app.Sources()
	sources := make([]SourceInfo, 0, len(handlers))
	for _, h := range handlers {
		info := SourceInfo{Source: h.Source, Provider: h.ProviderName(), Routes: []string{}, Events: sampleEvents(h.Provider())}
		for _, route := range h.Routes {
			info.Routes = append(info.Routes, route.Name)
			if engine != nil && engine.IsPaused(queue.RouteKey{Source: h.Source, Route: route.Name}) {
				info.Paused = append(info.Paused, route.Name)
			}
		}
		if h.Tenants() {
			count, problem := h.TenantState()
			info.Tenants, info.Problem = &count, s.app.Mask(problem)
		}
		sources = append(sources, info)
	}
	return sources
}

func listSources(s *Service, _ *http.Request) (any, error) { return s.Sources(), nil }

// haveTenants reports whether any source has tenants.
func (c *client) haveTenants() (bool, error) {
	sources, err := c.sources()
	return slices.ContainsFunc(sources, func(s SourceInfo) bool { return s.Tenants != nil }), err
}

func (c *client) sources() (sources []SourceInfo, err error) {
	err = c.call(http.MethodGet, sourcesPath, nil, &sources)
	return sources, err
}
