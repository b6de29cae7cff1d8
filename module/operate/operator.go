package operate

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// operator is a person who has something done with events.
type operator struct {
	*client
	*remote
	verb, does  string // replay, sends %s again
	yes, dryRun bool
	options     url.Values // that are no filters
}

// operatorCommand makes a command that does something with the events that are
// named, or that the filters select.
func operatorCommand(verb, does, short, long string, options func(*cobra.Command) func() (url.Values, error)) *cobra.Command {
	o := &operator{verb: verb, does: does}
	var read func() (url.Values, error)
	cmd := remoteCommand(verb+" [<id>...]", short, long, 0, 1000, func(c *client, r *remote, ids []string) (err error) {
		o.client, o.remote = c, r
		if o.options, err = read(); err != nil {
			return usageError{err}
		}
		filter, err := r.filterQuery()
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			return o.named(ids, filter)
		}
		return o.selected(filter)
	})
	filterFlags(cmd)
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "Do not ask")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "Only tell how many there are")
	read = options(cmd)
	return cmd
}

// named does it with the events that are named.
func (o *operator) named(ids []string, filter url.Values) error {
	route := filter.Get("route")
	filter.Del("route")
	if len(filter) > 0 {
		return usageError{errors.New("events are either named, or selected by filters; an ID goes with --route only")}
	}
	for _, id := range ids {
		if _, err := parseID(id); err != nil {
			return usageError{err}
		}
	}
	query := o.query(o.dryRun)
	if route != "" {
		query.Set("route", route)
	}
	var sum Done
	failed := 0
	for _, id := range ids {
		var done Done
		if err := o.call(http.MethodPost, eventsPath+"/"+id+"/"+o.verb, query, &done); err != nil {
			failed++
			fmt.Fprintf(o.ErrOrStderr(), "%s: %v\n", id, err)
			continue
		}
		sum.add(&done)
	}
	if err := o.print(&sum); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d events were left as they are", failed, len(ids))
	}
	return nil
}

// selected does it with the events that the filters select.
func (o *operator) selected(filter url.Values) error {
	if len(filter) == 0 || len(filter) == 1 && filter.Has("limit") {
		return usageError{fmt.Errorf("name events by their IDs, or what to select: --state, --source, --route, --event, --older, --newer, --where")}
	}
	if o.dryRun || !o.yes {
		found, err := o.steps(filter, true)
		if err != nil {
			return err
		}
		if o.dryRun || found.Events == 0 {
			return o.print(&found)
		}
		if err := o.ask(&found); err != nil {
			return err
		}
	}
	done, err := o.steps(filter, false)
	if err != nil && done.Events > 0 {
		return fmt.Errorf("after %s: %w", &done, err)
	}
	if err != nil {
		return err
	}
	return o.print(&done)
}

// steps does it step by step, or finds out what there is to do.
func (o *operator) steps(filter url.Values, dry bool) (sum Done, err error) {
	query := o.query(dry)
	maps.Copy(query, filter)
	limit, _ := strconv.Atoi(filter.Get("limit")) // which has been checked
	for {
		var done Done
		if err := o.call(http.MethodPost, "/webhook_gateway/"+o.verb, query, &done); err != nil {
			return sum, err
		}
		sum.add(&done)
		if done.Next == "" || limit > 0 && sum.Events >= limit {
			return sum, nil
		}
		query.Set("after", done.Next)
		if limit > 0 {
			query.Set("limit", strconv.Itoa(limit-sum.Events))
		}
	}
}

// query returns the options as a query.
func (o *operator) query(dry bool) url.Values {
	query := maps.Clone(o.options)
	if dry {
		query.Set("dry_run", "true")
	}
	return query
}

// ask asks the person. Where there is none, --yes must have been given.
func (o *operator) ask(found *Done) error {
	question := fmt.Sprintf("This "+o.does+".", found)
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return usageError{errors.New(question + " Add --yes to have it done, or --dry-run to only count")}
	}
	fmt.Fprintf(o.ErrOrStderr(), "%s Go on? [y/N] ", question)
	answer, _ := bufio.NewReader(o.InOrStdin()).ReadString('\n')
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return errors.New("nothing was done")
	}
	return nil
}

func (o *operator) print(done *Done) error {
	if o.json {
		return o.printJSON(done)
	}
	prefix := o.verb + ": "
	if o.dryRun {
		prefix = o.verb + " would do: "
	}
	fmt.Fprintln(o.OutOrStdout(), prefix+done.String())
	if done.Parked > 0 && o.verb == "replay" {
		fmt.Fprintf(o.OutOrStdout(), "  parked: %s, whose route is paused or not configured\n", count(done.Parked, "delivery"))
	}
	for _, reason := range slices.Sorted(maps.Keys(done.Left)) {
		fmt.Fprintf(o.OutOrStdout(), "  left as they are: %s, %s\n", count(done.Left[reason], "event"), reason)
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
	return count(d.Deliveries, "delivery") + " of " + count(d.Events, "event")
}

func count(n int, what string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(what, "y"):
		what = strings.TrimSuffix(what, "y") + "ies"
	default:
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
