package scheme

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"math"
	"slices"
	"time"

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
