package operate

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// PauseInfo says which routes of a source are paused.
type PauseInfo struct {
	Source string   `json:"source"`
	Paused []string `json:"paused"`
}

func pauseSource(a *module.App, r *http.Request) (any, error) {
	return changePause(a, r, "pause", (*queue.Engine).Pause)
}

func resumeSource(a *module.App, r *http.Request) (any, error) {
	return changePause(a, r, "resume", (*queue.Engine).Resume)
}

// changePause pauses or resumes the route that a request names, or all routes
// of the source. A route that is not configured any more may still be paused.
func changePause(a *module.App, r *http.Request, verb string, change func(*queue.Engine, context.Context, ...queue.RouteKey) error) (any, error) {
	engine, err := a.Engine()
	if err != nil {
		return nil, err
	}
	source, route := r.PathValue("source"), r.URL.Query().Get("route")
	var names []string
	if h := a.Source(source); h != nil {
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
		return nil, notFound{fmt.Errorf("source %s has no such route, or is not there", source)}
	}
	if err := change(engine, r.Context(), routes...); err != nil {
		return nil, err
	}
	a.Logger().Info(verb+" by an operator", zap.String("source", source), zap.String("route", route))
	return PauseInfo{source, pausedRoutes(engine, source)}, nil
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

func (c *client) setPaused(verb, source, route string) (info PauseInfo, err error) {
	err = c.call(http.MethodPost, sourcePath(source, verb), optional("route", route), &info)
	return info, err
}

func pauseCommand() *cobra.Command {
	return remoteCommand("pause <source> [<route>]", "Parks the deliveries of a route",
		`Parks the deliveries of a route, or of all routes that the source has, until
they are resumed, also over reloads and restarts. Events go on being accepted,
and attempts that run end as always. What is parked for longer than retain_dead
becomes a dead letter. The state of its deliveries is parked.`, 1, 2, changePauseCommand("pause"))
}

func resumeCommand() *cobra.Command {
	return remoteCommand("resume <source> [<route>]", "Lets a paused route deliver again",
		"Lets a route, or all routes of a source, deliver again what was parked by pause.", 1, 2, changePauseCommand("resume"))
}

func changePauseCommand(verb string) func(*client, *remote, []string) error {
	return func(c *client, r *remote, args []string) error {
		info, err := c.setPaused(verb, args[0], at(args, 1))
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
