package provider_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
)

// TestVectors runs the requests in testdata/vectors.json, whose field source
// says where each comes from.
func TestVectors(t *testing.T) {
	for _, v := range providertest.ReadVectors(t) {
		if v.NoKey {
			continue
		}
		t.Run(v.ID, func(t *testing.T) {
			if v.Type == "handshake" {
				greet(t, v, providertest.MustParse(t, vectorConfig(t, v)))
				return
			}
			p, err := providertest.Parse(v.Config(t))
			if v.ConfigError {
				if err == nil {
					t.Errorf("loads, though %s", v.Reason)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			err = v.Verify(p, v.Request(t))
			if valid := err == nil; valid != (v.Expected == "valid") {
				t.Errorf("got %v, want %s: %s", err, v.Expected, v.Reason)
			}
		})
	}
}

// vectorConfig is the configuration of a vector. Where a handshake needs no secret, one stands
// in for it.
func vectorConfig(t *testing.T, v *providertest.Vector) string {
	config := v.Config(t)
	if p := providertest.PresetOf(v.Provider); v.Type == "handshake" && p.NeedsSecret() && v.Secret == nil && v.Options["client_ids"] == nil {
		config = strings.Replace(config, " {", " "+providertest.OwnSecret+" {", 1)
	}
	return config
}

// greet holds the answer to a handshake against the one expected.
func greet(t *testing.T, v *providertest.Vector, p provider.Provider) {
	t.Helper()
	answer, err := p.(provider.Handshaker).Handshake(v.Request(t), v.At())
	var denial provider.Denial
	switch {
	case v.Expected != "valid":
		if answer != nil || err == nil {
			t.Fatalf("answered %+v: %s", answer, v.Reason)
		}
		if v.Response != nil && (!errors.As(err, &denial) || denial.Status != v.Response.Status) {
			t.Errorf("refused with %#v, want status %d", err, v.Response.Status)
		}
		return
	case err != nil || answer == nil:
		t.Fatalf("not answered: %v: %s", err, v.Reason)
	case answer.Status != v.Response.Status || answer.Body != v.Response.Body:
		t.Errorf("answered %d %q, want %d %q", answer.Status, answer.Body, v.Response.Status, v.Response.Body)
	}
	for name, want := range v.Response.Headers {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	if answer.Body != "" && answer.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("a browser may take the body for what it is not")
	}
}
