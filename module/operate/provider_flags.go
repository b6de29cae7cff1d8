package operate

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// providerFlags are the flags of a command that describe a provider.
type providerFlags struct {
	name    string
	secrets []string
	lines   []string // of the provider's block, as name=value
}

// add adds the flags to a command.
func (f *providerFlags) add(cmd *cobra.Command, usage string) {
	cmd.Flags().StringVar(&f.name, "provider", "", usage)
	cmd.Flags().StringArrayVar(&f.secrets, "secret", nil, "A `secret` of the provider; repeatable, and the first one signs")
	cmd.Flags().StringArrayVar(&f.lines, "option", nil, "A line of the provider's block, as `name=value`; repeatable")
}

// given reports whether there are secrets or options.
func (f *providerFlags) given() bool { return f.secrets != nil || f.lines != nil }

// addPublicKey adds the public half of a private key, where the provider takes one and none
// is given: it verifies nothing here, but presets ask for it.
func (f *providerFlags) addPublicKey(private []byte) {
	const name = "public_key"
	key, err := provider.ParseSigningKey(private)
	if err != nil || slices.ContainsFunc(f.lines, func(line string) bool { return strings.HasPrefix(line, name+"=") }) {
		return
	}
	for _, d := range provider.Descriptions() {
		if d.Name == f.name && slices.ContainsFunc(d.Options, func(o provider.Option) bool { return o.Name == name }) {
			f.lines = append(slices.Clone(f.lines), name+"="+key.PublicText())
		}
	}
}

// urlFlag reads the value of the flag --url.
func urlFlag(text string) (*url.URL, error) {
	u, ok := httpURL(text)
	if !ok {
		return nil, fmt.Errorf("--url %q is not a URL such as https://example.com/hook", text)
	}
	return u, nil
}

// newSource makes a source of the provider, as a block of a Caddyfile would that
// has these secrets and, as subdirectives, these lines. The value of a line is one
// word or, where the subdirective takes something else, several as in a Caddyfile.
// More values of the same subdirective are more words.
func (f *providerFlags) newSource() (*module.Handler, error) {
	if _, err := caddy.GetModule("webhook_gateway.providers." + f.name); err != nil {
		return nil, usageError{fmt.Errorf("no provider %q%s", f.name, alike(f.name, provider.Descriptions()))}
	}
	if f.name == "custom" {
		return nil, usageError{errors.New("provider custom is what a configuration says: name a source of one instead")}
	}
	h, err := f.sourceOf(oneWord)
	if err != nil && strings.ContainsAny(strings.Join(f.lines, ""), " \t\n\"`") {
		h, err = f.sourceOf(caddyfile.Tokenize)
	}
	if err != nil {
		return nil, usageError{err}
	}
	return h, nil
}

// cutter cuts a value into words.
type cutter func(value []byte, file string) ([]caddyfile.Token, error)

// sourceOf makes the source with one way to cut values into words.
func (f *providerFlags) sourceOf(cut cutter) (*module.Handler, error) {
	block, err := f.block(cut)
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

// block returns the tokens of the block. Each subdirective is a file of its own,
// so that errors name the subdirective, and that it is a line of its own.
func (f *providerFlags) block(cut cutter) ([]caddyfile.Token, error) {
	const file = "--provider"
	block := []caddyfile.Token{{File: file, Line: 1, Text: "provider"}, {File: file, Line: 1, Text: f.name}}
	for _, secret := range f.secrets {
		block = append(block, caddyfile.Token{File: file, Line: 1, Text: secret})
	}
	block = append(block, caddyfile.Token{File: file, Line: 1, Text: "{"})
	var names []string
	words := make(map[string][]caddyfile.Token)
	for _, option := range f.lines {
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
