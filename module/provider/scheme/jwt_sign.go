package scheme

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// tokenLife is how long a renewed token is valid, where the replaced token had an
// expiry.
const tokenLife = time.Minute

// Sign implements Scheme: it replaces a token by one for now, with the same other claims.
func (j *JWT) Sign(r *template.Request, now time.Time) error {
	if !j.signs() {
		return ErrPrivateKey
	}
	if j.detached != nil {
		return j.signDetached(r)
	}
	c, err := j.before(r)
	if err != nil {
		return err
	}
	j.renew(c, r, now)
	payload, err := json.Marshal(c)
	if err != nil {
		return errors.New("making a token: the claims of the one before cannot be written")
	}
	token, err := j.token(map[string]any{"typ": "JWT"}, payload)
	if err != nil {
		return err
	}
	return j.put(r, token)
}

// token makes a token with a header and a content.
func (j *JWT) token(header map[string]any, payload []byte) (string, error) {
	name, err := j.signsWith()
	if err != nil {
		return "", err
	}
	header["alg"] = name
	if j.X5C != nil {
		header["x5c"] = j.signing.encodedChain()
	}
	text, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	signed := base64.RawURLEncoding.AppendEncode(nil, text)
	signed = base64.RawURLEncoding.AppendEncode(append(signed, '.'), payload)
	signature, err := j.sum(jwtAlgorithms[name], signed)
	if err != nil {
		return "", err
	}
	return string(base64.RawURLEncoding.AppendEncode(append(signed, '.'), signature)), nil
}

// signsWith returns the algorithm that signs: the first one with a secret, or that the
// operator's own key fits.
func (j *JWT) signsWith() (string, error) {
	if j.signing == nil {
		return j.Algorithms[slices.IndexFunc(j.Algorithms, isHMAC)], nil
	}
	for _, name := range j.Algorithms {
		if a := jwtAlgorithms[name]; a.Fits(j.signing.signer.Public()) {
			return name, nil
		}
	}
	return "", fmt.Errorf("the provider does not sign with %s, but by %s", kindOf(j.signing.signer.Public()), strings.Join(j.Algorithms, ", "))
}

// sum returns the signature of a token.
func (j *JWT) sum(a keys.Algorithm, signed []byte) ([]byte, error) {
	if j.signing == nil {
		return sumOf(a, j.secrets[0], signed), nil
	}
	return j.signing.sign(&a, a.Digest(func(to io.Writer) { to.Write(signed) }))
}

// put puts a token where the provider writes it.
func (j *JWT) put(r *template.Request, token string) error {
	switch {
	case j.field != nil:
		e := template.NewEnv(r, nil)
		defer e.Free()
		place, err := template.Parse(j.From)
		if err != nil {
			return err
		}
		return e.Put(place, token)
	case j.header == "":
		r.Body = []byte(token)
		return nil
	case j.bearer(r):
		token = "Bearer " + token
	}
	r.Header[j.header] = []string{token}
	return nil
}

// signDetached makes a token of which the content stands elsewhere. Its parameters are
// those of the token that the request has.
func (j *JWT) signDetached(r *template.Request) error {
	header := make(map[string]any)
	if token, err := j.find(r); err == nil {
		_ = json.Unmarshal(token.header, &header) // what is no object has no parameters
	}
	e := template.NewEnv(r, j.external)
	defer e.Free()
	for i, name := range j.parameters {
		e.Captured[i], _ = header[name].(string)
		header[name] = e.Captured[i]
	}
	content, ok := j.detached.AppendTo(nil, e)
	if !ok {
		return errIncomplete
	}
	token, err := j.token(header, content)
	if err != nil {
		return err
	}
	head, _, _ := strings.Cut(token, ".")
	return j.put(r, head+"."+token[strings.LastIndexByte(token, '.'):])
}

// before returns the claims of the token that the request has; where there is none, those
// that providers' tokens have and libraries ask for: an ID and an expiry.
func (j *JWT) before(r *template.Request) (c claims, err error) {
	token, err := j.find(r)
	if err == nil {
		_ = json.Unmarshal(token.Payload, &c) // what is no object has no claims
		if c == nil {
			c = make(claims)
		}
		return c, nil
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("making the ID of a token: %v", err)
	}
	return claims{"jti": json.RawMessage(`"` + id.String() + `"`), "exp": nil, "nbf": nil}, nil
}

// bearer reports whether Bearer stands before the token: as in the request, or where there
// is no token yet, as the provider writes it.
func (j *JWT) bearer(r *template.Request) bool {
	if values := r.Header[j.header]; len(values) == 1 {
		_, found := cutBearer(values[0])
		return found
	}
	return j.header == "Authorization" && !j.Bare
}

// signs reports whether there is a secret or a private key that makes tokens.
func (j *JWT) signs() bool {
	return j.signing != nil || j.Traits().Unsignable == "" && len(j.secrets) > 0
}

func isHMAC(name string) bool { return jwtAlgorithms[name].Kind == "hmac" }

// renew sets the claims that depend on the request and on the time.
func (j *JWT) renew(c claims, r *template.Request, now time.Time) {
	set := func(name string, value any) { c[name], _ = json.Marshal(value) } // strings and numbers do not fail
	if _, given := c["exp"]; given {
		set("exp", now.Add(tokenLife).Unix())
	}
	if _, given := c["nbf"]; given {
		set("nbf", now.Unix())
	}
	if j.Issued != "" {
		set(j.Issued, now.UnixMilli())
	} else {
		set("iat", now.Unix())
	}
	if j.Issuer != "" {
		set("iss", j.Issuer)
	}
	if j.Audience != "" {
		set("aud", j.Audience)
	}
	delete(c, j.BodyHash)
	if j.BodyHash != "" && !(j.HashOptional && len(r.Body) == 0) {
		set(j.BodyHash, hashText(j.HashEncoding, r.Body))
	}
	for i := range j.Claims {
		j.Claims[i].pin(c)
	}
	if j.URLHash != "" {
		set(j.URLHash, hashText("hex", []byte(r.PublicURL(j.external).String())))
	}
}
