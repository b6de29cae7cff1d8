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

// How long an enrollment is open, unless told, and at most.
const defaultEnrollment, maxEnrollment = 10 * time.Minute, 24 * time.Hour

// EnrollInfo says how long a source accepts secrets by handshake.
type EnrollInfo struct {
	Source    string                   `json:"source"`
	Until     time.Time                `json:"until"`
	Secrets   int                      `json:"secrets"`   // that were delivered so far
	Delivered []module.DeliveredSecret `json:"delivered"` // the same
	File      string                   `json:"file"`      // where they lie
}

// Enroll has a source accept one secret by handshake for so long; 0 ends that.
func (s *Service) Enroll(source string, length time.Duration) (*EnrollInfo, error) {
	h, err := s.enrolling(source)
	if err != nil {
		return nil, err
	}
	if length < 0 || length > maxEnrollment {
		return nil, InvalidError{fmt.Errorf("%q is not a duration from 0 to %v, such as 10m", length.String(), maxEnrollment)}
	}
	until := time.Now().Add(length)
	secrets, file := h.OpenEnrollment(until)
	s.log("enrollment opened", zap.String("source", h.Source), zap.Duration("for", length))
	return &EnrollInfo{h.Source, until.UTC(), len(secrets), secrets, file}, nil
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
	return &EnrollInfo{h.Source, until.UTC(), len(secrets), secrets, file}, nil
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
	return s.Enroll(r.PathValue("source"), length)
}

func (c *client) enroll(source, length, forget string) (info *EnrollInfo, err error) {
	query := url.Values{}
	if forget == "" {
		setOptional(query, "for", length)
	}
	setOptional(query, "forget", forget)
	err = c.call(http.MethodPost, sourcePath(source, "enroll"), query, &info)
	return info, err
}

func enrollCommand() *cobra.Command {
	var length, forget string
	cmd := remoteCommand("enroll <source>", "Lets a provider deliver its secret",
		`Some providers deliver the secret that they sign with in their first request. A
source accepts one such secret within a while after this command: run it, then
have the provider create the webhook. With the secret the while ends; run the
command again for a further one. All of them stay good. --for 0 ends the while
at once.

It shows the secrets so far: the first digits of their SHA-256, who delivered
them, and when. If one is not the provider's, drop it and begin anew:

  caddy webhook enroll asana --forget 1f2e3d4c5b6a

The secrets lie in a file beside the queue that only its owner can read.`, 1, 1,
		func(c *client, r *remote, args []string) error {
			if forget != "" && r.Flags().Changed("for") {
				return usageError{errors.New("--forget and --for do not go together")}
			}
			info, err := c.enroll(args[0], length, forget)
			if err != nil {
				return err
			}
			if r.json {
				return r.printJSON(info)
			}
			return info.print(r.OutOrStdout())
		})
	cmd.Flags().StringVar(&forget, "forget", "", "The fingerprint of a delivered secret to drop")
	cmd.Flags().StringVar(&length, "for", defaultEnrollment.String(), "How long secrets are accepted")
	return cmd
}

func (i *EnrollInfo) print(w io.Writer) error {
	until := "one secret until " + i.Until.Local().Format(time.TimeOnly)
	if !i.Until.After(time.Now()) {
		until = "no more secrets"
	}
	fmt.Fprintf(w, "%s accepts %s\n%d so far, in %s\n", i.Source, until, i.Secrets, i.File)
	for _, secret := range i.Delivered {
		fmt.Fprintf(w, "  %s from %s, %s\n", secret.Fingerprint, cmp.Or(secret.From, "an unknown address"), secret.Since.Local().Format(time.DateTime))
	}
	return nil
}
