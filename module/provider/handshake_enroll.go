package provider

import (
	"errors"
	"slices"
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

// Enrolls implements Enroller.
func (c *Custom) Enrolls() bool { return enrolls(c.Handshakes) }
