package scheme

import (
	"cmp"
	"context"
	"crypto"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dunglas/httpsfv"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// MessageSignature is the scheme of RFC 9421, HTTP Message Signatures, with the
// body's digest of RFC 9530. Source: both RFCs.
type MessageSignature struct {
	// The algorithm, by its name in RFC 9421: hmac-sha256, ed25519, ecdsa-p256-sha256,
	// ecdsa-p384-sha384, rsa-pss-sha512 or rsa-v1_5-sha256. If the signature names one,
	// it must be the same.
	Algorithm string `json:"algorithm,omitempty"`

	// The label of the signature. Default: any, but there must be only one signature.
	Label string `json:"label,omitempty"`

	// The value that the parameter tag must have. Default: any.
	Tag string `json:"tag,omitempty"`

	// The components that the signature must cover, such as @method,
	// content-digest or @query-param;name="id". Default: content-digest.
	Components []string `json:"components,omitempty"`

	// The signature with the label may cover anything, or nothing. Without a label it
	// must cover @method and content-digest. Default: false.
	AnyComponents bool `json:"any_components,omitempty"`

	// How a secret becomes a key: base64, hex or raw. Default: base64.
	Key string `json:"key,omitempty"`

	algorithm keys.Algorithm
	required  []string // identifiers, serialized
	secrets   [][]byte
	keys      *keys.Keyring
	signing   *SigningKey
	tolerance time.Duration
	external  *url.URL
}

// MessageAlgorithms are the algorithms of message signatures, by their names in RFC 9421.
var MessageAlgorithms = map[string]keys.Algorithm{
	"hmac-sha256":       {Kind: "hmac", Hash: crypto.SHA256},
	"ed25519":           {Kind: "ed25519"},
	"ecdsa-p256-sha256": {Kind: "ecdsa", Hash: crypto.SHA256, Curve: 256, Raw: true},
	"ecdsa-p384-sha384": {Kind: "ecdsa", Hash: crypto.SHA384, Curve: 384, Raw: true},
	"rsa-pss-sha512":    {Kind: "rsa", Hash: crypto.SHA512, PSS: true},
	"rsa-v1_5-sha256":   {Kind: "rsa", Hash: crypto.SHA256},
}

var (
	componentName = regexp.MustCompile(`^@?[a-z0-9-]+$`)
	labelName     = regexp.MustCompile(`^[a-z*][a-z0-9_.*-]*$`)
)

// Provision checks the scheme and makes its keys.
func (m *MessageSignature) Provision(c *Credentials) (err error) {
	if err := m.Compile(); err != nil {
		return err
	}
	m.tolerance, m.external, m.signing = c.Tolerance, c.External, c.Signing
	if m.algorithm.Kind != "hmac" {
		if len(c.Secrets) > 0 {
			return fmt.Errorf("the algorithm %s uses public keys, not secrets", m.Algorithm)
		}
		m.keys, err = c.keyring(m.algorithm)
		if err == nil && m.keys.Empty() {
			err = fmt.Errorf("the algorithm %s needs a public key: public_key <key>, or keys_url <url>", m.Algorithm)
		}
		return err
	}
	if m.secrets, err = decodeKeys(m.Key, c.Secrets); err != nil {
		return err
	}
	if len(m.secrets) == 0 || len(c.PublicKeys) > 0 || c.KeysURL != "" {
		return fmt.Errorf("the algorithm %s needs a secret, and no public key", m.Algorithm)
	}
	m.keys = new(keys.Keyring)
	return nil
}

// With implements Rekeyer.
func (m *MessageSignature) With(secrets []string) (Scheme, error) {
	keys, err := decodeKeys(m.Key, secrets)
	own := *m
	own.secrets = keys
	return &own, err
}

// Compile checks what is configured.
func (m *MessageSignature) Compile() error {
	m.Key = cmp.Or(m.Key, "base64")
	a, known := MessageAlgorithms[m.Algorithm]
	if !known {
		return fmt.Errorf("unknown algorithm %q; use %s", m.Algorithm, strings.Join(slices.Sorted(maps.Keys(MessageAlgorithms)), ", "))
	}
	m.algorithm = a
	if m.Label != "" && !labelName.MatchString(m.Label) {
		return fmt.Errorf("label %q: a label has small letters, digits and _-.*, and begins with a letter or *", m.Label)
	}
	names := NonEmpty(m.Components)
	switch {
	case len(names) > 0 || m.AnyComponents && m.Label != "":
	case m.AnyComponents:
		names = []string{"@method", "content-digest"}
	default:
		names = []string{"content-digest"}
	}
	m.required = nil
	for _, text := range names {
		name, params, _ := strings.Cut(text, ";")
		if params != "" {
			params = ";" + params
		}
		item, err := httpsfv.UnmarshalItem([]string{`"` + strings.Trim(name, `"`) + `"` + params})
		if err != nil || !componentName.MatchString(strings.Trim(name, `"`)) {
			return fmt.Errorf("%q is not a component such as @method, content-digest or @query-param;name=\"id\"", text)
		}
		if err := checkComponent(strings.Trim(name, `"`), item.Params); err != nil {
			return err
		}
		identifier, err := httpsfv.Marshal(item)
		if err != nil {
			return fmt.Errorf("component %q: %v", text, err)
		}
		m.required = append(m.required, identifier)
	}
	return nil
}

// Traits implements Scheme.
func (m *MessageSignature) Traits() Traits {
	return Traits{
		UsesSecret: true, UsesKeys: true, // as the algorithm says, which may be an option
		KeyEncoding: cmp.Or(m.Key, "base64"),
		CarriesTime: true, SignsTime: true, // created and expires
		SignsURL:      true,
		CoversContent: true, Covers: []string{"{timestamp}{body}"}, // by default
		Keys:       len(m.secrets) + m.keys.Count(),
		Unsignable: m.unsignable(), OwnKey: m.signing != nil && m.algorithm.Kind != "hmac",
	}
}

// unsignable says why Sign cannot make the signature; "" where it can.
func (m *MessageSignature) unsignable() string {
	switch a, known := MessageAlgorithms[m.Algorithm]; {
	case a.Kind == "hmac":
		return ""
	case !known: // an option, without its value
		return PrivateKey + ", unless the algorithm is hmac-sha256"
	}
	return unsignableWith(m.signing)
}

// Headers implements Scheme.
func (m *MessageSignature) Headers() []string { return []string{"Signature-Input", "Signature"} }

// Screen implements Scheme.
func (m *MessageSignature) Screen(r *template.Request, _ time.Time) error {
	return screenHeaders(r, m.Headers())
}

// Holds implements Scheme.
func (m *MessageSignature) Holds(r *template.Request) bool { return AnyHeader(r, m.Headers()) }

// Describe implements Scheme.
func (m *MessageSignature) Describe() string { return "HTTP message signature of RFC 9421" }

// Read implements Scheme. Syntax:
//
//	message_signature <algorithm> {
//		label      <label>
//		tag        <tag>
//		components <component>...
//		any_components
//		key        base64|hex|raw
//	}
func (m *MessageSignature) Read(d *caddyfile.Dispenser, options syntax.Options) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	m.Algorithm = d.Val()
	return readBlock(d, options, syntax.Options{
		"label":          syntax.String(&m.Label),
		"tag":            syntax.String(&m.Tag),
		"components":     syntax.Strings(&m.Components),
		"any_components": syntax.Flag(&m.AnyComponents),
		"key":            syntax.OneOf(&m.Key, "base64", "hex", "raw"),
	})
}

