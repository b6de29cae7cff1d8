package operate

import (
	"net/http"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// SourceInfo is a source as the admin API shows it.
type SourceInfo struct {
	Source   string   `json:"source"`
	Provider string   `json:"provider"`
	Routes   []string `json:"routes"`
	Paused   []string `json:"paused,omitempty"` // routes
	Events   []string `json:"sample_events,omitempty"`
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
		sources = append(sources, info)
	}
	return sources
}

func listSources(s *Service, _ *http.Request) (any, error) { return s.Sources(), nil }

func (c *client) sources() (sources []SourceInfo, err error) {
	err = c.call(http.MethodGet, sourcesPath, nil, &sources)
	return sources, err
}
