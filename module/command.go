package module

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "webhook",
		Usage: "<command>",
		Short: "Sends samples to the webhook gateway and shows its events",
		Long: `Commands for a running webhook gateway. They find it by its admin address, as
Caddy's own commands do: --address, or the address in --config.

They exit with 0 when done, with 1 when the answer is no (invalid, not found),
and with 2 on wrong usage or configuration.`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Args = cobra.ArbitraryArgs
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				if len(args) == 0 {
					return cmd.Help()
				}
				return exit(cmd, usageError{fmt.Errorf("unknown command %q; see: caddy webhook --help", args[0])})
			}
			cmd.AddCommand(sendCommand(), eventsCommand(), showCommand())
		},
	})
}

// usageError is an error of the one who calls: exit status 2.
type usageError struct{ error }

// remote is a command that talks to a running gateway.
type remote struct {
	*cobra.Command
	address, config, adapter string
	json                     bool
}

// remoteCommand makes a command that takes Caddy's usual flags.
func remoteCommand(use, short, long string, args int, run func(*client, *remote, []string) error) *cobra.Command {
	r := &remote{Command: &cobra.Command{Use: use, Short: short, Long: long}}
	r.Flags().StringVar(&r.address, "address", "", "The address of the admin API")
	r.Flags().StringVarP(&r.config, "config", "c", "", "The configuration that names the admin address")
	r.Flags().StringVarP(&r.adapter, "adapter", "a", "", "The adapter of that configuration")
	r.Flags().BoolVar(&r.json, "json", false, "Print JSON")
	r.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exit(r.Command, usageError{err}) })
	r.RunE = func(cmd *cobra.Command, given []string) error {
		if len(given) != args {
			return exit(cmd, usageError{fmt.Errorf("usage: caddy webhook %s", use)})
		}
		c, err := newClient(r.address, r.config, r.adapter)
		if err == nil {
			err = run(c, r, given)
		}
		return exit(cmd, err)
	}
	return r.Command
}

// exit gives an error the exit status that belongs to it.
func exit(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	fmt.Fprintln(cmd.ErrOrStderr(), "Error:", err)
	var usage usageError
	if !errors.As(err, &usage) {
		return err // exit status 1
	}
	// Only Caddy's own wrapper makes another exit status.
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return 2, nil })(cmd, nil)
}

// printJSON prints what the admin API answered.
func (r *remote) printJSON(v any) error {
	enc := json.NewEncoder(r.OutOrStdout())
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func eventsCommand() *cobra.Command {
	query := url.Values{}
	cmd := remoteCommand("events", "Lists events, newest first",
		"Lists the events in the queue, newest first.", 0,
		func(c *client, r *remote, _ []string) error {
			for _, name := range []string{"state", "source", "route", "event", "older", "newer", "limit"} {
				if value := r.Flag(name).Value.String(); value != "" {
					query.Set(name, value)
				}
			}
			if _, err := parseFilter(query); err != nil {
				return usageError{err}
			}
			events, err := c.events(query)
			if err != nil {
				return err
			}
			if r.json {
				return r.printJSON(events)
			}
			return printEvents(r.OutOrStdout(), events)
		})
	cmd.Flags().String("state", "", "Only events in this state, or with a delivery in it: "+strings.Join(states, ", "))
	cmd.Flags().String("source", "", "Only events of this source")
	cmd.Flags().String("route", "", "Only events with a delivery to this route")
	cmd.Flags().String("event", "", "Only events of this type")
	cmd.Flags().String("older", "", "Only events older than this: a time, or a duration back from now")
	cmd.Flags().String("newer", "", "Only events newer than this: a time, or a duration back from now")
	cmd.Flags().String("limit", "", "At most so many events (default 50)")
	return cmd
}

func printEvents(w io.Writer, events []EventInfo) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tRECEIVED\tSOURCE\tEVENT\tSTATE\tDELIVERIES")
	for _, e := range events {
		deliveries := make([]string, len(e.Deliveries))
		for i, d := range e.Deliveries {
			deliveries[i] = d.Route + ":" + d.State
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", e.ID, e.ReceivedAt.Local().Format(time.DateTime),
			e.Source, inCell(e.Type), e.State, strings.Join(deliveries, " "))
	}
	return table.Flush()
}

func showCommand() *cobra.Command {
	return remoteCommand("show <id>", "Shows an event",
		"Shows an event with its deliveries and its request. Credentials are masked.", 1,
		func(c *client, r *remote, args []string) error {
			if _, err := parseID(args[0]); err != nil {
				return usageError{err}
			}
			event, err := c.showEvent(args[0])
			if err != nil {
				return err
			}
			if r.json {
				return r.printJSON(event)
			}
			return printEvent(r.OutOrStdout(), &event)
		})
}

// printable keeps what a sender chose from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// inCell keeps it from breaking a table as well.
func inCell(s string) string { return strings.NewReplacer("\n", " ", "\t", " ").Replace(printable(s)) }
