package operate

import (
	"context"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Events lists the events that a filter selects, newest first, without their
// requests. next is what the next page begins before, "" for the last page.
func (s *Service) Events(ctx context.Context, f Filter, each func(*EventInfo) error) (next string, err error) {
	return s.page(ctx, f, func(engine *queue.Engine, e *queue.Event) (int, error) {
		return 1, each(s.describe(engine, e))
	})
}

// EventsByID lists events by their IDs, those that are there.
func (s *Service) EventsByID(ctx context.Context, ids []string, each func(*EventInfo) error) error {
	engine, err := s.app.Engine()
	if err != nil {
		return err
	}
	for _, text := range ids {
		id, err := parseID(text)
		if err != nil {
			return InvalidError{err}
		}
		if e, err := engine.Get(ctx, id); err == nil {
			if err := each(s.describe(engine, e)); err != nil {
				return err
			}
		}
	}
	return nil
}

func listEvents(s *Service, r *http.Request) (any, error) {
	if ids := r.URL.Query()["id"]; len(ids) > 0 {
		return list{"events", func(each func(any) error) (string, error) {
			return "", s.EventsByID(r.Context(), ids, func(e *EventInfo) error { return each(e) })
		}}, nil
	}
	return listing("events", (*Service).Events)(s, r)
}

func (c *client) events(f Filter, each func(*EventInfo) error) (next string, err error) {
	return readList(c, eventsPath, f.query(), each)
}

func (c *client) eventsByID(ids []string, each func(*EventInfo) error) error {
	_, err := readList(c, eventsPath, url.Values{"id": ids}, each)
	return err
}

func eventsCommand() *cobra.Command {
	var follow bool
	cmd := remoteCommand("events", "Lists events, newest first",
		`Lists the events in the queue, newest first, a page at a time. An event is listed
if it passes all filters. --state is the state of an event (routed, unrouted,
held, uncertain) or of a delivery. With --route it is the state of the delivery
to that route.

  caddy webhook events
  caddy webhook events --source stripe --state pending --older 1h
  caddy webhook events --where 'body.amount > 1000' --limit 10
  caddy webhook events --follow

--where is an expression over the stored event, with the names that rules have.
If the expression fails on an event, that event is not listed. --follow prints
new events and the progress of their deliveries until you interrupt it.`, 0, 0,
		func(c *client, r *remote, _ []string) error {
			f, err := r.filter()
			switch {
			case err != nil:
				return err
			case follow:
				return newFollower(c, r, f).run()
			case r.json:
				return c.copyList(r.OutOrStdout(), eventsPath, f.query())
			}
			t, err := c.eventTable(r.OutOrStdout(), "EVENT", "STATE", "DELIVERIES")
			if err != nil {
				return err
			}
			next, err := c.events(f, func(e *EventInfo) error {
				return t.row(e.ID, e.ReceivedAt, e.Source, e.Tenant, e.typeInList(), e.State, e.deliveries())
			})
			return r.endPage(t.table, next, err)
		})
	pageFlags(cmd)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "Go on with new events and the progress of their deliveries")
	return cmd
}
