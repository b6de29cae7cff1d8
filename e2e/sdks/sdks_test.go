// Package sdks has the SDKs of providers prove the gateway: they sign and the
// gateway accepts, the gateway signs and they accept. It is a module of its own, so
// that the gateway depends on none of them.
package sdks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The parties have secrets of their own: what is signed with another's is refused.
const (
	theProvider = "provider" // it signs what comes to the gateway
	theApp      = "app"      // it verifies what the gateway signs
)

// trial is one SDK with its source in the gateway.
type trial struct {
	*sdk
	g                *gateway
	app              *app
	source           string // also its path
	own, ours        string // the secrets of provider and app
	key              string // the file of a private key that stands in for the provider's
	signsAgain       bool   // the route signs for the app
	proved, accepted bool   // both halves
}

func TestSDKs(t *testing.T) {
	install(t)
	g := build(t)
	n, list := startNode(t)
	list = append(list, goSDKs()...)
	app, presets := newApp(t), g.presets()
	var sources strings.Builder
	trials := make([]*trial, 0, len(list))
	for i, s := range list {
		if s.sign == nil && s.verify == nil {
			t.Errorf("%s neither signs nor verifies", s.Name)
		}
		x := newTrial(t, g, app, s, fmt.Sprint(s.Provider, "-", i), presets[s.Provider])
		trials = append(trials, x)
		sources.WriteString(x.block())
	}
	fmt.Fprintf(&sources, "webhook_gateway /examples {\nsource examples\nprovider github %s\ninsecure_http\nroute app %s\n}\n", secretOf("", theProvider), app.address)
	g.run(sources.String())
	t.Run("each", func(t *testing.T) {
		for _, x := range trials {
			t.Run(x.Provider+" "+x.Name, func(t *testing.T) {
				t.Parallel()
				x.run(t.Context(), t)
			})
		}
	})
	t.Run("examples", func(t *testing.T) { testExamples(t, g, n) })
	results(t, trials)
}

// preset is what a trial must know of a preset.
type preset struct{ Name, ID, Unsignable string }

// presets returns the gateway's, by name.
func (g *gateway) presets() map[string]preset {
	g.t.Helper()
	out, err := g.webhook("providers", "--json")
	if err != nil {
		g.t.Fatal(err)
	}
	var list []preset
	if err := json.Unmarshal(out, &list); err != nil {
		g.t.Fatalf("%v in %s", err, out)
	}
	presets := make(map[string]preset, len(list))
	for _, p := range list {
		presets[p.Name] = p
	}
	return presets
}

