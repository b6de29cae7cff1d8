package operate

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// PauseInfo says which routes of a source are paused.
type PauseInfo struct {
	Source string   `json:"source"`
	Paused []string `json:"paused"`
}

// Pause parks the deliveries of a route, or of all routes of a source if route is
// empty.
func (s *Service) Pause(ctx context.Context, source, route string) (*PauseInfo, error) {
	return s.changePause(ctx, "pause", source, route, (*queue.Engine).Pause)
}

// Resume lets a route, or all routes of a source if route is empty, deliver again.
func (s *Service) Resume(ctx context.Context, source, route string) (*PauseInfo, error) {
	return s.changePause(ctx, "resume", source, route, (*queue.Engine).Resume)
}

// changePause pauses or resumes. A route that is not configured any more may
// still be paused.
func (s *Service) changePause(ctx context.Context, verb, source, route string, change func(*queue.Engine, context.Context, ...queue.RouteKey) error) (*PauseInfo, error) {
	engine, err := s.app.Engine()
	if err != nil {
		return nil, err
	}
	var names []string
	if h := s.app.Source(source); h != nil {
		for _, route := range h.Routes {
			names = append(names, route.Name)
		}
	}
	names = append(names, pausedRoutes(engine, source)...)
	var routes []queue.RouteKey
	for _, name := range names {
		if route == "" || route == name {
			routes = append(routes, queue.RouteKey{Source: source, Route: name})
		}
	}
	if len(routes) == 0 {
		return nil, NotFoundError{fmt.Errorf("source %s has no such route, or is not there", source)}
	}
	if err := change(engine, ctx, routes...); err != nil {
		return nil, err
	}
	s.log(verb, zap.String("source", source), zap.String("route", route))
	return &PauseInfo{source, pausedRoutes(engine, source)}, nil
}

// pausedRoutes returns the routes of a source that are paused.
func pausedRoutes(engine *queue.Engine, source string) []string {
	names := []string{}
	for _, key := range engine.Paused() {
		if key.Source == source {
			names = append(names, key.Route)
		}
	}
	return names
}

func pauseSource(s *Service, r *http.Request) (any, error) {
	return s.Pause(r.Context(), r.PathValue("source"), r.URL.Query().Get("route"))
}

func resumeSource(s *Service, r *http.Request) (any, error) {
	return s.Resume(r.Context(), r.PathValue("source"), r.URL.Query().Get("route"))
}

func (c *client) pause(source, route string) (*PauseInfo, error) {
	return c.changePause("pause", source, route)
}

func (c *client) resume(source, route string) (*PauseInfo, error) {
	return c.changePause("resume", source, route)
}

func (c *client) changePause(verb, source, route string) (info *PauseInfo, err error) {
	query := url.Values{}
	setOptional(query, "route", route)
	err = c.call(http.MethodPost, sourcePath(source, verb), query, &info)
	return info, err
}

func pauseCommand() *cobra.Command {
	return remoteCommand("pause <source> [<route>]", "Pauses the deliveries of a route",
		`Pauses a route, or all routes of a source. The gateway goes on accepting events
and parks their deliveries until you resume the route. A pause survives reloads
and restarts. Attempts that run end as usual. A delivery that is parked for
longer than retain_dead becomes a dead letter.

  caddy webhook pause stripe
  caddy webhook pause stripe app`, 1, 2, runPause((*client).pause))
}

func resumeCommand() *cobra.Command {
	return remoteCommand("resume <source> [<route>]", "Resumes the deliveries of a paused route",
		`Resumes a route, or all routes of a source. The deliveries that were parked by
pause go on.

  caddy webhook resume stripe
  caddy webhook resume stripe app`, 1, 2, runPause((*client).resume))
}

// runPause makes what a command runs that pauses or resumes.
func runPause(change func(c *client, source, route string) (*PauseInfo, error)) func(*client, *remote, []string) error {
	return func(c *client, r *remote, args []string) error {
		info, err := change(c, args[0], argument(args, 1))
		if err != nil {
			return err
		}
		if r.json {
			return r.printJSON(info)
		}
		paused := "nothing"
		if len(info.Paused) > 0 {
			paused = strings.Join(info.Paused, ", ")
		}
		fmt.Fprintf(r.OutOrStdout(), "paused routes of %s: %s\n", info.Source, paused)
		return nil
	}
}
