package scheme_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// keyServer stands in for a provider's host. Whatever name is called leads to
// it, and its certificate is trusted.
type keyServer struct {
	*httptest.Server
	calls  atomic.Int32
	answer atomic.Pointer[func(w http.ResponseWriter, r *http.Request)]
}

func newKeyServer(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *keyServer {
	t.Helper()
	s := new(keyServer)
	s.answer.Store(&answer)
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		(*s.answer.Load())(w, r)
	}))
	transport := s.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}
	// The stand-in's certificate is for example.com: chain and date count, and
	// the name is that of the test.
	transport.TLSClientConfig = &tls.Config{RootCAs: transport.TLSClientConfig.RootCAs, ServerName: "example.com"}
	before := http.DefaultTransport
	http.DefaultTransport = transport
	roots := x509.NewCertPool()
	roots.AddCert(providertest.Root().Certificate)
	t.Cleanup(scheme.TrustForTests(transport, roots))
	t.Cleanup(func() {
		http.DefaultTransport = before
		transport.CloseIdleConnections()
		s.Close()
	})
	return s
}

// serve makes the server answer with a text from now on.
func (s *keyServer) serve(status int, text string) {
	answer := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}
	s.answer.Store(&answer)
}

// edToken makes a token for a body, signed with the key of a seed.
func edToken(seed byte, body string) string { return edTokenAs(seed, seed, body) }

// edTokenAs makes one that names another key.
func edTokenAs(seed, named byte, body string) string {
	_, private := providertest.EdKey(seed)
	payload, _ := json.Marshal(map[string]any{"iat": providertest.Now.Unix(), "sha256": scheme.HashText("hex", []byte(body))})
	header := fmt.Sprintf(`{"alg":"EdDSA","kid":%q}`, string(rune(named)))
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(signed)))
}

const jwksConfig = "custom {\njwt EdDSA {\nheader X-Token\nbody_hash sha256\nkeys_url https://keys.example.com/jwks\n}\n}"

// verifies is a provider or a scheme.
type verifies interface {
	Verify(r *template.Request, now time.Time) error
}

// jwksToken is the token of jwksConfig, with a cache of keys whose clock can be set.
func jwksToken(t *testing.T) *scheme.JWT {
	t.Helper()
	j := &scheme.JWT{From: "{header.X-Token}", Algorithms: []string{"EdDSA"}, BodyHash: "sha256"}
	if err := j.Provision(&scheme.Credentials{Keys: scheme.Keys{KeysURL: "https://keys.example.com/jwks"}}); err != nil {
		t.Fatal(err)
	}
	return j
}

// deliver verifies a request as the gateway does: with a fetch where the key is
// not known.
func deliver(p verifies, r *template.Request, at time.Time) error {
	err := p.Verify(r, at)
	if errors.Is(err, scheme.NoKey) {
		if err := p.(scheme.Fetcher).Fetch(context.Background(), r); err != nil {
			return err
		}
		err = p.Verify(r, at)
	}
	return err
}

func TestKeysAreFetchedOnce(t *testing.T) {
	server := newKeyServer(t, nil)
	server.serve(200, providertest.JWKS('a', 'b'))
	p := providertest.MustParse(t, jwksConfig)
	if got := server.calls.Load(); got != 0 {
		t.Fatalf("%d calls before any request", got)
	}
	for range 3 {
		for _, seed := range []byte{'a', 'b'} {
			if err := deliver(p, providertest.Hook("{}", "X-Token: "+edToken(seed, "{}")), providertest.Now); err != nil {
				t.Errorf("key %c: %v", seed, err)
			}
		}
	}
	if err := deliver(p, providertest.Hook("{ }", "X-Token: "+edToken('a', "{}")), providertest.Now); !errors.Is(err, scheme.Wrong) {
		t.Errorf("another body: %v", err)
	}
	if err := deliver(p, providertest.Hook("{}", "X-Token: "+edTokenAs('a', 'b', "{}")), providertest.Now); !errors.Is(err, scheme.Wrong) {
		t.Errorf("signed with another key than it names: %v", err)
	}
	if got := server.calls.Load(); got != 1 {
		t.Errorf("%d calls, want 1", got)
	}
}

