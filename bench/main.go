// Bench compares the gateway with Caddy itself, in one Caddy process:
//
//	go run ./bench
//
// Accepting: one site answers `respond 200`; another one is a source that
// verifies a signature, looks the event ID up, asks ten rules of which none
// matches, and stores the event, with a sync of the disk before the 200.
//
// Delivering: one site is a `reverse_proxy`; another one is the same source
// whose events go to the same upstream. Its round ends when the upstream has
// got all of them.
//
// Both sites of a pair get the same requests from the same client: inSigner
// webhooks of 2 KiB, each with an ID of its own and signed, over plain HTTP on
// keep-alive connections. TLS would cost both the same and flatter the ratio.
// The two take turns, so that what else the machine does hits both: the ratio
// of a round means more than its requests per second, and the median over the
// rounds is the result. 1 means as fast as Caddy without the gateway. Next to
// the requests per second stands the CPU time that the server took for each,
// which depends less on what else the machine does.
//
// Client, upstream and server share the cores. A Caddy that does nothing but
// respond has a tiny heap and collects garbage often; GOGC=400 go run ./bench
// shows both without that. The queue lies in the directory for temporary files:
// name another one with -dir if that is kept in memory, where a sync of the disk
// takes no time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/bench/internal/rig"
)

func main() {
	if rig.IsServer() {
		rig.Serve()
		return
	}
	var b bench
	flag.IntVar(&b.rounds, "rounds", 6, "rounds of each comparison")
	seconds := flag.Float64("seconds", 2, "`length` of the turn that each site has in a round")
	flag.IntVar(&b.connections, "connections", 64, "keep-alive connections")
	flag.StringVar(&b.dir, "dir", "", "`directory` to keep the queue in (default: the one for temporary files)")
	flag.StringVar(&b.profile, "cpuprofile", "", "write a CPU profile of the server while it accepts to a `file`")
	least := flag.Float64("min", 0, "exit with status 1 if the median `ratio` of accepting is lower")
	flag.Parse()
	b.length = time.Duration(*seconds * float64(time.Second))
	if flag.NArg() > 0 || b.rounds < 1 || b.connections < 1 || b.length <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ratio, err := b.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if ratio < *least {
		fmt.Fprintf(os.Stderr, "bench: %.2f is less than %.2f\n", ratio, *least)
		os.Exit(1)
	}
}

// bench is a run of the benchmark.
type bench struct {
	rounds, connections int
	length              time.Duration
	dir, profile        string
	server              *rig.Server
	client              *rig.Client
}

// run prints both comparisons and returns the median ratio of the first.
func (b *bench) run(ctx context.Context) (ratio float64, err error) {
	if b.server, err = rig.NewServer(b.dir, "RESPOND", "ACCEPT", "PROXY", "DELIVER", "UPSTREAM"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.server.Remove()) }()
	upstream, err := rig.NewUpstream(b.server.Sites["UPSTREAM"])
	if err != nil {
		return 0, err
	}
	defer upstream.Close()
	if err := b.server.Start(caddyfile); err != nil {
		return 0, err
	}
	b.client = rig.NewClient(b.connections)
	defer b.client.Close()
	pause, err := rig.SyncTime(b.server.Dir)
	if err != nil {
		return 0, err
	}
	fmt.Printf("%d cores, %s, %d connections, webhooks of %d bytes, turns of %v; a sync of the disk takes %v\n",
		runtime.NumCPU(), runtime.Version(), b.connections, rig.BodySize, b.length, pause)

	fmt.Println("\naccepting")
	ratio, err = b.compare(ctx,
		site{"respond 200", b.server.Sites["RESPOND"], b.post},
		site{"gateway", b.server.Sites["ACCEPT"], b.post})
	if err != nil {
		return 0, err
	}
	if err := b.record(ctx); err != nil {
		return 0, err
	}
	deliver := func(ctx context.Context, address string) (rig.Turn, error) {
		before := upstream.Requests.Load()
		began := time.Now()
		t, err := b.post(ctx, address)
		if err != nil {
			return t, err
		}
		err = b.waitFor(ctx, upstream, before+int64(t.Requests))
		t.Took = time.Since(began)
		return t, err
	}
	fmt.Println("\ndelivering")
	_, err = b.compare(ctx,
		site{"reverse_proxy", b.server.Sites["PROXY"], b.post},
		site{"gateway", b.server.Sites["DELIVER"], deliver})
	if err != nil {
		return 0, err
	}
	return ratio, b.checkStored()
}

// site is one side of a comparison.
type site struct {
	name    string
	address string
	load    func(ctx context.Context, address string) (rig.Turn, error)
}

// compare gives the sites their turns, and returns the median ratio of the
// second to the first.
func (b *bench) compare(ctx context.Context, base, gateway site) (float64, error) {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "round\t%s\tCPU each\t%s\tCPU each\tratio\t\n", base.name, gateway.name)
	var ratios []float64
	for round := range b.rounds + 1 {
		first, err := b.turn(ctx, base)
		if err != nil {
			return 0, err
		}
		second, err := b.turn(ctx, gateway)
		if err != nil {
			return 0, err
		}
		name, ratio := "warm-up", second.Rate()/first.Rate()
		if round > 0 {
			name, ratios = strconv.Itoa(round), append(ratios, ratio)
		}
		fmt.Fprintf(out, "%s\t%.0f/s\t%.0f µs\t%.0f/s\t%.0f µs\t%.2f\t\n",
			name, first.Rate(), first.Cost(), second.Rate(), second.Cost(), ratio)
	}
	median := rig.Median(ratios)
	fmt.Fprintf(out, "median\t\t\t\t\t%.2f\t\n", median)
	return median, out.Flush()
}

// turn gives a site its turn.
func (b *bench) turn(ctx context.Context, s site) (rig.Turn, error) {
	before, err := b.server.CPU()
	if err != nil {
		return rig.Turn{}, err
	}
	t, err := s.load(ctx, s.address)
	if err != nil {
		return rig.Turn{}, fmt.Errorf("%s: %w", s.name, err)
	}
	after, err := b.server.CPU()
	t.CPU = after - before
	return t, err
}

// post has the client post webhooks for a turn.
func (b *bench) post(ctx context.Context, address string) (rig.Turn, error) {
	return b.client.Post(ctx, address, b.length)
}

// waitFor waits until the upstream has got so many requests.
func (b *bench) waitFor(ctx context.Context, upstream *rig.Upstream, requests int64) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return upstream.WaitFor(ctx, requests)
}

// record writes the CPU profile of one more turn of accepting.
func (b *bench) record(ctx context.Context) error {
	if b.profile == "" {
		return nil
	}
	written := make(chan error, 1)
	go func() { written <- b.server.CPUProfile(b.profile, b.length) }()
	_, err := b.post(ctx, b.server.Sites["ACCEPT"])
	return errors.Join(err, <-written)
}

// checkStored holds what the client was told against what the queue holds.
func (b *bench) checkStored() error {
	fmt.Println()
	for _, source := range []struct{ name, address string }{
		{acceptSource, b.server.Sites["ACCEPT"]},
		{deliverSource, b.server.Sites["DELIVER"]},
	} {
		stored, err := b.server.Stored(source.name)
		if err != nil {
			return err
		}
		if answered := b.client.Answered[source.address]; stored != answered {
			return fmt.Errorf("source %s has stored %d events, and answered %d with 200", source.name, stored, answered)
		}
		fmt.Printf("%s: %d answers, each of them 200 and each with its event in the queue\n", source.name, stored)
	}
	return nil
}
