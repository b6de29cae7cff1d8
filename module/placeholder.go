package module

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"regexp"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// What a placeholder of a webhook begins with: one for anything, and one whose value
// keeps its line breaks, which only the gateway itself writes.
const webhookPrefix, exactPrefix = "webhook.", "webhook:"

// knownPlaceholders are the placeholders that there are.
const knownPlaceholders = "{webhook.event}, {webhook.id}, {webhook.tenant}, {webhook.body.<path>}, {webhook.header.<name>}"

// maxPlaceholder is how long the value of a placeholder may be.
const maxPlaceholder = 8 << 10

// findValue finds a value in a webhook. The value exists, or the error says why not.
type findValue func(*webhookValues) (string, error)

// plainPlaceholders have no path or name behind them.
var plainPlaceholders = map[string]func(*rules.Input) string{
	"event":  func(in *rules.Input) string { return in.Event },
	"id":     func(in *rules.Input) string { return in.ID },
	"tenant": func(*rules.Input) string { return "" },
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// parsePlaceholder parses what stands between {webhook. and }.
func parsePlaceholder(name string) (findValue, error) {
	kind, rest, _ := strings.Cut(name, ".")
	switch of := plainPlaceholders[name]; {
	case of != nil:
		return func(v *webhookValues) (string, error) {
			return existing(of(v.input), of(v.input) != "", "the webhook has no "+name)
		}, nil
	case kind == "body" && rest != "":
		value, err := rules.CompilePath(rest)
		if err != nil {
			return nil, err
		}
		return func(v *webhookValues) (string, error) {
			text, exists, err := value.Lookup(v.view)
			if err != nil {
				return "", err
			}
			return existing(text, exists, "it is missing or null")
		}, nil
	case kind == "header" && headerName.MatchString(rest):
		key := textproto.CanonicalMIMEHeaderKey(rest)
		return func(v *webhookValues) (string, error) {
			values := v.input.Header[key]
			return existing(strings.Join(values[:min(len(values), 1)], ""), len(values) > 0, "the webhook has no such header")
		}, nil
	}
	return nil, errors.New("unknown placeholder; known here: " + knownPlaceholders)
}

func existing(text string, exists bool, otherwise string) (string, error) {
	switch {
	case !exists:
		return "", errors.New(otherwise)
	case len(text) > maxPlaceholder:
		return "", fmt.Errorf("it is longer than %d bytes", maxPlaceholder)
	}
	return text, nil
}

// webhookValues are the values of a webhook's placeholders during an attempt.
type webhookValues struct {
	placeholders map[string]findValue
	input        *rules.Input
	view         *rules.View
	err          error           // why a value is not there
	stop         func(error)     // ends the attempt, so that nothing is sent without the value
	path         placeholderPath // as it was rewritten last
}

// get implements caddy.ReplacerFunc.
func (v *webhookValues) get(key string) (any, bool) {
	name, exact := strings.CutPrefix(key, exactPrefix)
	if !exact {
		name = strings.TrimPrefix(key, webhookPrefix)
	}
	if name == key {
		return nil, false
	}
	text, err := v.value(name)
	switch {
	case err != nil:
		v.fail(err)
	case !exact:
		text = inHeader.Replace(text)
	}
	return text, true
}

// value returns the value of a placeholder.
func (v *webhookValues) value(name string) (string, error) {
	if v.view == nil {
		return "", nil // the attempt is over
	}
	find := v.placeholders[name]
	if find == nil {
		return "", fmt.Errorf("{webhook.%s}: it cannot stand in a route that is invoked", name)
	}
	text, err := find(v)
	if err != nil {
		return "", fmt.Errorf("{webhook.%s}: %w", name, err)
	}
	return text, nil
}

// fail ends the attempt.
func (v *webhookValues) fail(err error) {
	if v.err == nil {
		v.err = err
		v.stop(err)
	}
}

func (v *webhookValues) free() {
	v.stop(nil)
	v.view.Free()
	v.view = nil
}

// inHeader replaces what no header may contain, as RFC 9110 has it for line breaks.
var inHeader = func() *strings.Replacer {
	var pairs []string
	for c := range rune(' ') {
		pairs = append(pairs, string(c), " ")
	}
	return strings.NewReplacer(append(pairs, "\x7f", " ")...)
}()

// valuesFor returns the values for an attempt, and the request with them in its context.
// That ends without a value that is wanted.
func (c *chain) valuesFor(req *http.Request) (*webhookValues, *http.Request) {
	e := req.Context().Value(eventKey{}).(*queue.Event)
	ctx, cancel := context.WithCancelCause(req.Context())
	v := &webhookValues{placeholders: c.placeholders, input: c.source.storedInput(e), stop: cancel}
	v.view = rules.NewView(v.input)
	return v, req.WithContext(context.WithValue(ctx, valuesKey{}, v))
}

// eventKey is the key of the stored event in the context of an attempt whose handlers
// have placeholders.
type eventKey struct{}

// valuesKey is the key of the webhookValues in the context of an attempt.
type valuesKey struct{}

func valuesOf(ctx context.Context) *webhookValues {
	v, _ := ctx.Value(valuesKey{}).(*webhookValues)
	return v
}
