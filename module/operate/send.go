package operate

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/httpclient"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Sent is what became of a sample webhook.
type Sent struct {
	Event    string  `json:"event"`
	URL      string  `json:"url"`                // without a token
	Tampered string  `json:"tampered,omitempty"` // where a byte was changed
	Status   int     `json:"status"`
	OK       bool    `json:"ok"` // taken, or refused if it was tampered with
	Answer   string  `json:"answer,omitempty"`
	Millis   float64 `json:"ms"`
	EventID  string  `json:"event_id,omitempty"` // if the queue has it
}

// SendOptions says which sample is sent where.
type SendOptions struct {
	Event  string // "": the provider's first
	Tenant string // whose secret signs, where the source has tenants
	URL    string
	Local  bool // connect to where the source listens, if the URL leads there
	Tamper bool // change a byte after the sample is signed

	// PrivateKey signs in place of a key that only the provider has: PEM, which may have
	// certificates behind it. Empty: the secret of the configuration signs.
	PrivateKey []byte
}

// Send signs a sample with the source's own secret and posts it. The gateway does
// that itself, because the request would tell the caller secrets.
func (s *Service) Send(ctx context.Context, source string, options SendOptions) (*Sent, error) {
	from, err := s.sampler(source, options)
	if err != nil {
		return nil, err
	}
	defer from.close()
	began := time.Now()
	signed, err := from.sign(began)
	if err != nil {
		return nil, err
	}
	sent, err := from.post(ctx, signed)
	if err != nil {
		return nil, fmt.Errorf("posting to %s: %w", from.target.Redacted(), err)
	}
	if engine := s.app.Opened(); engine != nil {
		sent.EventID = findSent(ctx, engine, source, began, signed.Body)
	}
	return sent, nil
}

// SendStep does the same with many samples: a step of a load.
func (s *Service) SendStep(ctx context.Context, source string, options SendOptions, l LoadOptions) (*Load, error) {
	from, err := s.sampler(source, options)
	if err != nil {
		return nil, err
	}
	defer from.close()
	if err := l.check(); err != nil {
		return nil, InvalidError{err}
	}
	l.Count = min(l.Count, loadStepMost)
	ctx, cancel := context.WithTimeout(ctx, loadStep)
	defer cancel()
	return l.run(ctx, from), nil
}

// sampler returns what sends samples of a source's provider.
func (s *Service) sampler(source string, options SendOptions) (*sampler, error) {
	h, err := s.source(source)
	if err != nil {
		return nil, err
	}
	own, err := h.ProviderFor(options.Tenant)
	if err != nil {
		return nil, InvalidError{err}
	}
	signer, err := options.signer(h.ProviderName(), own)
	if err != nil {
		return nil, err
	}
	from, err := newSampler(h.ProviderName(), signer, options, &tls.Config{RootCAs: httpclient.GatewayRoots()}, s.app.Mask)
	if err != nil {
		return nil, err
	}
	from.address = func(r *provider.Request) error { return h.AddressTo(options.Tenant, r) }
	if options.Local {
		from.connect(s.app.Listener(h, from.target))
	}
	return from, s.mayGet(h, options.Tenant, from)
}

// signer returns what signs samples: the provider itself, or its copy with a private key.
func (o *SendOptions) signer(name string, p provider.Provider) (provider.Provider, error) {
	if len(o.PrivateKey) == 0 {
		return p, nil
	}
	key, err := provider.ParseSigningKey(o.PrivateKey)
	if err != nil {
		return nil, InvalidError{fmt.Errorf("--private-key: %w", err)}
	}
	keyed, ok := p.(provider.KeySigner)
	if !ok {
		return nil, InvalidError{fmt.Errorf("provider %s takes no private key", name)}
	}
	signer, err := keyed.WithKey(key)
	if err != nil {
		return nil, InvalidError{fmt.Errorf("--private-key: %w", err)}
	}
	return signer, nil
}

// mayGet refuses to send a secret elsewhere: where the sample is not signed with the
// source's secret but has the secret in it, it goes to the source's own address only.
func (s *Service) mayGet(h *module.Handler, tenant string, from *sampler) error {
	whole := *from
	whole.tamper = false
	signed, err := whole.sign(time.Now())
	if err != nil {
		return err
	}
	if h.GivesAway(signed.text(from.target), tenant) && !s.app.IsOwn(h, from.target) {
		return InvalidError{fmt.Errorf("a webhook of source %s has its secret in it, which goes only where the source listens or to its external_url, not to %s; "+
			"to send it there, name the provider %s and its secret instead of the source", h.Source, from.target.Redacted(), h.ProviderName())}
	}
	return nil
}

