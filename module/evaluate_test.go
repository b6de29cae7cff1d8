package module

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// counted returns all that the handler counts.
func counted(t *testing.T) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.requests, metrics.matches, metrics.ack, metrics.unidentified, metrics.ruleErrors, metrics.unordered)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(families)
}

// TestEvaluate holds Evaluate against ServeHTTP: the same requests get the same
// status, and Evaluate counts nothing.
func TestEvaluate(t *testing.T) {
	h := loadSource(t, "", "max_body 1KiB\nrespond 202 taken\n"+
		"route signed `event == \"document.signed\"` localhost:1\nroute failing `\"who\" in body && body.who.name == \"x\"` localhost:1\notherwise localhost:1\n")
	const good = `{"id":"evt_1","event":"document.signed"}`
	for name, test := range map[string]struct {
		method, body, secret string
		status               int
		want                 string // verdict, event type, ID, and the routes
	}{
		"genuine":       {"POST", good, "secret", 202, "valid document.signed evt_1 signed=yes failing=no otherwise=no"},
		"otherwise":     {"POST", `{"id":"evt_2","event":"other"}`, "secret", 202, "valid other evt_2 signed=no failing=no otherwise=yes"},
		"a rule fails":  {"POST", `{"id":"evt_3","event":"document.signed","who":7}`, "secret", 202, "valid document.signed evt_3 signed=yes failing=failed otherwise=no"},
		"no event type": {"POST", `{"id":"evt_4"}`, "secret", 202, "valid  evt_4 signed=no failing=no otherwise=yes"},
		"other secret":  {"POST", good, "other", 401, "invalid"},
		"other method":  {"PUT", good, "secret", 405, "invalid"},
		"too large":     {"POST", good + strings.Repeat(" ", 2048), "secret", 413, "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			p, err := NewSource(caddyfile.NewTestDispenser("provider insigner " + test.secret))
			if err != nil {
				t.Fatal(err)
			}
			signed := &provider.Request{Method: test.method, Path: "/", Header: map[string][]string{}, Body: []byte(test.body), Public: new(url.URL)}
			if err := p.provider.Sign(signed, now); err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(test.method, "/", bytes.NewReader(signed.Body))
			r.Header = http.Header(signed.Header)
			r.Header.Set("Content-Type", "application/json")

			before := counted(t)
			e := h.Evaluate(r, signed.Body, EvaluateOptions{At: now})
			got := strings.TrimRight(fmt.Sprint(e.Verdict, " ", e.EventType, " ", e.ID), " ")
			for _, d := range e.Routes {
				got += " " + d.Route + "=" + d.Takes
			}
			if got != test.want || e.Status != test.status {
				t.Errorf("got %d %q (%s), want %d %q", e.Status, got, e.Why, test.status, test.want)
			}
			if after := counted(t); after != before {
				t.Errorf("Evaluate counted: %s\nbefore: %s", after, before)
			}

			prepared := caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, nil)
			answer := httptest.NewRecorder()
			if err := h.ServeHTTP(answer, prepared, nil); err != nil {
				t.Fatal(err)
			}
			if answer.Code != e.Status {
				t.Errorf("ServeHTTP answers %d, Evaluate says %d", answer.Code, e.Status)
			}
			if counted(t) == before {
				t.Error("ServeHTTP counted nothing")
			}
		})
	}
}
