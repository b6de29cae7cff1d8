package module

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// placeholderError says what is wrong with a placeholder.
type placeholderError struct{ text, placeholder, reason string }

func (e *placeholderError) Error() string { return e.placeholder + ": " + e.reason }

// Why a placeholder cannot stand where it stands.
const (
	notInAddress  = "a webhook cannot choose the address that it goes to; name the upstreams, and choose one of them with matchers or map"
	notInVariable = "it cannot go into a variable, from which it could get into paths and addresses as it is; use it where it is wanted"
	notInFile     = "a webhook cannot name a file"
	notInProxy    = "it cannot stand in the rewrite of reverse_proxy; rewrite in a line before it"
	notInPath     = "in a rewrite it can stand in the new URI, its query and the method only"
)

// handlerPlaces are the fields of handlers in which no placeholder of a webhook may
// stand, "" for all fields of a handler.
var handlerPlaces = map[string]map[string]string{
	"reverse_proxy": {"upstreams": notInAddress, "dynamic_upstreams": notInAddress, "transport": notInAddress, "health_checks": notInAddress, "rewrite": notInProxy},
	"rewrite":       {"strip_path_prefix": notInPath, "strip_path_suffix": notInPath, "uri_substring": notInPath, "path_regexp": notInPath},
	"map":           {"mappings": notInVariable, "defaults": notInVariable, "destinations": notInVariable},
	"vars":          {"": notInVariable},
	"file_server":   {"": notInFile},
}

// placeholderLoader looks for the placeholders of a webhook in the configuration of
// handlers, and makes rewrites know them.
type placeholderLoader struct {
	found    map[string]findValue
	inPath   bool             // one stands in a path
	rewrites []map[string]any // of handlers
	proxied  []map[string]any // of reverse_proxy
	invokes  bool             // routes that are configured elsewhere
	err      *placeholderError
}

// loadPlaceholders returns the placeholders in the configuration of a handler, and the
// configuration with which they work. Without any, the configuration stays as it is.
func loadPlaceholders(config json.RawMessage) (json.RawMessage, map[string]findValue, error) {
	var tree any
	dec := json.NewDecoder(bytes.NewReader(config))
	dec.UseNumber()
	if config == nil || dec.Decode(&tree) != nil { // what is no JSON fails to load with a better error
		return config, nil, nil
	}
	l := &placeholderLoader{found: make(map[string]findValue)}
	l.walk(tree, "")
	if l.inPath {
		l.guardPath()
	}
	switch {
	case l.err != nil:
		return nil, nil, l.err
	case len(l.found) == 0 && !l.invokes:
		return config, nil, nil
	}
	for _, rewrite := range l.rewrites {
		rewrite["handler"] = placeholderRewriteName
	}
	config, err := json.Marshal(tree)
	return config, l.found, err
}

// walk goes through a configuration. refused says why no placeholder may stand there.
func (l *placeholderLoader) walk(node any, refused string) {
	switch n := node.(type) {
	case string:
		l.look(n, refused)
	case []any:
		for _, child := range n {
			l.walk(child, refused)
		}
	case map[string]any:
		handler, _ := n["handler"].(string)
		if handler == "webhook_gateway" { // which looks at its own
			return
		}
		switch handler {
		case "rewrite":
			l.rewrite(n)
		case placeholderRewriteName:
			l.fail("", placeholderRewriteName, "the gateway puts this handler into the place of rewrite; write that")
		}
		if proxied, ok := n["rewrite"].(map[string]any); ok && handler == "reverse_proxy" {
			l.proxied = append(l.proxied, proxied)
		}
		l.invokes = l.invokes || handler == "invoke"
		places := handlerPlaces[handler]
		for _, name := range slices.Sorted(maps.Keys(n)) {
			child, why := n[name], refused
			switch {
			case handler == "rewrite" && name == "uri":
				continue
			case places[name] != "" || places[""] != "":
				why = places[name] + places[""]
			case name == "file" && handler == "": // a matcher
				why = notInFile
			}
			l.look(name, why)
			l.walk(child, why)
		}
		if source, _ := n["source"].(string); handler == "map" && strings.Contains(source, "{"+webhookPrefix) {
			l.captures(n["mappings"], source)
		}
	}
}

