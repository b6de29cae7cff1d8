package scheme

import (
	"cmp"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// JWT is a signed JSON Web Token in a header or in the body. A token in a header
// claims the hash of the body; a token in the body carries the payload.
type JWT struct {
	// The template that gives the token, alone or after Bearer: {header.X-Name} or
	// {json.field}. Default: {body}.
	From string `json:"from,omitempty"`

	// In the header Authorization, the provider writes the token alone, without Bearer.
	// Requests are accepted in either form. Default: false.
	Bare bool `json:"bare,omitempty"`

	// The algorithms that the token may be signed with, such as HS256. With HS256, HS384
	// and HS512 the secrets are the keys, with all others the public keys. A token can
	// only choose among these algorithms.
	Algorithms []string `json:"algorithms,omitempty"`

	// How a secret becomes a key: raw, hex or base64. Default: raw.
	Key string `json:"key,omitempty"`

	// The value that the claim iss must have. Default: any.
	Issuer string `json:"issuer,omitempty"`

	// The value that the claim aud must have. Default: any.
	Audience string `json:"audience,omitempty"`

	// The claim with the SHA-256 of the body. A token in a header must have one.
	BodyHash string `json:"body_hash,omitempty"`

	// How that hash is written: hex, base64 or base64url. Default: hex.
	HashEncoding string `json:"hash_encoding,omitempty"`

	// A request without a body needs no hash. Default: false.
	HashOptional bool `json:"hash_optional,omitempty"`

	// The claim with the SHA-256 of the URL that the provider called, in hex. Default:
	// none.
	URLHash string `json:"url_hash,omitempty"`

	// The provider whose API gives the public key of an ID: plaid. Default: the public
	// keys are configured, or come from keys_url.
	KeysFrom string `json:"keys_from,omitempty"`

	// What the token must say besides.
	Claims []Claim `json:"claims,omitempty"`

	// The claim with the time in milliseconds at which the token was made, where that is
	// not iat. Default: iat, in seconds.
	Issued string `json:"issued,omitempty"`

	// The token brings its certificates along, as x5c. Default: it is verified with the
	// configured keys.
	X5C *keys.X5C `json:"chain,omitempty"`

	// What the token signs, where it leaves its content out, as a template with the
	// placeholders of hmac. {value.name} is a parameter of the token's own header.
	// Default: the token has content.
	Detached string `json:"detached,omitempty"`

	header    string        // that carries the token; "" if none does
	field     *payload.Path // of the body, that carries the token; nil if none does
	secrets   [][]byte
	keys      *keys.Keyring
	signing   *SigningKey
	roots     *keys.Roots // of X5C
	tolerance time.Duration
	external  *url.URL

	detached   template.Template
	parameters []string // of a detached token's header, that its template reads
}

// jwtAlgorithms are the algorithms of RFC 7518 and RFC 8037, but for none.
var jwtAlgorithms = map[string]keys.Algorithm{
	"HS256": {Kind: "hmac", Hash: crypto.SHA256},
	"HS384": {Kind: "hmac", Hash: crypto.SHA384},
	"HS512": {Kind: "hmac", Hash: crypto.SHA512},
	"RS256": {Kind: "rsa", Hash: crypto.SHA256},
	"RS384": {Kind: "rsa", Hash: crypto.SHA384},
	"RS512": {Kind: "rsa", Hash: crypto.SHA512},
	"PS256": {Kind: "rsa", Hash: crypto.SHA256, PSS: true},
	"PS384": {Kind: "rsa", Hash: crypto.SHA384, PSS: true},
	"PS512": {Kind: "rsa", Hash: crypto.SHA512, PSS: true},
	"ES256": {Kind: "ecdsa", Hash: crypto.SHA256, Curve: 256, Raw: true},
	"ES384": {Kind: "ecdsa", Hash: crypto.SHA384, Curve: 384, Raw: true},
	"ES512": {Kind: "ecdsa", Hash: crypto.SHA512, Curve: 521, Raw: true},
	"EdDSA": {Kind: "ed25519"},
}

// keyAPIs are what JWT.KeysFrom can be.
var keyAPIs = map[string]func(*Credentials) (*keys.Source, error){"plaid": plaidKeys}

// Provision checks the scheme and makes its keys.
func (j *JWT) Provision(c *Credentials) (err error) {
	if err := j.Compile(); err != nil {
		return err
	}
	j.tolerance, j.external, j.signing = c.Tolerance, c.External, c.Signing
	if j.secrets, err = decodeKeys(j.Key, c.Secrets); err != nil {
		return err
	}
	return j.provisionKeys(c)
}

// With implements Rekeyer.
func (j *JWT) With(secrets []string) (Scheme, error) {
	keys, err := decodeKeys(j.Key, secrets)
	own := *j
	own.secrets = keys
	return &own, err
}

// Compile checks what is configured.
func (j *JWT) Compile() error {
	j.Key = cmp.Or(j.Key, "raw")
	j.HashEncoding = cmp.Or(j.HashEncoding, "hex")
	j.From = cmp.Or(j.From, "{body}")
	from, err := template.Parse(j.From)
	if err != nil {
		return err
	}
	j.header, j.field = "", nil
	switch part, name := from.Place(); {
	case part == "header":
		j.header = name
	case part == "json":
		path := from.Path()
		j.field = &path
	case part != "body":
		return fmt.Errorf("jwt stands in {header.X-Name}, {json.field} or {body}, not in %s", j.From)
	}
	for _, name := range j.Algorithms {
		if _, known := jwtAlgorithms[name]; !known {
			return fmt.Errorf("unknown algorithm %q; use %s", name, strings.Join(slices.Sorted(maps.Keys(jwtAlgorithms)), ", "))
		}
	}
	switch {
	case len(j.Algorithms) == 0:
		return errors.New("jwt needs the algorithms that tokens may be signed with")
	case j.header != "" && j.BodyHash == "" && j.Detached == "":
		return errors.New("jwt in a header needs the claim with the body's hash; without one the token says nothing about the body")
	case j.KeysFrom != "" && keyAPIs[j.KeysFrom] == nil:
		return fmt.Errorf("no API %q to ask for keys is known; there is plaid", j.KeysFrom)
	case !slices.Contains(template.Encodings, j.HashEncoding):
		return fmt.Errorf("unknown encoding %q; use hex, base64 or base64url", j.HashEncoding)
	case j.X5C != nil && slices.ContainsFunc(j.Algorithms, isHMAC):
		return errors.New("a token with certificates is not signed with a secret; leave HS256, HS384 and HS512 out")
	}
	for i := range j.Claims {
		if err := j.Claims[i].compile(); err != nil {
			return err
		}
	}
	if j.X5C != nil {
		if err := j.X5C.Check(); err != nil {
			return err
		}
	}
	return j.compileDetached()
}

// provisionKeys takes the public keys, if the algorithms use them.
func (j *JWT) provisionKeys(c *Credentials) (err error) {
	var algorithms []keys.Algorithm
	symmetric := false
	for _, name := range j.Algorithms {
		if a := jwtAlgorithms[name]; a.Kind == "hmac" {
			symmetric = true
		} else {
			algorithms = append(algorithms, a)
		}
	}
	if !symmetric && len(j.secrets) > 0 {
		return errors.New("the algorithms use public keys, not secrets")
	}
	if j.X5C != nil {
		j.keys = new(keys.Keyring)
		configured, err := c.ParsedKeys()
		if err != nil {
			return err
		}
		j.roots, err = j.X5C.RootsOf(configured)
		return err
	}
	if j.keys, err = c.keyring(algorithms...); err != nil {
		return err
	}
	if ask := keyAPIs[j.KeysFrom]; j.keys.Empty() && ask != nil && len(j.secrets) == 0 {
		source, err := ask(c)
		if err != nil {
			return err
		}
		j.keys.Fetched, j.keys.ByName = keys.CacheOf(source, c.Dir), true
	}
	if j.keys.Empty() && len(j.secrets) == 0 {
		return errors.New("jwt needs a secret or a public key")
	}
	return nil
}

// Traits implements Scheme.
func (j *JWT) Traits() Traits {
	symmetric := slices.ContainsFunc(j.Algorithms, isHMAC)
	t := Traits{
		UsesSecret:  symmetric,
		NeedsSecret: !slices.ContainsFunc(j.Algorithms, func(a string) bool { return !isHMAC(a) }),
		UsesKeys:    true,
		KeyEncoding: cmp.Or(j.Key, "raw"),
		CarriesTime: true, SignsTime: true, // exp, nbf and iat
		SignsURL:      j.URLHash != "",
		CoversContent: true,
		Keys:          len(j.secrets) + j.keys.Count(),
		Unsignable:    unsignableIn(cmp.Or(j.From, "{body}")),
	}
	if !symmetric {
		t.Unsignable = PrivateKey
	}
	if j.signing != nil {
		t.Unsignable, t.OwnKey = "", true
	}
	if headers := j.Headers(); slices.Contains(headers, "Authorization") {
		t.SecretHeaders = headers
	}
	if j.roots != nil {
		t.Keys += j.roots.Fixed
	}
	if j.X5C != nil && j.X5C.Root != "" && !slices.ContainsFunc(j.Claims, func(c Claim) bool { return len(NonEmpty(c.Is)) > 0 }) {
		t.Anybodys = "bundle_id <id>..."
	}
	if j.Detached != "" {
		t.CarriesTime, t.SignsTime, t.Covers = false, false, []string{j.Detached}
		t.SignsURL = template.Mentions(t.Covers, template.URLPlaceholders...)
		return t
	}
	covers := "{timestamp}"
	if j.From != "" && template.HeaderIn(j.From) == "" {
		covers += j.From
	}
	if j.BodyHash != "" {
		covers += "{body}"
	}
	if j.URLHash != "" {
		covers += "{url}"
	}
	t.Covers = []string{covers}
	return t
}

// Headers implements Scheme.
func (j *JWT) Headers() []string { return headersIn(j.From) }

// Screen implements Scheme.
func (j *JWT) Screen(r *template.Request, _ time.Time) error { return screenHeaders(r, j.Headers()) }

// Holds implements Scheme.
func (j *JWT) Holds(r *template.Request) bool { return AnyHeader(r, j.Headers()) }

// Describe implements Scheme.
func (j *JWT) Describe() string {
	return fmt.Sprintf("JWT (%s) in %s", strings.Join(j.Algorithms, ", "), template.Where(cmp.Or(j.From, "{body}")))
}

// Verify reports whether the token was signed with any key, and is for this
// request and this time.
func (j *JWT) Verify(r *template.Request, now time.Time) error {
	token, err := j.find(r)
	if err != nil {
		return err
	}
	if !slices.Contains(j.Algorithms, token.algorithm) {
		return Wrong
	}
	if j.detached != nil {
		if err := j.attach(token, r); err != nil {
			return err
		}
	}
	position, err := j.match(token, now)
	if err != nil {
		return err
	}
	if j.detached != nil {
		r.Matched = position
		return nil
	}
	if err := j.checkPinned(token.Payload); err != nil {
		return err
	}
	var said claims
	if json.Unmarshal(token.Payload, &said) != nil {
		return Malformed
	}
	if err := j.checkClaims(said, r, now); err != nil {
		return err
	}
	r.Matched = position
	return nil
}

// match returns the position of the secret or key that signed a token. Secrets
// come before public keys, and neither is ever used as the other.
func (j *JWT) match(token *jws, received time.Time) (position int, err error) {
	a := jwtAlgorithms[token.algorithm]
	if j.X5C != nil {
		key, position, err := j.X5C.Verify(j.roots, token.chain, received)
		if err == nil && !a.Verify(key.PublicKey, a.Digest(func(to io.Writer) { to.Write(token.signed) }), token.signature) {
			return 0, Wrong
		}
		return position, err
	}
	if a.Kind != "hmac" {
		if j.keys.ByName && !isKeyID(token.id) {
			return 0, Wrong
		}
		digest := a.Digest(func(to io.Writer) { to.Write(token.signed) })
		position, err = j.keys.Verify(&a, token.id, received, digest, token.signature)
		if position > 0 {
			position += len(j.secrets)
		}
		return position, err
	}
	return matchMAC(a, j.secrets, token.signed, token.signature)
}

// Fetch implements Fetcher.
func (j *JWT) Fetch(ctx context.Context, r *template.Request) error {
	token, err := j.find(r)
	if err != nil {
		return err
	}
	return j.keys.Fetch(ctx, token.id, r.Client)
}

// Observe implements Scheme.
func (j *JWT) Observe(r *template.Request, x *Reading) {
	x.headers(r, j.Headers()...)
	token, err := j.find(r)
	if err != nil {
		return
	}
	x.add("token: algorithm %s, key ID %q", token.algorithm, token.id)
	var c claims
	if json.Unmarshal(token.Payload, &c) == nil {
		if at, given, err := c.time("iat"); given && err == nil {
			x.at(at)
		}
		for _, name := range []string{"iss", "aud"} {
			if c[name] != nil {
				x.add("claim %s: %s", name, c[name])
			}
		}
	}
	x.signed("header.claims", token.signed, true)
}
