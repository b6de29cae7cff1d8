package scheme

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
)

// Claim is what a token must say.
type Claim struct {
	// The paths of the claim, such as iss or data.bundleId. The first one that is there
	// counts.
	Of []string `json:"of,omitempty"`

	// The values that it may have. Empty ones do not count. Default: any.
	Is []string `json:"is,omitempty"`

	paths []payload.Path
}

func (c *Claim) compile() error {
	c.paths = nil
	for _, text := range c.Of {
		path, err := payload.ParsePath(text)
		if err == nil && !path.Single() {
			err = fmt.Errorf("path %q leads to several values", text)
		}
		if err != nil {
			return fmt.Errorf("claim: %w", err)
		}
		c.paths = append(c.paths, path)
	}
	if len(c.paths) == 0 {
		return fmt.Errorf("claim needs a path, and the values that it may have")
	}
	return nil
}

// holds reports whether a token says what it must.
func (c *Claim) holds(root payload.Value) bool {
	allowed := NonEmpty(c.Is)
	if len(allowed) == 0 {
		return true
	}
	for i := range c.paths {
		value, err := c.paths[i].Find(root)
		if err != nil {
			return false
		}
		if value.Exists() {
			return value.Kind() == payload.String && slices.Contains(allowed, value.Text())
		}
	}
	return false
}

// checkPinned holds a token against the claims that are pinned.
func (j *JWT) checkPinned(text []byte) error {
	if len(j.Claims) == 0 {
		return nil
	}
	var said payload.JSON
	if said.Parse(text, payload.MaxDepth) != nil {
		return Malformed
	}
	for i := range j.Claims {
		if !j.Claims[i].holds(said.Root()) {
			return Foreign
		}
	}
	return nil
}

// readClaim reads a claim that is pinned. Syntax:
//
//	claim <path>[,<path>...] <value>...
func (j *JWT) readClaim(d *caddyfile.Dispenser) error {
	var args []string
	if err := syntax.Strings(&args)(d); err != nil {
		return err
	}
	if len(args) < 2 {
		return d.ArgErr()
	}
	claim := Claim{Of: strings.Split(args[0], ","), Is: args[1:]}
	j.Claims = append(j.Claims, claim)
	return syntax.At(d, claim.compile())
}
