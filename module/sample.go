package module

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddypki"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Sent is what became of a sample webhook.
type Sent struct {
	Event   string  `json:"event"`
	URL     string  `json:"url"` // without a token
	Status  int     `json:"status"`
	Answer  string  `json:"answer,omitempty"`
	Millis  float64 `json:"ms"`
	EventID string  `json:"event_id,omitempty"` // if the queue has it
}

// sendSample signs a sample with the source's own secret and posts it to the URL
// that the caller names. The gateway does that itself, because the request would
// tell the caller secrets.
func sendSample(a *App, r *http.Request) (any, error) {
	h, err := a.source(r)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(r.URL.Query().Get("url"))
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, badRequest{errors.New("url must be an absolute http or https URL")}
	}
	sample, err := findSample(h, r.URL.Query().Get("event"))
	if err != nil {
		return nil, err
	}
	began := time.Now()
	request, err := sample.Request(began, sampleValues(h.provider))
	if err != nil {
		return nil, err
	}
	request.To(target)
	if err := h.provider.Sign(request, began); err != nil {
		return nil, err
	}
	sent, err := post(r.Context(), request, target)
	if err != nil {
		return nil, fmt.Errorf("posting to %s: %w", target.Redacted(), withoutURL(err))
	}
	sent.Event = sample.Event
	if engine := a.opened(); engine != nil {
		sent.EventID = findSent(r.Context(), engine, h.Source, began, request.Body)
	}
	return sent, nil
}

func findSample(h *Handler, event string) (*provider.Sample, error) {
	samples := h.samples()
	if len(samples) == 0 {
		return nil, notFound{fmt.Errorf("provider %s has no samples", h.providerName)}
	}
	if event == "" {
		return &samples[0], nil
	}
	for i := range samples {
		if samples[i].Event == event {
			return &samples[i], nil
		}
	}
	return nil, notFound{fmt.Errorf("provider %s has no sample of %s", h.providerName, event)}
}

// samples returns the samples of the source's provider.
func (h *Handler) samples() []provider.Sample {
	if h.profile.Samples == nil {
		return nil
	}
	return h.profile.Samples()
}

// sampleValues are what a sample needs from the configuration.
func sampleValues(p provider.Provider) map[string]string {
	if configured, ok := p.(interface{ SampleValues() map[string]string }); ok {
		return configured.SampleValues()
	}
	return nil
}

// post sends a request and reads the answer.
func post(ctx context.Context, request *provider.Request, target *url.URL) (*Sent, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var connected time.Time
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected = time.Now() },
	})
	req, err := http.NewRequestWithContext(ctx, request.Method, request.URL(target), bytes.NewReader(request.Body))
	if err != nil {
		return nil, err
	}
	req.Header = request.Header
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots()}}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	return &Sent{URL: target.Redacted(), Status: resp.StatusCode, Answer: string(body),
		Millis: float64(time.Since(connected).Microseconds()) / 1000}, nil
}

// withoutURL returns what is below an error that quotes the URL, with its token.
func withoutURL(err error) error {
	var quoting *url.Error
	if errors.As(err, &quoting) {
		return quoting.Err
	}
	return err
}

// roots returns the system's roots and that of Caddy's own CA, if it has one.
func roots() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if app, err := caddy.ActiveContext().AppIfConfigured("pki"); err == nil {
		if ca := app.(*caddypki.PKI).CAs[caddypki.DefaultCAID]; ca != nil {
			pool.AddCert(ca.RootCertificate())
		}
	}
	return pool
}

// findSent returns the ID of the event that a sample became, "" if it became
// none. Under traffic there may be others of the same moment.
func findSent(ctx context.Context, engine *queue.Engine, source string, began time.Time, body []byte) (id string) {
	err := engine.List(ctx, queue.ID{}, func(e *queue.Event) bool {
		if e.ReceivedAt.Before(began) {
			return false
		}
		if e.Source == source {
			if event, err := engine.Get(ctx, e.ID); err == nil && bytes.Equal(event.Request.Body, body) {
				id = e.ID.String()
			}
		}
		return id == ""
	})
	if err != nil {
		return ""
	}
	return id
}