func newTrial(t *testing.T, g *gateway, app *app, s *sdk, source string, p preset) *trial {
	t.Helper()
	x := &trial{sdk: s, g: g, app: app, source: source, own: secretOf(s.Secret, theProvider)}
	if (p.ID != "") != (s.ID != "") {
		t.Errorf("%s has its delivery ID at %q, the preset %s at %q", s.Name, s.ID, s.Provider, p.ID)
	}
	x.signsAgain = p.Unsignable == ""
	if x.ours = x.own; x.signsAgain {
		x.ours = secretOf(s.Secret, theApp)
	}
	if s.PEM != "" {
		x.key = filepath.Join(g.dir, source+".pem")
		if err := os.WriteFile(x.key, []byte(s.PEM), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

// block returns the source in the Caddyfile.
func (x *trial) block() string {
	again := ""
	if x.signsAgain {
		again = "sign provider " + x.ours
	}
	return fmt.Sprintf("webhook_gateway /%[1]s {\nsource %[1]s\nprovider %[2]s %[3]s {\n%[4]s\n}\ninsecure_http\nroute app %[5]s {\n%[6]s\n}\n}\n",
		x.source, x.Provider, x.own, strings.Join(x.Options, "\n"), x.app.address, again)
}

// run plays one SDK, first as the provider, then as the app's.
func (x *trial) run(ctx context.Context, t *testing.T) {
	m := x.Sample
	if m == nil {
		m = x.direct(ctx, t)
	}
	m = m.clone()
	x.public(m)
	if x.sign != nil {
		x.provider(ctx, t, m)
	} else {
		defer x.send(t)()
	}
	x.delivered(ctx, t)
}

// public gives a webhook the URL that the provider calls, with its own query.
func (x *trial) public(m *message) {
	_, query, has := strings.Cut(m.URL, "?")
	if m.URL = "http://" + x.g.address + "/" + x.source; has {
		m.URL += "?" + query
	}
}

// direct has the command play the provider towards an app, which asks the SDK. It
// returns what was sent, without a proof that the gateway would accept.
func (x *trial) direct(ctx context.Context, t *testing.T) *message {
	t.Helper()
	path := "/direct/" + x.source
	args := []string{"send", "--provider", x.Provider, "--url", "http://" + x.app.address + path}
	if x.ours != "" {
		args = append(args, "--secret", secretOf(x.Secret, theApp))
	}
	for _, option := range x.Options {
		args = append(args, "--option", strings.Replace(option, " ", "=", 1))
	}
	args = append(args, x.flags()...)
	defer x.start(t, args)()
	m, err := x.app.next(path)
	if err != nil {
		t.Fatal(err)
	}
	if x.verify != nil {
		x.accepts(ctx, t, "caddy webhook send", secretOf(x.Secret, theApp), m)
	}
	return m
}

// accepts has the SDK verify a webhook, and refuse a copy that was tampered with.
func (x *trial) accepts(ctx context.Context, t *testing.T, what, secret string, m *message) {
	t.Helper()
	if err := x.verify(ctx, secret, m.clone()); err != nil {
		t.Fatalf("%s of %s refuses what comes by %s: %v\n%s %s\n%v\n%s", x.Name, x.Provider, what, err, m.Method, m.URL, m.Header, m.Body)
	}
	bad, err := m.tampered(x.Tamper)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.verify(ctx, secret, bad); err == nil || errors.Is(err, errHarness) {
		t.Fatalf("%s of %s does not refuse what comes by %s tampered with: %v\n%s", x.Name, x.Provider, what, err, bad.Body)
	}
	x.accepted = true
}

// provider has the SDK sign a webhook, and the gateway accept it and refuse a copy
// that was tampered with.
func (x *trial) provider(ctx context.Context, t *testing.T, m *message) {
	t.Helper()
	m.odd()
	if err := x.sign(ctx, x.own, m); err != nil {
		t.Fatalf("%s does not sign: %v", x.Name, err)
	}
	bad, err := m.tampered(x.Tamper)
	if err != nil {
		t.Fatal(err)
	}
	if status, answer, err := x.g.post(bad); status != http.StatusUnauthorized {
		t.Fatalf("tampered with, what %s signed gets %d %s, %v", x.Name, status, answer, err)
	}
	if status, answer, err := x.g.post(m); status != http.StatusOK {
		t.Fatalf("what %s signed gets %d %s, %v\n%v\n%s", x.Name, status, answer, err, m.Header, m.Body)
	}
	x.proved = true
}

// flags say which sample is sent, and who signs it.
func (x *trial) flags() (flags []string) {
	if x.Event != "" {
		flags = append(flags, "--event", x.Event)
	}
	if x.key != "" {
		flags = append(flags, "--private-key", x.key)
	}
	return flags
}

// start starts a command, and returns what waits for its end. What it sends may be
// too old for an SDK by then.
func (x *trial) start(t *testing.T, args []string) (wait func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := x.g.webhook(args...)
		done <- err
	}()
	return func() {
		t.Helper()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// send has the gateway refuse what it signed itself and tampered with, and starts to
// send itself a webhook.
func (x *trial) send(t *testing.T) (wait func()) {
	t.Helper()
	args := append([]string{"send", x.source, "--address", x.g.admin}, x.flags()...)
	if _, err := x.g.webhook(append(args, "--tamper")...); err != nil {
		t.Fatal(err)
	}
	return x.start(t, args)
}

// identified holds that the source's only event has the type and the ID that a
// webhook has by the vendor's documents.
func (x *trial) identified(t *testing.T, m *message) {
	t.Helper()
	events, err := x.g.events(x.source)
	if err != nil || len(events) != 1 {
		t.Fatalf("%s has the events %+v, %v; want one", x.source, events, err)
	}
	for name, at := range map[string]struct{ place, got string }{
		"event type":  {x.Type, events[0].Type},
		"delivery ID": {x.ID, events[0].DeliveryID},
	} {
		if at.place == "" {
			if strings.Contains(string(m.Body), at.got) && at.got != "" {
				t.Errorf("%s has the %s %q, want none of the webhook's own", x.source, name, at.got)
			}
			continue
		}
		want, err := m.find(at.place)
		if err != nil || want == "" || at.got != want {
			t.Errorf("%s has the %s %q, want %q (%v)", x.source, name, at.got, want, err)
		}
	}
}

// delivered holds what the gateway made of the webhook, and has the app's SDK verify
// it.
func (x *trial) delivered(ctx context.Context, t *testing.T) {
	t.Helper()
	m, err := x.app.next("/" + x.source)
	if err != nil {
		t.Fatal(err)
	}
	x.identified(t, m)
	if x.verify == nil {
		return
	}
	x.public(m)
	x.accepts(ctx, t, "the gateway", x.ours, m)
}

// testExamples sends GitHub's published payloads.
func testExamples(t *testing.T, g *gateway, n *node) {
	a, err := n.ask(t.Context(), question{Op: "examples", Secret: secretOf("", theProvider)})
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string, len(a.Examples))
	for i, e := range a.Examples {
		m := &message{Method: http.MethodPost, URL: "http://" + g.address + "/examples", Body: e.Body, Header: map[string]string{
			"content-type": "application/json", "x-hub-signature-256": e.Signature,
			"x-github-event": e.Event, "x-github-delivery": fmt.Sprint("example-", i),
		}}
		bad := m.clone()
		bad.Body[len(bad.Body)/2] ^= 1
		if status, _, err := g.post(bad); status != http.StatusUnauthorized {
			t.Errorf("%s %d, tampered with, gets %d, %v", e.Event, i, status, err)
		}
		if status, answer, err := g.post(m); status != http.StatusOK {
			t.Errorf("%s %d gets %d %s, %v", e.Event, i, status, answer, err)
		}
		want[m.get("x-github-delivery")] = e.Event
	}
	events, err := g.events("examples")
	if err != nil || len(events) != len(want) || len(want) < leastExamples {
		t.Errorf("%d events of %d examples, %v; there were %d examples", len(events), len(want), err, leastExamples)
	}
	for _, e := range events {
		if e.Type != want[e.DeliveryID] {
			t.Errorf("%s has the type %q, want %q", e.DeliveryID, e.Type, want[e.DeliveryID])
		}
	}
}
