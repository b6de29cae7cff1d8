// Bench compares the gateway with Caddy itself:
//
//	go run ./bench
//
// Each row gives two sites, or more, of one Caddy process the same requests from
// the same client by turns: the ratio of a round means more than its requests
// per second, because what else the machine does hits both, and the median over
// the rounds is the result. A ratio of 1 means as fast as Caddy without the
// gateway. The requests are inSigner webhooks, each with an ID of its own and
// signed: of 2 KiB, over plain HTTP on keep-alive connections, if the row says
// nothing else. Accepting means to verify the signature, to look the event ID up,
// to ask ten rules of which none matches, and to store the event, with a sync of
// the disk before the 200. In the end each 200 must be an event in the queue.
//
// Requests per second, CPU time of the server for each with its ratio, and the share
// of all CPU time that the client took, with the app, stand beside each figure. Client,
// app and server share the cores. A round in which other processes took more than
// 0.3 cores is measured again, as far as three times as many rounds allow. The queue lies in the directory for temporary
// files: name another one with -dir if that is kept in memory, where a sync of
// the disk takes no time. A Caddy that does nothing but respond has a tiny heap
// and collects garbage often; GOGC=400 go run ./bench shows both without that.
//
// What a million waiting events cost is measured by ./bench/scale, and at the end
// of a run by -scale. With -profile DIR nothing is compared: CPU and allocation
// profiles of the server on the way of a request and of a delivery are written.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/bench/internal/rig"
)

func main() {
	if rig.IsServer() {
		rig.Serve()
		return
	}
	var b bench
	flag.IntVar(&b.rounds, "rounds", 5, "rounds of each comparison")
	seconds := flag.Float64("seconds", 1, "`length` of the turn that each site has in a round")
	flag.StringVar(&b.dir, "dir", "", "`directory` to keep the queue in (default: the one for temporary files)")
	only := flag.String("only", "", "only the rows whose names match a `regexp`")
	profile := flag.String("profile", "", "write profiles to a `directory` instead")
	scale := flag.Bool("scale", false, "run ./bench/scale after the comparisons")
	least := flag.Float64("min", 0, "exit with status 1 if the `ratio` of accepting, the first figure, is lower")
	flag.Parse()
	b.length = time.Duration(*seconds * float64(time.Second))
	if *profile != "" && *only == "" {
		*only = "^(accepting, 64 connections|accepting and delivering, to)$"
	}
	chosen, err := regexp.Compile(*only)
	if err != nil || flag.NArg() > 0 || b.rounds < 1 || b.length <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	all := slices.DeleteFunc(rows(), func(r row) bool { return !chosen.MatchString(r.name) })
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *profile != "" {
		err = b.profile(ctx, all, *profile)
	} else {
		err = b.compare(ctx, all, *least)
	}
	if err == nil && *scale {
		err = runScale(ctx, b.dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// compare measures rows, and prints the table.
func (b *bench) compare(ctx context.Context, rows []row, least float64) error {
	fmt.Printf("%d cores, %s, turns of %v, %d rounds\n", runtime.NumCPU(), runtime.Version(), b.length, b.rounds)
	var all []result
	for _, r := range rows {
		began := time.Now()
		turns, noisy, err := b.measure(ctx, r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		all = append(all, results(r, turns)...)
		progress(r.name, time.Since(began), noisy)
	}
	if err := print(os.Stdout, all); err != nil {
		return err
	}
	fmt.Println("\nbacklog, memory and start with a million waiting events: go run ./bench/scale")
	if len(all) > 0 && all[0].value < least {
		return fmt.Errorf("%s: %.2f is less than %.2f", all[0].row, all[0].value, least)
	}
	return nil
}

// measure returns the turns of a row's sites, the base first, and how many rounds
// other processes have spoilt.
func (b *bench) measure(ctx context.Context, r row) (turns [][]turn, noisy int, err error) {
	c, err := b.open(ctx, r)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return c.turns(ctx)
}

// profile writes the profiles of rows.
func (b *bench) profile(ctx context.Context, rows []row, dir string) error {
	for _, r := range rows {
		if err := b.profileRow(ctx, r, dir); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// runScale runs the benchmark of many waiting events.
func runScale(ctx context.Context, dir string) error {
	scale := exec.CommandContext(ctx, "go", "run", "github.com/caddy-webhook-gateway/caddy-webhook-gateway/bench/scale", "-dir", dir)
	scale.Stdout, scale.Stderr = os.Stdout, os.Stderr
	return scale.Run()
}