// messageProof is the signature of a request, taken apart.
type messageProof struct {
	input     httpsfv.InnerList // the covered components, and the parameters
	signature []byte
}

// find returns the signature of a request.
func (m *MessageSignature) find(r *template.Request) (*messageProof, error) {
	inputs, err := dictionary(r, "Signature-Input")
	if err != nil {
		return nil, err
	}
	signatures, err := dictionary(r, "Signature")
	if err != nil {
		return nil, err
	}
	label := m.Label
	if label == "" {
		if len(inputs.Names()) != 1 {
			return nil, Repeated
		}
		label = inputs.Names()[0]
	}
	input, ok := inputs.Get(label)
	if !ok {
		return nil, Missing
	}
	signature, ok := signatures.Get(label)
	if !ok {
		return nil, Missing
	}
	list, isList := input.(httpsfv.InnerList)
	item, isItem := signature.(httpsfv.Item)
	if !isList || !isItem {
		return nil, Malformed
	}
	bytes, isBytes := item.Value.([]byte)
	if !isBytes {
		return nil, Malformed
	}
	return &messageProof{list, bytes}, nil
}

// Verify implements Scheme: some key must have made the signature, and the signature
// must cover the required components and be for this time.
func (m *MessageSignature) Verify(r *template.Request, now time.Time) error {
	proof, err := m.find(r)
	if err != nil {
		return err
	}
	if err := m.checkParameters(proof.input.Params, now); err != nil {
		return err
	}
	base, covered, err := signatureBase(r, m.external, &proof.input)
	if err != nil {
		return err
	}
	for _, identifier := range m.required {
		if !slices.Contains(covered, identifier) {
			return Wrong
		}
	}
	// A digest is checked even where nothing signs it: it is there to be true.
	if _, given := r.Header["Content-Digest"]; given {
		if err := checkDigest(r); err != nil {
			return err
		}
	}
	position, err := m.match(proof, base, now)
	if err != nil {
		return err
	}
	r.Matched = position
	return nil
}

