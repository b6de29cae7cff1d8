package operate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// origin signs samples and posts them: the running gateway for one of
// its sources, or this process for a provider that the command line describes.
type origin interface {
	// events returns the event types that there are samples of.
	events() []string

	// send sends a sample, and returns the stored event where that is known.
	send(SendOptions) (*Sent, *EventInfo, error)

	// load sends many samples until the context ends. With an error it returns
	// what was done before.
	load(context.Context, SendOptions, LoadOptions) (*Load, error)
}

// remoteSource is a source of the running gateway.
type remoteSource struct {
	*client
	info *SourceInfo
	url  string // where the source listens; "": not asked yet
}

// newRemoteSource finds a source of the running gateway.
func newRemoteSource(c *client, name string) (*remoteSource, error) {
	sources, err := c.sources()
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range sources {
		if sources[i].Source == name {
			return &remoteSource{client: c, info: &sources[i]}, nil
		}
		names = append(names, sources[i].Source)
	}
	return nil, fmt.Errorf("no source is named %s; there are: %s", name, strings.Join(names, ", "))
}

func (s *remoteSource) events() []string { return s.info.Events }

func (s *remoteSource) send(options SendOptions) (*Sent, *EventInfo, error) {
	if err := s.complete(&options); err != nil {
		return nil, nil, err
	}
	sent, err := s.client.send(s.info.Source, options)
	if err != nil {
		return nil, nil, err
	}
	var stored *EventInfo
	if sent.EventID != "" {
		stored = s.follow(sent.EventID)
	}
	if sent.OK && !options.Tamper && len(s.info.Routes) > 0 && stored == nil {
		return sent, nil, fmt.Errorf("%s answered %d, but not for the source: the event is not in the queue; name the source's URL with --url", sent.URL, sent.Status)
	}
	return sent, stored, nil
}

// complete adds the URL of the source where the options have none.
func (s *remoteSource) complete(options *SendOptions) (err error) {
	if options.URL != "" {
		return nil
	}
	if s.url == "" {
		if s.url, err = s.sourceURL(s.info.Source); err != nil {
			return err
		}
	}
	options.URL, options.Local = s.url, true
	if options.Tenant != "" && strings.HasSuffix(s.url, "/") { // the path ends in whatever the tenant is called
		options.URL += url.PathEscape(options.Tenant)
	}
	return nil
}

// follow waits a moment for the event's deliveries to end, or to fail once.
func (s *remoteSource) follow(id string) *EventInfo {
	const patience = 2 * time.Second
	began, pause := time.Now(), 10*time.Millisecond
	for {
		e, err := s.event(id)
		if err != nil {
			return nil
		}
		waiting := slices.ContainsFunc(e.Deliveries, func(d DeliveryInfo) bool {
			return d.Ended == nil && (d.Attempts == 0 || d.State == string(queue.Delivering))
		})
		if !waiting || time.Since(began) > patience {
			return e
		}
		time.Sleep(pause)
		pause *= 2
	}
}

func (s *remoteSource) load(ctx context.Context, options SendOptions, l LoadOptions) (*Load, error) {
	total, began := newLoad("", ""), time.Now()
	if err := s.complete(&options); err != nil {
		return total, err
	}
	for total.Sent < l.Count && sleepUntil(ctx, began.Add(l.due(total.Sent))) {
		done, err := s.sendStep(s.info.Source, options, l.step(total.Sent, began))
		if err != nil {
			return total, err
		}
		if done.Sent == 0 {
			return total, errors.New("the gateway has stopped sending")
		}
		total.add(done)
	}
	return total, nil
}

// localProvider is a provider that this process plays.
type localProvider struct {
	name     string
	provider provider.Provider
	secure   *tls.Config
	mask     func(string) string
}

// newLocalProvider makes the provider that flags describe.
func newLocalProvider(named providerFlags, options SendOptions, insecure bool) (*localProvider, error) {
	if len(options.PrivateKey) > 0 {
		named.addPublicKey(options.PrivateKey)
	} else if provider.SignsAlone(named.name) {
		return nil, unsigned(named.name, provider.ErrPrivateKey)
	}
	h, err := named.newSource()
	if err != nil {
		return nil, err
	}
	signer, err := options.signer(named.name, h.Provider())
	if err != nil {
		return nil, usageError{err}
	}
	return &localProvider{named.name, signer, &tls.Config{RootCAs: commandRoots(), InsecureSkipVerify: insecure}, h.Mask}, nil
}

func (p *localProvider) events() []string { return sampleEvents(p.provider) }

func (p *localProvider) send(options SendOptions) (*Sent, *EventInfo, error) {
	s, err := newSampler(p.name, p.provider, options, p.secure, p.mask)
	if err != nil {
		return nil, nil, err
	}
	defer s.close()
	sent, err := s.send(context.Background())
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return nil, nil, fmt.Errorf("posting to %s: %w; --insecure does not verify it", s.target.Redacted(), err)
	case err != nil:
		return nil, nil, fmt.Errorf("posting to %s: %w", s.target.Redacted(), err)
	}
	return sent, nil, nil
}

func (p *localProvider) load(ctx context.Context, options SendOptions, l LoadOptions) (*Load, error) {
	s, err := newSampler(p.name, p.provider, options, p.secure, p.mask)
	if err != nil {
		return newLoad("", ""), err
	}
	defer s.close()
	if _, err := s.sign(time.Now()); err != nil {
		return newLoad("", ""), err
	}
	return l.run(ctx, s), nil
}