// TestUnknownKeyCausesFewCalls holds that strangers cannot make the gateway
// call as often as they like, and that what names an unknown key is refused for
// good only if a later call has not found the key: the provider may have a new one.
func TestUnknownKeyCausesFewCalls(t *testing.T) {
	server := newKeyServer(t, nil)
	server.serve(200, providertest.JWKS('a'))
	p := jwksToken(t)
	clock := providertest.Now
	p.Cache().Clock = func() time.Time { return clock }
	named := func(seed byte) error {
		clock = clock.Add(time.Millisecond)
		return deliver(p, providertest.Hook("{}", "X-Token: "+edToken(seed, "{}")), clock)
	}
	for i := range 3 * scheme.FetchBurst {
		want := error(scheme.Wrong)
		if i >= scheme.FetchBurst {
			want = scheme.ErrPause
		}
		if err := named('x'); !errors.Is(err, want) {
			t.Errorf("a key that the provider has not got, time %d: %v, want %v", i, err, want)
		}
	}
	if got := server.calls.Load(); got != scheme.FetchBurst {
		t.Errorf("%d calls, want %d", got, scheme.FetchBurst)
	}
	server.serve(200, providertest.JWKS('b'))
	if err := named('b'); !errors.Is(err, scheme.ErrPause) {
		t.Errorf("the provider's new key during the pause: %v", err)
	}
	if err := named('a'); err != nil {
		t.Errorf("the old key during the pause: %v", err)
	}
	clock = clock.Add(scheme.FetchPause)
	if err := named('b'); err != nil {
		t.Errorf("the provider's new key: %v", err)
	}
	clock = clock.Add(scheme.FetchPause)
	if err := named('a'); !errors.Is(err, scheme.Wrong) {
		t.Errorf("the key that the provider withdrew: %v", err)
	}
}

// TestCallBeforeSaysNothing has a request join a call that began before it: what that
// call has not found may be there by now.
func TestCallBeforeSaysNothing(t *testing.T) {
	release := make(chan struct{})
	server := newKeyServer(t, func(w http.ResponseWriter, _ *http.Request) {
		<-release
		fmt.Fprint(w, providertest.JWKS('a'))
	})
	p := jwksToken(t)
	p.Cache().Clock = func() time.Time { return providertest.Now }
	r := providertest.Hook("{}", "X-Token: "+edToken('b', "{}"))
	first, second := make(chan error), make(chan error)
	go func() { first <- deliver(p, r, providertest.Now) }()
	for server.calls.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	go func() { second <- deliver(p, r, providertest.Now.Add(time.Millisecond)) }()
	time.Sleep(20 * time.Millisecond)
	close(release)
	if err := <-first; !errors.Is(err, scheme.Wrong) {
		t.Errorf("the request that caused the call: %v", err)
	}
	if err := <-second; !errors.Is(err, scheme.NoKey) {
		t.Errorf("a later request: %v", err)
	}
}

// TestAbsentNameMayComeToBe does the same with keys that are fetched one by one.
func TestAbsentNameMayComeToBe(t *testing.T) {
	server := newKeyServer(t, nil)
	server.serve(404, "")
	s := snsIn(t, "")
	clock := time.Now()
	s.Cache().Clock = func() time.Time { return clock }
	good := func() error {
		clock = clock.Add(time.Millisecond)
		return deliver(s, providertest.Hook(snsBody(t, "2", snsCert, nil)), clock)
	}
	if err := good(); !errors.Is(err, scheme.Wrong) {
		t.Errorf("a certificate that is not there: %v", err)
	}
	server.serve(200, providertest.ValidCertificate(t, "sns.amazonaws.com"))
	if err := good(); !errors.Is(err, scheme.ErrPause) {
		t.Errorf("a moment later: %v", err)
	}
	clock = clock.Add(scheme.MinRefresh)
	if err := good(); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	if got := server.calls.Load(); got != 2 {
		t.Errorf("%d calls, want 2", got)
	}
}

