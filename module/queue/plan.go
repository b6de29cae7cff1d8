package queue

import (
	"maps"
	"sync/atomic"

	"go.uber.org/zap"
)

// plan is a configuration at work. Its maps do not change.
type plan struct {
	cfg      *Config
	maxSize  int64
	observer Observer
	logger   *zap.Logger
	lanes    map[Lane]*lane
	loads    map[Lane]*load      // those of earlier configurations, and of paused routes, included
	accounts map[string]*account // by source, those of earlier configurations included
	off      atomic.Bool         // nothing is handed out
}

// account is what an engine keeps of a source for as long as it lives.
type account struct {
	reserved atomic.Int64 // bytes that are being appended
	holding  holding
	window   window
	evicting complaint
}

// holding counts held events that are being appended.
type holding struct{ events, bytes atomic.Int64 }

func (e *Engine) newAccount(source string) *account {
	a := new(account)
	a.window.evicted = func(enough int) {
		p := e.plan.Load()
		p.observer.Evicted(source, enough)
		if a.evicting.due() {
			p.logger.Warn("dedup window is too small: forgot delivery IDs before their time",
				zap.String("source", source), zap.Int("enough_entries", enough))
		}
	}
	return a
}

// newPlan turns a configuration into a plan that goes on where the one in
// force is.
func (e *Engine) newPlan(cfg *Config) *plan {
	before := e.plan.Load()
	p := &plan{
		cfg:      cfg,
		maxSize:  cfg.Backend.MaxSize(),
		observer: cfg.Observer,
		logger:   cfg.Logger,
		lanes:    make(map[Lane]*lane),
		loads:    maps.Clone(before.loads),
		accounts: maps.Clone(before.accounts),
	}
	if p.observer == nil {
		p.observer = nobody{}
	}
	if p.logger == nil {
		p.logger = e.logger
	}
	for name, src := range cfg.Sources {
		if p.accounts[name] == nil {
			p.accounts[name] = e.newAccount(name)
		}
		p.accounts[name].window.configure(src)
		for route, r := range src.Routes {
			if e.mayRun(Lane{name, route}) {
				p.addLane(&lane{Lane: Lane{name, route}, source: src, route: r, limit: r.Concurrency})
			}
		}
		if src.Check != nil {
			p.addLane(&lane{Lane: Lane{Source: name}, source: src, limit: maxChecks})
		}
	}
	return p
}

// inForce reports whether the engine works by the plan.
func (e *Engine) inForce(p *plan) bool { return e.plan.Load() == p && !p.off.Load() }

// addLane adds a lane that goes on where the same lane of earlier plans is.
func (p *plan) addLane(l *lane) {
	if p.loads[l.Lane] == nil {
		p.loads[l.Lane] = new(load)
	}
	l.load = p.loads[l.Lane]
	l.health.hurry()
	if l.route != nil {
		l.rate = l.load.limitTo(l.route.Rate)
	}
	l.limit = max(l.limit, 1)
	p.lanes[l.Lane] = l
}

// holds reports whether a dead letter of a lane stops its key.
func (p *plan) holds(lane Lane) bool {
	src := p.source(lane.Source)
	return src != nil && src.Routes[lane.Route] != nil && src.Routes[lane.Route].Hold
}

// source returns the source of that name, nil if the configuration has none.
func (p *plan) source(name string) *Source { return p.cfg.Sources[name] }

// stored reports whether the source's events are stored.
func (s *Source) stored() bool { return len(s.Routes) > 0 || s.Check != nil }
