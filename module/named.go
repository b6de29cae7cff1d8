package module

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// namedProvider makes a provider as a block of a Caddyfile would that has these
// secrets and, as name=value, these subdirectives. The value is split into words
// as in a Caddyfile, but one of several lines, such as a key, is one word. More
// values of the same subdirective are more words.
func namedProvider(name string, secrets, options []string) (provider.Provider, error) {
	if _, err := caddy.GetModule("webhook_gateway.providers." + name); err != nil {
		return nil, usageError{fmt.Errorf("no provider %q%s", name, alike(name, provider.Descriptions()))}
	}
	if name == "custom" {
		return nil, usageError{errors.New("provider custom is what a configuration says: name a source of one instead")}
	}
	block, err := providerBlock(name, secrets, options)
	if err != nil {
		return nil, usageError{err}
	}
	p := handlerParser{handler: new(Handler)}
	d := caddyfile.NewDispenser(block)
	d.Next()
	if err := p.readProvider(d); err != nil {
		return nil, usageError{err}
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	if err := p.handler.provisionProvider(ctx); err != nil {
		return nil, usageError{err}
	}
	return p.handler.provider, nil
}

// providerBlock returns the tokens of the block. Each subdirective is a file of
// its own, so that errors name it, and that it is a line of its own.
func providerBlock(name string, secrets, options []string) ([]caddyfile.Token, error) {
	const file = "--provider"
	block := []caddyfile.Token{{File: file, Line: 1, Text: "provider"}, {File: file, Line: 1, Text: name}}
	for _, secret := range secrets {
		block = append(block, caddyfile.Token{File: file, Line: 1, Text: secret})
	}
	block = append(block, caddyfile.Token{File: file, Line: 1, Text: "{"})
	var names []string
	words := make(map[string][]caddyfile.Token)
	for _, option := range options {
		name, value, found := strings.Cut(option, "=")
		if !found || strings.Trim(name, "{}") == "" {
			return nil, fmt.Errorf("--option %s: it must be <name>=<value>", name)
		}
		file := "--option " + name
		if words[name] == nil {
			names = append(names, name)
			words[name] = []caddyfile.Token{{File: file, Line: 1, Text: name}}
		}
		more, err := optionWords(value, file)
		if err != nil {
			return nil, fmt.Errorf("%s: %v", file, err)
		}
		words[name] = append(words[name], more...)
	}
	for _, name := range names {
		block = append(block, words[name]...)
	}
	return append(block, caddyfile.Token{File: "end", Line: 1, Text: "}"}), nil
}

func optionWords(value, file string) ([]caddyfile.Token, error) {
	if strings.Contains(value, "\n") && !strings.ContainsAny(value[:1], "\"`") {
		return []caddyfile.Token{{File: file, Line: 1, Text: value}}, nil
	}
	return caddyfile.Tokenize([]byte(value), file)
}
