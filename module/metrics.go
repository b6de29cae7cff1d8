package module

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

const namespace, subsystem = "caddy", "webhook_gateway"

// metrics live as long as the process, so that counters go on over reloads.
var metrics = struct {
	requests     *prometheus.CounterVec
	answers      *prometheus.CounterVec
	matches      *prometheus.CounterVec
	parts        *prometheus.CounterVec
	undivided    *prometheus.CounterVec
	ack          *prometheus.HistogramVec
	unidentified *prometheus.CounterVec
	ruleErrors   *prometheus.CounterVec
	unordered    *prometheus.CounterVec
	conflicts    *prometheus.CounterVec
	evicted      *prometheus.CounterVec
	attempts     *prometheus.CounterVec
	attempt      *prometheus.HistogramVec
	delivery     *prometheus.HistogramVec
	deadLetters  *prometheus.CounterVec
}{
	requests:  counter("requests_total", "Requests by what became of them.", "source", "outcome"),
	answers:   counter("answers_total", "Requests that were to get the app's answer, by what came of that.", "source", "outcome"),
	matches:   counter("secret_matches_total", "Webhooks by the position of the secret that proved them genuine.", "source", "position"),
	parts:     counter("parts_total", "Elements of batches by what became of them.", "source", "outcome"),
	undivided: counter("undivided_total", "Batches that were stored whole, though their elements were to be events.", "source", "reason"),
	ack: histogram("ack_seconds", "Time from a request's arrival until its event was on disk.",
		[]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}, "source"),
	unidentified: counter("unidentified_total", "Webhooks in which the event type or the delivery ID was not found.", "source", "what"),
	ruleErrors:   counter("rule_errors_total", "Rules that failed while they ran.", "source", "route"),
	unordered:    counter("unordered_total", "Deliveries without a key to order them by.", "source", "route"),
	conflicts:    counter("conflicts_total", "Events with the delivery ID of another one, and another body.", "source"),
	evicted:      counter("dedup_evicted_total", "Delivery IDs that were forgotten before their window ended.", "source"),
	attempts:     counter("attempts_total", "Delivery attempts by outcome.", "source", "route", "outcome"),
	attempt: histogram("attempt_seconds", "Time that a delivery attempt took.",
		[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}, "source", "route"),
	delivery: histogram("delivery_seconds", "Time from acceptance, or from being queued again, until the app had the event.",
		[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200, 259200}, "source", "route"),
	deadLetters: counter("dead_letters_total", "Deliveries that will not be tried again by themselves.", "source", "route"),
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: name, Help: help,
	}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: subsystem, Name: name, Help: help, Buckets: buckets,
	}, labels)
}

// collectors returns the collectors of all metrics.
func collectors() []prometheus.Collector {
	return []prometheus.Collector{
		metrics.requests, metrics.answers, metrics.matches, metrics.parts, metrics.undivided, metrics.ack, metrics.unidentified, metrics.ruleErrors, metrics.unordered, metrics.conflicts,
		metrics.evicted, metrics.attempts, metrics.attempt, metrics.delivery, metrics.deadLetters, depth{},
	}
}

