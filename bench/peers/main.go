// Peers compares the gateway with other programs that take webhooks, and with
// Caddy's reverse_proxy:
//
//	go run ./bench/peers
//
// The programs are those of peers.json, or of another file: how each is started,
// where it listens, and how its webhooks are signed. In commands and files
// [PORT], [DIR] and [SECRET] stand for what a run chooses. A program that
// is not installed is skipped. All get the same load, by turns, and run only
// then: some have work left after the last 200. What a 200 means differs from one
// to the other, and stands beside the figures.
package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/bench/internal/rig"
)

//go:embed peers.json
var known []byte

// contender is somebody who takes webhooks.
type contender struct {
	name, means    string
	load           rig.Load
	start          func(dir string) (address string, stop func() error, err error)
	rates, slowest []float64 // requests per second, and the 99th percentile in ms
}

func main() {
	if rig.IsServer() {
		rig.Serve()
		return
	}
	rounds := flag.Int("rounds", 5, "rounds of the comparison")
	seconds := flag.Float64("seconds", 2, "`length` of the turn that each has in a round")
	connections := flag.Int("connections", 64, "keep-alive connections")
	config := flag.String("peers", "", "`file` with the programs to compare (default: the one that is built in)")
	dir := flag.String("dir", "", "`directory` to keep the queue in (default: the one for temporary files)")
	flag.Parse()
	if flag.NArg() > 0 || *rounds < 1 || *connections < 1 || *seconds <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	length := time.Duration(*seconds * float64(time.Second))
	if err := run(ctx, *config, *dir, *rounds, length, rig.Load{Connections: *connections}); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// run compares all that are installed, and prints the table.
func run(ctx context.Context, config, dir string, rounds int, length time.Duration, load rig.Load) error {
	peers, err := readPeers(config)
	if err != nil {
		return err
	}
	all := []*contender{
		{name: "gateway", means: "the event is on disk, and goes on to the app", load: load, start: startCaddy(gateway)},
		{name: "reverse_proxy", means: "the app has it; nothing is verified or stored", load: load, start: startCaddy(proxy)},
	}
	for _, p := range peers {
		if _, err := exec.LookPath(p.Command[0]); err != nil {
			fmt.Printf("%s is skipped, it is not installed: %v\n", p.Name, err)
			continue
		}
		load.Target = rig.Target{Path: p.Path, Header: p.Header, Prefix: p.Prefix}
		all = append(all, &contender{name: p.Name, means: p.Means, load: load, start: p.start})
	}
	for range rounds {
		for _, c := range all {
			if err := c.turn(ctx, dir, length); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return print(all)
}

// turn starts a contender, warms it up and gives it its turn.
func (c *contender) turn(ctx context.Context, dir string, length time.Duration) (err error) {
	address, stop, err := c.start(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	client := rig.NewClient(c.load)
	defer client.Close()
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := client.PostFirst(limited, address); err != nil {
		return err
	}
	if _, err := client.Post(ctx, address, length/2); err != nil {
		return err
	}
	t, err := client.Post(ctx, address, length)
	c.rates = append(c.rates, t.Rate())
	c.slowest = append(c.slowest, 1000*rig.Percentile(t.Latencies, 0.99).Seconds())
	return err
}

func print(all []*contender) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "NAME\tREQUESTS/S\tP99\tA 200 MEANS")
	for _, c := range all {
		fmt.Fprintf(out, "%s\t%.0f\t%.1f ms\t%s\n", c.name, rig.Median(c.rates), rig.Median(c.slowest), cmp.Or(c.means, "–"))
	}
	return out.Flush()
}
