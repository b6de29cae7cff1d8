package provider

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Handshake implements Handshaker.
func (k *Known) Handshake(r *Request, now time.Time) (*Reply, error) {
	return k.handshakes.answer(k, r, now)
}

func (k *Known) provisionHandshakes() error {
	c, err := k.HandshakeOptions.receiver(&k.Common)
	if err != nil {
		return err
	}
	k.handshakes, err = provisionHandshakes(k.preset.handshakes(), k.profile.Methods, k.Token, c)
	return err
}

// Handshake implements Handshaker.
func (c *Custom) Handshake(r *Request, now time.Time) (*Reply, error) {
	return c.handshakes.answer(c, r, now)
}

func (c *Custom) provisionHandshakes() (err error) {
	none := func(string) []string { return nil }
	c.handshakes, err = provisionHandshakes(c.Handshakes, c.profile.Methods, c.Common.Token, receiver{c.secrets, none})
	return err
}

// checkHandshakes holds the custom provider's handshakes against its scheme.
func (c *Custom) checkHandshakes() error {
	for _, h := range c.Handshakes {
		h.defaults()
		switch {
		case h.check() != nil:
			return fmt.Errorf("handshake %s: %w", h.Kind, h.check())
		case h.Signed != "" && c.HMAC == nil:
			return errors.New("handshake is to be signed, but the provider has no hmac")
		case h.Kind == "hmac" && h.Signed != "always" && c.HMAC != nil && !strings.Contains(cmp.Or(c.HMAC.Signed, "{body}"), "{body}"):
			return errors.New("handshake hmac signs for anybody what looks like a challenge, which is safe only where hmac signs the {body}; else it needs: signed always")
		}
	}
	if names := asked(c.Handshakes); len(names) > 0 {
		return fmt.Errorf("provider custom has no option %s: write its value, or a placeholder such as {env.X}", names[0])
	}
	return nil
}
