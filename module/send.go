package module

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func sendCommand() *cobra.Command {
	s := new(sender)
	cmd := remoteCommand("send <source>", "Sends a sample webhook to a source",
		`Signs a realistic sample of the source's provider with the source's own secret
and posts it, like the "test webhook" button of the provider's console. The
running gateway does that, so the secret stays where it is.`, 1, 1,
		func(c *client, r *remote, args []string) error {
			s.client, s.remote, s.source = c, r, args[0]
			return s.run()
		})
	cmd.Flags().StringVar(&s.event, "event", "", "The event type to send (default: the provider's first sample)")
	cmd.Flags().BoolVar(&s.all, "all", false, "Send a sample of every event type")
	cmd.Flags().BoolVar(&s.list, "list", false, "List the event types that there are samples of")
	cmd.Flags().StringVar(&s.url, "url", "", "The URL to post to (default: where the source listens)")
	return cmd
}

// sender sends samples to a source.
type sender struct {
	*client
	*remote
	source, event, url string
	all, list          bool
	stores             bool // the source has routes
}

func (s *sender) run() error {
	if s.all && s.event != "" {
		return usageError{errors.New("--all and --event exclude each other")}
	}
	events, err := s.choose()
	if err != nil {
		return err
	}
	if s.list {
		fmt.Fprintln(s.OutOrStdout(), strings.Join(events, "\n"))
		return nil
	}
	if s.url == "" {
		if s.url, err = s.sourceURL(s.source); err != nil {
			return err
		}
	} else if u, err := url.Parse(s.url); err != nil || u.Host == "" {
		return usageError{fmt.Errorf("--url %q is no URL", s.url)}
	}
	failed := 0
	for _, event := range events {
		ok, err := s.one(event)
		if err != nil {
			return err
		}
		if !ok {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d refused", failed, len(events))
	}
	return nil
}

// choose returns the event types to send.
func (s *sender) choose() ([]string, error) {
	sources, err := s.sources()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, info := range sources {
		if info.Source != s.source {
			names = append(names, info.Source)
			continue
		}
		s.stores = len(info.Routes) > 0
		if s.all || s.list {
			return info.Events, nil
		}
		return []string{s.event}, nil
	}
	return nil, fmt.Errorf("no source is named %s; there are: %s", s.source, strings.Join(names, ", "))
}

// one sends one sample and prints what became of it.
func (s *sender) one(event string) (ok bool, err error) {
	sent, err := s.send(s.source, event, s.url)
	if err != nil {
		return false, err
	}
	var stored *EventInfo
	if sent.EventID != "" {
		stored = s.follow(sent.EventID)
	}
	if s.json {
		err = s.printJSON(struct {
			Sent
			Stored *EventInfo `json:"stored,omitempty"`
		}{sent, stored})
	} else {
		printSent(s.OutOrStdout(), &sent, stored)
	}
	ok = sent.Status >= 200 && sent.Status < 300
	if ok && s.stores && stored == nil {
		return false, fmt.Errorf("%s answered %d, but not for the source: the event is not in the queue; name the source's URL with --url", sent.URL, sent.Status)
	}
	return ok, err
}

// follow waits a moment for the event's deliveries to end, or to fail once.
func (s *sender) follow(id string) *EventInfo {
	const patience = 2 * time.Second
	began, pause := time.Now(), 10*time.Millisecond
	for {
		e, err := s.showEvent(id)
		if err != nil {
			return nil
		}
		waiting := slices.ContainsFunc(e.Deliveries, func(d DeliveryInfo) bool {
			return d.Ended == nil && d.Attempts == 0
		})
		if !waiting || time.Since(began) > patience {
			return &e
		}
		time.Sleep(pause)
		pause *= 2
	}
}

func printSent(w io.Writer, sent *Sent, stored *EventInfo) {
	fmt.Fprintf(w, "%s to %s\n", sent.Event, sent.URL)
	fmt.Fprintf(w, "  answer    %d %s in %.1f ms\n", sent.Status, http.StatusText(sent.Status), sent.Millis)
	if text := strings.TrimSpace(sent.Answer); text != "" && text != http.StatusText(sent.Status) {
		fmt.Fprintf(w, "            %s\n", printable(text))
	}
	if stored == nil {
		return
	}
	fmt.Fprintf(w, "  event     %s, %s\n", stored.ID, stored.State)
	for _, d := range stored.Deliveries {
		fmt.Fprintf(w, "  delivery  %s\n", printable(d.summary()))
	}
}
