package module

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

func init() { caddy.RegisterModule(PlaceholderRewrite{}) }

const placeholderRewriteName = "webhook_gateway_rewrite"

// PlaceholderRewrite is Caddy's rewrite for paths in which the value of a webhook is one
// segment, whatever is in it. The gateway puts it into the place of rewrite in a forward
// that has placeholders of webhooks. It works nowhere else.
type PlaceholderRewrite struct{ rewrite.Rewrite }

// CaddyModule returns the Caddy module information.
func (PlaceholderRewrite) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers." + placeholderRewriteName,
		New: func() caddy.Module { return new(PlaceholderRewrite) },
	}
}

// A token stands for a placeholder in a path while that is rewritten: Caddy would decode
// the path, and a value would fall apart at its slashes. Nobody outside can know the
// prefix.
var segmentPrefix = func() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // which never fails
	return "webhook" + hex.EncodeToString(random[:])
}()

var segmentTokens = regexp.MustCompile(segmentPrefix + `x([0-9a-f]+)z`)

func segmentToken(name string) string {
	return segmentPrefix + "x" + hex.EncodeToString([]byte(name)) + "z"
}

// replaceTokens replaces the tokens in a text.
func replaceTokens(text string, by func(name string) string) string {
	return segmentTokens.ReplaceAllStringFunc(text, func(token string) string {
		name, _ := hex.DecodeString(segmentTokens.FindStringSubmatch(token)[1])
		return by(string(name))
	})
}

// placeholderPath is a path with values, and the same path with tokens.
type placeholderPath struct{ escaped, tokens string }

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (p PlaceholderRewrite) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	values := valuesOf(r.Context())
	if values == nil {
		return caddyhttp.Error(http.StatusInternalServerError, errors.New(placeholderRewriteName+" works in the forward of a webhook's route only"))
	}
	if values.path.tokens != "" && r.URL.EscapedPath() == values.path.escaped {
		r.URL.Path, r.URL.RawPath = values.path.tokens, ""
		r.RequestURI = r.URL.RequestURI()
	}
	p.Rewrite.Rewrite(r, r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer))
	if err := values.fillPath(r); err != nil {
		values.fail(err)
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	return next.ServeHTTP(w, r)
}

// fillPath puts values into a path with tokens.
func (v *webhookValues) fillPath(r *http.Request) (err error) {
	v.path = placeholderPath{}
	tokens := r.URL.Path
	if !strings.Contains(tokens, segmentPrefix) {
		return nil
	}
	segments := strings.Split(r.URL.EscapedPath(), "/")
	for i, segment := range segments {
		if strings.Contains(segment, segmentPrefix) {
			if segments[i], err = v.segment(segment); err != nil {
				return err
			}
		}
	}
	escaped := strings.Join(segments, "/")
	if r.URL.Path, err = url.PathUnescape(escaped); err != nil {
		return err
	}
	r.URL.RawPath = escaped
	r.RequestURI = r.URL.RequestURI()
	v.path = placeholderPath{r.URL.EscapedPath(), tokens}
	return nil
}

// segment fills a segment with tokens. Neither nothing nor the dots that lead out of the
// path are values.
func (v *webhookValues) segment(tokens string) (string, error) {
	var wrong error
	filled := replaceTokens(tokens, func(name string) string {
		value, err := v.value(name)
		if err == nil && value == "" {
			err = fmt.Errorf("{webhook.%s}: it is empty, and cannot stand in a path", name)
		}
		if wrong == nil {
			wrong = err
		}
		return url.PathEscape(value)
	})
	if decoded, _ := url.PathUnescape(filled); wrong == nil && (decoded == "." || decoded == "..") {
		wrong = fmt.Errorf("a webhook's value makes %q of a part of the path", decoded)
	}
	return filled, wrong
}

// Interface guards
var (
	_ caddy.Provisioner           = (*PlaceholderRewrite)(nil)
	_ caddyhttp.MiddlewareHandler = (*PlaceholderRewrite)(nil)
)
