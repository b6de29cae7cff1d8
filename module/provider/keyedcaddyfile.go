package provider

import (
	"maps"
	"slices"
	"strings"

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
//		keys_from plaid
//		secret    <secret>...
//	}
//	message_signature <algorithm> {
//		label      <label>
//		tag        <tag>
//		components <component>...
//		any_components
//		key        base64|hex|raw
//		secret     <secret>...
//	}
//	sns {
//		topic <arn>...
//	}
//	paypal {
//		webhook_id <id>
//	}
//	ebay
//
// Options of the keys may stand in the block of a scheme as well.
func (c *Custom) keyedOptions() syntax.Options {
	return syntax.Options{
		"ed25519": func(d *caddyfile.Dispenser) error {
			e := new(Ed25519)
			return c.readSignature(d, Proof{Ed25519: e}, &e.Signature, nil, nil)
		},
		"ecdsa": func(d *caddyfile.Dispenser) error {
			e := new(ECDSA)
			return c.readSignature(d, Proof{ECDSA: e}, &e.Signature, &e.Hash,
				syntax.Options{"format": syntax.OneOf(&e.Format, "asn1", "raw")})
		},
		"rsa": func(d *caddyfile.Dispenser) error {
			r := new(RSA)
			return c.readSignature(d, Proof{RSA: r}, &r.Signature, &r.Hash,
				syntax.Options{"padding": syntax.OneOf(&r.Padding, "pkcs1", "pss")})
		},
		"jwt":               c.readJWT,
		"message_signature": c.readMessageSignature,
		"sns": func(d *caddyfile.Dispenser) error {
			s := new(SNS)
			return c.readProof(d, Proof{SNS: s}, syntax.Options{"topic": syntax.Strings(&s.Topics)})
		},
		"paypal": func(d *caddyfile.Dispenser) error {
			p := new(PayPal)
			return c.readProof(d, Proof{PayPal: p}, syntax.Options{"webhook_id": syntax.String(&p.WebhookID)})
		},
		"ebay": func(d *caddyfile.Dispenser) error {
			return c.readProof(d, Proof{EBay: new(EBay)}, nil)
		},
	}
}

// keyedSchemes are the names of these schemes.
var keyedSchemes = slices.Sorted(maps.Keys(new(Custom).keyedOptions()))

// readProof reads the block of a proof and adds it to the others.
func (c *Custom) readProof(d *caddyfile.Dispenser, proof Proof, more syntax.Options) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	options := c.readers()
	maps.Copy(options, proof.options())
	maps.Copy(options, more)
	if err := syntax.Block(d, options, "when"); err != nil {
		return err
	}
	c.Proofs = append(c.Proofs, proof)
	compiled, err := c.Definition.with(nil, nil) // compiling fills in defaults
	if err != nil {
		return err
	}
	return syntax.At(d, compiled.Proofs[len(compiled.Proofs)-1].compile())
}

// readSignature reads the block of a scheme with a signature in a header.
func (c *Custom) readSignature(d *caddyfile.Dispenser, proof Proof, s *Signature, hash *string, more syntax.Options) error {
	if hash != nil && d.NextArg() {
		*hash = d.Val()
		if _, err := signatureHash(hash); err != nil {
			return syntax.At(d, err)
		}
	}
	options := syntax.Options{
		"header":    syntax.String(&s.Header),
		"value":     syntax.Strings(&s.Value),
		"encoding":  syntax.OneOf(&s.Encoding, encodings...),
		"timestamp": func(d *caddyfile.Dispenser) error { return readTimestamp(d, &s.Timestamp) },
		"signed":    templates(func(text string) { s.Signed = text }, true),
	}
	maps.Copy(options, more)
	return c.readProof(d, proof, options)
}

func (c *Custom) readJWT(d *caddyfile.Dispenser) error {
	j := &JWT{Algorithms: d.RemainingArgs()}
	return c.readProof(d, Proof{JWT: j}, syntax.Options{
		"header":    syntax.String(&j.Header),
		"field":     syntax.String(&j.Field),
		"key":       syntax.OneOf(&j.Key, "raw", "hex", "base64"),
		"issuer":    syntax.String(&j.Issuer),
		"audience":  syntax.String(&j.Audience),
		"url_hash":  syntax.String(&j.URLHash),
		"body_hash": j.readBodyHash,
		"keys_from": syntax.String(&j.KeysFrom),
	})
}

func (j *JWT) readBodyHash(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	j.BodyHash, args = args[0], args[1:]
	if len(args) > 0 && slices.Contains(encodings, args[0]) {
		j.HashEncoding, args = args[0], args[1:]
	}
	if len(args) > 0 && args[0] == "optional" {
		j.HashOptional, args = true, args[1:]
	}
	if len(args) > 0 {
		return d.Errf("body_hash wants: <claim> [%s] [optional]", strings.Join(encodings, "|"))
	}
	return nil
}

func (c *Custom) readMessageSignature(d *caddyfile.Dispenser) error {
	m := new(MessageSignature)
	if !d.NextArg() {
		return d.ArgErr()
	}
	m.Algorithm = d.Val()
	return c.readProof(d, Proof{MessageSignature: m}, syntax.Options{
		"label":          syntax.String(&m.Label),
		"tag":            syntax.String(&m.Tag),
		"components":     syntax.Strings(&m.Components),
		"any_components": syntax.Flag(&m.AnyComponents),
		"key":            syntax.OneOf(&m.Key, "base64", "hex", "raw"),
	})
}
