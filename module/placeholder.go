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

// findValue finds the value of a placeholder in a webhook. The value exists, or the error
// says why not.
type findValue func(*subject) (string, error)

// subject is the webhook whose values are found.
type subject struct {
	input *rules.Input
	view  *rules.View
}

// plainPlaceholders have no path or name behind them.
var plainPlaceholders = map[string]func(*subject) string{
	"event":  func(s *subject) string { return s.input.Event },
	"id":     func(s *subject) string { return s.input.ID },
	"tenant": func(s *subject) string { return s.input.Tenant },
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// parsePlaceholder parses what stands between {webhook. and }.
func parsePlaceholder(name string) (findValue, error) {
	kind, rest, _ := strings.Cut(name, ".")
	switch of := plainPlaceholders[name]; {
	case of != nil:
		return func(s *subject) (string, error) {
			return existing(of(s), of(s) != "", "the webhook has no "+name)
		}, nil
	case kind == "body" && rest != "":
		value, err := rules.CompilePath(rest)
		if err != nil {
			return nil, err
		}
		return func(s *subject) (string, error) {
			text, exists, err := value.Lookup(s.view)
			if err != nil {
				return "", err
			}
			return existing(text, exists, "it is missing or null")
		}, nil
	case kind == "header" && headerName.MatchString(rest):
		key := textproto.CanonicalMIMEHeaderKey(rest)
		return func(s *subject) (string, error) {
			values := s.input.Header[key]
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

// webhookValue is the value of a placeholder, or why there is none.
type webhookValue struct {
	text string
	err  error
}

// findValues finds the values of placeholders.
func findValues(placeholders map[string]findValue, s *subject) map[string]webhookValue {
	found := make(map[string]webhookValue, len(placeholders))
	for name, find := range placeholders {
		text, err := find(s)
		if err != nil {
			err = fmt.Errorf("{webhook.%s}: %w", name, err)
		}
		found[name] = webhookValue{text, err}
	}
	return found
}

// webhookValues are the values of a webhook's placeholders during an attempt. A value
// that is not there ends the attempt when a handler asks for it.
type webhookValues struct {
	found map[string]webhookValue
	err   error           // why a value that was asked for is not there
	stop  func(error)     // ends the attempt, so that nothing is sent without the value
	path  placeholderPath // as it was rewritten last
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
	found, known := v.found[name]
	if !known {
		return "", fmt.Errorf("{webhook.%s}: it cannot stand in a route that is invoked", name)
	}
	return found.text, found.err
}

// fail ends the attempt.
func (v *webhookValues) fail(err error) {
	if v.err == nil {
		v.err = err
		v.stop(err)
	}
}

// inHeader replaces what no header may contain, as RFC 9110 has it for line breaks.
var inHeader = func() *strings.Replacer {
	var pairs []string
	for c := range rune(' ') {
		pairs = append(pairs, string(c), " ")
	}
	return strings.NewReplacer(append(pairs, "\x7f", " ")...)
}()

// valuesFor returns the values for an attempt, and the request with them in its context,
// which ends without a value that is asked for.
func (c *chain) valuesFor(req *http.Request) (*webhookValues, *http.Request, error) {
	e := req.Context().Value(eventKey{}).(*queue.Event)
	v, input := new(webhookValues), c.source.storedInput(e)
	err := makingAtOnce(req.Context(), func() {
		view := rules.NewView(input)
		defer view.Free()
		v.found = findValues(c.placeholders, &subject{input, view})
	})
	ctx, stop := context.WithCancelCause(req.Context())
	v.stop = stop
	return v, req.WithContext(context.WithValue(ctx, valuesKey{}, v)), err
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