// match returns the position of the secret or key that made the signature.
func (m *MessageSignature) match(proof *messageProof, base string, received time.Time) (position int, err error) {
	if m.algorithm.Kind != "hmac" {
		digest := m.algorithm.Digest(func(to io.Writer) { io.WriteString(to, base) })
		return m.keys.Verify(&m.algorithm, keyID(proof.input.Params), received, digest, proof.signature)
	}
	return matchMAC(m.algorithm, m.secrets, []byte(base), proof.signature)
}

func keyID(params *httpsfv.Params) string {
	value, _ := params.Get("keyid")
	id, _ := value.(string)
	return id
}

// Fetch implements Fetcher.
func (m *MessageSignature) Fetch(ctx context.Context, r *template.Request) error {
	proof, err := m.find(r)
	if err != nil {
		return err
	}
	return m.keys.Fetch(ctx, keyID(proof.input.Params), r.Client)
}

// checkParameters refuses a signature that is not for this time or purpose.
func (m *MessageSignature) checkParameters(params *httpsfv.Params, now time.Time) error {
	for name, want := range map[string]string{"alg": m.Algorithm, "tag": m.Tag} {
		value, given := params.Get(name)
		switch {
		case name == "alg" && given && value != want:
			return Wrong // the algorithm is pinned, whatever the signature says
		case name == "tag" && want != "" && value != want:
			return Foreign
		}
	}
	if value, given := params.Get("expires"); given {
		expires, ok := value.(int64)
		if !ok {
			return NoTime
		}
		if end := time.Unix(expires, 0); !now.Before(end.Add(max(m.tolerance, 0))) {
			return &Mistimed{TooOld, "expired", now.Sub(end)}
		}
	}
	value, given := params.Get("created")
	created, ok := value.(int64)
	switch {
	case given && !ok, !given && m.tolerance > 0:
		return NoTime
	case !given:
		return nil
	}
	return checkAge(time.Unix(created, 0), now, m.tolerance)
}

// defaultLabel is that of a signature that is made here.
const defaultLabel = "sig1"

// Sign implements Scheme. It covers what must be covered. The provider's own
// signature may cover more, so none is made for an app.
func (m *MessageSignature) Sign(r *template.Request, now time.Time) error {
	if m.algorithm.Kind != "hmac" && m.signing == nil {
		return ErrPrivateKey
	}
	if slices.Contains(m.toCover(), `"content-digest"`) {
		r.Header["Content-Digest"] = []string{"sha-256=:" + hashText("base64", r.Body) + ":"}
	}
	input := httpsfv.InnerList{Params: httpsfv.NewParams()}
	for _, identifier := range m.toCover() {
		item, err := httpsfv.UnmarshalItem([]string{identifier})
		if err != nil {
			return fmt.Errorf("signing component %s: %v", identifier, err)
		}
		input.Items = append(input.Items, item)
	}
	input.Params.Add("created", now.Unix())
	input.Params.Add("alg", m.Algorithm)
	if m.Tag != "" {
		input.Params.Add("tag", m.Tag)
	}
	base, _, err := signatureBase(r, m.external, &input)
	if err != nil {
		return fmt.Errorf("the request lacks a part of what is signed: %w", err)
	}
	if err := m.put(r, "Signature-Input", input); err != nil {
		return err
	}
	signature, err := m.make(base)
	if err != nil {
		return err
	}
	return m.put(r, "Signature", httpsfv.NewItem(signature))
}

// make makes the signature of a base.
func (m *MessageSignature) make(base string) ([]byte, error) {
	if m.algorithm.Kind == "hmac" {
		return sumOf(m.algorithm, m.secrets[0], []byte(base)), nil
	}
	return m.signing.sign(&m.algorithm, m.algorithm.Digest(func(to io.Writer) { io.WriteString(to, base) }))
}

// toCover returns the components that Sign covers.
func (m *MessageSignature) toCover() []string {
	if m.required == nil {
		return []string{`"@method"`, `"content-digest"`}
	}
	return m.required
}

// put writes a header with one member, under the label.
func (m *MessageSignature) put(r *template.Request, name string, member httpsfv.Member) error {
	d := httpsfv.NewDictionary()
	d.Add(cmp.Or(m.Label, defaultLabel), member)
	text, err := httpsfv.Marshal(d)
	if err != nil {
		return fmt.Errorf("writing %s: %v", name, err)
	}
	r.Header[name] = []string{text}
	return nil
}

// Observe implements Scheme.
func (m *MessageSignature) Observe(r *template.Request, x *Reading) {
	x.headers(r, "Signature-Input")
	x.headers(r, "Signature")
	proof, err := m.find(r)
	if err != nil {
		return
	}
	x.add("signature: %d bytes", len(proof.signature))
	if created, ok := proof.input.Params.Get("created"); ok {
		if seconds, ok := created.(int64); ok {
			x.at(time.Unix(seconds, 0))
		}
	}
	base, covered, err := signatureBase(r, m.external, &proof.input)
	x.add("covered: %s; must be: %s", strings.Join(covered, " "), strings.Join(m.required, " "))
	x.signed("signature base", []byte(base), err == nil)
}
