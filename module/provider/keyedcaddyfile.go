package provider

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
)

// keyedOptions returns the readers of the custom provider's schemes that verify
// with public keys or with tokens of claims, and of the keys. Syntax:
//
//	ed25519 {
//		header     <name>
//		value      <template>...
//		encoding   base64|base64url|hex
//		signed     <template>
//		timestamp  header <name> [unix|unix_ms|rfc3339]
//		timestamp  value [unix|unix_ms|rfc3339]
//		public_key <key>...
//		keys_url   <url>
//	}
//	ecdsa [<hash>] {
//		…           # as in ed25519
//		format asn1|raw
//	}
//	rsa [<hash>] {
//		…           # as in ed25519
//		padding pkcs1|pss
//	}
//	jwt <algorithm>... {
//		header    <name>
//		field     <name>
//		key       raw|hex|base64
//		issuer    <iss>
//		audience  <aud>
//		body_hash <claim> [hex|base64|base64url] [optional]
//		url_hash  <claim>
//		secret    <secret>...
//		public_key, keys_url
//	}
//	message_signature <algorithm> {
//		label      <label>
//		tag        <tag>
//		components <component>...
//		key        base64|hex|raw
//		secret     <secret>...
//		public_key, keys_url
//	}
func (c *Custom) keyedOptions() syntax.Options {
	options := c.keyOptions(customKeys)
	maps.Copy(options, syntax.Options{
		"ed25519": func(d *caddyfile.Dispenser) error {
			c.Ed25519 = new(Ed25519)
			return c.readSignature(d, &c.Ed25519.Signature, nil, nil)
		},
		"ecdsa": func(d *caddyfile.Dispenser) error {
			c.ECDSA = new(ECDSA)
			return c.readSignature(d, &c.ECDSA.Signature, &c.ECDSA.Hash,
				syntax.Options{"format": syntax.OneOf(&c.ECDSA.Format, "asn1", "raw")})
		},
		"rsa": func(d *caddyfile.Dispenser) error {
			c.RSA = new(RSA)
			return c.readSignature(d, &c.RSA.Signature, &c.RSA.Hash,
				syntax.Options{"padding": syntax.OneOf(&c.RSA.Padding, "pkcs1", "pss")})
		},
		"jwt":               c.readJWT,
		"message_signature": c.readMessageSignature,
	})
	return options
}

// readSignature reads the block of a scheme with a signature in a header.
func (c *Custom) readSignature(d *caddyfile.Dispenser, s *Signature, hash *string, more syntax.Options) error {
	if hash != nil && d.NextArg() {
		*hash = d.Val()
		if _, known := signatureHashes[*hash]; !known {
			return d.Errf("unknown hash %q: want sha256, sha384 or sha512", *hash)
		}
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	options := c.keyOptions(customKeys)
	maps.Copy(options, more)
	maps.Copy(options, syntax.Options{
		"header":    syntax.String(&s.Header),
		"value":     syntax.Strings(&s.Value),
		"encoding":  syntax.OneOf(&s.Encoding, encodings...),
		"timestamp": func(d *caddyfile.Dispenser) error { return readTimestamp(d, &s.Timestamp) },
		"signed": func(d *caddyfile.Dispenser) error {
			err := syntax.String(&s.Signed)(d)
			s.Signed = shorthands.Replace(s.Signed)
			return err
		},
	})
	if err := syntax.Block(d, options); err != nil {
		return err
	}
	compiled := *s // compiling fills in defaults
	return syntax.At(d, compiled.compile())
}

// readTimestamp reads where the time of a signature stands.
func readTimestamp(d *caddyfile.Dispenser, to **Timestamp) error {
	t := new(Timestamp)
	*to = t
	switch args := d.RemainingArgs(); {
	case len(args) >= 2 && args[0] == "header" && len(args) <= 3:
		t.Header, t.Unit = args[1], strings.Join(args[2:], "")
	case len(args) >= 1 && args[0] == "value" && len(args) <= 2:
		t.Unit = strings.Join(args[1:], "")
	default:
		return d.Errf("timestamp wants: header <name> [%[1]s], or value [%[1]s]", strings.Join(units, "|"))
	}
	if t.Unit != "" && !slices.Contains(units, t.Unit) {
		return d.Errf("unknown timestamp unit %q: want %s", t.Unit, strings.Join(units, ", "))
	}
	return nil
}

func (c *Custom) readJWT(d *caddyfile.Dispenser) error {
	c.JWT = &JWT{Algorithms: d.RemainingArgs()}
	options := c.keyOptions(customKeys)
	maps.Copy(options, syntax.Options{
		"header":    syntax.String(&c.JWT.Header),
		"field":     syntax.String(&c.JWT.Field),
		"key":       syntax.OneOf(&c.JWT.Key, "raw", "hex", "base64"),
		"issuer":    syntax.String(&c.JWT.Issuer),
		"audience":  syntax.String(&c.JWT.Audience),
		"url_hash":  syntax.String(&c.JWT.URLHash),
		"body_hash": c.readBodyHash,
		"secret":    c.options()["secret"],
	})
	if err := syntax.Block(d, options); err != nil {
		return err
	}
	compiled := *c.JWT // compiling fills in defaults
	return syntax.At(d, compiled.compile())
}

func (c *Custom) readBodyHash(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	c.JWT.BodyHash, args = args[0], args[1:]
	if len(args) > 0 && slices.Contains(encodings, args[0]) {
		c.JWT.HashEncoding, args = args[0], args[1:]
	}
	if len(args) > 0 && args[0] == "optional" {
		c.JWT.HashOptional, args = true, args[1:]
	}
	if len(args) > 0 {
		return d.Errf("body_hash wants: <claim> [%s] [optional]", strings.Join(encodings, "|"))
	}
	return nil
}

func (c *Custom) readMessageSignature(d *caddyfile.Dispenser) error {
	c.MessageSignature = new(MessageSignature)
	m := c.MessageSignature
	if !d.NextArg() {
		return d.ArgErr()
	}
	if m.Algorithm = d.Val(); d.NextArg() {
		return d.ArgErr()
	}
	options := c.keyOptions(customKeys)
	maps.Copy(options, syntax.Options{
		"label":      syntax.String(&m.Label),
		"tag":        syntax.String(&m.Tag),
		"components": syntax.Strings(&m.Components),
		"key":        syntax.OneOf(&m.Key, "base64", "hex", "raw"),
		"secret":     c.options()["secret"],
	})
	if err := syntax.Block(d, options); err != nil {
		return err
	}
	compiled := *m
	return syntax.At(d, compiled.compile())
}

// keyedTolerance is the default tolerance of the scheme that is configured.
func (c *Custom) keyedTolerance() time.Duration {
	switch name, s := c.keyed(); name {
	case "jwt", "message_signature":
		return customTolerance
	default:
		if s, ok := s.(interface{ timed() bool }); ok && s.timed() {
			return customTolerance
		}
	}
	return 0
}

// checkAlone refuses a second scheme beside the one of a name.
func (c *Custom) checkAlone(name string) error {
	given := 0
	for _, set := range []bool{c.Ed25519 != nil, c.ECDSA != nil, c.RSA != nil, c.JWT != nil, c.MessageSignature != nil, c.HMAC != nil, c.None} {
		if set {
			given++
		}
	}
	if given > 1 {
		return fmt.Errorf("provider custom has %s and another scheme; it takes one", name)
	}
	if c.None {
		return errors.New("provider custom is either none or a scheme")
	}
	return nil
}
