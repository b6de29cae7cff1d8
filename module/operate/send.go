package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

func sendCommand() *cobra.Command {
	s := &sender{load: new(load), sending: new(sending)}
	cmd := remoteCommand("send <source> | --provider <name> --url <url>", "Sends a sample webhook",
		`Signs a realistic sample of a provider and posts it, like the "test webhook"
button of the provider's console.

For a source, the running gateway does that with the source's own secret, which
stays where it is. With --provider no gateway is needed: this command signs, and
what answers at --url may be anything. It trusts what the system trusts, and the
root of a Caddy that has run here. Others can see a command line, so --secret
takes placeholders: {env.NAME} and {file./path}.

With --count it is a load: each sample is a new one, and a summary is printed.
Ctrl-C ends it early.`, 0, 1,
		func(c *client, r *remote, args []string) error {
			s.client, s.remote, s.source = c, r, at(args, 0)
			return s.run()
		})
	flags := cmd.Flags()
	flags.StringVar(&s.event, "event", "", "The event type to send (default: the provider's first sample)")
	flags.BoolVar(&s.all, "all", false, "Send a sample of every event type")
	flags.BoolVar(&s.list, "list", false, "List the event types that there are samples of")
	flags.StringVar(&s.url, "url", "", "The URL to post to (default: where the source listens)")
	flags.BoolVar(&s.tamper, "tamper", false, "Change one byte after signing: to be refused is then what should happen")
	flags.IntVar(&s.count, "count", 1, "How many to send")
	flags.Float64Var(&s.rate, "rate", 0, "How many to send per second (default: as fast as it goes)")
	flags.IntVar(&s.concurrency, "concurrency", 1, "How many to send at once")
	flags.StringVar(&s.provider, "provider", "", "The provider to play, without a gateway")
	flags.StringArrayVar(&s.secrets, "secret", nil, "A secret of that provider; the first one signs")
	flags.StringArrayVar(&s.options, "option", nil, "A line of that provider's block, as <name>=<value>")
	flags.BoolVar(&s.insecure, "insecure", false, "With --provider: do not verify the certificate at the URL")
	return cmd
}

// sender sends samples as a command line says.
type sender struct {
	*client
	*remote
	*sending
	*load
	source    string
	provider  string
	secrets   []string
	options   []string
	insecure  bool
	all, list bool
}

func (s *sender) run() error {
	if err := s.check(); err != nil {
		return usageError{err}
	}
	if s.list && s.provider != "" { // which takes no secret
		return s.printEvents(provider.SampleEvents(s.provider))
	}
	from, err := s.origin()
	if err != nil {
		return err
	}
	switch {
	case s.list:
		return s.printEvents(from.events())
	case s.count > 1:
		return s.many(from)
	case s.all:
		return s.each(from, from.events())
	}
	return s.each(from, []string{s.event})
}

// check refuses what does not go together.
func (s *sender) check() error {
	switch _, ok := httpURL(s.url); {
	case (s.source == "") == (s.provider == ""):
		return errors.New("usage: caddy webhook send <source> | --provider <name> --url <url>")
	case s.all && s.event != "":
		return errors.New("--all and --event exclude each other")
	case s.all && s.count > 1:
		return errors.New("--all and --count exclude each other")
	case s.provider == "" && (s.secrets != nil || s.options != nil || s.insecure):
		return errors.New("--secret, --option and --insecure go with --provider")
	case s.provider != "" && s.url == "" && !s.list:
		return errors.New("--provider needs the URL to post to: --url <url>")
	case s.url != "" && !ok:
		return fmt.Errorf("--url %q is no URL such as https://example.com/hook", s.url)
	}
	return s.load.check()
}

func (s *sender) origin() (origin, error) {
	if s.provider != "" {
		return newLocalProvider(s.provider, s.secrets, s.options, s.insecure)
	}
	return newRemoteSource(s.client, s.source)
}

func (s *sender) printEvents(events []string) error {
	if len(events) == 0 {
		return errors.New("there are no samples")
	}
	fmt.Fprintln(s.OutOrStdout(), strings.Join(events, "\n"))
	return nil
}

// each sends one sample of each event type.
func (s *sender) each(from origin, events []string) error {
	failed := 0
	for _, event := range events {
		ok, err := s.one(from, event)
		if err != nil {
			return err
		}
		if !ok {
			failed++
		}
	}
	return s.verdict(failed, len(events))
}

// one sends one sample and prints what became of it.
func (s *sender) one(from origin, event string) (ok bool, err error) {
	s.event = event
	sent, stored, err := from.send(s.sending)
	if sent == nil {
		return false, err
	}
	if !s.json {
		printSent(s.OutOrStdout(), sent, stored)
		return sent.OK, err
	}
	printErr := s.printJSON(struct {
		*Sent
		Stored *EventInfo `json:"stored,omitempty"`
	}{sent, stored})
	return sent.OK, errors.Join(err, printErr)
}

// many sends many samples, and prints in a few numbers what became of them.
func (s *sender) many(from origin) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // who interrupts it twice does not want to wait
	began := time.Now()
	done, err := from.load(ctx, s.sending, s.load)
	if done.Sent == 0 {
		return err
	}
	summary := done.summary(time.Since(began))
	if s.json {
		err = errors.Join(err, s.printJSON(summary))
	} else {
		summary.print(s.OutOrStdout())
	}
	if err != nil {
		return err
	}
	return s.verdict(done.Sent-done.OK, done.Sent)
}

// verdict is an error if some were not answered as they should be.
func (s *sender) verdict(failed, sent int) error {
	switch {
	case failed == 0:
		return nil
	case s.tamper:
		return fmt.Errorf("%d of %d not refused, though tampered with", failed, sent)
	}
	return fmt.Errorf("%d of %d not accepted", failed, sent)
}

func printSent(w io.Writer, sent *Sent, stored *EventInfo) {
	fmt.Fprintf(w, "%s to %s\n", sent.Event, sent.URL)
	if sent.Tampered != "" {
		fmt.Fprintf(w, "  tampered  a byte of %s was changed\n", sent.Tampered)
	}
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
