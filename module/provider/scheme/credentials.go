package scheme

import (
	"errors"
	"net/url"
	"time"
)

// Credentials are the secrets and keys that Provision gives to a scheme.
// Placeholders in the secrets are resolved.
type Credentials struct {
	Secrets   []string
	Tolerance time.Duration // of a timestamp; 0: it is not checked
	External  *url.URL      // that the provider calls; nil: the one that the request came to
	Dir       string        // where fetched keys are kept, in keys/; "": in memory only, for this provider alone
	Signing   *SigningKey   // what signs samples in place of the provider's key; nil: nothing does
	Keys
}

// checkSecrets refuses secrets where only public keys verify.
func (c *Credentials) checkSecrets() error {
	if len(c.Secrets) > 0 {
		return errors.New("the provider signs with a key of its own, so there is no secret; what verifies is a public key: public_key <key>")
	}
	return nil
}
