package provider

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
)

func init() { caddy.RegisterModule(Custom{}) }

// Custom is a provider that the configuration describes, made of the same
// schemes as the presets.
type Custom struct {
	Common

	// The provider signs with an HMAC, made with the secrets.
	HMAC *HMAC `json:"hmac,omitempty"`

	// The provider proves nothing. The source must be guarded by a token or by
	// addresses.
	None bool `json:"none,omitempty"`

	// The expression for the event type.
	Event string `json:"event,omitempty"`

	// The expression for the delivery ID.
	ID string `json:"id,omitempty"`

	// The questions that the provider asks the endpoint, and their answers. The
	// first one that a request is counts.
	Handshakes []Handshake `json:"handshakes,omitempty"`

	profile    Profile
	handshakes handshakes
	enrolled   *enrolled[Custom]
}

// CaddyModule returns the Caddy module information.
func (Custom) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "webhook_gateway.providers.custom",
		New: func() caddy.Module { return new(Custom) },
	}
}

// customTolerance is for schemes that sign a timestamp.
const customTolerance = 5 * time.Minute

// Provision resolves the secrets and sets up the scheme.
func (c *Custom) Provision(caddy.Context) error {
	var tolerance time.Duration
	if c.HMAC != nil {
		c.HMAC.defaults()
		if signed, err := parseSigned(c.HMAC.Signed); err == nil && signed.has("timestamp") {
			tolerance = customTolerance
		}
	}
	if err := c.Common.provision(tolerance); err != nil {
		return err
	}
	c.profile = Profile{
		Methods: []string{"POST"},
		MaxBody: DefaultMaxBody,
		Event:   c.Event,
		ID:      c.ID,
	}
	c.guard(&c.profile)
	c.enrolled = new(enrolled[Custom])
	if err := c.check(); err != nil {
		return err
	}
	if c.HMAC != nil {
		if err := c.HMAC.provision(&c.Common); err != nil {
			return fmt.Errorf("hmac: %v", err)
		}
		c.HMAC.profile(&c.profile)
	}
	return c.provisionHandshakes()
}

// check holds the parts of the configuration against each other.
func (c *Custom) check() error {
	switch {
	case c.HMAC != nil && c.None:
		return errors.New("provider custom is either hmac or none")
	case c.HMAC == nil && c.Token == nil && !c.None:
		return errors.New("provider custom needs a scheme: hmac, token or none")
	case c.HMAC == nil && len(c.Secrets) > 0:
		return errors.New("provider custom has a secret but no hmac that uses it")
	case c.HMAC == nil && c.Enrolls():
		return errors.New("handshake enroll delivers a secret, but there is no hmac that uses it")
	case c.HMAC != nil && len(c.Secrets) == 0 && !c.Enrolls():
		return errors.New("hmac needs a secret")
	}
	if err := c.checkHandshakes(); err != nil {
		return err
	}
	if err := c.checkTolerance(c.HMAC); err != nil || c.HMAC == nil {
		return err
	}
	scheme := *c.HMAC // compiling fills in defaults
	if err := scheme.compile(); err != nil {
		return err
	}
	if scheme.signed.has("id") && c.ID == "" {
		return errors.New("hmac signs {id}, so the provider needs a line: id <expression>")
	}
	return nil
}

// Proves implements Provider.
func (c *Custom) Proves() bool { return c.HMAC != nil || c.Token != nil }

// Profile implements Provider.
func (c *Custom) Profile() *Profile { return &c.profile }

// Verify implements Provider.
func (c *Custom) Verify(r *Request, now time.Time) error {
	c = c.withEnrolled()
	if err := c.verifyToken(r); err != nil || c.HMAC == nil {
		return err
	}
	return c.HMAC.verify(r, now)
}

// Sign implements Provider.
func (c *Custom) Sign(r *Request, now time.Time) error {
	c = c.withEnrolled()
	if c.Token != nil {
		defer c.Token.sign(r)
	}
	switch {
	case c.HMAC == nil:
		return nil
	case len(c.secrets) == 0:
		return errNotEnrolled
	}
	return c.HMAC.sign(r, now)
}

// Resigns implements Resigner. A token of its own stays where it is, or was
// cut from the URL.
func (c *Custom) Resigns() bool { return c.HMAC != nil }

