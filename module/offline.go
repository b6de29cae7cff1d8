package module

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// readSource reads a source out of a configuration. Nothing of it is provisioned.
func readSource(configFile, adapter, name string) (*Handler, error) {
	config, _, _, err := caddycmd.LoadConfig(configFile, adapter)
	if err != nil {
		return nil, err
	}
	var tree any
	dec := json.NewDecoder(bytes.NewReader(config))
	dec.UseNumber() // durations are too long for a float
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("reading configuration: %v", err)
	}
	sources := make(map[string]*Handler)
	if err := collectSources(tree, sources); err != nil {
		return nil, err
	}
	h := sources[name]
	if h == nil {
		return nil, fmt.Errorf("the configuration has no source %s; it has %d others", name, len(sources))
	}
	h.Source = name
	h.app, err = readApp(config)
	return h, err
}

// readApp reads where the gateway keeps its queue, and opens nothing.
func readApp(config []byte) (*App, error) {
	var tree struct {
		Apps struct {
			Gateway *App `json:"webhook_gateway"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(config, &tree); err != nil {
		return nil, fmt.Errorf("reading configuration: %v", err)
	}
	app := tree.Apps.Gateway
	if app == nil {
		app = new(App)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	return app, app.loadBackend(ctx)
}

// collectSources finds the sources wherever they stand in a configuration.
func collectSources(tree any, found map[string]*Handler) error {
	switch node := tree.(type) {
	case []any:
		for _, child := range node {
			if err := collectSources(child, found); err != nil {
				return err
			}
		}
	case map[string]any:
		if node["handler"] == "webhook_gateway" {
			raw, err := json.Marshal(node)
			if err != nil {
				return err
			}
			h := new(Handler)
			if err := json.Unmarshal(raw, h); err != nil {
				return fmt.Errorf("reading source: %v", err)
			}
			found[cmp.Or(h.Source, inlineName(h.ProviderRaw))] = h
		}
		for _, child := range node {
			if err := collectSources(child, found); err != nil {
				return err
			}
		}
	}
	return nil
}

// provisionOffline makes ready what Evaluate needs, nothing else.
func (h *Handler) provisionOffline() error {
	h.logger = zap.NewNop()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	if err := h.provisionProvider(ctx); err != nil {
		return fmt.Errorf("source %s: %w", h.Source, err)
	}
	return h.provisionSteps()
}

// provisionSecretless does the same with any secrets in place of those that this
// machine does not have.
func (h *Handler) provisionSecretless() (err error) {
	if h.ProviderRaw, err = withSecrets(h.ProviderRaw); err != nil {
		return err
	}
	return h.provisionOffline()
}

// provisionSteps makes the steps ready that come after the provider.
func (h *Handler) provisionSteps() error {
	h.MaxBody = cmp.Or(h.MaxBody, h.profile.MaxBody)
	h.provisionResponse()
	for _, route := range h.Routes {
		if err := route.compile(); err != nil {
			return fmt.Errorf("route %s: %v", route.Name, err)
		}
	}
	return h.provisionIdentity()
}

// useDelivered has the provider use the secrets that handshakes delivered.
func (h *Handler) useDelivered() error {
	p, ok := h.provider.(provider.Enroller)
	if !ok || !p.Enrolls() {
		return nil
	}
	h.enrolment = &enrolment{path: h.deliveredPath(), users: make(map[provider.Enroller]struct{})}
	return h.enrolment.attach(p)
}

// namedSource makes a source of nothing but a provider, as namedProvider makes
// that.
func namedSource(name string, secrets, options []string) (*Handler, error) {
	p, err := namedProvider(name, secrets, options)
	if err != nil {
		return nil, err
	}
	h := &Handler{Source: name, providerName: name, logger: zap.NewNop()}
	h.use(p)
	return h, h.provisionSteps()
}

// anySecret stands in for secrets that this machine does not have: rules do
// not ask for them. It is good as text, as hex and as base64.
var anySecret = strings.Repeat("0", 64)

// withSecrets replaces placeholders that have no value here.
func withSecrets(raw json.RawMessage) (json.RawMessage, error) {
	var tree any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&tree); err != nil {
		return nil, errors.New("it has no provider")
	}
	repl := caddy.NewReplacer()
	var fill func(any) any
	fill = func(value any) any {
		switch v := value.(type) {
		case string:
			if _, err := repl.ReplaceOrErr(v, true, false); err != nil {
				return anySecret
			}
		case []any:
			for i := range v {
				v[i] = fill(v[i])
			}
		case map[string]any:
			for name := range v {
				v[name] = fill(v[name])
			}
		}
		return value
	}
	return json.Marshal(fill(tree))
}
