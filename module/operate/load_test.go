package operate

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// testTarget is what samples are sent to. It counts connections, the most requests
// at once, and the bodies that it has not seen before.
type testTarget struct {
	*httptest.Server
	connections atomic.Int32

	lock          sync.Mutex
	bodies        map[string]bool
	requests, now int
	atOnce        int
}

func newTestTarget(t *testing.T, answer http.HandlerFunc) *testTarget {
	t.Helper()
	to := &testTarget{bodies: make(map[string]bool)}
	to.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := new(bytes.Buffer)
		body.ReadFrom(r.Body)
		to.lock.Lock()
		to.requests, to.now = to.requests+1, to.now+1
		to.atOnce = max(to.atOnce, to.now)
		to.bodies[body.String()] = true
		to.lock.Unlock()
		answer(w, r)
		to.lock.Lock()
		to.now--
		to.lock.Unlock()
	}))
	to.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			to.connections.Add(1)
		}
	}
	to.StartTLS()
	t.Cleanup(to.Close)
	return to
}

// sampler returns what sends samples there, without a look at its certificate.
func (to *testTarget) sampler(t *testing.T, tampered bool) *sampler {
	t.Helper()
	p, err := newLocalProvider(providerFlags{"insigner", []string{"s"}, nil}, SendOptions{}, true)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSampler(p.name, p.provider, SendOptions{URL: to.URL, Tamper: tampered}, p.secure, p.mask)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

func takeAll(http.ResponseWriter, *http.Request) {}

func TestLoadKeepsConnectionsAndIsFresh(t *testing.T) {
	to := newTestTarget(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * time.Millisecond)
		fmt.Fprint(w, "taken")
	})
	done := (&LoadOptions{Count: 100, Concurrency: 4}).run(t.Context(), to.sampler(t, false))
	if done.Sent != 100 || done.OK != 100 || done.Statuses[200] != 100 || len(done.Micros) != 100 || len(done.Errors) != 0 {
		t.Errorf("%+v", done)
	}
	if to.requests != 100 || len(to.bodies) != 100 || to.atOnce < 2 || to.atOnce > 4 || to.connections.Load() > 12 {
		t.Errorf("%d requests, %d bodies, %d at once on %d connections", to.requests, len(to.bodies), to.atOnce, to.connections.Load())
	}
}

func TestLoadHoldsItsRate(t *testing.T) {
	to := newTestTarget(t, takeAll)
	began := time.Now()
	(&LoadOptions{Count: 21, Rate: 100, Concurrency: 3}).run(t.Context(), to.sampler(t, false))
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("21 at 100 per second took %v", took)
	}
}

// TestLoadEnds breaks a load off: what was sent is answered and counted.
func TestLoadEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	to := newTestTarget(t, func(http.ResponseWriter, *http.Request) {
		stop()
		time.Sleep(50 * time.Millisecond)
	})
	done := (&LoadOptions{Count: 1000, Concurrency: 2}).run(ctx, to.sampler(t, false))
	if done.Sent == 0 || done.Sent > 2 || done.OK != done.Sent || to.requests != done.Sent {
		t.Errorf("%d requests, counted %+v", to.requests, done.LoadCounts)
	}
	if late := (&LoadOptions{Count: 5, Concurrency: 1}).run(ctx, to.sampler(t, false)); late.Sent != 0 {
		t.Errorf("after the end %d were sent", late.Sent)
	}
}