// TestLastGoodKeysStay holds that an API that is down costs nothing.
func TestLastGoodKeysStay(t *testing.T) {
	server := newKeyServer(t, nil)
	server.serve(200, providertest.JWKS('a'))
	p := jwksToken(t)
	clock := providertest.Now
	cache := p.Cache()
	cache.Clock = func() time.Time { return clock }
	good := func() *template.Request { return providertest.Hook("{}", "X-Token: "+edToken('a', "{}")) }
	if err := deliver(p, good(), providertest.Now); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(scheme.KeyLife + time.Second)
	server.serve(500, "")
	if err := p.Verify(good(), providertest.Now); err != nil {
		t.Errorf("with the API down: %v", err)
	}
	if err := cache.Fetch(context.Background(), "", nil); err == nil {
		t.Error("the fetch did not fail")
	}
	if err := p.Verify(good(), providertest.Now); err != nil {
		t.Errorf("after a failed fetch: %v", err)
	}
	_ = cache.Fetch(context.Background(), "", nil) // it joins the one that Verify began
	server.serve(200, providertest.JWKS('b'))
	if err := cache.Fetch(context.Background(), "", nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(good(), providertest.Now); err == nil {
		t.Error("a withdrawn key still counts")
	}
}

// TestFetchIsBounded holds what a host can do with an answer.
func TestFetchIsBounded(t *testing.T) {
	server := newKeyServer(t, nil)
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request){
		"too large": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, providertest.JWKS('a'), strings.Repeat(" ", scheme.MaxKeyBytes))
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/elsewhere" {
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
				return
			}
			fmt.Fprint(w, providertest.JWKS('a'))
		},
		"no keys":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"an error":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"no answer":  func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
		"a secret":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"kty":"oct","k":"c2VjcmV0","kid":"a"}`) },
		"empty":      func(w http.ResponseWriter, _ *http.Request) {},
		"empty JWKS": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[]}`) },
	} {
		server.answer.Store(&answer)
		p := providertest.MustParse(t, jwksConfig)
		err := deliver(p, providertest.Hook("{}", "X-Token: "+edToken('a', "{}")), providertest.Now)
		if err == nil || errors.As(err, new(scheme.Refusal)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	server.serve(404, "")
	p := jwksToken(t)
	clock := providertest.Now
	p.Cache().Clock = func() time.Time { return clock }
	for range 2 {
		if err := deliver(p, providertest.Hook("{}", "X-Token: "+edToken('a', "{}")), clock); !errors.Is(err, scheme.Wrong) {
			t.Errorf("no document: %v", err)
		}
		clock = clock.Add(time.Second)
	}
	server.serve(200, providertest.JWKS('a'))
	if err := deliver(p, providertest.Hook("{}", "X-Token: "+edToken('a', "{}")), clock); err != nil {
		t.Errorf("a document that is there after all: %v", err)
	}
	for _, address := range []string{"http://keys.example.com/jwks", "https://u:p@keys.example.com/jwks", "file:///etc/passwd"} {
		if _, err := providertest.Parse(strings.Replace(jwksConfig, "https://keys.example.com/jwks", address, 1)); err == nil {
			t.Errorf("%s was taken", address)
		}
	}
}

// TestFetchesJoin holds that requests which come together cause one call.
func TestFetchesJoin(t *testing.T) {
	release := make(chan struct{})
	server := newKeyServer(t, func(w http.ResponseWriter, _ *http.Request) {
		<-release
		fmt.Fprint(w, providertest.JWKS('a'))
	})
	p := providertest.MustParse(t, jwksConfig)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if err := deliver(p, providertest.Hook("{}", "X-Token: "+edToken('a', "{}")), providertest.Now); err != nil {
				t.Error(err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := p.(provider.Fetcher).Fetch(ctx, providertest.Hook("{}", "X-Token: "+edToken('a', "{}"))); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a request that cannot wait: %v", err)
	}
	close(release)
	all.Wait()
	if got := server.calls.Load(); got != 1 {
		t.Errorf("%d calls, want 1", got)
	}
}

// TestSchemeLimitsAreDocumented holds docs/configuration.md against the bounds of this package.
func TestSchemeLimitsAreDocumented(t *testing.T) {
	providertest.Documented(t, map[string]int{
		"with %d different times":                              scheme.MaxTimestamps,
		"; %d of those that only":                              scheme.MaxVerified,
		"(`{n}`) | %d headers":                                 scheme.MaxHeaders,
		"tokens in headers | %d bytes":                         scheme.MaxToken,
		"message signatures, and tokens in headers | %d bytes": scheme.MaxStructured,
		"%d components":                                        scheme.MaxComponents,
		"%d keys in a set":                                     scheme.MaxKeySet,
		"of %d KiB; 64 fetched":                                scheme.MaxKeyBytes >> 10,
		"; %d fetched ones are kept that":                      scheme.MaxKeys,
		"one address causes %d calls at once":                  scheme.FetchBurst,
		"all addresses cause %d,":                              scheme.StrangersBurst,
		"share a reserve of %d calls":                          scheme.AgainBurst,
	})
}
