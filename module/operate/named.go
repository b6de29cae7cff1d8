package operate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// namedSource makes a source of a provider as a block of a Caddyfile would that has
// these secrets and, as name=value, these subdirectives. A value is one word or, where
// that is not what the subdirective takes, several as in a Caddyfile. More values
// of the same subdirective are more words.
func namedSource(name string, secrets, options []string) (*module.Handler, error) {
	if _, err := caddy.GetModule("webhook_gateway.providers." + name); err != nil {
		return nil, usageError{fmt.Errorf("no provider %q%s", name, alike(name, provider.Descriptions()))}
	}
	if name == "custom" {
		return nil, usageError{errors.New("provider custom is what a configuration says: name a source of one instead")}
	}
	h, err := namedBy(oneWord, name, secrets, options)
	if err != nil && strings.ContainsAny(strings.Join(options, ""), " \t\n\"`") {
		h, err = namedBy(caddyfile.Tokenize, name, secrets, options)
	}
	if err != nil {
		return nil, usageError{err}
	}
	return h, nil
}

// namedBy makes the source with one way to cut values into words.
func namedBy(words func(value []byte, file string) ([]caddyfile.Token, error), name string, secrets, options []string) (*module.Handler, error) {
	block, err := providerBlock(words, name, secrets, options)
	if err != nil {
		return nil, err
	}
	return module.NewSource(caddyfile.NewDispenser(block))
}

func oneWord(value []byte, file string) ([]caddyfile.Token, error) {
	if len(value) == 0 {
		return nil, nil
	}
	return []caddyfile.Token{{File: file, Line: 1, Text: string(value)}}, nil
}

// providerBlock returns the tokens of the block. Each subdirective is a file of
// its own, so that errors name it, and that it is a line of its own.
func providerBlock(cut func([]byte, string) ([]caddyfile.Token, error), name string, secrets, options []string) ([]caddyfile.Token, error) {
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
		more, err := cut([]byte(value), file)
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
