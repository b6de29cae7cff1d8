package operate

import (
	"fmt"
	"net/http"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

// How long an enrolment is open, unless told, and at most.
const defaultEnrolment, maxEnrolment = 10 * time.Minute, 24 * time.Hour

// EnrollInfo says how long a source accepts secrets by handshake.
type EnrollInfo struct {
	Source  string    `json:"source"`
	Until   time.Time `json:"until"`
	Secrets int       `json:"secrets"` // that were delivered so far
	File    string    `json:"file"`    // where they lie
}

func enrollSource(a *module.App, r *http.Request) (any, error) {
	h, err := source(a, r)
	if err != nil {
		return nil, err
	}
	if !h.Enrolls() {
		return nil, badRequest{fmt.Errorf("the provider of source %s delivers no secret by handshake", h.Source)}
	}
	length := defaultEnrolment
	if text := r.URL.Query().Get("for"); text != "" {
		if length, err = caddy.ParseDuration(text); err != nil || length < 0 || length > maxEnrolment {
			return nil, badRequest{fmt.Errorf("%q is not a duration from 0 to %v, such as 10m", text, maxEnrolment)}
		}
	}
	until := time.Now().Add(length)
	secrets, file := h.OpenEnrolment(until)
	a.Logger().Info("enrolment opened by an operator", zap.String("source", h.Source), zap.Duration("for", length))
	return EnrollInfo{h.Source, until.UTC(), secrets, file}, nil
}

func (c *client) enroll(source, length string) (info EnrollInfo, err error) {
	err = c.call(http.MethodPost, sourcePath(source, "enroll"), optional("for", length), &info)
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
	cmd.Flags().StringVar(&length, "for", defaultEnrolment.String(), "How long secrets are accepted")
	return cmd
}
