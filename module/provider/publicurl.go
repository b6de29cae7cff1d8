package provider

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// ofRequest is what placeholders begin with that only a request has a value for.
const ofRequest = "{http."

// provisionURLs reads the public URLs. A single one without placeholders of the request
// is given to the schemes; of others the proof tells which one was called.
func (c *Common) provisionURLs() (err error) {
	c.publics = nil
	texts := slices.DeleteFunc(append([]string{c.ExternalURL}, c.ExternalURLs...), func(text string) bool { return text == "" })
	for _, text := range texts {
		u, err := parsePublic(text)
		if err != nil {
			return fmt.Errorf("external_url: %v", err)
		}
		c.publics = append(c.publics, u)
	}
	if len(c.publics) == 1 && c.publics[0].fixed != nil {
		c.resolved.External, c.publics = c.publics[0].fixed, nil
	}
	return nil
}

// public is a public URL: a fixed one, or a text with placeholders of the request.
type public struct {
	fixed *url.URL
	text  string
}

func parsePublic(text string) (p public, err error) {
	if strings.Contains(text, ofRequest) {
		if !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://") && !strings.HasPrefix(text, ofRequest) {
			return p, fmt.Errorf("%q is not a URL such as https://example.com/hook", text)
		}
		return public{text: text}, nil
	}
	p.fixed, err = scheme.ParseURL(text)
	return p, err
}

// of returns the URL of a request; nil if its placeholders make none.
func (p public) of(r *template.Request) *url.URL {
	if p.fixed != nil {
		return r.PublicURL(p.fixed)
	}
	if r.Expand == nil {
		return nil
	}
	u, err := scheme.ParseURL(r.Expand(p.text))
	if err != nil {
		return nil
	}
	return r.PublicURL(u)
}

// called returns the URLs at which the provider may have called, nil if that is known.
func (c *Common) called(r *template.Request) (urls []*url.URL) {
	if r.Public == nil {
		return nil
	}
	for _, p := range c.publics {
		if u := p.of(r); u != nil {
			urls = append(urls, u)
		}
	}
	return urls
}

// verifyCalled verifies the proofs with each URL at which the provider may have called.
// Some providers sign the URL as it was given to them, without the slash of an empty
// path. The error is the one of the first URL.
func (is *ready) verifyCalled(r *template.Request, now time.Time) error {
	urls := is.common.called(r)
	if len(urls) == 0 && r.Public != nil {
		urls = []*url.URL{r.Public}
	}
	if len(urls) == 0 {
		return is.proofs.verify(r, now)
	}
	var refused error
	for _, u := range urls {
		r.Public = u
		err := is.proofs.verify(r, now)
		if err != nil && u.Path == "/" && is.profile.SignsURL {
			bare := *u
			bare.Path, bare.RawPath = "", ""
			if r.Public = &bare; is.proofs.verify(r, now) == nil {
				err = nil
			}
		}
		if err == nil {
			return nil
		}
		if refused == nil {
			refused = err
		}
	}
	r.Public = urls[0]
	return refused
}

// chooseCalled has a request that is signed be one to a public URL.
func (c *Common) chooseCalled(r *template.Request) {
	urls := c.called(r)
	if len(urls) > 0 && !slices.ContainsFunc(urls, func(u *url.URL) bool { return u.String() == r.Public.String() }) {
		r.Public = urls[0]
	}
}

// readExternalURLs reads the public URLs. One with placeholders is checked when they are
// resolved.
func (c *Common) readExternalURLs(d *caddyfile.Dispenser) error {
	var texts []string
	if err := syntax.Strings(&texts)(d); err != nil {
		return err
	}
	for _, text := range texts {
		if strings.Contains(text, "{") {
			continue
		}
		if _, err := scheme.ParseURL(text); err != nil {
			return syntax.At(d, err)
		}
	}
	c.ExternalURL, c.ExternalURLs = texts[0], texts[1:]
	if len(c.ExternalURLs) == 0 {
		c.ExternalURLs = nil
	}
	return nil
}
