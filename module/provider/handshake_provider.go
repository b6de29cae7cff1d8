package provider

import "time"

// Handshake implements Handshaker.
func (k *Known) Handshake(r *Request, now time.Time) (*Reply, error) {
	return k.handshakes.answer(k, r, now)
}

// Handshake implements Handshaker.
func (c *Custom) Handshake(r *Request, now time.Time) (*Reply, error) {
	return c.handshakes.answer(c, r, now)
}
