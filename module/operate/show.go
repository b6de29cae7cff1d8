package operate

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/durable"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Event returns an event with its request, given its ID.
func (s *Service) Event(ctx context.Context, id string) (*EventInfo, error) {
	engine, event, err := s.event(ctx, id)
	if err != nil {
		return nil, err
	}
	info := s.describe(engine, event)
	info.Request = s.describeRequest(event)
	return info, nil
}

func showEvent(s *Service, r *http.Request) (any, error) {
	return s.Event(r.Context(), r.PathValue("id"))
}

// rawRequest is a request as it came, with all that is secret in it.
type rawRequest []byte

// Raw returns the request of an event as it came, given the event's ID.
func (s *Service) Raw(ctx context.Context, id string) ([]byte, error) {
	_, event, err := s.event(ctx, id)
	if err != nil {
		return nil, err
	}
	s.log("raw request read", zap.Stringer("event", event.ID), zap.String("source", event.Source))
	return module.Raw(event.Request), nil
}

func showRaw(s *Service, r *http.Request) (any, error) {
	raw, err := s.Raw(r.Context(), r.PathValue("id"))
	return rawRequest(raw), err
}

func (c *client) raw(id string) ([]byte, error) {
	resp, err := c.request(http.MethodGet, eventPath(id, "raw"), nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func (c *client) event(id string) (event *EventInfo, err error) {
	err = c.call(http.MethodGet, eventPath(id, ""), nil, &event)
	return event, err
}

func showCommand() *cobra.Command {
	var file string
	cmd := remoteCommand("show <id>", "Shows an event with its deliveries and its request",
		`Shows an event with its deliveries, the last ten attempts of each, and its
request. Secrets are masked. So is the proof of the request, since anybody who
sees the proof could send the request again.

--raw writes the request as it came, secrets included, into a file that only you
can read. A token that stood in the URL is not stored, so it is missing there.

  caddy webhook show 01a20312-0787-7ad9-85b1-a3abe39c08c4
  caddy webhook show 01a20312-0787-7ad9-85b1-a3abe39c08c4 --raw request.txt
  caddy webhook verify --config Caddyfile --source stripe request.txt`, 1, 1,
		func(c *client, r *remote, args []string) error {
			if _, err := parseID(args[0]); err != nil {
				return usageError{err}
			}
			if r.Flags().Changed("raw") {
				return saveRaw(c, r, args[0], file)
			}
			event, err := c.event(args[0])
			if err != nil {
				return err
			}
			if r.json {
				return r.printJSON(event)
			}
			return printEvent(r.OutOrStdout(), event)
		})
	cmd.Flags().StringVar(&file, "raw", "", "Write the request as it came, secrets included, into this `file`")
	return cmd
}

// saveRaw writes the request of an event into a file.
func saveRaw(c *client, r *remote, id, file string) error {
	if err := durable.CheckOwn(file); err != nil {
		return usageError{err}
	}
	raw, err := c.raw(id)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(file, raw); err != nil {
		return fmt.Errorf("writing the request: %v", err)
	}
	fmt.Fprintf(r.OutOrStdout(), "%d bytes, with all secrets in them, are in %s\n", len(raw), file)
	return nil
}

// printEvent prints an event for a person.
func printEvent(w io.Writer, e *EventInfo) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, inLine(value))
		}
	}
	line("id", e.ID)
	line("source", e.Source+" (provider "+e.Provider+")")
	line("tenant", e.Tenant)
	line("event", e.Type)
	line("delivery id", e.DeliveryID)
	if e.Part != nil {
		line("part", fmt.Sprintf("%d of %d events of one request", e.Part.Number, e.Part.Of))
	}
	line("received", e.ReceivedAt.Local().Format(time.RFC3339Nano))
	line("state", e.State)
	if e.Check != nil {
		line("check", fmt.Sprintf("%d calls, last: %s", e.Check.Calls, e.Check.Reason))
	}
	if e.Copies != nil {
		line("copies", e.Copies.summary())
	}
	for _, d := range e.Deliveries {
		line("delivery", d.summary())
		for _, a := range d.Log {
			line("  attempt", a.summary())
		}
	}
	if err := t.Flush(); err != nil || e.Request == nil {
		return err
	}
	return printRequest(w, e.Request)
}

// summary tells when copies of an event came, in a line.
func (c *CopiesInfo) summary() string {
	s := strconv.Itoa(c.Count)
	for i, at := range c.Times {
		switch {
		case i > 0:
			s += ", "
		case c.Count > len(c.Times):
			s += fmt.Sprintf(", the last %d: ", len(c.Times))
		default:
			s += ": "
		}
		s += at.Local().Format(time.DateTime)
	}
	return s
}

// summary tells how far a delivery has come, in a line.
func (d *DeliveryInfo) summary() string {
	s := fmt.Sprintf("to %s: %s", d.Route, d.State)
	if d.State == string(queue.Parked) {
		s += map[bool]string{true: " (the route is paused)", false: " (the route is not configured)"}[d.Paused]
	}
	if d.Key != "" {
		s += fmt.Sprintf(", in order by %q", d.Key)
	}
	if d.Holds {
		s += " and stops those behind it"
	}
	if d.Attempts > 0 {
		s += fmt.Sprintf(", attempt %d", d.Attempts)
	}
	switch {
	case d.Reason != "":
		s += ", " + d.Reason
	case d.Status != 0:
		s += fmt.Sprintf(", answered %d", d.Status)
	}
	if d.Due != nil && d.Attempts > 0 {
		s += ", next at " + d.Due.Local().Format(time.TimeOnly)
	}
	if d.Replays > 0 {
		s += fmt.Sprintf(", replayed %d×, last %s", d.Replays, d.Replayed.Local().Format(time.DateTime))
	}
	if d.From != "" {
		s += ", before that to " + d.From
	}
	return s
}

// summary tells how an attempt ended, in a line.
func (a *AttemptInfo) summary() string {
	s := fmt.Sprintf("%s: %s after %.1f ms", a.At.Local().Format(time.DateTime), a.Outcome, a.Millis)
	if a.Status != 0 && a.Error == "" {
		s += fmt.Sprintf(", %d", a.Status)
	}
	if a.Error != "" {
		s += ", " + a.Error
	}
	return s
}

// printRequest prints a request as it would stand on the wire.
func printRequest(w io.Writer, r *RequestInfo) error {
	fmt.Fprintf(w, "\n%s %s HTTP/1.1\nHost: %s\n", r.Method, inLine(r.URI), inLine(r.Host))
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, value := range r.Header[name] {
			fmt.Fprintf(w, "%s: %s\n", name, inLine(value))
		}
	}
	body := printable(r.Body)
	if r.Binary != nil {
		body = fmt.Sprintf("(%d bytes that are no text)", len(r.Binary))
	}
	_, err := fmt.Fprintf(w, "\n%s\n", body)
	return err
}