// SignerWith implements Resigner.
func (c *Custom) SignerWith(secret string) (Signer, error) {
	own, scheme := *c, *c.HMAC
	own.HMAC = &scheme
	if own.signWith(secret); len(own.Secrets) == 0 {
		return nil, errNoSecret
	}
	return &own, own.Provision(caddy.Context{})
}

// UnmarshalCaddyfile reads the custom provider. Syntax:
//
//	custom [<secret>...] {
//		hmac [<hash>] {
//			header    <name>
//			value     <template>...
//			encoding  hex|base64|base64url
//			signed    <template>
//			key       raw|hex|base64
//			timestamp header <name> [unix|unix_ms|rfc3339]
//			timestamp value [unix|unix_ms|rfc3339]
//			secret    <secret>...
//		}
//		token header|query <name> <secret>...
//		token path <secret>...
//		none
//		secret       <secret>...
//		tolerance    <duration>|off
//		external_url <url>
//		event        <expression>
//		id           <expression>
//		handshake    <kind> [<place> <name>] { … }
//	}
func (c *Custom) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // custom
	c.Secrets = d.RemainingArgs()
	options := c.options()
	options["hmac"] = c.readHMAC
	options["none"] = syntax.Flag(&c.None)
	options["event"] = syntax.String(&c.Event)
	options["id"] = syntax.String(&c.ID)
	options["handshake"] = readHandshake(&c.Handshakes)
	for _, scheme := range []string{"ed25519", "ecdsa", "rsa", "jwt", "basic_auth"} {
		options[scheme] = nil
	}
	if err := syntax.Block(d, options, "handshake"); err != nil {
		return err
	}
	return syntax.At(d, c.check())
}

func (c *Custom) readHMAC(d *caddyfile.Dispenser) error {
	c.HMAC = new(HMAC)
	if d.NextArg() {
		c.HMAC.Hash = d.Val()
		if _, ok := hashes[c.HMAC.Hash]; !ok {
			return d.Errf("unknown hash %q: want sha256, sha1, sha384, sha512 or md5", c.HMAC.Hash)
		}
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	err := syntax.Block(d, syntax.Options{
		"header":    syntax.String(&c.HMAC.Header),
		"value":     c.readValue,
		"encoding":  syntax.OneOf(&c.HMAC.Encoding, encodings...),
		"signed":    c.readSigned,
		"key":       syntax.OneOf(&c.HMAC.Key, "raw", "hex", "base64"),
		"timestamp": c.readTimestamp,
		"secret":    c.options()["secret"],
	})
	if err == nil && c.HMAC.Header == "" {
		return d.Err("hmac needs the header that carries the signature")
	}
	return err
}

// readSigned reads what is signed, in the spelling that the user wrote.
func (c *Custom) readSigned(d *caddyfile.Dispenser) error {
	if err := syntax.String(&c.HMAC.Signed)(d); err != nil {
		return err
	}
	c.HMAC.Signed = shorthands.Replace(c.HMAC.Signed)
	_, err := parseSigned(c.HMAC.Signed)
	return syntax.At(d, err)
}

func (c *Custom) readValue(d *caddyfile.Dispenser) error {
	if err := syntax.Strings(&c.HMAC.Value)(d); err != nil {
		return err
	}
	for _, template := range c.HMAC.Value {
		if _, err := parseValue(template, c.HMAC.Hash); err != nil {
			return syntax.At(d, err)
		}
	}
	return nil
}

func (c *Custom) readTimestamp(d *caddyfile.Dispenser) error {
	t := new(Timestamp)
	c.HMAC.Timestamp = t
	args := d.RemainingArgs()
	switch {
	case len(args) >= 2 && args[0] == "header":
		t.Header, args = args[1], args[2:]
	case len(args) >= 1 && args[0] == "value":
		args = args[1:]
	default:
		return d.Err("timestamp wants: header <name> [unix|unix_ms|rfc3339], or value [unix|unix_ms|rfc3339]")
	}
	switch {
	case len(args) > 1:
		return d.ArgErr()
	case len(args) == 1 && !slices.Contains(units, args[0]):
		return d.Errf("unknown timestamp unit %q: want unix, unix_ms or rfc3339", args[0])
	case len(args) == 1:
		t.Unit = args[0]
	}
	return nil
}

// Interface guards
var (
	_ Resigner              = (*Custom)(nil)
	_ Enroller              = (*Custom)(nil)
	_ caddy.Provisioner     = (*Custom)(nil)
	_ caddyfile.Unmarshaler = (*Custom)(nil)
)
