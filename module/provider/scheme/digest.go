package scheme

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
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

// Traits implements Scheme.
func (s *Digest) Traits() Traits {
	t := s.HMAC.Traits()
	t.HMACOf = nil
	return t
}

// Describe implements Scheme.
func (s *Digest) Describe() string {
	own := s.HMAC
	own.plain = true
	return own.Describe()
}
