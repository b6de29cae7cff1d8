package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/bench/internal/rig"
)

// result is a line of the table: one figure of one site.
type result struct {
	row, site, base string
	figure
	value float64
	rates [2]float64 // requests per second of base and site
	costs [2]float64 // microseconds of the server's CPU for each
	cost  float64    // their ratio
	share float64    // of all CPU time that client and app took
}

// results draws the figures from the turns of a row's sites, the base first:
// medians over the rounds.
func results(r row, turns [][]turn) (all []result) {
	base := turns[0]
	for i, s := range r.sites {
		its := turns[i+1]
		for _, f := range s.want {
			all = append(all, result{
				row: r.name, site: s.name, base: r.base.name, figure: f, value: compared(base, its, f.of),
				rates: [2]float64{median(base, f.rate), median(its, f.rate)},
				costs: [2]float64{median(base, turn.cost), median(its, turn.cost)},
				cost:  compared(base, its, cost),
				share: median(its, func(t turn) float64 { return float64(t.own) / float64(t.own+t.cpu) }),
			})
		}
	}
	return all
}

// compared returns the median of what the turns of a round are to each other.
func compared(base, its []turn, of func(base, it turn) float64) float64 {
	values := make([]float64, len(its))
	for round := range its {
		values[round] = of(base[round], its[round])
	}
	return rig.Median(values)
}

func median(turns []turn, of func(turn) float64) float64 {
	values := make([]float64, len(turns))
	for i, t := range turns {
		values[i] = of(t)
	}
	return rig.Median(values)
}

// print prints the table.
func print(w io.Writer, all []result) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "\nWHAT\tBASE\tSITE\tBASE/S\tSITE/S\tCPU EACH\tRATIO\tCLIENT'S CPU\tFIGURE\tMEASURED\tTARGET\tOK")
	for _, r := range all {
		ok := "–"
		if r.target() != "–" {
			ok = "no"
			if r.ok(r.value) {
				ok = "yes"
			}
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%.0f\t%.0f\t%.0f, %.0f µs\t%.2f\t%.0f %%\t%s\t%.2f\t%s\t%s\n",
			r.row, r.base, r.site, r.rates[0], r.rates[1], r.costs[0], r.costs[1], r.cost, 100*r.share, r.figure.name, r.value, r.target(), ok)
	}
	return out.Flush()
}

// progress says that a row is done.
func progress(name string, took time.Duration, noisy int) {
	fmt.Printf("%s: %.1f s", name, took.Seconds())
	if noisy > 0 {
		fmt.Printf(", %d rounds measured again for other processes", noisy)
	}
	fmt.Println()
}
