package module

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// SignedRequest is a sample webhook that only needs to be sent.
type SignedRequest struct {
	Event  string      `json:"event"`
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Header http.Header `json:"headers"`
	Body   []byte      `json:"body"`
}

// makeSample signs a sample with the source's own secret, for the URL that the
// caller names.
func makeSample(a *App, r *http.Request) (any, error) {
	registered, ok := a.sources[r.PathValue("source")]
	if !ok {
		return nil, notFound{fmt.Errorf("no source is named %s", r.PathValue("source"))}
	}
	h := registered.handler
	target, err := url.Parse(r.URL.Query().Get("url"))
	if err != nil || target.Host == "" {
		return nil, badRequest{errors.New("url must be absolute")}
	}
	sample, err := findSample(h, r.URL.Query().Get("event"))
	if err != nil {
		return nil, err
	}
	request, err := sample.Request(time.Now(), sampleValues(h.provider))
	if err != nil {
		return nil, err
	}
	request.Path, request.RawQuery, request.Public = target.EscapedPath(), target.RawQuery, target
	if err := h.provider.Sign(request, time.Now()); err != nil {
		return nil, err
	}
	return SignedRequest{
		Event:  sample.Event,
		Method: request.Method,
		URL:    request.URL(target),
		Header: request.Header,
		Body:   request.Body,
	}, nil
}

func findSample(h *Handler, event string) (*provider.Sample, error) {
	samples := h.profile.Samples
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

// sampleValues are what a sample needs from the configuration.
func sampleValues(p provider.Provider) map[string]string {
	if configured, ok := p.(interface{ SampleValues() map[string]string }); ok {
		return configured.SampleValues()
	}
	return nil
}
