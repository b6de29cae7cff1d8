package operate

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

// How long an enrollment is open, unless told, and at most.
const defaultEnrollment, maxEnrollment = 10 * time.Minute, 24 * time.Hour

// EnrollInfo says how long a source accepts secrets by handshake.
type EnrollInfo struct {
	Source  string    `json:"source"`
	Until   time.Time `json:"until"`
	Secrets int       `json:"secrets"` // that were delivered so far
	File    string    `json:"file"`    // where they lie
}

// Enroll has a source accept secrets by handshake for so long; 0 ends that.
func (s *Service) Enroll(source string, length time.Duration) (*EnrollInfo, error) {
	h, err := s.source(source)
	if err != nil {
		return nil, err
	}
	if !h.Enrolls() {
		return nil, InvalidError{fmt.Errorf("the provider of source %s delivers no secret by handshake", h.Source)}
	}
	if length < 0 || length > maxEnrollment {
		return nil, InvalidError{fmt.Errorf("%q is not a duration from 0 to %v, such as 10m", length.String(), maxEnrollment)}
	}
	until := time.Now().Add(length)
	secrets, file := h.OpenEnrollment(until)
	s.log("enrollment opened", zap.String("source", h.Source), zap.Duration("for", length))
	return &EnrollInfo{h.Source, until.UTC(), secrets, file}, nil
}

func enrollSource(s *Service, r *http.Request) (any, error) {
	length := defaultEnrollment
	if text := r.URL.Query().Get("for"); text != "" {
		var err error
		if length, err = caddy.ParseDuration(text); err != nil {
			return nil, InvalidError{fmt.Errorf("%q is not a duration from 0 to %v, such as 10m", text, maxEnrollment)}
		}
	}
	return s.Enroll(r.PathValue("source"), length)
}

func (c *client) enroll(source, length string) (info *EnrollInfo, err error) {
	query := url.Values{}
	setOptional(query, "for", length)
	err = c.call(http.MethodPost, sourcePath(source, "enroll"), query, &info)
	return info, err
}

func enrollCommand() *cobra.Command {
	var length string
	cmd := remoteCommand("enroll <source>", "Lets a provider deliver its secret",
		`Some providers deliver the secret that they sign with in their first request. A
source accepts such secrets only for a while after this command: run it, then
have the provider create the webhook. It may be run again for further secrets;
all of them stay good. --for 0 ends the while at once.

The secrets lie in a file beside the queue that only its owner can read. To drop
one, remove it there and run: caddy reload --force`, 1, 1,
		func(c *client, r *remote, args []string) error {
			info, err := c.enroll(args[0], length)
			if err != nil {
				return err
			}
			if r.json {
				return r.printJSON(info)
			}
			until := "secrets until " + info.Until.Local().Format(time.TimeOnly)
			if !info.Until.After(time.Now()) {
				until = "no more secrets"
			}
			fmt.Fprintf(r.OutOrStdout(), "%s accepts %s\n%d so far, in %s\n", info.Source, until, info.Secrets, info.File)
			return nil
		})
	cmd.Flags().StringVar(&length, "for", defaultEnrollment.String(), "How long secrets are accepted")
	return cmd
}
