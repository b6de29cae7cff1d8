package scheme

import (
	"encoding/json"
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

// pin gives the first path that is there, else the first one, a value that it may have,
// unless it has one.
func (c *Claim) pin(to claims) {
	allowed := NonEmpty(c.Is)
	if len(allowed) == 0 {
		return
	}
	for _, text := range c.Of {
		if _, given := to[strings.Split(text, ".")[0]]; given {
			pinAt(to, strings.Split(text, "."), allowed)
			return
		}
	}
	pinAt(to, strings.Split(c.Of[0], "."), allowed)
}

func pinAt(to claims, names []string, allowed []string) {
	if len(names) == 1 {
		if !slices.Contains(allowed, to.text(names[0])) {
			to[names[0]], _ = json.Marshal(allowed[0]) // strings do not fail
		}
		return
	}
	var inner claims
	if json.Unmarshal(to[names[0]], &inner) != nil || inner == nil {
		inner = make(claims)
	}
	pinAt(inner, names[1:], allowed)
	to[names[0]], _ = json.Marshal(inner)
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
