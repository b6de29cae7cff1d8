package module

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// chain sends a request through Caddy handlers, as a site would.
type chain struct {
	handler caddyhttp.MiddlewareHandler
	server  *caddyhttp.Server
}

// send implements transport.
func (c *chain) send(req *http.Request) (w *answer, err error) {
	w = &answer{header: make(http.Header)}
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p != http.ErrAbortHandler: // reverse_proxy's way to say that the answer broke off
			panic(p)
		case w.size <= maxAnswer: // else it was we who broke it off
			err = errBrokenOff
		}
	}()
	prepared := caddyhttp.PrepareRequest(req, caddy.NewReplacer(), w, c.server)
	fell := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return errNoAnswer })
	err = c.handler.ServeHTTP(w, prepared, fell)
	const clientClosed = 499 // what reverse_proxy makes of a context that was cancelled
	switch ctx := req.Context(); {
	case answered(err, w) && (ctx.Err() == nil || w.status != clientClosed):
		return w, nil
	case err == nil: // such as a proxy whose upstream switched protocols unasked
		return w, errNoAnswer
	}
	return w, err
}

// answered reports whether there was an answer. The error of an error directive
// is one, and its status is taken; that of reverse_proxy says that there was none.
func answered(err error, w *answer) bool {
	var handlerErr caddyhttp.HandlerError
	if w.status == 0 && errors.As(err, &handlerErr) && handlerErr.StatusCode < 500 {
		w.status = handlerErr.StatusCode
	}
	return w.status != 0
}

// maxAnswer is how much of an answer's body is awaited. An app that goes on and
// on has said what it thinks of the event.
const maxAnswer = 1 << 20

// answer takes the app's answer: its status and headers count, its body not.
type answer struct {
	header http.Header
	status int
	size   int64 // of the body
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if a.size += int64(len(p)); a.size > maxAnswer {
		panic(http.ErrAbortHandler) // an error would be logged by reverse_proxy, with all headers
	}
	return len(p), nil
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 { // 1xx come before the answer
		a.status = status
	}
}
