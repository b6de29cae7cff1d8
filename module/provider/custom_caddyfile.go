package provider

import (
	"maps"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// UnmarshalCaddyfile reads the custom provider. Syntax:
//
//	custom [<secret>...] {
//		hmac, digest, token, ed25519, ecdsa, rsa, jwt, message_signature, sns, paypal, ebay {
//			…                                # see Read of the scheme
//			secret        <secret>...
//			secret_prefix <text>
//			when          <template> <text>
//			event         <expression>                                 # where this proof is the one that counts
//			id            <expression>
//			legacy                                                     # it counts only with the line legacy below
//		}
//		token header|query|json|form <name> <secret>...                        # a guard, on top of the proof
//		token path <secret>...
//		basic_auth                                                             # secrets are user:password
//		public_key, certificate, keys_url, client_id, client_secret, api_url   # their keys
//		none
//		need          all|first|any
//		secret        <secret>...
//		tolerance     <duration>|off
//		external_url  <url>...
//		legacy
//		event         <expression>
//		id            <expression>
//		copies        by id|id_and_body|body|nothing { … }                     # see Read of Copies
//		forms
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
	options["basic_auth"] = c.readBasicAuth
	options["none"] = syntax.Flag(&c.None)
	options["need"] = syntax.OneOf(&c.Need, NeedAll, NeedFirst, NeedAny)
	options["event"] = syntax.String(&c.Event)
	options["id"] = syntax.String(&c.ID)
	options["legacy"] = syntax.Flag(&c.Legacy)
	options["copies"] = c.Copies.Read
	options["forms"] = syntax.Flag(&c.Forms)
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
	maps.Copy(options, c.Readers())
	for name := range schemeNames {
		options[name] = c.readProof
	}
	if err := syntax.Block(d, options, append(slices.Collect(maps.Keys(schemeNames)), "handshake")...); err != nil {
		return err
	}
	_, err := c.check()
	return syntax.At(d, err)
}

// readProof reads a proof by the scheme whose name the dispenser stands on. A token
// with secrets on its line is no proof but the guard.
func (c *Custom) readProof(d *caddyfile.Dispenser) error {
	proof := newProof(d.Val())
	options := proof.options()
	if proof.scheme.Traits().UsesKeys {
		maps.Copy(options, c.Readers())
	}
	if err := proof.scheme.Read(d, options); err != nil {
		return err
	}
	if t := proof.Token; t != nil && t.Secrets != nil {
		return c.takeGuard(d, proof)
	}
	c.Proofs = append(c.Proofs, *proof)
	compiled, err := c.Definition.with(nil, nil) // compiling fills in defaults
	if err != nil {
		return err
	}
	return syntax.At(d, compiled.Proofs[len(compiled.Proofs)-1].compile())
}

// takeGuard takes the token that guards the source.
func (c *Custom) takeGuard(d *caddyfile.Dispenser, read *Proof) error {
	switch {
	case read.Secrets != nil || read.SecretPrefix != "" || read.When != nil:
		return d.Err("a token with secrets on its line is a guard, which has neither secret, secret_prefix nor when")
	case read.Identity != Identity{}, read.Legacy:
		return d.Err("a token with secrets on its line is a guard, which has neither event, id nor legacy")
	case c.Token != nil:
		return d.Err("token is given twice")
	}
	c.Token = read.Token
	return nil
}

// readBasicAuth reads a line that stands for the token of Basic authentication.
func (c *Custom) readBasicAuth(d *caddyfile.Dispenser) error {
	c.Proofs = append(c.Proofs, Proof{Token: scheme.BasicAuth()})
	return syntax.End(d)
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
		return d.Errf("%q is not a status code", d.Val())
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
		return d.Err("ranges_from takes: <url> [json <path>]")
	}
	r.URL = args[0]
	_, err := scheme.ParseHTTPS("ranges_from", r.URL)
	return syntax.At(d, err)
}
