package operate

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddypki"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/httpclient"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// sampler signs a sample of a provider, each time a fresh one, and posts it.
type sampler struct {
	name      string // of the provider
	provider  provider.Provider
	sample    *provider.Sample
	target    *url.URL
	tamper    bool
	address   func(*provider.Request) error // has a request name a tenant; nil: there is none
	transport *http.Transport
	mask      func(string) string // hides the secrets in answers
}

func newSampler(name string, p provider.Provider, options SendOptions, secure *tls.Config, mask func(string) string) (*sampler, error) {
	target, ok := httpURL(options.URL)
	if !ok {
		return nil, InvalidError{fmt.Errorf("%q is no absolute http or https URL", options.URL)}
	}
	sample, err := findSample(name, p, options.Event)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: secure, MaxIdleConnsPerHost: maxLoadConcurrency}
	return &sampler{name: name, provider: p, sample: sample, target: target, tamper: options.Tamper, transport: transport, mask: mask}, nil
}

// connect has the sampler connect to an address, whatever host the target names; ""
// leaves that to the target.
func (s *sampler) connect(address string) {
	if address == "" {
		return
	}
	s.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

// httpURL reads an absolute http or https URL.
func httpURL(text string) (u *url.URL, ok bool) {
	u, err := url.Parse(text)
	return u, err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// close closes the connections that wait for the next sample.
func (s *sampler) close() { s.transport.CloseIdleConnections() }

// findSample returns the provider's sample of an event type, or the first sample
// if there is no type.
func findSample(name string, p provider.Provider, event string) (*provider.Sample, error) {
	samples := samplesOf(p)
	if len(samples) == 0 {
		return nil, NotFoundError{fmt.Errorf("provider %s has no samples", name)}
	}
	if event == "" {
		return &samples[0], nil
	}
	for i := range samples {
		if samples[i].Event == event {
			return &samples[i], nil
		}
	}
	return nil, NotFoundError{fmt.Errorf("provider %s has no sample of %s", name, event)}
}

func samplesOf(p provider.Provider) []provider.Sample {
	if samples := p.Profile().Samples; samples != nil {
		return samples()
	}
	return nil
}

// sampleEvents returns the event types that there are samples of.
func sampleEvents(p provider.Provider) (events []string) {
	for _, sample := range samplesOf(p) {
		events = append(events, sample.Event)
	}
	return events
}

// sampleValues are what a sample needs from the configuration.
func sampleValues(p provider.Provider) map[string]string {
	if configured, ok := p.(provider.SampleFiller); ok {
		return configured.SampleValues()
	}
	return nil
}

// signedSample is a sample that is ready to be posted.
type signedSample struct {
	*provider.Request
	tampered string // where a byte was changed
}

// text returns all that the sample tells whoever gets it at a URL.
func (s *signedSample) text(target *url.URL) string {
	var text strings.Builder
	fmt.Fprintln(&text, s.URL(target))
	_ = http.Header(s.Header).Write(&text) // a Builder takes everything
	text.Write(s.Body)
	return text.String()
}

// sign signs a fresh sample, and changes a byte of it if it is to be tampered with.
func (s *sampler) sign(now time.Time) (*signedSample, error) {
	request, err := s.sample.Request(now, sampleValues(s.provider))
	if err != nil {
		return nil, err
	}
	request.To(s.target)
	if s.address != nil {
		if err := s.address(request); err != nil {
			return nil, InvalidError{err}
		}
	}
	if err := s.provider.Sign(request, now); err != nil {
		return nil, unsigned(s.name, err)
	}
	signed := &signedSample{Request: request}
	if s.tamper {
		signed.tampered, err = tamper(s.provider, request, now)
	}
	return signed, err
}

// unsigned says why a sample cannot be signed.
func unsigned(name string, err error) error {
	if errors.Is(err, provider.ErrPrivateKey) {
		return NotFoundError{fmt.Errorf("%s %w: no sample can be signed, unless with a key of your own: --private-key <file>", name, err)}
	}
	return fmt.Errorf("signing a sample of %s: %w", name, err)
}

// send signs a sample and posts it.
func (s *sampler) send(ctx context.Context) (*Sent, error) {
	signed, err := s.sign(time.Now())
	if err != nil {
		return nil, err
	}
	return s.post(ctx, signed)
}

// post posts a signed sample and reads the answer.
func (s *sampler) post(ctx context.Context, signed *signedSample) (*Sent, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var connected time.Time
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected = time.Now() },
	})
	req, err := http.NewRequestWithContext(ctx, signed.Method, signed.URL(s.target), bytes.NewReader(signed.Body))
	if err != nil {
		return nil, httpclient.WithoutURL(err)
	}
	req.Header = signed.Header
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return nil, httpclient.WithoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	return &Sent{Event: s.sample.Event, URL: s.target.Redacted(), Tampered: signed.tampered,
		Status: resp.StatusCode, OK: s.expects(resp.StatusCode), Answer: s.mask(string(body)),
		Millis: float64(time.Since(connected).Microseconds()) / 1000}, nil
}

// expects reports whether a status is the right answer to a sample.
func (s *sampler) expects(status int) bool {
	if s.tamper {
		return status == http.StatusUnauthorized || status == s.provider.Profile().Answer.Refused
	}
	return status >= 200 && status < 300
}

// briefly returns the text of an error without addresses, which differ each time.
func briefly(err error) string {
	var network *net.OpError
	if errors.As(err, &network) {
		return network.Op + ": " + network.Err.Error()
	}
	return err.Error()
}

// commandRoots returns the roots that this machine trusts and the root that a
// Caddy on this machine has made.
func commandRoots() *x509.CertPool {
	pool := httpclient.SystemRoots()
	root := filepath.Join(caddy.AppDataDir(), "pki", "authorities", caddypki.DefaultCAID, "root.crt")
	if pem, err := os.ReadFile(root); err == nil {
		pool.AppendCertsFromPEM(pem)
	}
	return pool
}
