package operate

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// bulkCommand is a command that does something with the events that are named, or
// that the filters select.
type bulkCommand struct {
	*client
	*remote
	verb, does  string // replay, sends %s again
	event       func(c *client, id, route string, dryRun bool) (*Done, error)
	step        func(c *client, f Filter, dryRun bool) (*Done, error)
	yes, dryRun bool
}

// newBulkCommand makes the command of a bulk operation, which the client does
// with an event, or with events step by step.
func newBulkCommand(verb, does, short, long string, event func(c *client, id, route string, dryRun bool) (*Done, error),
	step func(c *client, f Filter, dryRun bool) (*Done, error)) *cobra.Command {
	b := &bulkCommand{verb: verb, does: does, event: event, step: step}
	cmd := remoteCommand(verb+" [<id>...]", short, long, 0, 1000, func(c *client, r *remote, ids []string) error {
		b.client, b.remote = c, r
		f, err := r.filter()
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			return b.named(ids, f)
		}
		return b.selected(f)
	})
	filterFlags(cmd)
	cmd.Flags().BoolVarP(&b.yes, "yes", "y", false, "Do not ask")
	cmd.Flags().BoolVar(&b.dryRun, "dry-run", false, "Only count")
	return cmd
}

// named does the operation with the events that are named.
func (b *bulkCommand) named(ids []string, f Filter) error {
	if f != (Filter{Route: f.Route}) {
		return usageError{errors.New("events are either named, or selected by filters; an ID goes with --route only")}
	}
	for _, id := range ids {
		if _, err := parseID(id); err != nil {
			return usageError{err}
		}
	}
	var sum Done
	failed := 0
	for _, id := range ids {
		done, err := b.event(b.client, id, f.Route, b.dryRun)
		if err != nil {
			failed++
			fmt.Fprintf(b.ErrOrStderr(), "%s: %v\n", id, err)
			continue
		}
		sum.add(done)
	}
	if err := b.print(&sum); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d events were left as they are", failed, len(ids))
	}
	return nil
}

// selected does the operation with the events that the filters select.
func (b *bulkCommand) selected(f Filter) error {
	if !f.selects() {
		return usageError{errSelectsAll}
	}
	if b.dryRun || !b.yes {
		found, err := b.steps(f, true)
		if err != nil {
			return err
		}
		if b.dryRun || found.Events == 0 {
			return b.print(found)
		}
		if err := b.ask(found); err != nil {
			return err
		}
	}
	done, err := b.steps(f, false)
	if err != nil && done.Events > 0 {
		return fmt.Errorf("after %s: %w", done, err)
	}
	if err != nil {
		return err
	}
	return b.print(done)
}

// steps does the operation step by step, or finds out what there is to do. With
// an error it returns what was done before.
func (b *bulkCommand) steps(f Filter, dryRun bool) (*Done, error) {
	sum, limit := new(Done), f.Limit
	for {
		done, err := b.step(b.client, f, dryRun)
		if err != nil {
			return sum, err
		}
		sum.add(done)
		if done.Next == "" || limit > 0 && sum.Events >= limit {
			return sum, nil
		}
		f.After = done.Next
		if limit > 0 {
			f.Limit = limit - sum.Events
		}
	}
}

// ask asks the person. Where there is none, --yes must have been given.
func (b *bulkCommand) ask(found *Done) error {
	question := fmt.Sprintf("This "+b.does+".", found)
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return usageError{errors.New(question + " Add --yes to have it done, or --dry-run to only count")}
	}
	fmt.Fprintf(b.ErrOrStderr(), "%s Go on? [y/N] ", question)
	answer, _ := bufio.NewReader(b.InOrStdin()).ReadString('\n')
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return errors.New("nothing was done")
	}
	return nil
}

func (b *bulkCommand) print(done *Done) error {
	if b.json {
		return b.printJSON(done)
	}
	prefix := b.verb + ": "
	if b.dryRun {
		prefix = b.verb + " would do: "
	}
	fmt.Fprintln(b.OutOrStdout(), prefix+done.String())
	if done.Parked > 0 && b.verb == "replay" {
		fmt.Fprintf(b.OutOrStdout(), "  parked: %s, whose route is paused or not configured\n", plural(done.Parked, "delivery"))
	}
	for _, reason := range slices.Sorted(maps.Keys(done.Left)) {
		fmt.Fprintf(b.OutOrStdout(), "  left as they are: %s, %s\n", plural(done.Left[reason], "event"), reason)
	}
	return nil
}

// add adds what another step did.
func (d *Done) add(other *Done) {
	d.Events += other.Events
	d.Deliveries += other.Deliveries
	d.Parked += other.Parked
	for reason, n := range other.Left {
		if d.Left == nil {
			d.Left = make(map[string]int)
		}
		d.Left[reason] += n
	}
}

// String tells how much was done.
func (d *Done) String() string {
	return plural(d.Deliveries, "delivery") + " of " + plural(d.Events, "event")
}

// plural writes a number of things.
func plural(n int, thing string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(thing, "y"):
		thing = strings.TrimSuffix(thing, "y") + "ies"
	default:
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
