package scheme

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// claims are the claims of a JWT, by name.
type claims map[string]json.RawMessage

// text returns a claim that is a string; "" if the claim is missing or no string.
func (c claims) text(name string) (text string) {
	_ = json.Unmarshal(c[name], &text)
	return text
}

// time returns a claim that is a time in seconds since 1970. A claim that is given
// but no time is an error.
func (c claims) time(name string) (at time.Time, given bool, err error) { return c.timeIn(name, 1000) }

// timeIn is time for a claim in units of so many milliseconds.
func (c claims) timeIn(name string, unit float64) (at time.Time, given bool, err error) {
	raw, given := c[name]
	if !given {
		return at, false, nil
	}
	var n float64
	if json.Unmarshal(raw, &n) != nil || string(raw) == "null" || n < 0 || n*unit > math.MaxInt32*1e6 {
		return at, true, NoTime
	}
	return time.UnixMilli(int64(n * unit)), true, nil
}

// has reports whether a claim is the string, or a list that contains the string.
func (c claims) has(name, value string) bool {
	var list []string
	if json.Unmarshal(c[name], &list) == nil {
		return slices.Contains(list, value)
	}
	return c.text(name) == value
}

// checkClaims refuses a token that is not for this request and this time.
func (j *JWT) checkClaims(c claims, r *template.Request, now time.Time) error {
	if j.Issuer != "" && c.text("iss") != j.Issuer || j.Audience != "" && !c.has("aud", j.Audience) {
		return Foreign
	}
	if err := j.checkTimes(c, now); err != nil {
		return err
	}
	if j.BodyHash != "" {
		_, given := c[j.BodyHash]
		switch {
		case !given && !(j.HashOptional && len(r.Body) == 0):
			return Missing
		case given && j.HashOptional && len(r.Body) == 0:
			return Wrong
		case given && !same(c.text(j.BodyHash), hashText(j.HashEncoding, r.Body)):
			return Wrong
		}
	}
	if j.URLHash != "" && !same(c.text(j.URLHash), hashText("hex", []byte(r.PublicURL(j.external).String()))) {
		return Wrong
	}
	return nil
}

// checkTimes holds exp and nbf, where they are given, against the clock, which
// may be off by the tolerance. Without exp the token's age counts from iat.
func (j *JWT) checkTimes(c claims, now time.Time) error {
	expires, hasExp, err1 := c.time("exp")
	begins, hasNbf, err2 := c.time("nbf")
	issued, hasIat, err3 := c.time("iat")
	if j.Issued != "" {
		issued, hasIat, err3 = c.timeIn(j.Issued, 1)
	}
	slack := max(j.tolerance, 0)
	switch {
	case err1 != nil || err2 != nil || err3 != nil:
		return NoTime
	case hasExp && !now.Before(expires.Add(slack)):
		return &Mistimed{TooOld, "expired", now.Sub(expires)}
	case hasNbf && now.Add(slack).Before(begins):
		return &Mistimed{TooNew, "valid from", begins.Sub(now)}
	case slack == 0:
		return nil
	case hasIat && issued.Sub(now) > slack:
		return &Mistimed{TooNew, "signed", issued.Sub(now)}
	case hasExp:
		return nil
	case !hasIat:
		return NoTime
	}
	return checkAge(issued, now, slack)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// hashText returns the SHA-256 of a content in an encoding.
func hashText(encoding string, content []byte) string {
	sum := sha256.Sum256(content)
	return string(template.AppendEncoded(nil, encoding, sum[:]))
}

// tokenLife is how long a renewed token is valid, where the replaced token had an
// expiry.
const tokenLife = time.Minute

// Sign implements Scheme: it replaces a token in a header by one for now, with the same other claims.
func (j *JWT) Sign(r *template.Request, now time.Time) error {
	if !j.signs() {
		return ErrPrivateKey
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
	name := j.Algorithms[slices.IndexFunc(j.Algorithms, isHMAC)]
	signed := base64.RawURLEncoding.AppendEncode(nil, []byte(`{"alg":"`+name+`","typ":"JWT"}`))
	signed = base64.RawURLEncoding.AppendEncode(append(signed, '.'), payload)
	signature := sumOf(jwtAlgorithms[name], j.secrets[0], signed)
	token := string(base64.RawURLEncoding.AppendEncode(append(signed, '.'), signature))
	if j.bearer(r) {
		token = "Bearer " + token
	}
	r.Header[j.header] = []string{token}
	return nil
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

// signs reports whether the configuration has a secret that makes tokens.
func (j *JWT) signs() bool {
	return j.Traits().Unsignable == "" && len(j.secrets) > 0
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
	set("iat", now.Unix())
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
	if j.URLHash != "" {
		set(j.URLHash, hashText("hex", []byte(r.PublicURL(j.external).String())))
	}
}
