package scheme

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
)

// Resolve replaces placeholders in secrets and refuses empty ones.
func Resolve(what string, configured []string) ([]string, error) {
	return resolve(what, configured, false)
}

// ResolveValues is Resolve for secrets each of which may be all that a header holds,
// such as Bearer and a token.
func ResolveValues(what string, configured []string) ([]string, error) {
	return resolve(what, configured, true)
}

func resolve(what string, configured []string, values bool) ([]string, error) {
	repl := caddy.NewReplacer()
	secrets := make([]string, len(configured))
	for i, text := range configured {
		var err error
		secrets[i], err = repl.ReplaceOrErr(text, true, false)
		if err != nil || strings.TrimSpace(secrets[i]) == "" {
			// A part that resolves to nothing leaves what anybody can guess.
			return nil, fmt.Errorf("%s %d %s", what, i+1, lacking(text))
		}
		if secrets[i], err = checkShape(what, text, secrets[i], values); err != nil {
			return nil, fmt.Errorf("%s %d: %w", what, i+1, err)
		}
	}
	return secrets, nil
}

// Literal returns secrets that stand in a file of secrets, as they are used. No
// placeholder is resolved there, and each secret must have a value.
func Literal(what string, written []string, values bool) ([]string, error) {
	secrets := make([]string, len(written))
	for i, text := range written {
		trimmed := strings.TrimSpace(text)
		if trimmed == "" {
			return nil, fmt.Errorf("%s %d is empty", what, i+1)
		}
		if unknownPlaceholder.MatchString(trimmed) || placeholderShape.MatchString(trimmed) {
			return nil, fmt.Errorf("%s %d looks like a placeholder, and nothing replaces one here; write the secret itself", what, i+1)
		}
		var err error
		if secrets[i], err = checkShape(what, text, text, values); err != nil {
			return nil, fmt.Errorf("%s %d: %w", what, i+1, err)
		}
	}
	return secrets, nil
}

// ParseURL reads an absolute http or https URL, in which placeholders are resolved.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(caddy.NewReplacer().ReplaceKnown(text, ""))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not a URL such as https://example.com/hook", text)
	}
	return u, nil
}

// ReadURL reads a URL. One with placeholders is checked when they are resolved.
func ReadURL(to *string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		if err := syntax.String(to)(d); err != nil || strings.Contains(*to, "{") {
			return err
		}
		_, err := ParseURL(*to)
		return syntax.At(d, err)
	}
}

// ParseHTTPS reads an absolute https URL, in which placeholders are resolved.
func ParseHTTPS(name, text string) (*url.URL, error) {
	u, err := ParseURL(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %v", name, err)
	}
	if u.User != nil {
		return nil, fmt.Errorf("%s: the URL must not contain a user name", name)
	}
	if u.Scheme != "https" {
		return nil, fmt.Errorf("%s: %q is not an https URL; over plain HTTP anybody on the way could change what is fetched", name, text)
	}
	return u, nil
}

// resolved returns an option's value with its placeholders resolved; "" if the
// option is not set.
func resolved(name, configured string) (string, error) {
	if configured == "" {
		return "", nil
	}
	values, err := Resolve(name, []string{configured})
	if err != nil {
		return "", err
	}
	return values[0], nil
}

// NonEmpty returns the values that are not empty. An option that is not set leaves
// an empty value.
func NonEmpty(values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(s string) bool { return s == "" })
}
