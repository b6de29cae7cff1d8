package operate

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
)

// How long an enrollment is open, unless told (the command says 10m as well), and at most.
const defaultEnrollment, maxEnrollment = 10 * time.Minute, 24 * time.Hour

// EnrollInfo says how long a source accepts secrets by handshake.
type EnrollInfo struct {
	Source    string                   `json:"source"`
	Tenant    string                   `json:"tenant,omitempty"`
	Until     time.Time                `json:"until"`
	Secrets   int                      `json:"secrets"`   // that were delivered so far
	Delivered []module.DeliveredSecret `json:"delivered"` // the same
	File      string                   `json:"file"`      // where they lie
}

// Enroll has a source accept one secret by handshake for so long, from a tenant if the
// source has tenants; 0 ends that.
func (s *Service) Enroll(source, tenant string, length time.Duration) (*EnrollInfo, error) {
	h, err := s.enrolling(source)
	if err != nil {
		return nil, err
	}
	if err := h.MayEnroll(tenant); err != nil {
		return nil, InvalidError{err}
	}
	if length < 0 || length > maxEnrollment {
		return nil, InvalidError{fmt.Errorf("%q is not a duration from 0 to %v, such as 10m", length.String(), maxEnrollment)}
	}
	until := time.Now().Add(length)
	secrets, file := h.OpenEnrollment(tenant, until)
	s.log("enrollment opened", zap.String("source", h.Source), zap.String("tenant", tenant), zap.Duration("for", length))
	return &EnrollInfo{h.Source, tenant, until.UTC(), len(secrets), secrets, file}, nil
}

// enrolling returns a source whose provider delivers its secret.
func (s *Service) enrolling(source string) (*module.Handler, error) {
	h, err := s.source(source)
	if err != nil {
		return nil, err
	}
	if !h.Enrolls() {
		return nil, InvalidError{fmt.Errorf("the provider of source %s delivers no secret by handshake", h.Source)}
	}
	return h, nil
}

// Forget removes a delivered secret, given its fingerprint.
func (s *Service) Forget(source, fingerprint string) (*EnrollInfo, error) {
	h, err := s.enrolling(source)
	if err != nil {
		return nil, err
	}
	found, err := h.ForgetSecret(fingerprint)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, NotFoundError{fmt.Errorf("source %s has no delivered secret with the fingerprint %s", h.Source, fingerprint)}
	}
	s.log("delivered secret forgotten", zap.String("source", h.Source), zap.String("fingerprint", fingerprint))
	until, secrets, file := h.Enrollment()
	return &EnrollInfo{h.Source, "", until.UTC(), len(secrets), secrets, file}, nil
}

func enrollSource(s *Service, r *http.Request) (any, error) {
	if query := r.URL.Query(); query.Has("forget") {
		if query.Has("for") {
			return nil, InvalidError{errors.New("forget and for do not go together")}
		}
		return s.Forget(r.PathValue("source"), query.Get("forget"))
	}
	length := defaultEnrollment
	if text := r.URL.Query().Get("for"); text != "" {
		var err error
		if length, err = caddy.ParseDuration(text); err != nil {
			return nil, InvalidError{fmt.Errorf("%q is not a duration from 0 to %v, such as 10m", text, maxEnrollment)}
		}
	}
	return s.Enroll(r.PathValue("source"), r.URL.Query().Get("tenant"), length)
}

func (c *client) enroll(source, tenant, length, forget string) (info *EnrollInfo, err error) {
	query := url.Values{}
	if forget == "" {
		setOptional(query, "for", length)
		setOptional(query, "tenant", tenant)
	}
	setOptional(query, "forget", forget)
	err = c.call(http.MethodPost, sourcePath(source, "enroll"), query, &info)
	return info, err
}

func enrollCommand() *cobra.Command {
	var tenant, length, forget string
	cmd := remoteCommand("enroll <source>", "Lets a provider deliver its secret by handshake",
		`Some providers deliver the secret that they sign with in their first request.
After this command the source accepts one such secret for ten minutes, or for
the duration that --for names. Run the command, then create the webhook at the
provider. The source closes with the first secret; run the command again for
another one. All delivered secrets stay valid. --for 0 closes the source at once.

  caddy webhook enroll asana
  caddy webhook enroll asana --for 1h
  caddy webhook enroll asana --for 0
  caddy webhook enroll asana --forget 1f2e3d4c5b6a
  caddy webhook enroll asana --tenant acme

The command lists the secrets so far: a fingerprint (the first digits of the
SHA-256), the address that delivered the secret, and the time. If an address is
not the provider's, drop the secret with --forget and begin anew. The secrets
lie in a file beside the queue that only its owner can read.`, 1, 1,
		func(c *client, r *remote, args []string) error {
			if forget != "" && r.Flags().Changed("for") {
				return usageError{errors.New("--forget and --for do not go together")}
			}
			info, err := c.enroll(args[0], tenant, length, forget)
			if err != nil {
				return err
			}
			if r.json {
				return r.printJSON(info)
			}
			return info.print(r.OutOrStdout())
		})
	cmd.Flags().StringVar(&tenant, "tenant", "", "The `tenant` that the secret is of, where the source has tenants")
	cmd.Flags().StringVar(&forget, "forget", "", "Drop the delivered secret with this `fingerprint`")
	cmd.Flags().StringVar(&length, "for", "10m", "Accept a secret for this `duration`; 0 closes the source")
	return cmd
}

func (i *EnrollInfo) print(w io.Writer) error {
	until := "one secret until " + i.Until.Local().Format(time.TimeOnly)
	if !i.Until.After(time.Now()) {
		until = "no more secrets"
	}
	name := i.Source
	if i.Tenant != "" {
		name += ", tenant " + i.Tenant + ","
	}
	fmt.Fprintf(w, "%s accepts %s\n%d so far, in %s\n", name, until, i.Secrets, i.File)
	for _, secret := range i.Delivered {
		fingerprint := secret.Fingerprint
		if secret.Tenant != "" {
			fingerprint += " of " + secret.Tenant
		}
		fmt.Fprintf(w, "  %s from %s, %s\n", fingerprint, cmp.Or(secret.From, "an unknown address"), secret.Since.Local().Format(time.DateTime))
	}
	return nil
}
