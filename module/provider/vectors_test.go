package provider

import (
	"errors"
	"strings"
	"testing"
)

// TestVectors runs the requests in testdata/vectors.json, whose field source
// says where each comes from.
func TestVectors(t *testing.T) {
	for _, v := range readVectors(t) {
		if v.NoKey {
			continue
		}
		t.Run(v.ID, func(t *testing.T) {
			if v.Type == "handshake" {
				v.greet(t)
				return
			}
			p, err := parse(v.config(t))
			if v.ConfigError {
				if err == nil {
					t.Errorf("loads, though %s", v.Reason)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			err = v.verify(p, v.request(t))
			if valid := err == nil; valid != (v.Expected == "valid") {
				t.Errorf("got %v, want %s: %s", err, v.Expected, v.Reason)
			}
		})
	}
}

// greet holds the answer to a handshake against the one expected. Where the
// handshake needs no secret, one stands in for it.
func (v *vector) greet(t *testing.T) {
	config := v.config(t)
	if p := presetOf(v.Provider); p.NeedsSecret() && v.Secret == nil && v.options["client_ids"] == nil {
		config = strings.Replace(config, " {", " "+ownSecret+" {", 1)
	}
	answer, err := mustParse(t, config).(Handshaker).Handshake(v.request(t), v.at())
	var denial Denial
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