func TestLoadCountsAnswersAndErrors(t *testing.T) {
	var n atomic.Int32
	to := newTestTarget(t, func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) % 4 {
		case 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 1:
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	for tampered, good := range map[bool]int{false: 6, true: 3} {
		done := (&LoadOptions{Count: 12, Concurrency: 1}).run(t.Context(), to.sampler(t, tampered))
		if done.OK != good || done.Statuses[200] != 6 || done.Statuses[401] != 3 || done.Statuses[503] != 3 {
			t.Errorf("tampered %v: %+v", tampered, done.LoadCounts)
		}
	}
	s := to.sampler(t, false)
	to.Close()
	done := (&LoadOptions{Count: 5, Concurrency: 2}).run(t.Context(), s)
	if done.Sent != 5 || done.OK != 0 || done.Errors["dial: connect: connection refused"] != 5 {
		t.Errorf("%+v", done.LoadCounts)
	}
}

// TestLoadSteps divides loads into what the gateway does at once.
func TestLoadSteps(t *testing.T) {
	for _, test := range []struct {
		LoadOptions
		sent int
		late time.Duration
		want int
		rate float64
	}{
		{LoadOptions{Count: 25_000, Concurrency: 8}, 0, 0, 10_000, 0},
		{LoadOptions{Count: 25_000, Concurrency: 8}, 20_000, 0, 5000, 0},
		{LoadOptions{Count: 500, Rate: 200, Concurrency: 8}, 0, 0, 200, 200},
		{LoadOptions{Count: 500, Rate: 200, Concurrency: 8}, 400, 0, 100, 200},
		{LoadOptions{Count: 500, Rate: 200, Concurrency: 8}, 200, 500 * time.Millisecond, 200, 400},
		{LoadOptions{Count: 500, Rate: 200, Concurrency: 8}, 200, 10 * time.Second, 200, 0},
		{LoadOptions{Count: 5, Rate: 0.5, Concurrency: 1}, 1, 0, 1, 0.5},
	} {
		part := test.step(test.sent, time.Now().Add(-test.due(test.sent)-test.late))
		if part.Count != test.want || part.Concurrency != test.Concurrency || part.Rate < test.rate || part.Rate > test.rate*1.1 {
			t.Errorf("%+v after %d, %v late: %+v, want %d at %v", test.LoadOptions, test.sent, test.late, part, test.want, test.rate)
		}
	}
}

func TestLoadFromAQuery(t *testing.T) {
	want := LoadOptions{12, 0.25, 3}
	query := url.Values{}
	want.addTo(query)
	if got, err := readLoad(query); err != nil || got != want {
		t.Errorf("%+v became %+v: %v", want, got, err)
	}
	for name, values := range map[string][]string{
		"count": {"", "0", "-1", "x", "10000001"}, "rate": {"", "-1", "NaN", "Inf", "x"}, "concurrency": {"", "0", "1001", "x"},
	} {
		for _, value := range values {
			query := url.Values{}
			want.addTo(query)
			query.Set(name, value)
			got, err := readLoad(query)
			if err == nil {
				err = got.check()
			}
			if err == nil {
				t.Errorf("%s=%s became %+v", name, value, got)
			}
		}
	}
}

func TestLoadSummary(t *testing.T) {
	a, b := newLoad("made", "https://a"), newLoad("made", "https://a")
	for i := range 100 {
		a.note(&Sent{Status: 200, OK: true, Millis: float64(100 - i)}, nil)
	}
	b.note(&Sent{Status: 503, Millis: 1000}, nil)
	b.note(nil, errors.New("broken"))
	total := newLoad("", "")
	total.add(a)
	total.add(b)
	var out strings.Builder
	total.summary(2 * time.Second).print(&out)
	want := `made to https://a
  sent      102 in 2.0 s, 51.0/s
  answers   200 OK: 100, 503 Service Unavailable: 1
  latency   p50 51.0 ms, p90 91.0 ms, p99 100.0 ms, max 1000.0 ms
  error     broken: 1
`
	if out.String() != want || total.OK != 100 {
		t.Errorf("%d good ones, printed\n%s", total.OK, &out)
	}
	if latency := newLoad("", "").summary(time.Second).Millis; latency != (Latency{}) {
		t.Errorf("no answers took %+v", latency)
	}
}

// TestSendVerifiesTheCertificate holds that a sample, which may carry a token,
// goes to nobody without a certificate that is trusted.
func TestSendVerifiesTheCertificate(t *testing.T) {
	to := newTestTarget(t, takeAll)
	for insecure, want := range map[bool]bool{true: true, false: false} {
		p, err := newLocalProvider(providerFlags{"insigner", []string{"s"}, nil}, SendOptions{}, insecure)
		if err != nil {
			t.Fatal(err)
		}
		sent, _, err := p.send(SendOptions{URL: to.URL})
		if got := err == nil && sent.OK; got != want || !want && (!errors.As(err, new(*tls.CertificateVerificationError)) || !strings.Contains(err.Error(), "--insecure")) {
			t.Errorf("insecure %v: %v", insecure, err)
		}
	}
	if to.requests != 1 {
		t.Errorf("there were %d requests, want 1", to.requests)
	}
}
