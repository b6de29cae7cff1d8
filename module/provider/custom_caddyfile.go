package provider

import (
	"maps"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
)

// UnmarshalCaddyfile reads the custom provider. Syntax:
//
//	custom [<secret>...] {
//		hmac [<hash>] {
//			header        <name>
//			from          <template>         # instead of header: {query.x}, {json.x} or {form.x}
//			value         <template>...
//			separators    <characters>
//			encoding      hex|base64|base64url
//			signed        <template>...
//			each          <path>
//			key           raw|hex|base64|<template>
//			timestamp     header|from <name> [unix|unix_ms|rfc3339]
//			timestamp     value [unix|unix_ms|rfc3339]
//			secret        <secret>...
//			secret_prefix <text>
//			when          <template> <text>
//		}
//		digest [<hash>] { … }                    # as hmac
//		token header|query|json|form <name> [<secret>...] { … }
//		token path [<secret>...] { … }           # with secrets: a guard; without: a proof by the provider's
//		basic_auth                               # secrets are user:password
//		ed25519, ecdsa, rsa, jwt, message_signature, sns, paypal, ebay { … }   # see keyedOptions
//		public_key, certificate, keys_url, client_id, client_secret, api_url   # their keys
//		none
//		need          all|first|any
//		secret        <secret>...
//		tolerance     <duration>|off
//		external_url  <url>
//		event         <expression>
//		id            <expression>
//		methods       <method>...
//		answer        <status> [<body> [<media type>]]
//		refused       <status>
//		max_body      <size>
//		horizon       <duration>
//		never_retries
//		ranges        <address>...
//		ranges_from   <url> [json <path>]
//		masked        <header>...
//		echo          <header>...
//		handshake     <kind> [<place> <name>] { … }                            # see readHandshake
//	}
func (c *Custom) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // custom
	c.Secrets = d.RemainingArgs()
	options := c.options()
	options["hmac"] = c.readHMAC
	options["digest"] = c.readHMAC
	options["token"] = c.readToken
	options["basic_auth"] = c.readBasicAuth
	options["none"] = syntax.Flag(&c.None)
	options["need"] = syntax.OneOf(&c.Need, needAll, needFirst, needAny)
	options["event"] = syntax.String(&c.Event)
	options["id"] = syntax.String(&c.ID)
	options["methods"] = syntax.Strings(&c.Methods)
	options["answer"] = c.readAnswer
	options["refused"] = c.readRefused
	options["max_body"] = syntax.Size(&c.MaxBody)
	options["horizon"] = syntax.Duration(&c.Horizon)
	options["never_retries"] = syntax.Flag(&c.NeverRetries)
	options["ranges"] = func(d *caddyfile.Dispenser) error { return syntax.Strings(&c.ranges().List)(d) }
	options["ranges_from"] = c.readRangesFrom
	options["masked"] = syntax.Strings(&c.Masked)
	options["echo"] = syntax.Strings(&c.Echo)
	options["handshake"] = readHandshake(&c.Handshakes)
	maps.Copy(options, c.readers())
	maps.Copy(options, c.keyedOptions())
	if err := syntax.Block(d, options, slices.Concat([]string{"hmac", "digest", "token", "handshake"}, keyedSchemes)...); err != nil {
		return err
	}
	_, err := c.check()
	return syntax.At(d, err)
}

// options returns the readers of what every proof has.
func (p *Proof) options() syntax.Options {
	return syntax.Options{
		"secret":        syntax.Strings(&p.Secrets),
		"secret_prefix": syntax.String(&p.SecretPrefix),
		"when":          p.readWhen,
	}
}

func (p *Proof) readWhen(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("when takes two templates that must give the same text, as in: when {header.X-Version} v2")
	}
	if _, err := parseTemplates(args); err != nil {
		return syntax.At(d, err)
	}
	if p.When == nil {
		p.When = make(map[string]string)
	}
	p.When[shorthands.Replace(args[0])] = shorthands.Replace(args[1])
	return nil
}

func (c *Custom) readHMAC(d *caddyfile.Dispenser) error {
	h, proof := new(HMAC), Proof{}
	if d.Val() == "digest" {
		proof.Digest, h.plain = h, true
	} else {
		proof.HMAC = h
	}
	if d.NextArg() {
		h.Hash = d.Val()
		if _, ok := hashes[h.Hash]; !ok {
			return d.Errf("unknown hash %q: want sha256, sha1, sha384, sha512 or md5", h.Hash)
		}
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	options := proof.options()
	options["header"] = syntax.String(&h.Header)
	options["from"] = templates(func(text string) { h.From = text }, true)
	options["value"] = h.readValue
	options["separators"] = syntax.String(&h.Separators)
	options["encoding"] = syntax.OneOf(&h.Encoding, encodings...)
	options["signed"] = templates(func(text string) { h.Signed = append(h.Signed, text) }, false)
	options["each"] = syntax.String(&h.Each)
	options["key"] = h.readKey
	options["timestamp"] = func(d *caddyfile.Dispenser) error { return readTimestamp(d, &h.Timestamp) }
	if err := syntax.Block(d, options, "when"); err != nil {
		return err
	}
	scheme := *h // compiling fills in defaults
	if err := scheme.compile(); err != nil {
		return syntax.At(d, err)
	}
	c.Proofs = append(c.Proofs, proof)
	return nil
}

// templates reads one template or more, in the spelling that the user wrote.
func templates(take func(string), one bool) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		var texts []string
		if err := syntax.Strings(&texts)(d); err != nil {
			return err
		}
		if one && len(texts) > 1 {
			return d.ArgErr()
		}
		for _, text := range texts {
			text = shorthands.Replace(text)
			if _, err := parseTemplate(text); err != nil {
				return syntax.At(d, err)
			}
			take(text)
		}
		return nil
	}
}

