package module

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// ReadSource makes a source of a configuration ready for Evaluate, with the
// secrets that handshakes delivered. Nothing is started, and no queue is opened.
func ReadSource(configFile, adapter, name string) (*Handler, error) {
	h, err := findSource(configFile, adapter, name)
	if err != nil {
		return nil, err
	}
	if err := h.provisionOffline(); err != nil {
		return nil, fmt.Errorf("source %s: %w", name, err)
	}
	if h.tenants != nil {
		if err := h.readTenants(); err != nil {
			return nil, fmt.Errorf("source %s: %w", name, err)
		}
	}
	return h, h.useDelivered()
}

// ReadRules does the same for a machine that need not have the secrets: Evaluate
// can look for event type, delivery ID and routes.
func ReadRules(configFile, adapter, name string) (*Handler, error) {
	h, err := findSource(configFile, adapter, name)
	if err != nil {
		return nil, err
	}
	if h.ProviderRaw, err = withSecrets(h.ProviderRaw); err != nil {
		return nil, err
	}
	if err := h.provisionOffline(); err != nil {
		return nil, fmt.Errorf("source %s: %w", name, err)
	}
	return h, nil
}

// NewSource makes a source ready for Evaluate that has nothing but a provider,
// given as a line or block of a Caddyfile that begins with the word provider.
func NewSource(d *caddyfile.Dispenser) (*Handler, error) {
	d.Next() // provider
	p := handlerParser{handler: new(Handler)}
	if err := p.readProvider(d); err != nil {
		return nil, err
	}
	return p.handler, p.handler.provisionOffline()
}

// NamesAPI reports whether the configuration of the provider names an API to
// call. Only sources that ReadSource or NewSource made can tell.
func (h *Handler) NamesAPI() bool { return h.namesAPI }

// findSource finds a source in a configuration. Nothing of it is provisioned.
func findSource(configFile, adapter, name string) (*Handler, error) {
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
	if h.server, err = findServer(config, name); err != nil {
		return nil, err
	}
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
	h.logger, h.namesAPI = zap.NewNop(), namesAPI(h.ProviderRaw)
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	if err := h.provisionProvider(ctx); err != nil {
		return err
	}
	h.MaxBody = cmp.Or(h.MaxBody, h.profile.MaxBody)
	h.provisionResponse()
	for _, route := range h.Routes {
		if err := route.compile(); err != nil {
			return fmt.Errorf("route %s: %v", route.Name, err)
		}
	}
	if h.Tenant != "" {
		if err := h.checkTenants(h.provider); err != nil {
			return err
		}
		var err error
		if h.tenants, err = h.newTenants(); err != nil {
			return err
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
	h.enrollment = &enrollment{path: h.deliveredPath(), users: make(map[provider.Enroller]struct{})}
	if h.tenants != nil {
		p = nil
	}
	return h.enrollment.attach(p)
}

// namesAPI reports whether a provider's configuration names an API to call.
func namesAPI(raw json.RawMessage) bool {
	var tree any
	if json.Unmarshal(raw, &tree) != nil {
		return false
	}
	var names func(node any) bool
	names = func(node any) bool {
		fields, _ := node.(map[string]any)
		if fields["api_url"] != nil || fields["keys_url"] != nil {
			return true
		}
		for child := range maps.Values(fields) {
			if names(child) {
				return true
			}
		}
		return false
	}
	return names(tree)
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
