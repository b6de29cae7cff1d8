package operate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "webhook",
		Usage: "<command>",
		Short: "Operates a webhook gateway: shows events, replays them, sends samples",
		Long: `These commands operate a webhook gateway. Most of them talk to the admin API of
a running gateway. They find it as Caddy's own commands do: by --address, by the
address in the configuration that --config names, or at localhost:2019.

  caddy webhook events --state pending
  caddy webhook replay --state dead --source stripe
  caddy webhook verify --provider stripe --secret '{env.STRIPE_SECRET}' request.txt

The exit status is 0 when the command is done, 1 when the answer is no (invalid,
not found, refused), and 2 when the usage or the configuration is wrong.`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Args = cobra.ArbitraryArgs
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				if len(args) == 0 {
					return cmd.Help()
				}
				return exit(cmd, usageError{fmt.Errorf("unknown command %q; see: caddy webhook --help", args[0])})
			}
			cmd.AddCommand(commands()...)
		},
	})
}

// commands returns the commands under "caddy webhook".
func commands() []*cobra.Command {
	return []*cobra.Command{providersCommand(), verifyCommand(), sendCommand(), rulesCommand(), auditCommand(), eventsCommand(), showCommand(),
		deadCommand(), replayCommand(), dropCommand(), pauseCommand(), resumeCommand(), enrollCommand(), versionCommand()}
}

// usageError is an error of the caller, with exit status 2.
type usageError struct{ error }

// remote is a command that talks to a running gateway.
type remote struct {
	*cobra.Command
	address, config, adapter string
	json                     bool
}

// remoteCommand makes a command that takes Caddy's usual flags, too.
func remoteCommand(use, short, long string, least, most int, run func(*client, *remote, []string) error) *cobra.Command {
	r := new(remote)
	r.Command = newCommand(use, short, long, least, most, func(_ *cobra.Command, args []string) error {
		return run(&client{r.address, r.config, r.adapter}, r, args)
	})
	r.Flags().StringVar(&r.address, "address", "", "The `address` of the admin API")
	r.Flags().StringVarP(&r.config, "config", "c", "", "A configuration `file` that names the admin address")
	r.Flags().StringVarP(&r.adapter, "adapter", "a", "", "The `adapter` of that file")
	jsonFlag(r.Command, &r.json)
	return r.Command
}

// jsonFlag adds the flag for output that programs read.
func jsonFlag(cmd *cobra.Command, to *bool) { cmd.Flags().BoolVar(to, "json", false, "Print JSON") }

// newCommand makes a command that takes as many arguments as it may have.
func newCommand(use, short, long string, least, most int, run func(*cobra.Command, []string) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exit(cmd, usageError{err}) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return exit(cmd, usageError{fmt.Errorf("usage: caddy webhook %s", use)})
		}
		return exit(cmd, run(cmd, args))
	}
	return cmd
}

// exit gives an error the exit status that belongs to it.
func exit(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	fmt.Fprintln(cmd.ErrOrStderr(), "Error:", printable(err.Error()))
	if !errors.As(err, new(usageError)) {
		return err // exit status 1
	}
	// Only Caddy's own wrapper makes another exit status.
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return 2, nil })(cmd, nil)
}

// printJSON prints what the admin API answered.
func (r *remote) printJSON(v any) error { return printJSON(r.OutOrStdout(), v) }

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// argument returns an argument that may be missing.
func argument(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}