func (h *HMAC) readValue(d *caddyfile.Dispenser) error {
	if err := syntax.Strings(&h.Value)(d); err != nil {
		return err
	}
	for _, template := range h.Value {
		if _, err := parseValue(template, h.Hash, "", new([]string)); err != nil {
			return syntax.At(d, err)
		}
	}
	return nil
}

func (h *HMAC) readKey(d *caddyfile.Dispenser) error {
	if err := syntax.String(&h.Key)(d); err != nil || slices.Contains([]string{"raw", "hex", "base64"}, h.Key) {
		return err
	}
	_, err := parseKey(h.Key)
	return syntax.At(d, err)
}

// readTimestamp reads where the time of a proof stands.
func readTimestamp(d *caddyfile.Dispenser, to **Timestamp) error {
	t := new(Timestamp)
	*to = t
	args := d.RemainingArgs()
	switch {
	case len(args) >= 2 && args[0] == "header":
		t.Header, args = args[1], args[2:]
	case len(args) >= 2 && args[0] == "from":
		t.From, args = shorthands.Replace(args[1]), args[2:]
	case len(args) >= 1 && args[0] == "value":
		args = args[1:]
	default:
		return d.Err("timestamp wants: header <name>, from <template>, or value, and unix, unix_ms or rfc3339 after it")
	}
	if len(args) > 1 {
		return d.ArgErr()
	}
	if len(args) == 1 {
		t.Unit = args[0]
	}
	check := *t
	setDefault(&check.Unit, "unix")
	return syntax.At(d, check.compile())
}

// readToken reads a token: a guard if it has secrets of its own, and a proof by
// the provider's secrets otherwise.
func (c *Custom) readToken(d *caddyfile.Dispenser) error {
	t := new(Token)
	if err := t.readPlace(d); err != nil {
		return err
	}
	proof := Proof{Token: t}
	options := proof.options()
	options["prefix"] = syntax.String(&t.Prefix)
	options["encoding"] = syntax.OneOf(&t.Encoding, "base64")
	if err := syntax.Block(d, options, "when"); err != nil {
		return err
	}
	switch {
	case t.Secrets == nil:
		c.Proofs = append(c.Proofs, proof)
	case proof.Secrets != nil || proof.SecretPrefix != "" || proof.When != nil:
		return d.Err("a token with secrets on its line is a guard, which has neither secret, secret_prefix nor when")
	case c.Token != nil:
		return d.Err("token is given twice")
	default:
		c.Token = t
	}
	return nil
}

// readBasicAuth reads a line that stands for the token of Basic authentication.
func (c *Custom) readBasicAuth(d *caddyfile.Dispenser) error {
	c.Proofs = append(c.Proofs, Proof{Token: basicAuth()})
	return syntax.End(d)
}

// basicAuth is the token that user:password makes.
func basicAuth() *Token {
	return &Token{In: "header", Name: "Authorization", Prefix: "Basic ", Encoding: "base64"}
}

func (c *Custom) answer() *Answer {
	if c.Answer == nil {
		c.Answer = new(Answer)
	}
	return c.Answer
}

func (c *Custom) ranges() *Ranges {
	if c.Ranges == nil {
		c.Ranges = new(Ranges)
	}
	return c.Ranges
}

func (c *Custom) readAnswer(d *caddyfile.Dispenser) error {
	a := c.answer()
	if err := readStatusCode(d, &a.Status); err != nil {
		return err
	}
	d.Args(&a.Body)
	d.Args(&a.ContentType)
	return syntax.End(d)
}

func (c *Custom) readRefused(d *caddyfile.Dispenser) error {
	if err := readStatusCode(d, &c.answer().Refused); err != nil {
		return err
	}
	return syntax.End(d)
}

func readStatusCode(d *caddyfile.Dispenser, to *int) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	status, err := strconv.Atoi(d.Val())
	if err != nil {
		return d.Errf("%q is no status code", d.Val())
	}
	*to = status
	return nil
}

func (c *Custom) readRangesFrom(d *caddyfile.Dispenser) error {
	r := c.ranges()
	args := d.RemainingArgs()
	switch {
	case len(args) == 1:
	case len(args) == 3 && args[1] == "json":
		r.Format, r.Path = args[1], args[2]
	default:
		return d.Err("ranges_from wants: <url> [json <path>]")
	}
	r.URL = args[0]
	_, err := parseHTTPS("ranges_from", r.URL)
	return syntax.At(d, err)
}
