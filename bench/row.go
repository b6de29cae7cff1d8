package main

import (
	"fmt"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/bench/internal/rig"
)

// row is one comparison: sites that get the same load by turns.
type row struct {
	name  string
	load  rig.Load
	sync  string // of the queue; "" is always
	apart bool   // each site is in a server of its own
	base  site   // what the others are measured against
	sites []site
}

// site is one side of a comparison.
type site struct {
	name     string
	text     string // its directives
	stores   bool   // each 200 is an event in the queue
	delivers bool   // each 200 reaches the app, some time
	want     []figure
}

// figure is something that is measured, and what it should be.
type figure struct {
	name        string
	rate        func(turn) float64 // the requests per second that stand beside it
	of          func(base, it turn) float64
	least, most float64 // 0 = no such target
}

func (f figure) ok(value float64) bool { return value >= f.least && (f.most == 0 || value <= f.most) }

func (f figure) target() string {
	switch {
	case f.most > 0:
		return fmt.Sprintf("≤ %.4g", f.most)
	case f.least > 0:
		return fmt.Sprintf("≥ %.4g", f.least)
	}
	return "–"
}

// accepted compares requests per second.
func accepted(least float64) figure {
	return figure{name: "requests/s, ratio", rate: turn.Rate, least: least, of: func(base, it turn) float64 {
		return it.Rate() / base.Rate()
	}}
}

// passed compares requests per second until the app has got the last one.
func passed(least float64) figure {
	return figure{name: "delivered/s, ratio", rate: turn.passed, least: least, of: func(base, it turn) float64 {
		return it.passed() / base.passed()
	}}
}

// cost compares the CPU time that the server takes for each request.
func cost(base, it turn) float64 { return it.cost() / base.cost() }

// spent is what cost compares.
func spent(most float64) figure {
	return figure{name: "CPU each, ratio", rate: turn.Rate, most: most, of: cost}
}

// slowest compares the 99th percentiles of the time until the answer.
func slowest(most float64) figure {
	return figure{name: "p99, ratio", rate: turn.Rate, most: most, of: func(base, it turn) float64 {
		return it.percentile(0.99).Seconds() / base.percentile(0.99).Seconds()
	}}
}

// added is by how much the median answer takes longer, in syncs of the disk.
func added(most float64) figure {
	return figure{name: "added latency, fdatasyncs", rate: turn.Rate, most: most, of: func(base, it turn) float64 {
		return float64(it.percentile(0.5)-base.percentile(0.5)) / float64(it.sync)
	}}
}

// accepting returns a row of `respond` and a source with ten rules.
func accepting(name string, load rig.Load, want ...figure) row {
	r := row{name: "accepting, " + name, load: load, base: site{name: "respond", text: respond},
		sites: []site{{name: "gateway", text: source(tenRules), stores: true, want: want}}}
	if load.Body > 4<<10 {
		r.base.text = readAndRespond
	}
	return r
}

// delivering returns a row of `reverse_proxy` and a source that delivers all.
func delivering(name string, connections int, otherwise string, want ...figure) row {
	return row{name: "accepting and delivering, " + name, load: rig.Load{Connections: connections},
		base:  site{name: "reverse_proxy", text: proxy, delivers: true},
		sites: []site{{name: "gateway", text: source(tenRules, otherwise), stores: true, delivers: true, want: want}}}
}

// answering returns a row of `reverse_proxy` and a source whose provider gets the app's
// answer, after the event was stored.
func answering(name string, load rig.Load, want ...figure) row {
	return row{name: "the app's answer, " + name, load: load,
		base: site{name: "reverse_proxy", text: proxy, delivers: true},
		sites: []site{{name: "gateway", text: source(tenRules, "otherwise [APP]", "answer_from otherwise"),
			stores: true, delivers: true, want: want}}}
}

// grown is one step of what grows.
type grown struct {
	n    int
	note string
	text string
}

// growing returns a row that compares sources with more and more of something
// with one that has the fewest. Each must cost less than in proportion.
func growing(name string, steps ...grown) row {
	r := row{name: "growth, " + name, load: rig.Load{Connections: 64}}
	for i, step := range steps {
		s := site{name: fmt.Sprint(step.n) + step.note, text: step.text, stores: true}
		if i == 0 {
			r.base = s
			continue
		}
		s.want = []figure{accepted(float64(steps[0].n) / float64(step.n))}
		r.sites = append(r.sites, s)
	}
	return r
}

// rows returns everything that is measured.
func rows() []row {
	const to = "otherwise [APP]"
	many := rig.Load{Connections: 64}
	unsynced := accepting("sync never", many, accepted(0.70))
	unsynced.sync = "never"
	sources := growing("sources", grown{n: 1, text: among(1, first)},
		grown{n: 1000, note: ", in a handle", text: beside(1000)},
		grown{n: 1000, note: ", the first", text: among(1000, first)},
		grown{n: 1000, note: ", the last", text: among(1000, last)})
	sources.apart = true
	return []row{
		accepting("64 connections", many, accepted(0.55), slowest(1.3)),
		accepting("256 connections", rig.Load{Connections: 256}, accepted(0.60), slowest(1.5)),
		unsynced,
		delivering("to", 64, to, passed(1.2), spent(0.75)),
		delivering("to, 8 connections", 8, to, spent(1.15)),
		delivering("forward", 64, "otherwise {\nforward {\n"+proxy+"\n}\n}", passed(0.75)),
		accepting("1 connection", rig.Load{Connections: 1}, added(3)),
		answering("64 connections", many, accepted(0), slowest(0)),
		answering("1 connection", rig.Load{Connections: 1}, added(3)),
		{name: "verifying only", load: many,
			base:  site{name: "reverse_proxy", text: proxy},
			sites: []site{{name: "gateway", text: source() + proxy, want: []figure{accepted(0.92)}}}},
		{name: "accepting, app down", load: many, apart: true,
			base:  site{name: "app up", text: source(tenRules, to), stores: true, delivers: true},
			sites: []site{{name: "app down", text: source(tenRules, "otherwise [NOBODY]"), stores: true, want: []figure{accepted(1)}}}},
		growing("rules on the event type",
			grown{n: 1, text: source(eventRules(1))}, grown{n: 10, text: source(eventRules(10))},
			grown{n: 100, text: source(eventRules(100))}, grown{n: 1000, text: source(eventRules(1000))}),
		sources,
		growing("networks in allow_ips",
			grown{n: 1, text: source(networks(1), tenRules)}, grown{n: 100, text: source(networks(100), tenRules)},
			grown{n: 10000, text: source(networks(10000), tenRules)}),
		accepting("512 B", rig.Load{Connections: 64, Body: 512}, accepted(0)),
		accepting("20 KiB", rig.Load{Connections: 64, Body: 20 << 10}, accepted(0.50)),
		accepting("1 MiB", rig.Load{Connections: 16, Body: 1 << 20}, accepted(0.35)),
		accepting("HTTP/2 over TLS", rig.Load{Connections: 64, HTTP2: true}, accepted(0)),
		accepting("new connections", rig.Load{Connections: 64, Fresh: true}, accepted(0)),
	}
}
