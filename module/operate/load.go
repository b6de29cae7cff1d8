package operate

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The gateway makes a load on a source in short steps, so that whoever breaks the
// load off knows how far it has come.
const (
	loadStep     = time.Second
	loadStepMost = 10_000
)

// The largest load that anybody may ask for.
const (
	maxLoadCount       = 10_000_000
	maxLoadConcurrency = 1000
)

// LoadOptions says how many samples are sent, how fast, and how many at once.
type LoadOptions struct {
	Count       int
	Rate        float64 // per second; 0: as fast as possible
	Concurrency int
}

func (l *LoadOptions) check() error {
	switch {
	case l.Count < 1 || l.Count > maxLoadCount:
		return fmt.Errorf("count is from 1 to %d, not %d", maxLoadCount, l.Count)
	case !(l.Rate >= 0) || math.IsInf(l.Rate, 1):
		return fmt.Errorf("rate is a number per second, not %v", l.Rate)
	case l.Concurrency < 1 || l.Concurrency > maxLoadConcurrency:
		return fmt.Errorf("concurrency is from 1 to %d, not %d", maxLoadConcurrency, l.Concurrency)
	}
	return nil
}

// readLoad reads the options out of a query.
func readLoad(query url.Values) (LoadOptions, error) {
	count, err := strconv.Atoi(query.Get("count"))
	if err != nil {
		return LoadOptions{}, fmt.Errorf("reading count: %v", err)
	}
	rate, err := strconv.ParseFloat(query.Get("rate"), 64)
	if err != nil {
		return LoadOptions{}, fmt.Errorf("reading rate: %v", err)
	}
	concurrency, err := strconv.Atoi(query.Get("concurrency"))
	if err != nil {
		return LoadOptions{}, fmt.Errorf("reading concurrency: %v", err)
	}
	return LoadOptions{count, rate, concurrency}, nil
}

// addTo writes the options into a query.
func (l *LoadOptions) addTo(query url.Values) {
	query.Set("count", strconv.Itoa(l.Count))
	query.Set("rate", strconv.FormatFloat(l.Rate, 'g', -1, 64))
	query.Set("concurrency", strconv.Itoa(l.Concurrency))
}

// due returns when the sample after n others is sent, counted from the beginning.
func (l *LoadOptions) due(n int) time.Duration {
	if l.Rate == 0 {
		return 0
	}
	return time.Duration(float64(n) / l.Rate * float64(time.Second))
}

// step returns the part of the load that the next step makes, after so many
// samples. A step that begins late catches up.
func (l *LoadOptions) step(sent int, began time.Time) LoadOptions {
	part := LoadOptions{Count: min(l.Count-sent, loadStepMost), Concurrency: l.Concurrency}
	if l.Rate == 0 {
		return part
	}
	part.Count = min(part.Count, max(1, int(l.Rate*loadStep.Seconds())))
	if left := time.Until(began.Add(l.due(sent + part.Count))); left > 0 {
		part.Rate = float64(part.Count) / left.Seconds()
	}
	return part
}

// run sends samples until all are sent or the context ends, and waits for those
// that are under way then.
func (l *LoadOptions) run(ctx context.Context, s *sampler) *Load {
	result, began := newLoad(s.sample.Event, s.target.Redacted()), time.Now()
	var lock sync.Mutex
	var taken atomic.Int64
	var workers sync.WaitGroup
	for range min(l.Concurrency, l.Count) {
		workers.Go(func() {
			for {
				n := int(taken.Add(1)) - 1
				if n >= l.Count || !sleepUntil(ctx, began.Add(l.due(n))) {
					return
				}
				sent, err := s.send(context.WithoutCancel(ctx))
				lock.Lock()
				result.note(sent, err)
				lock.Unlock()
			}
		})
	}
	workers.Wait()
	return result
}

// sleepUntil reports whether the moment came before the context ended.
func sleepUntil(ctx context.Context, moment time.Time) bool {
	pause := time.Until(moment)
	if ctx.Err() != nil || pause <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Load is what became of many samples.
type Load struct {
	LoadCounts
	Micros []int64 `json:"micros"` // how long each answer took
}

// LoadCounts are the numbers of a Load that add up.
type LoadCounts struct {
	Event    string         `json:"event"`
	URL      string         `json:"url"`              // without a token
	Sent     int            `json:"sent"`             // answered or not
	OK       int            `json:"ok"`               // answered as they should be
	Statuses map[int]int    `json:"statuses"`         // how often each was answered
	Errors   map[string]int `json:"errors,omitempty"` // why there was no answer, and how often
}

func newLoad(event, target string) *Load {
	return &Load{LoadCounts: LoadCounts{Event: event, URL: target, Statuses: make(map[int]int), Errors: make(map[string]int)}}
}

func (l *Load) note(sent *Sent, err error) {
	l.Sent++
	if err != nil {
		l.Errors[briefly(err)]++
		return
	}
	if sent.OK {
		l.OK++
	}
	l.Statuses[sent.Status]++
	l.Micros = append(l.Micros, int64(sent.Millis*1000))
}

func (l *Load) add(more *Load) {
	l.Event, l.URL = more.Event, more.URL
	l.Sent += more.Sent
	l.OK += more.OK
	for status, n := range more.Statuses {
		l.Statuses[status] += n
	}
	for message, n := range more.Errors {
		l.Errors[message] += n
	}
	l.Micros = append(l.Micros, more.Micros...)
}

// LoadSummary is a Load in few numbers.
type LoadSummary struct {
	LoadCounts
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
	Millis    Latency `json:"ms"`
}

// Latency is how long answers took, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// summary sums up a load that took so long.
func (l *Load) summary(took time.Duration) *LoadSummary {
	slices.Sort(l.Micros)
	return &LoadSummary{
		LoadCounts: l.LoadCounts, Seconds: took.Seconds(), PerSecond: float64(l.Sent) / took.Seconds(),
		Millis: Latency{l.percentile(50), l.percentile(90), l.percentile(99), l.percentile(100)},
	}
}

// percentile returns the time in milliseconds within which p percent of the
// answers came. The times must be sorted.
func (l *Load) percentile(p int) float64 {
	if len(l.Micros) == 0 {
		return 0
	}
	return float64(l.Micros[(len(l.Micros)*p+99)/100-1]) / 1000
}

func (s *LoadSummary) print(w io.Writer) {
	fmt.Fprintf(w, "%s to %s\n", s.Event, s.URL)
	fmt.Fprintf(w, "  sent      %d in %.1f s, %.1f/s\n", s.Sent, s.Seconds, s.PerSecond)
	var answers []string
	for _, status := range slices.Sorted(maps.Keys(s.Statuses)) {
		answers = append(answers, strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))+fmt.Sprintf(": %d", s.Statuses[status]))
	}
	if answers != nil {
		fmt.Fprintf(w, "  answers   %s\n", strings.Join(answers, ", "))
		fmt.Fprintf(w, "  latency   p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, max %.1f ms\n", s.Millis.P50, s.Millis.P90, s.Millis.P99, s.Millis.Max)
	}
	for _, message := range slices.Sorted(maps.Keys(s.Errors)) {
		fmt.Fprintf(w, "  error     %s: %d\n", inLine(message), s.Errors[message])
	}
}