// findSent returns the ID of the event that a sample became, "" if it became
// none. Under traffic there may be others of the same moment.
func findSent(ctx context.Context, engine *queue.Engine, source string, began time.Time, body []byte) (id string) {
	err := engine.List(ctx, queue.ID{}, func(e *queue.Event) bool {
		if e.ReceivedAt.Before(began) {
			return false
		}
		if e.Source == source {
			if event, err := engine.Get(ctx, e.ID); err == nil && isOf(event, body) {
				id = e.ID.String()
				return e.Part.Number > 1 // the first part stands for all of them
			}
		}
		return id == ""
	})
	if err != nil {
		return ""
	}
	return id
}

// isOf reports whether an event is a webhook with a body, or a part of that webhook.
func isOf(e *queue.Event, body []byte) bool {
	p := e.Part
	if p == (queue.Part{}) {
		return bytes.Equal(e.Request.Body, body)
	}
	return p.Start <= p.End && p.End <= len(e.Request.Body) && bytes.Contains(body, e.Request.Body[p.Start:p.End])
}

func sendSamples(s *Service, r *http.Request) (any, error) {
	query, source := r.URL.Query(), r.PathValue("source")
	options := SendOptions{Event: query.Get("event"), Tenant: query.Get("tenant"), URL: query.Get("url")}
	var err error
	if options.Tamper, err = readFlag(query, "tamper"); err != nil {
		return nil, err
	}
	if options.Local, err = readFlag(query, "local"); err != nil {
		return nil, err
	}
	if options.PrivateKey, err = readPrivateKey(r.Body); err != nil {
		return nil, InvalidError{err}
	}
	if !query.Has("count") {
		return s.Send(r.Context(), source, options)
	}
	l, err := readLoad(query)
	if err != nil {
		return nil, InvalidError{err}
	}
	return s.SendStep(r.Context(), source, options, l)
}

// query writes the options as the endpoint reads them.
func (o *SendOptions) query() url.Values {
	query := url.Values{"url": {o.URL}}
	setOptional(query, "event", o.Event)
	setOptional(query, "tenant", o.Tenant)
	setFlag(query, "tamper", o.Tamper)
	setFlag(query, "local", o.Local)
	return query
}

// body returns the private key, which stands in no URL: URLs are logged.
func (o *SendOptions) body() io.Reader {
	if len(o.PrivateKey) == 0 {
		return nil
	}
	return bytes.NewReader(o.PrivateKey)
}

// maxPrivateKey is the longest private key with its certificates, in bytes.
const maxPrivateKey = 64 << 10

func readPrivateKey(in io.Reader) ([]byte, error) {
	key, err := io.ReadAll(io.LimitReader(in, maxPrivateKey+1))
	if err != nil {
		return nil, err
	}
	if len(key) > maxPrivateKey {
		return nil, fmt.Errorf("the private key with its certificates is larger than %d bytes", maxPrivateKey)
	}
	return key, nil
}

func (c *client) send(source string, options SendOptions) (sent *Sent, err error) {
	err = c.post(http.MethodPost, sourcePath(source, "send"), options.query(), options.body(), &sent)
	return sent, err
}

func (c *client) sendStep(source string, options SendOptions, l LoadOptions) (done *Load, err error) {
	query := options.query()
	l.addTo(query)
	err = c.post(http.MethodPost, sourcePath(source, "send"), query, options.body(), &done)
	return done, err
}

