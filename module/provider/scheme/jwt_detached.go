package scheme

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// compileDetached compiles what a token without content signs.
func (j *JWT) compileDetached() (err error) {
	j.detached, j.parameters = nil, nil
	if j.Detached == "" {
		return nil
	}
	if j.detached, err = template.Parse(j.Detached); err != nil {
		return err
	}
	switch {
	case j.detached.Constant():
		return errConstant(j.Detached)
	case j.header == "":
		return errors.New("detached is for a token in a header, whose content stands elsewhere")
	case j.BodyHash != "" || j.URLHash != "" || j.Issuer != "" || j.Audience != "" || len(j.Claims) > 0 || j.Issued != "":
		return errors.New("a detached token has no claims, so none can be checked; leave body_hash, url_hash, issuer, audience, issued and claim out")
	case j.detached.Has("timestamp", "secret", "id"):
		return fmt.Errorf("detached %q: a token gives neither {timestamp} nor {secret} nor {id}", j.Detached)
	}
	j.parameters = j.detached.CaptureNames()
	if len(j.parameters) > len(template.Candidate{}.Captured) {
		return fmt.Errorf("detached %q: more than %d different {value.…}", j.Detached, len(template.Candidate{}.Captured))
	}
	return j.detached.LocateCaptures(j.parameters)
}

// attach gives a token the content that it was made for.
func (j *JWT) attach(token *jws, r *template.Request) error {
	if len(token.Payload) > 0 {
		return Malformed
	}
	var header map[string]json.RawMessage
	if json.Unmarshal(token.header, &header) != nil {
		return Malformed
	}
	e := template.NewEnv(r, j.external)
	defer e.Free()
	for i, name := range j.parameters {
		if json.Unmarshal(header[name], &e.Captured[i]) != nil {
			return Missing
		}
	}
	content, ok := j.detached.AppendTo(nil, e)
	if !ok {
		return Missing
	}
	token.signed = base64.RawURLEncoding.AppendEncode(token.signed, content)
	return nil
}
