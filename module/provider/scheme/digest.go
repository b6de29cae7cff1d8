package scheme

import (
	"bytes"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Digest is a plain hash over a text that the secret is part of, in the words of
// HMAC.
type Digest struct {
	HMAC
}

// Read implements Scheme.
func (s *Digest) Read(d *caddyfile.Dispenser, options syntax.Options) error {
	s.plain = true
	return s.HMAC.Read(d, options)
}

// Compile implements Scheme.
func (s *Digest) Compile() error {
	s.plain = true
	return s.HMAC.Compile()
}

// With implements Rekeyer.
func (s *Digest) With(secrets []string) (Scheme, error) {
	own, err := s.HMAC.with(secrets)
	if err != nil {
		return nil, err
	}
	return &Digest{*own}, nil
}

// Traits implements Scheme.
func (s *Digest) Traits() Traits {
	t := s.HMAC.Traits()
	t.HMACOf = nil
	return t
}

// extended reports whether a hash may have been made without the secret: who knows the
// hash of a text can go on hashing behind its end. The text then has a NUL, with which
// each of the hash functions fills its last block.
func extended(e *template.Env, signed template.Template) bool {
	var nul nulFinder
	signed.After("secret").Write(&nul, e)
	return bool(nul)
}

// nulFinder becomes true when a NUL is written.
type nulFinder bool

func (f *nulFinder) Write(text []byte) (int, error) {
	*f = *f || nulFinder(bytes.IndexByte(text, 0) >= 0)
	return len(text), nil
}

// Describe implements Scheme.
func (s *Digest) Describe() string {
	own := s.HMAC
	own.plain = true
	return own.Describe()
}
