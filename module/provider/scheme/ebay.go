package scheme

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// EBay is the scheme of eBay: an ECDSA signature over the body's SHA-1, in a
// header of JSON that names the key. Source: eBay/event-notification-nodejs-sdk.
type EBay struct {
	keys    *keys.Keyring
	signing *SigningKey
}

const ebayHeader = "X-Ebay-Signature"

var ebayAlgorithm = keys.Algorithm{Kind: "ecdsa", Hash: crypto.SHA1}

// Provision takes the keys, or what asks the API for them.
func (e *EBay) Provision(c *Credentials) (err error) {
	if err := c.checkSecrets(); err != nil {
		return err
	}
	e.signing = c.Signing
	if e.keys, err = c.keyring(ebayAlgorithm); err != nil || !e.keys.Empty() {
		return err
	}
	api, err := newEBayAPI(c)
	if err != nil {
		return err
	}
	e.keys.ByName = true
	e.keys.Fetched = keys.CacheOf(&keys.Source{
		Place:  api.address.String() + " as " + api.clientID,
		Secret: api.clientPass,
		ByName: true,
		Fetch:  api.key,
		Read:   keys.ReadKeys,
	}, c.Dir)
	return nil
}

// ebayProof is the JSON in the header.
type ebayProof struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Signature []byte `json:"signature"`
	Digest    string `json:"digest"`
}

// find returns the proof of a request.
func (e *EBay) find(r *template.Request) (*ebayProof, error) {
	values := r.Header[ebayHeader]
	switch {
	case len(values) == 0:
		return nil, Missing
	case len(values) > 1:
		return nil, Repeated
	case len(values[0]) > maxStructured:
		return nil, Malformed
	}
	text, err := decodeSignature("base64", values[0])
	proof := new(ebayProof)
	if err != nil || json.Unmarshal(text, proof) != nil {
		return nil, Malformed
	}
	if !strings.EqualFold(proof.Algorithm, "ecdsa") || !strings.EqualFold(proof.Digest, "SHA1") || !isKeyID(proof.KeyID) {
		return nil, Wrong
	}
	return proof, nil
}

// isKeyID reports whether a key ID may be part of a call. Anybody can send a key ID.
func isKeyID(id string) bool {
	return id != "" && len(id) <= 128 && strings.IndexFunc(id, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	}) < 0
}

// Verify reports whether eBay signed the body.
func (e *EBay) Verify(r *template.Request, now time.Time) error {
	proof, err := e.find(r)
	if err != nil {
		return err
	}
	h := ebayAlgorithm.Hash.New()
	h.Write(r.Body)
	r.Matched, err = e.keys.Verify(&ebayAlgorithm, proof.KeyID, now, h.Sum(nil), proof.Signature)
	return err
}

// Fetch implements Fetcher.
func (e *EBay) Fetch(ctx context.Context, r *template.Request) error {
	proof, err := e.find(r)
	if err != nil {
		return err
	}
	return e.keys.Fetch(ctx, proof.KeyID, r.Client)
}

// Sign implements Scheme.
func (e *EBay) Sign(r *template.Request, _ time.Time) error {
	if e.signing == nil {
		return ErrPrivateKey
	}
	signature, err := e.signing.sign(&ebayAlgorithm, ebayAlgorithm.Digest(func(to io.Writer) { to.Write(r.Body) }))
	if err != nil {
		return err
	}
	text, err := json.Marshal(ebayProof{"ecdsa", "own-key", signature, "SHA1"})
	if err != nil {
		return err
	}
	r.Header[ebayHeader] = []string{base64.StdEncoding.EncodeToString(text)}
	return nil
}

// ebayAPI asks eBay for public keys. It authorizes with a token that it gets for the
// client's credentials.
type ebayAPI struct {
	address              *url.URL
	clientID, clientPass string

	mu      sync.Mutex
	token   string
	expires time.Time
}

func newEBayAPI(c *Credentials) (*ebayAPI, error) {
	id, secret, address, err := c.client("eBay", "https://api.ebay.com")
	return &ebayAPI{clientID: id, clientPass: secret, address: address}, err
}

// key gets the key of an ID.
func (a *ebayAPI) key(ctx context.Context, client *http.Client, id string) ([]byte, error) {
	token, err := a.authorize(ctx, client)
	if err != nil {
		return nil, err
	}
	content, err := keys.Download(ctx, client, a.address.JoinPath("/commerce/notification/v1/public_key", id).String(), "Bearer "+token)
	if err != nil {
		a.forget(token)
		return nil, err
	}
	if content == nil {
		return nil, nil
	}
	var answer struct {
		Key string `json:"key"`
	}
	if json.Unmarshal(content, &answer) != nil {
		return nil, errors.New("the API of eBay answered with something that is no key")
	}
	return []byte(answer.Key), nil
}

// authorize returns the token. It gets a new token if there is none or the old one
// has expired.
func (a *ebayAPI) authorize(ctx context.Context, client *http.Client) (string, error) {
	a.mu.Lock()
	token, good := a.token, time.Now().Before(a.expires)
	a.mu.Unlock()
	if good {
		return token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"https://api.ebay.com/oauth/api_scope"}}
	content, err := keys.Post(ctx, client, a.address.JoinPath("/identity/v1/oauth2/token").String(),
		"application/x-www-form-urlencoded", []byte(form.Encode()),
		func(req *http.Request) { req.SetBasicAuth(a.clientID, a.clientPass) })
	if err != nil {
		return "", err
	}
	var answer struct {
		Token string `json:"access_token"`
		Life  int64  `json:"expires_in"`
	}
	if content == nil || json.Unmarshal(content, &answer) != nil || answer.Token == "" || strings.ContainsAny(answer.Token, "\r\n") {
		return "", errors.New("the API of eBay does not accept the client's credentials")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	// A minute early, so that none expires on its way.
	a.token, a.expires = answer.Token, time.Now().Add(time.Duration(min(answer.Life, 86400)-60)*time.Second)
	return a.token, nil
}

// forget drops a token that did not work.
func (a *ebayAPI) forget(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token == token {
		a.token, a.expires = "", time.Time{}
	}
}

// Compile implements Scheme.
func (e *EBay) Compile() error { return nil }

// Traits implements Scheme.
func (e *EBay) Traits() Traits {
	return Traits{UsesKeys: true, Unsignable: unsignableWith(e.signing), OwnKey: e.signing != nil, CoversContent: true, Covers: []string{"{body}"}, Keys: e.keys.Count()}
}

// Headers implements Scheme.
func (e *EBay) Headers() []string { return []string{ebayHeader} }

// Screen implements Scheme.
func (e *EBay) Screen(r *template.Request, _ time.Time) error { return screenHeaders(r, e.Headers()) }

// Holds implements Scheme.
func (e *EBay) Holds(r *template.Request) bool { return AnyHeader(r, e.Headers()) }

// Describe implements Scheme.
func (e *EBay) Describe() string {
	return "ECDSA signature in X-Ebay-Signature over the body, by eBay's public key"
}

// Observe implements Scheme.
func (e *EBay) Observe(r *template.Request, x *Reading) { x.headers(r, e.Headers()...) }

// Read implements Scheme. Syntax:
//
//	ebay { … } # the options of every proof and of the keys
func (e *EBay) Read(d *caddyfile.Dispenser, options syntax.Options) error {
	return readBlock(d, options, nil)
}
