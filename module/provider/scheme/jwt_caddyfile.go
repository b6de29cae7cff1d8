package scheme

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// readBodyHash reads which claim has the hash of the body. Syntax:
//
//	body_hash <claim> [hex|base64|base64url] [optional]
func (j *JWT) readBodyHash(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	j.BodyHash, args = args[0], args[1:]
	if len(args) > 0 && slices.Contains(template.Encodings, args[0]) {
		j.HashEncoding, args = args[0], args[1:]
	}
	if len(args) > 0 && args[0] == "optional" {
		j.HashOptional, args = true, args[1:]
	}
	if len(args) > 0 {
		return d.Errf("body_hash wants: <claim> [%s] [optional]", strings.Join(template.Encodings, "|"))
	}
	return nil
}

// Read implements Scheme. Syntax:
//
//	jwt <algorithm>... {
//		header    <name>
//		field     <name>            # of a JSON body, instead of header
//		from      <template>        # instead of either
//		bare                        # in Authorization, without Bearer
//		key       raw|hex|base64
//		issuer    <iss>
//		audience  <aud>
//		body_hash <claim> [hex|base64|base64url] [optional]
//		url_hash  <claim>
//		keys_from plaid
//		claim     <path>[,<path>...] <value>...
//		issued    <claim>           # of milliseconds
//		chain     [<oid>...]
//		detached  <template>
//	}
func (j *JWT) Read(d *caddyfile.Dispenser, options syntax.Options) error {
	j.Algorithms = d.RemainingArgs()
	return readBlock(d, options, syntax.Options{
		"header":    readHeader(&j.From),
		"field":     j.readField,
		"from":      readFrom(&j.From),
		"bare":      syntax.Flag(&j.Bare),
		"key":       syntax.OneOf(&j.Key, "raw", "hex", "base64"),
		"issuer":    syntax.String(&j.Issuer),
		"audience":  syntax.String(&j.Audience),
		"url_hash":  syntax.String(&j.URLHash),
		"body_hash": j.readBodyHash,
		"keys_from": syntax.String(&j.KeysFrom),
		"claim":     j.readClaim,
		"issued":    syntax.String(&j.Issued),
		"detached":  templates(func(text string) { j.Detached = text }, true),
		"chain": func(d *caddyfile.Dispenser) error {
			j.X5C = &keys.X5C{OIDs: d.RemainingArgs()}
			return syntax.At(d, j.X5C.Check())
		},
	})
}

// readField reads the field of a JSON body that carries the token.
func (j *JWT) readField(d *caddyfile.Dispenser) error {
	if j.From != "" {
		return d.Err("jwt stands in a header or in a field of the body, not in both")
	}
	var name string
	if err := syntax.String(&name)(d); err != nil {
		return err
	}
	j.From = template.Of("json", name)
	return nil
}
