package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/bench/internal/rig"
)

// bench is a run of the benchmark.
type bench struct {
	rounds int
	length time.Duration // of a turn
	dir    string
}

// entrant is a site of a row that is being measured.
type entrant struct {
	site
	source, address string
	server          *rig.Server
	app             *rig.Upstream
}

// contest is a row that is being measured.
type contest struct {
	*bench
	row
	client   *rig.Client
	servers  []*rig.Server
	apps     []*rig.Upstream
	entrants []*entrant // the base first
}

// open starts what a row needs, and sees every site answer with 200.
func (b *bench) open(ctx context.Context, r row) (c *contest, err error) {
	c = &contest{bench: b, row: r, client: rig.NewClient(r.load)}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	for i, s := range append([]site{r.base}, r.sites...) {
		c.entrants = append(c.entrants, &entrant{site: s, source: "source-" + strconv.Itoa(i)})
	}
	if !r.apart {
		err = c.start(c.entrants)
	} else {
		for i := 0; i < len(c.entrants) && err == nil; i++ {
			err = c.start(c.entrants[i : i+1])
		}
	}
	if err != nil {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, e := range c.entrants {
		if err := c.client.PostFirst(ctx, e.address); err != nil {
			return c, fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return c, nil
}

// start starts a server with some of the sites, and the app that they deliver to.
func (c *contest) start(entrants []*entrant) error {
	words := []string{"APP", "NOBODY"}
	for _, e := range entrants {
		words = append(words, e.source)
	}
	server, err := rig.NewServer(c.dir, words...)
	if err != nil {
		return err
	}
	c.servers = append(c.servers, server)
	app, err := rig.NewUpstream(server.Sites["APP"])
	if err != nil {
		return err
	}
	c.apps = append(c.apps, app)
	for _, e := range entrants {
		e.server, e.app, e.address = server, app, server.Sites[e.source]
	}
	return server.Start(c.caddyfile(entrants))
}

// close ends what open started.
func (c *contest) close() (err error) {
	c.client.Close()
	for _, server := range c.servers {
		err = errors.Join(err, server.Remove())
	}
	for _, app := range c.apps {
		app.Close()
	}
	return err
}

// turns gives the sites their turns, and returns those of each site. The first
// round is a warm-up. A round that other processes spoilt is measured again, until
// three times as many rounds as wanted have been measured.
func (c *contest) turns(ctx context.Context) (all [][]turn, noisy int, err error) {
	if _, err := c.round(ctx); err != nil {
		return nil, 0, err
	}
	all = make([][]turn, len(c.entrants))
	for kept := 0; kept < c.rounds; {
		round, err := c.round(ctx)
		if err != nil {
			return nil, noisy, err
		}
		if noisy < 2*c.rounds && spoilt(round) {
			noisy++
			continue
		}
		kept++
		for i, t := range round {
			all[i] = append(all[i], t)
		}
	}
	return all, noisy, c.check()
}

// round gives each site a turn.
func (c *contest) round(ctx context.Context) (turns []turn, err error) {
	sync, err := rig.SyncTime(c.entrants[0].server.Dir)
	if err != nil {
		return nil, err
	}
	for _, e := range c.entrants {
		t, err := c.turn(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		t.sync = sync
		turns = append(turns, t)
	}
	return turns, nil
}

// maxOthers is how many cores other processes may take in a turn that counts.
const maxOthers = 0.3

func spoilt(round []turn) bool {
	return slices.ContainsFunc(round, func(t turn) bool { return t.others > maxOthers })
}

// turn is what came of a turn.
type turn struct {
	rig.Turn
	delivered time.Duration // until the app had got all
	cpu       time.Duration // of the server
	sync      time.Duration // of the disk, in the same round
	own       time.Duration // CPU of client and app
	others    float64       // cores that other processes took
}

// passed returns the requests per second until the app had got all.
func (t turn) passed() float64 { return float64(t.Requests) / t.delivered.Seconds() }

func (t turn) percentile(share float64) time.Duration { return rig.Percentile(t.Latencies, share) }

// cost returns the server's CPU time per request, in microseconds.
func (t turn) cost() float64 { return float64(t.cpu.Microseconds()) / float64(t.Requests) }

// turn gives a site its turn.
func (c *contest) turn(ctx context.Context, e *entrant) (t turn, err error) {
	server, err := e.server.CPU()
	if err != nil {
		return t, err
	}
	own, err := rig.OwnCPU()
	if err != nil {
		return t, err
	}
	machine := rig.MachineCPU()
	before, began := e.app.Requests.Load(), time.Now()
	if t.Turn, err = c.client.Post(ctx, e.address, c.length); err != nil {
		return t, err
	}
	if e.delivers {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := e.app.WaitFor(ctx, before+int64(t.Requests)); err != nil {
			return t, err
		}
	}
	t.delivered = time.Since(began)
	after, err := rig.OwnCPU()
	if err != nil {
		return t, err
	}
	machine = rig.MachineCPU() - machine
	t.own = after - own
	t.cpu, err = e.server.CPU()
	t.cpu -= server
	t.others = float64(machine-t.own-t.cpu) / float64(t.delivered)
	return t, err
}

// check holds what the client was told against what the queues hold.
func (c *contest) check() error {
	for _, e := range c.entrants {
		if !e.stores {
			continue
		}
		stored, err := e.server.Stored(e.source)
		if err != nil {
			return err
		}
		if answered := c.client.Answered[e.address]; stored != answered {
			return fmt.Errorf("%s has stored %d events, and answered %d with 200", e.name, stored, answered)
		}
	}
	return nil
}
