package template

import (
	"net/url"
)

// Request is the part of a webhook that proofs read. A provider must not keep a
// Request or its Body after it has returned.
type Request struct {
	Method   string
	Path     string              // escaped, as the app will get it
	RawQuery string              // without the question mark
	Header   map[string][]string // canonical names
	Body     []byte

	// Client is the IP address of the client, as the server knows it; "" where
	// nobody knows.
	Client string

	// Public is the URL that the provider called. It is set where
	// Profile.SignsURL says that it is needed.
	Public *url.URL

	// Expand resolves Caddy's placeholders for the request. It is nil where there is
	// no request of a server.
	Expand func(string) string

	// DeliveryID finds the delivery ID in the request, for schemes that sign
	// it. It gives "" where there is none.
	DeliveryID func() string

	// Matched is set by Verify: the position of the configured secret that the
	// proof was made with, from 1; 0 where no secret tells.
	Matched int

	// Proof is set by Verify: the position, from 1, of the proof that counted among
	// those of the provider; 0 where all of them count, or none is asked for.
	Proof int
}

// HeaderValue returns the value of a header that is there exactly once. The name
// must be canonical.
func (r *Request) HeaderValue(name string) string {
	if values := r.Header[name]; len(values) == 1 {
		return values[0]
	}
	return "" // of several values, the app may take another one than the signed one
}

// PublicURL returns the URL that the provider called. The parts that an external URL
// has replace those that this server saw.
func (r *Request) PublicURL(external *url.URL) *url.URL {
	if external == nil {
		return r.Public
	}
	u := *external
	if u.Path == "" || u.Path == "/" {
		u.Path, u.RawPath = r.Public.Path, r.Public.RawPath
	}
	if u.RawQuery == "" {
		u.RawQuery = r.Public.RawQuery
	}
	return &u
}

// Called sets the URL that the provider called. A URL without path or query takes
// those of the request.
func (r *Request) Called(public *url.URL) {
	r.Public = r.PublicURL(public)
	r.Path, r.RawQuery = r.Public.EscapedPath(), r.Public.RawQuery
}

// Moved updates the URL that the provider calls after the request's own path or
// query has changed.
func (r *Request) Moved() {
	if r.Public == nil {
		return
	}
	public := *r.Public
	public.RawPath, public.RawQuery = r.Path, r.RawQuery
	if path, err := url.PathUnescape(r.Path); err == nil {
		public.Path = path
	}
	r.Public = &public
}

// To addresses the request to a URL. The request's own query follows that of the
// URL.
func (r *Request) To(target *url.URL) {
	called := *target
	if called.RawQuery != "" && r.RawQuery != "" {
		called.RawQuery += "&"
	}
	called.RawQuery += r.RawQuery
	r.Path, r.RawQuery, r.Public = called.EscapedPath(), called.RawQuery, &called
}

// URL returns the target's URL with the request's own path and query, which may hold
// a token that Sign has put there.
func (r *Request) URL(target *url.URL) string {
	u := *target
	u.RawPath = r.Path
	if path, err := url.PathUnescape(r.Path); err == nil {
		u.Path = path
	}
	u.RawQuery = r.RawQuery
	return u.String()
}