func sendCommand() *cobra.Command {
	s := new(sender)
	cmd := remoteCommand("send <source> | --provider <name> --url <url>", "Signs a sample webhook and posts it",
		`Signs a realistic sample of a provider and posts it, as the "test webhook" button
of the provider's console does.

For a source, the running gateway signs and posts the sample, so the secret does
not leave the gateway. It connects to its own listener in the name of the site,
so the name need not resolve there; with --url it goes to that URL instead. The
command then shows the event and its deliveries.

With --provider the command itself signs, and posts to any URL; no gateway needs
to run. It trusts the roots of the system and the root of a Caddy that ran under
the same user. Other users of the machine may see the command line, so write a
secret as a placeholder: {env.NAME} or {file./path}.

  caddy webhook send stripe
  caddy webhook send stripe --event invoice.paid
  caddy webhook send stripe --tenant acme
  caddy webhook send stripe --tamper
  caddy webhook send stripe --count 1000 --rate 100 --concurrency 8
  caddy webhook send --provider stripe --secret '{env.STRIPE_SECRET}' --url https://localhost/stripe

Some providers sign with a private key that only they have. --private-key plays
them with a key of your own, in PEM: configure its public half as public_key, or
its certificate as certificate. For tokens with certificates (x5c) the file has
the certificates behind the key. The key goes to the admin API of the running
gateway, which signs with it and forgets it.

  openssl genpkey -algorithm ed25519 -out own.pem
  openssl pkey -in own.pem -pubout          # goes into the public_key line
  caddy webhook send discord --private-key own.pem

--tamper changes one byte after signing, and succeeds if the request is refused.
--count sends a load: each sample is a new event, and the command prints a
summary. Ctrl-C ends a load early. The exit status is 1 if a sample was not
answered as it should be.`, 0, 1,
		func(c *client, r *remote, args []string) error {
			s.client, s.remote, s.source = c, r, argument(args, 0)
			return s.run()
		})
	flags := cmd.Flags()
	flags.StringVar(&s.options.Event, "event", "", "The event `type` to send (default: the provider's first sample)")
	flags.BoolVar(&s.all, "all", false, "Send a sample of every event type")
	flags.BoolVar(&s.list, "list", false, "List the event types of the samples, and send nothing")
	flags.StringVar(&s.options.Tenant, "tenant", "", "The `tenant` whose secret signs, where the source has tenants")
	flags.StringVar(&s.options.URL, "url", "", "The `URL` to post to (default: that of the source)")
	flags.BoolVar(&s.options.Tamper, "tamper", false, "Change one byte after signing; the request should then be refused")
	flags.StringVar(&s.keyFile, "private-key", "", "The `file` of a private key that signs in place of the provider's own")
	flags.IntVar(&s.load.Count, "count", 1, "Send this `number` of samples")
	flags.Float64Var(&s.load.Rate, "rate", 0, "Send this `number` of samples per second (default: as many as possible)")
	flags.IntVar(&s.load.Concurrency, "concurrency", 1, "Send this `number` of samples at once")
	s.provider.add(cmd, "The `name` of the preset to play, without a gateway")
	flags.BoolVar(&s.insecure, "insecure", false, "With --provider: do not verify the certificate of the URL")
	return cmd
}

// sender sends samples as a command line says.
type sender struct {
	*client
	*remote
	options   SendOptions
	load      LoadOptions
	source    string
	provider  providerFlags
	keyFile   string
	insecure  bool
	all, list bool
}

func (s *sender) run() error {
	if err := s.check(); err != nil {
		return usageError{err}
	}
	if s.list && s.provider.name != "" { // which takes no secret
		return s.printEvents(provider.SampleEvents(s.provider.name))
	}
	if err := s.readKey(); err != nil {
		return usageError{err}
	}
	from, err := s.origin()
	if err != nil {
		return err
	}
	switch {
	case s.list:
		return s.printEvents(from.events())
	case s.load.Count > 1:
		return s.many(from)
	case s.all:
		return s.each(from, from.events())
	}
	return s.each(from, []string{s.options.Event})
}

// check refuses what does not go together.
func (s *sender) check() error {
	switch {
	case (s.source == "") == (s.provider.name == ""):
		return errors.New("usage: caddy webhook send <source> | --provider <name> --url <url>")
	case s.all && s.options.Event != "":
		return errors.New("--all and --event exclude each other")
	case s.all && s.load.Count > 1:
		return errors.New("--all and --count exclude each other")
	case s.provider.name != "" && s.options.Tenant != "":
		return errors.New("--tenant goes with a source; with --provider, name the tenant's secret: --secret")
	case s.provider.name == "" && (s.provider.given() || s.insecure):
		return errors.New("--secret, --option and --insecure go with --provider")
	case s.provider.name != "" && s.options.URL == "" && !s.list:
		return errors.New("--provider needs the URL to post to: --url <url>")
	}
	if s.options.URL != "" {
		if _, err := urlFlag(s.options.URL); err != nil {
			return err
		}
	}
	return s.load.check()
}

// readKey reads the file of the private key.
func (s *sender) readKey() error {
	if s.keyFile == "" {
		return nil
	}
	file, err := os.Open(s.keyFile)
	if err != nil {
		return fmt.Errorf("--private-key: %v", err)
	}
	defer file.Close()
	s.options.PrivateKey, err = readPrivateKey(file)
	if err == nil {
		_, err = provider.ParseSigningKey(s.options.PrivateKey)
	}
	if err != nil {
		return fmt.Errorf("--private-key %s: %w", s.keyFile, err)
	}
	return nil
}

func (s *sender) origin() (origin, error) {
	if s.provider.name != "" {
		return newLocalProvider(s.provider, s.options, s.insecure)
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
	s.options.Event = event
	sent, stored, err := from.send(s.options)
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
	done, err := from.load(ctx, s.options, s.load)
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
	case s.options.Tamper:
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
		fmt.Fprintf(w, "            %s\n", strings.ReplaceAll(printable(text), "\n", "\n            "))
	}
	if stored == nil {
		return
	}
	fmt.Fprintf(w, "  event     %s, %s\n", stored.ID, stored.State)
	for _, d := range stored.Deliveries {
		fmt.Fprintf(w, "  delivery  %s\n", inLine(d.summary()))
	}
}
