package module

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func sendCommand() *cobra.Command {
	s := new(sender)
	cmd := remoteCommand("send <source>", "Sends a sample webhook to a source",
		`Signs a realistic sample of the source's provider with the source's own secret
and posts it, like the "test webhook" button of the provider's console. URL and
signature come from the running gateway, whose local CA is trusted.`, 1,
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

// sender posts samples to a source.
type sender struct {
	*client
	*remote
	source, event, url string
	all, list          bool
	http               *http.Client
}

// sent is what became of a sample.
type sent struct {
	Event  string     `json:"event"`
	URL    string     `json:"url"`
	Status int        `json:"status"`
	Answer string     `json:"answer"`
	Millis float64    `json:"ms"`
	Stored *EventInfo `json:"stored,omitempty"`
}

func (s *sender) run() error {
	events, err := s.choose()
	if err != nil {
		return err
	}
	if s.list {
		fmt.Fprintln(s.out(), strings.Join(events, "\n"))
		return nil
	}
	if s.url == "" {
		if s.url, err = s.sourceURL(s.source); err != nil {
			return err
		}
	} else if u, err := url.Parse(s.url); err != nil || u.Host == "" {
		return usageError{fmt.Errorf("--url %q is no URL", s.url)}
	}
	s.http = &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots()}},
	}
	refused := 0
	for _, event := range events {
		result, err := s.send(event)
		if err != nil {
			return err
		}
		if err := s.print(result); err != nil {
			return err
		}
		if result.Status < 200 || result.Status > 299 {
			refused++
		}
	}
	if refused > 0 {
		return fmt.Errorf("%d of %d refused", refused, len(events))
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
		if s.all || s.list {
			return info.Events, nil
		}
		return []string{s.event}, nil
	}
	return nil, fmt.Errorf("no source is named %s; there are: %s", s.source, strings.Join(names, ", "))
}

// send posts one sample.
func (s *sender) send(event string) (*sent, error) {
	signed, err := s.sample(s.source, event, s.url)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(signed.Method, signed.URL, bytes.NewReader(signed.Body))
	if err != nil {
		return nil, fmt.Errorf("preparing the request: %v", err)
	}
	req.Header = signed.Header
	began := time.Now()
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("posting the sample: %v", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %v", err)
	}
	result := &sent{Event: signed.Event, URL: s.url, Status: resp.StatusCode, Answer: string(answer),
		Millis: float64(time.Since(began).Microseconds()) / 1000}
	if resp.StatusCode < 300 {
		result.Stored = s.follow(began)
	}
	return result, nil
}

// follow waits a moment for the event's deliveries to end, and returns it.
func (s *sender) follow(began time.Time) *EventInfo {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	query := url.Values{"source": {s.source}, "limit": {"1"}, "newer": {began.Add(-time.Second).Format(time.RFC3339Nano)}}
	for {
		events, err := s.events(query)
		if err != nil || len(events) == 0 {
			return nil // a source that stores nothing
		}
		e := &events[0]
		if !e.hasDelivery("", "pending") && !e.hasDelivery("", "delivering") {
			return e
		}
		select {
		case <-ctx.Done():
			return e
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *sender) print(result *sent) error {
	if s.json {
		return s.printJSON(result)
	}
	w := s.out()
	// The URL without the token that was put into it.
	fmt.Fprintf(w, "%s to %s\n", result.Event, result.URL)
	fmt.Fprintf(w, "  answer    %d %s in %.1f ms\n", result.Status, http.StatusText(result.Status), result.Millis)
	if text := strings.TrimSpace(result.Answer); text != "" && text != http.StatusText(result.Status) {
		fmt.Fprintf(w, "            %s\n", printable(text))
	}
	if result.Stored != nil {
		fmt.Fprintf(w, "  event     %s, %s\n", result.Stored.ID, result.Stored.State)
		for _, d := range result.Stored.Deliveries {
			fmt.Fprintf(w, "  delivery  %s\n", printable(d.summary()))
		}
	}
	return nil
}
