package provider

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
)

// Common is what can be configured for every provider.
type Common struct {
	// The secrets that the provider may sign with; any may match, which allows
	// rotation. Placeholders such as {env.X} and {file./run/secrets/x} are
	// resolved when the configuration loads. The first one signs.
	Secrets []string `json:"secrets,omitempty"`

	// How old, or how far in the future, a timestamp may be. Default: what the
	// provider's preset says. A negative value switches the check off.
	Tolerance caddy.Duration `json:"tolerance,omitempty"`

	// The public URL that the provider calls, for schemes that sign it.
	ExternalURL string `json:"external_url,omitempty"`

	// A token that guards the source, on top of what the provider proves.
	Token *Token `json:"token,omitempty"`

	Keys

	secrets   []string
	tolerance time.Duration
	external  *url.URL
	oneSecret bool // the first secret makes all proofs
}

// provision resolves secrets and URL.
func (c *Common) provision(defaultTolerance time.Duration) (err error) {
	if c.secrets, err = resolve("secret", c.Secrets); err != nil {
		return err
	}
	switch {
	case c.Tolerance > 0:
		c.tolerance = time.Duration(c.Tolerance)
	case c.Tolerance == 0:
		c.tolerance = defaultTolerance
	}
	if c.ExternalURL != "" {
		if c.external, err = parseURL(c.ExternalURL); err != nil {
			return fmt.Errorf("external_url: %v", err)
		}
	}
	if c.Token == nil {
		return nil
	}
	tokens, err := resolve("token", c.Token.Secrets)
	if err != nil {
		return err
	}
	if len(tokens) == 0 {
		return fmt.Errorf("token needs a secret")
	}
	return c.Token.provision(&Common{secrets: tokens})
}

// resolve replaces placeholders in secrets and refuses empty ones.
func resolve(what string, configured []string) ([]string, error) {
	repl := caddy.NewReplacer()
	secrets := make([]string, len(configured))
	for i, text := range configured {
		var err error
		secrets[i], err = repl.ReplaceOrErr(text, true, false)
		switch {
		case err != nil || strings.TrimSpace(secrets[i]) == "":
			// A part that resolves to nothing leaves what anybody can guess.
			return nil, fmt.Errorf("%s %d is empty: %q has no value", what, i+1, text)
		case secrets[i] == text && unknownPlaceholder.MatchString(text):
			return nil, fmt.Errorf("%s %d: there is no placeholder %s", what, i+1, text)
		}
	}
	return secrets, nil
}

// unknownPlaceholder is what is left of a placeholder that Caddy does not know.
// As a secret it would be one that anybody can guess.
var unknownPlaceholder = regexp.MustCompile(`^\{[a-z_]+\.[^{}]+\}$`)

// parseURL reads an absolute http or https URL, in which placeholders are resolved.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(caddy.NewReplacer().ReplaceKnown(text, ""))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not a URL such as https://example.com/hook", text)
	}
	return u, nil
}

// checkTolerance refuses a tolerance where nothing carries the time. With a
// scheme, its requests would all be refused.
func (c *Common) checkTolerance(carriesTime bool) error {
	if c.Tolerance > 0 && !carriesTime {
		return errors.New("tolerance has no meaning here: the provider sends no timestamp")
	}
	return nil
}

// verifyToken checks the guarding token, if there is one. It matches for the
// time being: the provider's own secrets come after it.
func (c *Common) verifyToken(r *Request, now time.Time) error {
	if c.Token == nil {
		return nil
	}
	return c.Token.verify(r, now)
}

// stripToken cuts the guarding token, if there is one, from the URL.
func (c *Common) stripToken(r *Request) {
	if c.Token != nil {
		c.Token.strip(r)
	}
}

// guard tells a profile what the guarding token means for it.
func (c *Common) guard(p *Profile) {
	if c.Token == nil {
		return
	}
	p.Secrets = len(c.Token.secrets)
	c.Token.profile(p)
}

// options returns the readers of the subdirectives that every provider has.
func (c *Common) options() syntax.Options {
	return syntax.Options{
		"secret": func(d *caddyfile.Dispenser) error {
			if len(c.Secrets) > 0 {
				return d.Err("the provider's secrets are given twice; several of them go on one line")
			}
			return syntax.Strings(&c.Secrets)(d)
		},
		"tolerance":    c.readTolerance,
		"external_url": readURL(&c.ExternalURL),
		"token": func(d *caddyfile.Dispenser) error {
			c.Token = new(Token)
			return c.Token.read(d)
		},
	}
}

// readURL reads a URL. One with placeholders is checked when they are resolved.
func readURL(to *string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		if err := syntax.String(to)(d); err != nil || strings.Contains(*to, "{") {
			return err
		}
		_, err := parseURL(*to)
		return syntax.At(d, err)
	}
}

func (c *Common) readTolerance(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	if d.Val() == "off" {
		c.Tolerance = -1
		return syntax.End(d)
	}
	tolerance, err := syntax.ParseDuration(d)
	if err != nil {
		return err
	}
	c.Tolerance = tolerance
	return syntax.End(d)
}

// read reads the arguments of a token line:
//
//	token header|query|json|form <name> <secret>...
//	token path <secret>...
func (t *Token) read(d *caddyfile.Dispenser) error {
	if err := t.readPlace(d); err != nil {
		return err
	}
	if t.Secrets == nil {
		return d.Errf("token %s needs %s", t.In, map[bool]string{true: "a secret", false: "a name and a secret"}[t.In == "path"])
	}
	return nil
}

// readPlace reads where a token stands, and its secrets if there are any.
func (t *Token) readPlace(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	t.In, args = args[0], args[1:]
	switch {
	case !slices.Contains(tokenPlaces, t.In):
		return d.Errf("token stands in header, query, path, json or form, not in %q", t.In)
	case t.In != "path" && len(args) == 0:
		return d.Errf("token %s needs a name", t.In)
	case t.In != "path":
		t.Name, args = args[0], args[1:]
	}
	if len(args) > 0 {
		t.Secrets = args
	}
	return nil
}
