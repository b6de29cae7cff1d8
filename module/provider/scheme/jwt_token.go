package scheme

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// jws is a token in parts.
type jws struct {
	algorithm, id string
	header        []byte   // as JSON
	chain         []string // of certificates, in base64
	signed        []byte
	Payload       []byte
	signature     []byte
}

// maxToken is the longest token in a header, in bytes.
const maxToken = 16 << 10

// find returns the token of a request.
func (j *JWT) find(r *template.Request) (*jws, error) {
	var text string
	switch values := r.Header[j.header]; {
	case j.field != nil:
		e := template.NewEnv(r, nil)
		defer e.Free()
		value, err := e.JSON(j.field)
		if root, _ := e.Root(); err != nil || root.Kind() != payload.Object {
			return nil, Malformed
		}
		if value.Kind() == payload.String {
			text = value.Text()
		}
	case j.header == "":
		text = string(bytes.TrimSpace(r.Body))
	case len(values) > 1:
		return nil, Repeated
	case len(values) == 1 && len(values[0]) > maxToken:
		return nil, Malformed
	case len(values) == 1:
		text = values[0]
	}
	if text, _ = cutBearer(text); text == "" {
		return nil, Missing
	}
	return parseJWS(text)
}

// cutBearer returns the token without Bearer before it.
func cutBearer(text string) (token string, found bool) {
	if kind, rest, found := strings.Cut(text, " "); found && strings.EqualFold(kind, "Bearer") {
		return strings.TrimSpace(rest), true
	}
	return text, false
}

// parseJWS reads a token in compact form.
func parseJWS(text string) (*jws, error) {
	parts := strings.SplitN(text, ".", 4)
	if len(parts) != 3 || strings.ContainsAny(text, "\r\n") { // which the decoder skips
		return nil, Malformed
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return nil, Malformed
		}
	}
	var header struct {
		Algorithm string          `json:"alg"`
		ID        string          `json:"kid"`
		Critical  json.RawMessage `json:"crit"`
		Plain     *bool           `json:"b64"`
		Chain     []string        `json:"x5c"`
	}
	if json.Unmarshal(decoded[0], &header) != nil || header.Critical != nil || header.Plain != nil {
		return nil, Malformed // crit: what must be understood is not
	}
	return &jws{
		algorithm: header.Algorithm, id: header.ID,
		header: decoded[0], chain: header.Chain,
		signed:    []byte(text[:len(parts[0])+1+len(parts[1])]),
		Payload:   decoded[1],
		signature: decoded[2],
	}, nil
}
