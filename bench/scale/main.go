// Scale shows what it costs when many events wait because an app is down:
//
//	go run ./bench/scale
//
// For each number of events it posts as many webhooks of 2 KiB to a source whose
// app refuses connections, and then looks at the gateway: how much anonymous
// memory it takes, how soon it answers after a SIGKILL and a new start, how fast
// it accepts more, how fast everything is delivered once the app is up, and what
// becomes of the space on the disk. Rates stand next to those of an empty queue
// in the same run: accepting while the app is down, and accepting and delivering
// while it is up. Full and empty queue accept by turns, the full one being another
// one than the one that is drained: the ratio is the median over the rounds.
//
// Client, app and gateway share the cores. The queue lies in the directory for
// temporary files: name another one with -dir if that is kept in memory.
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
	"strings"
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
	var s scale
	events := flag.String("events", "10000,100000,1000000", "`numbers` of waiting events")
	flag.IntVar(&s.connections, "connections", 64, "keep-alive connections")
	flag.DurationVar(&s.turn, "turn", 3*time.Second, "`length` of the turns in which rates are measured")
	flag.IntVar(&s.rounds, "rounds", 5, "rounds in which full and empty queue accept by turns")
	flag.DurationVar(&s.limit, "limit", 15*time.Minute, "the longest `time` for one number of events")
	flag.StringVar(&s.dir, "dir", "", "`directory` to keep the queue in (default: the one for temporary files)")
	flag.StringVar(&s.profile, "cpuprofile", "", "write CPU profiles of the gateway to `prefix`.fill and prefix.drain")
	flag.Parse()
	numbers, err := parseNumbers(*events)
	if err != nil || flag.NArg() > 0 || s.connections < 1 || s.rounds < 1 || s.turn <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.run(ctx, numbers); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func parseNumbers(list string) (numbers []int, err error) {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, errors.New("no number of events")
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// scale is a run of the benchmark.
type scale struct {
	connections  int
	rounds       int
	turn, limit  time.Duration
	dir, profile string
}

// figures are what was measured with so many events.
type figures struct {
	events                         int
	accepting, acceptingAt0, ratio float64 // events per second, and the median of the ratios
	start                          time.Duration
	delivering, passingAt0         float64 // events per second
	memory                         memory
	peak, drained, started         int64 // bytes on the disk
}

// memory is the most anonymous memory, in bytes, by what the gateway was doing.
type memory struct{ filling, started, draining int64 }

// run prints the figures for each number of events.
func (s *scale) run(ctx context.Context, numbers []int) error {
	fmt.Printf("%d cores, %s, %d connections, webhooks of %d bytes, turns of %v\n",
		runtime.NumCPU(), runtime.Version(), s.connections, rig.BodySize, s.turn)
	var all []figures
	for _, n := range numbers {
		f, err := s.measure(ctx, n)
		if err != nil {
			return fmt.Errorf("%d events: %w", n, err)
		}
		all = append(all, f)
	}
	return print(all)
}

func print(all []figures) error {
	const mib = 1 << 20
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "\nwaiting\tMiB of memory: filling\tafter start\tdraining\tfirst 200 after\taccepting\tempty\tratio\tdelivering\tempty\tratio\tMiB on disk: full\tdrained\tafter start\t")
	for _, f := range all {
		fmt.Fprintf(out, "%d\t%d\t%d\t%d\t%.2f s\t%.0f/s\t%.0f/s\t%.2f\t%.0f/s\t%.0f/s\t%.2f\t%d\t%d\t%d\t\n",
			f.events, f.memory.filling/mib, f.memory.started/mib, f.memory.draining/mib, f.start.Seconds(),
			f.accepting, f.acceptingAt0, f.ratio,
			f.delivering, f.passingAt0, f.delivering/f.passingAt0,
			f.peak/mib, f.drained/mib, f.started/mib)
	}
	return out.Flush()
}

// measure takes the figures of a number of events.
func (s *scale) measure(ctx context.Context, events int) (f figures, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	f.events = events
	if f.passingAt0, err = s.passing(ctx); err != nil {
		return f, fmt.Errorf("with an empty queue: %w", err)
	}
	q, err := s.newQueue()
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, q.remove()) }()
	for _, step := range []struct {
		name string
		do   func(context.Context, *figures) error
	}{
		{"filling", q.fill}, {"starting again", q.restart}, {"draining", q.drain}, {"clearing away", q.clear},
		{"accepting more", s.accept},
	} {
		began := time.Now()
		if err := step.do(ctx, &f); err != nil {
			return f, fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Printf("%d events: %s took %.1f s\n", events, step.name, time.Since(began).Seconds())
	}
	return f, nil
}

// passing returns how many events per second pass through a queue whose app is
// up.
func (s *scale) passing(ctx context.Context) (perSecond float64, err error) {
	q, err := s.newQueue()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, q.remove()) }()
	if err := q.raiseApp(); err != nil {
		return 0, err
	}
	if _, err := q.pass(ctx); err != nil { // to warm up
		return 0, err
	}
	passed, err := q.pass(ctx)
	return passed.Rate(), err
}

// acceptingEmpty returns how many events per second a queue accepts that was
// empty a moment ago and whose app is down.
func (s *scale) acceptingEmpty(ctx context.Context) (perSecond float64, err error) {
	q, err := s.newQueue()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, q.remove()) }()
	if _, err := q.client.PostCount(ctx, q.server.Sites["SITE"], 5000); err != nil { // to warm up
		return 0, err
	}
	turn, err := q.post(ctx)
	return turn.Rate(), err
}