// captures refuses mappings that make variables of what their expressions match in a
// placeholder.
func (l *placeholderLoader) captures(mappings any, source string) {
	list, _ := mappings.([]any)
	for _, mapping := range list {
		m, _ := mapping.(map[string]any)
		text, _ := json.Marshal(m["outputs"])
		if m["input_regexp"] != nil && bytes.ContainsRune(text, '$') {
			l.fail(source, source, notInVariable)
		}
	}
}

// look looks for placeholders in a text, as Caddy does, and returns them.
func (l *placeholderLoader) look(text, refused string) (keys []string) {
	if !strings.Contains(text, "webhook") {
		return nil
	}
	replacer := caddy.NewEmptyReplacer()
	replacer.Map(func(key string) (any, bool) {
		switch {
		case strings.HasPrefix(key, webhookPrefix), strings.HasPrefix(key, exactPrefix):
			keys = append(keys, key)
		case strings.Contains(key, "{"+webhookPrefix):
			l.fail(text, "{"+key+"}", `the brace before it opens another placeholder; write \{ for a brace`)
		}
		return "", true
	})
	replacer.ReplaceKnown(text, "")
	for _, key := range keys {
		name := strings.TrimPrefix(key, webhookPrefix)
		parsed, err := parsePlaceholder(name)
		switch {
		case err != nil:
			l.fail(text, "{"+key+"}", err.Error())
		case refused != "":
			l.fail(text, "{"+key+"}", refused)
		}
		l.found[name] = parsed
	}
	return keys
}

func (l *placeholderLoader) fail(text, placeholder, reason string) {
	if l.err == nil {
		l.err = &placeholderError{text, placeholder, reason}
	}
}

// rewrite has a rewrite know the placeholders of its URI: in the path as segments, in
// the query with their line breaks, which Caddy encodes there.
func (l *placeholderLoader) rewrite(handler map[string]any) {
	l.rewrites = append(l.rewrites, handler)
	uri, _ := handler["uri"].(string)
	keys := l.look(uri, "")
	slices.SortFunc(keys, func(a, b string) int { return len(b) - len(a) })
	path := uri
	for _, key := range keys {
		path = strings.ReplaceAll(path, "{"+key+"}", segmentToken(strings.TrimPrefix(key, webhookPrefix)))
	}
	path, query, hasQuery := strings.Cut(path, "?")
	if l.inPath = l.inPath || strings.Contains(path, segmentPrefix); hasQuery {
		path += "?" + replaceTokens(query, func(name string) string { return "{" + exactPrefix + name + "}" })
	}
	if uri != "" {
		handler["uri"] = path
	}
}

// guardPath refuses what would take a path apart that has placeholders.
func (l *placeholderLoader) guardPath() {
	for _, rewrite := range l.rewrites {
		for name, what := range map[string]string{"uri_substring": "replace", "path_regexp": "path_regexp"} {
			if rewrite[name] != nil {
				l.fail(what, "uri "+what, "it cannot stand beside a path with {webhook.…}, since it could cut the value; write the whole path in the rewrite")
			}
		}
	}
	for _, rewrite := range l.proxied {
		uri, _ := rewrite["uri"].(string)
		for name := range rewrite {
			if name != "method" {
				l.fail(uri, "rewrite", "reverse_proxy cannot rewrite a path with {webhook.…}; rewrite in a line before it")
			}
		}
	}
}

// checkPlaceholders refuses a placeholder that is wrong in a forward, and names its line
// among the tokens. Where none has it, the line is the one that d stands on.
func checkPlaceholders(config json.RawMessage, tokens, d *caddyfile.Dispenser) error {
	_, _, err := loadPlaceholders(config)
	var wrong *placeholderError
	if !errors.As(err, &wrong) {
		return err
	}
	for _, text := range []string{wrong.text, wrong.placeholder} {
		tokens.Reset()
		for tokens.Next() {
			if text != "" && strings.Contains(tokens.Val(), text) {
				return tokens.WrapErr(wrong)
			}
		}
	}
	return d.WrapErr(wrong)
}
