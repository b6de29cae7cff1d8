package e2e

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// delivery is what an app got.
type delivery struct {
	method, host, uri string
	header            http.Header
	body              []byte
	length            int64 // Content-Length as declared, -1 if not
	chunked           bool
}

// app is an upstream that keeps what it gets.
type app struct {
	*httptest.Server
	address string // host:port

	mu     sync.Mutex
	got    []delivery
	answer http.HandlerFunc // nil: 200
}

// newApp starts an app. answer decides about each delivery after it was kept;
// nil answers 200.
func newApp(t *testing.T, answer http.HandlerFunc) *app {
	t.Helper()
	a := unstartedApp(t, freeAddress(t), answer)
	a.listen(t)
	return a
}

// unstartedApp prepares an app that refuses connections until listen.
func unstartedApp(t *testing.T, address string, answer http.HandlerFunc) *app {
	t.Helper()
	return &app{address: address, answer: answer}
}

// listen starts the app.
func (a *app) listen(t *testing.T) {
	t.Helper()
	a.Server = &httptest.Server{Listener: listenAt(t, a.address), Config: &http.Server{Handler: a}}
	a.Server.Start()
	t.Cleanup(a.Server.Close)
}

// listenAt listens on an address. A process that is just being forked may still
// hold the listener open that showed that the address is free.
func listenAt(t *testing.T, address string) (l net.Listener) {
	t.Helper()
	eventually(t, address+" is free", func() bool {
		var err error
		l, err = net.Listen("tcp", address)
		return err == nil
	})
	return l
}

// ServeHTTP keeps a delivery and answers it.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	a.mu.Lock()
	a.got = append(a.got, delivery{
		method: r.Method, host: r.Host, uri: r.RequestURI, header: r.Header.Clone(), body: body,
		length: r.ContentLength, chunked: slices.Contains(r.TransferEncoding, "chunked"),
	})
	answer := a.answer
	a.mu.Unlock()
	if answer != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer(w, r)
	}
}

// setAnswer changes how deliveries are answered from now on.
func (a *app) setAnswer(answer http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

// deliveries returns what the app got so far.
func (a *app) deliveries() []delivery {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.got)
}

// waitFor waits until the app has got n deliveries at least, and returns them.
func (a *app) waitFor(t *testing.T, n int) []delivery {
	t.Helper()
	eventually(t, "the app gets its deliveries", func() bool { return len(a.deliveries()) >= n })
	return a.deliveries()
}

// status answers with a status.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}