// provisionMetrics adds the collectors to the registry of a configuration.
func provisionMetrics(ctx caddy.Context) error {
	for _, c := range collectors() {
		err := ctx.GetMetricsRegistry().Register(c)
		var already prometheus.AlreadyRegisteredError
		if err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return nil
}

// requestCounters are the counters of one source, looked up once.
type requestCounters struct {
	source   string
	outcome  map[string]prometheus.Counter
	matches  []prometheus.Counter // by the secret's position, from 1
	ack      prometheus.Observer
	answered map[queue.Asked]prometheus.Counter // nil without answer_from
}

// answersOf are the counters of a source's waits for the answers of an app.
func answersOf(source string) map[queue.Asked]prometheus.Counter {
	counters := make(map[queue.Asked]prometheus.Counter)
	for _, asked := range allAsked {
		counters[asked] = metrics.answers.WithLabelValues(source, string(asked))
	}
	return counters
}

func countersOf(source string, secrets int) requestCounters {
	c := requestCounters{source: source, outcome: make(map[string]prometheus.Counter), ack: metrics.ack.WithLabelValues(source)}
	for i := range secrets {
		c.matches = append(c.matches, metrics.matches.WithLabelValues(source, strconv.Itoa(i+1)))
	}
	for _, outcome := range outcomes {
		c.outcome[outcome] = metrics.requests.WithLabelValues(source, outcome)
	}
	return c
}

// beginUndividedAtZero does what beginAtZero does for a source whose batches are cut.
func beginUndividedAtZero(source string) {
	for _, reason := range wholeReasons {
		metrics.undivided.WithLabelValues(source, reason.label)
	}
}

// beginAtZero creates the counters of rare things at zero, since Prometheus sees no
// increase in a series that begins with 1.
func beginAtZero(source string, routes []*Route) {
	metrics.conflicts.WithLabelValues(source)
	metrics.evicted.WithLabelValues(source)
	for _, r := range routes {
		metrics.deadLetters.WithLabelValues(source, r.Name)
		metrics.ruleErrors.WithLabelValues(source, r.Name)
	}
}

func (c requestCounters) count(outcome string) { c.outcome[outcome].Inc() }

// match counts a match of the secret at a position. Position 0 stands for no
// secret.
func (c requestCounters) match(position int) {
	switch {
	case position <= 0:
	case position <= len(c.matches):
		c.matches[position-1].Inc()
	default: // of a tenant, or delivered by a handshake
		metrics.matches.WithLabelValues(c.source, strconv.Itoa(position)).Inc()
	}
}

// observer counts and logs what the engine reports.
type observer struct {
	logger *zap.Logger
	mask   func(string) string // hides secrets in what goes elsewhere
}

func (observer) Attempted(source, route string, outcome queue.Outcome, took time.Duration) {
	metrics.attempts.WithLabelValues(source, route, string(outcome)).Inc()
	metrics.attempt.WithLabelValues(source, route).Observe(took.Seconds())
}

func (observer) Delivered(source, route string, after time.Duration) {
	metrics.delivery.WithLabelValues(source, route).Observe(after.Seconds())
}

func (observer) Evicted(source string, _ int) { metrics.evicted.WithLabelValues(source).Inc() }

func (observer) Conflicted(source string) {
	metrics.conflicts.WithLabelValues(source).Inc()
}

// depth collects what the queue holds at the moment of a scrape.
type depth struct{}

var (
	deliveriesDesc = desc("queue_deliveries", "Deliveries in the queue.", "source", "route", "state")
	eventsDesc     = desc("queue_events", "Events in the queue.", "source", "state")
	oldestDesc     = desc("queue_oldest_seconds", "Age of the oldest event that waits for a route.", "source", "route", "state")
	failingDesc    = desc("route_failing", "1 while a route gets one attempt at a time, because its upstream fails.", "source", "route")
	bytesDesc      = desc("queue_bytes", "Bytes that the events in the queue take.")
	diskDesc       = desc("queue_disk_bytes", "Bytes of the disk that the queue takes.")
	dedupDesc      = desc("dedup_entries", "Delivery IDs that are kept in memory.", "source")
	tenantsDesc    = desc("tenants", "Tenants whose secrets the source knows.", "source")
	staleDesc      = desc("secrets_from_stale", "1 while secrets_from is broken, and the last good secrets stay in use.", "source")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, name), help, labels, nil)
}

// Describe implements prometheus.Collector.
func (depth) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{deliveriesDesc, eventsDesc, oldestDesc, failingDesc, bytesDesc, diskDesc, dedupDesc, tenantsDesc, staleDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (depth) Collect(ch chan<- prometheus.Metric) {
	app, err := caddy.ActiveContext().AppIfConfigured("webhook_gateway")
	if err != nil {
		return
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, source := range app.(*App).Sources() {
		if source.tenants == nil {
			continue
		}
		count, problem := source.TenantState()
		gauge(tenantsDesc, float64(count), source.Source)
		gauge(staleDesc, map[bool]float64{true: 1}[problem != ""], source.Source)
	}
	engine := app.(*App).Opened()
	if engine == nil {
		return
	}
	usage := engine.Usage()
	for key, states := range usage.Deliveries {
		for state, n := range states {
			gauge(deliveriesDesc, float64(n), key.Source, key.Route, string(state))
		}
	}
	for source, states := range usage.Events {
		for state, counter := range states {
			gauge(eventsDesc, float64(counter.Count), source, string(state))
		}
	}
	for key, age := range engine.Oldest(context.Background()) {
		gauge(oldestDesc, time.Since(age.Since).Seconds(), key.Source, key.Route, string(age.State))
	}
	for key, failing := range engine.Failing() {
		value := 0.
		if failing {
			value = 1
		}
		gauge(failingDesc, value, key.Source, key.Route)
	}
	gauge(bytesDesc, float64(usage.Total.Bytes))
	gauge(diskDesc, float64(usage.Disk))
	for source, n := range engine.Remembered() {
		gauge(dedupDesc, float64(n), source)
	}
}
