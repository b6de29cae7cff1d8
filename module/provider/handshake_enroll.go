package provider

import (
	"errors"
	"slices"
	"sync/atomic"
)

// Enroller is a Handshaker some of whose secrets are delivered by handshakes.
type Enroller interface {
	Handshaker

	// Enrolls reports whether handshakes deliver secrets. It is asked before
	// the provider is provisioned.
	Enrolls() bool

	// Enroll takes the secrets that were delivered, besides those of the
	// configuration and in place of those of the call before.
	Enroll(secrets []string) error
}

// enrolled is a provider with the secrets that handshakes delivered, nil if
// there are none. It is shared by the copies of a provider.
type enrolled[P any] struct{ atomic.Pointer[P] }

var (
	errNotEnrolled = errors.New("the provider has not delivered a secret yet")
	errNoSecret    = errors.New("needs a secret of its own: the provider delivers one only after this configuration was loaded")
)

// enrolls reports whether any of the handshakes delivers a secret.
func enrolls(list []Handshake) bool {
	return slices.ContainsFunc(list, func(h Handshake) bool { return h.Kind == "enroll" })
}

// Enrolls implements Enroller.
func (k *Known) Enrolls() bool { return enrolls(k.preset.Handshakes) }

// Enroll implements Enroller.
func (k *Known) Enroll(secrets []string) error {
	own := *k
	own.secrets = slices.Concat(k.secrets, secrets)
	if err := own.provisionDefinition(); err != nil {
		return err
	}
	k.enrolled.Store(&own)
	return nil
}

func (k *Known) withEnrolled() *Known {
	if own := k.enrolled.Load(); own != nil {
		return own
	}
	return k
}

// Enrolls implements Enroller.
func (c *Custom) Enrolls() bool { return enrolls(c.Handshakes) }

// Enroll implements Enroller.
func (c *Custom) Enroll(secrets []string) error {
	own := *c
	own.secrets = slices.Concat(c.secrets, secrets)
	d, err := own.check()
	if err != nil {
		return err
	}
	if err := own.provisionDefinition(d); err != nil {
		return err
	}
	c.enrolled.Store(&own)
	return nil
}

func (c *Custom) withEnrolled() *Custom {
	if own := c.enrolled.Load(); own != nil {
		return own
	}
	return c
}
