package operate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
)

// AuditInfo is what a configuration gives up, and what mends it.
type AuditInfo struct {
	Findings []module.Finding `json:"findings"`
}

// Audit looks for what the running configuration gives up.
func (s *Service) Audit() *AuditInfo { return newAuditInfo(s.app) }

func newAuditInfo(app *module.App) *AuditInfo {
	findings, reasons := app.Findings()
	for _, reason := range reasons {
		findings = append(findings, notLoaded(reason))
	}
	if findings == nil {
		findings = []module.Finding{} // a list in JSON
	}
	return &AuditInfo{findings}
}

// notLoaded is the finding that a configuration does not load.
func notLoaded(err error) module.Finding {
	reason := err.Error()
	if at := loading.FindAllStringIndex(reason, -1); at != nil {
		reason = reason[at[len(at)-1][1]:]
	}
	return module.Finding{Problem: "the configuration does not load: " + provisioning.ReplaceAllString(reason, ""),
		Fix: "the rest is looked at once this is mended"}
}

// What Caddy and the gateway put in front of the reason why a source does not load.
var (
	loading      = regexp.MustCompile(`provision http\.handlers\.webhook_gateway: `)
	provisioning = regexp.MustCompile(`loading provider: loading module '[a-z0-9_]+': provision webhook_gateway\.providers\.[a-z0-9_]+: `)
)

// auditConfig looks for what a configuration gives up. It makes the configuration
// ready and starts nothing.
func auditConfig(file, adapter string) (*AuditInfo, error) {
	content, _, _, err := caddycmd.LoadConfig(file, adapter)
	if err != nil {
		return nil, usageError{err}
	}
	config := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(content, config); err != nil {
		return nil, usageError{fmt.Errorf("reading configuration: %v", err)}
	}
	// The log's files are the running gateway's.
	config.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{
		"default": {BaseLog: caddy.BaseLog{WriterRaw: json.RawMessage(`{"output": "discard"}`)}},
	}}
	ctx, err := caddy.ProvisionContext(config)
	if err != nil {
		return &AuditInfo{[]module.Finding{notLoaded(err)}}, nil
	}
	app, err := ctx.AppIfConfigured("webhook_gateway")
	if err != nil {
		return nil, usageError{errors.New("the configuration has no webhook gateway")}
	}
	return newAuditInfo(app.(*module.App)), nil
}

func auditRunning(s *Service, _ *http.Request) (any, error) { return s.Audit(), nil }

func (c *client) audit() (info *AuditInfo, err error) {
	err = c.call(http.MethodGet, auditPath, nil, &info)
	return info, err
}

func auditCommand() *cobra.Command {
	var address, config, adapter string
	var asJSON bool
	run := func(cmd *cobra.Command, _ []string) error {
		info, err := audit(address, config, adapter)
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(cmd.OutOrStdout(), info)
		} else {
			err = info.print(cmd.OutOrStdout())
		}
		if n := len(info.Findings); err == nil && n > 0 {
			err = fmt.Errorf("%s found", plural(n, "problem"))
		}
		return err
	}
	cmd := newCommand("audit", "Lists the weak points of a configuration",
		`Lists the weak points of a configuration, one a line, each with its remedy: paths
whose webhooks would be lost, requests that reach an app unverified, secrets
that could be guessed, and sources that anybody can fill.

  caddy webhook audit
  caddy webhook audit --config Caddyfile

Without --config the command asks the running gateway, which also reports what it
has seen in its requests. With --config it reads a file before the gateway runs:
nothing is started, and placeholders have the values of this shell.

The exit status is 0 if nothing is found, and 1 otherwise. The log has the same
lines whenever a configuration is loaded.`, 0, 0, run)
	cmd.Flags().StringVar(&address, "address", "", "The `address` of the admin API of the running gateway")
	cmd.Flags().StringVarP(&config, "config", "c", "", "A configuration `file` to read, instead of the running one")
	cmd.Flags().StringVarP(&adapter, "adapter", "a", "", "The `adapter` of that file")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func audit(address, config, adapter string) (*AuditInfo, error) {
	switch {
	case config == "":
		return (&client{address: address}).audit()
	case address != "":
		return nil, usageError{errors.New("--config looks at a file, --address at what runs: name one of them")}
	}
	return auditConfig(config, adapter)
}

func (i *AuditInfo) print(w io.Writer) error {
	if len(i.Findings) == 0 {
		_, err := fmt.Fprintln(w, "nothing found")
		return err
	}
	for _, finding := range i.Findings {
		if _, err := fmt.Fprintln(w, inLine(finding.String())); err != nil {
			return err
		}
	}
	return nil
}
