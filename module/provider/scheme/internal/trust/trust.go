// Package trust has what the fetching of keys trusts. Only tests replace it.
package trust

import (
	"crypto/x509"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/public"
)

// Client fetches what requests name.
var Client = public.Client()

// Roots are the roots that issuers must lead to; nil: those of the system.
var Roots *x509.CertPool
