package e2e

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestKeyIsReplaced has a provider sign with a new key while a stranger names keys that
// nobody has: the stranger is refused, or told to come back, and causes few calls. The
// provider is told to come back until its key is there, and never refused.
func TestKeyIsReplaced(t *testing.T) {
	t.Parallel()
	var set atomic.Pointer[string]
	var calls atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		io.WriteString(w, *set.Load())
	}))
	defer server.Close()
	old, oldKey := edToken("old", `{"a":1}`)
	fresh, freshKey := edToken("fresh", `{"a":1}`)
	set.Store(&oldKey)
	g := newGateway(t)
	g.trustServer(server)
	g.write(queueIn, "{$HTTPS} {\nwebhook_gateway /hook {\nprovider custom {\njwt EdDSA {\nheader Authorization\nbody_hash hash\nkeys_url "+server.URL+
		"\n}\n}\ndedup off\nroute app 127.0.0.1:1\n}\n}\n")
	g.run()
	post := func(token string) (int, http.Header) {
		resp, err := g.do(http.MethodPost, "https://"+g.https+"/hook", http.Header{"Authorization": {"Bearer " + token}}, strings.NewReader(`{"a":1}`))
		if err != nil {
			t.Fatal(err)
		}
		return resp.status, resp.header
	}
	if status, _ := post(old); status != http.StatusOK {
		t.Fatalf("the old key is answered %d", status)
	}
	strangers := func() {
		for i := range 20 {
			foreign, _ := edToken(fmt.Sprint("foreign ", i), `{"a":1}`)
			if status, _ := post(foreign); status != http.StatusUnauthorized && status != http.StatusServiceUnavailable {
				t.Errorf("a stranger is answered %d", status)
			}
		}
	}
	strangers()
	set.Store(&freshKey)
	status, header := post(fresh)
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") != "5" {
		t.Errorf("the new key is answered %d, Retry-After %q", status, header.Get("Retry-After"))
	}
	if got := calls.Load(); got > 10 {
		t.Errorf("%d calls", got)
	}
	time.Sleep(5 * time.Second)
	strangers()
	if status, _ := post(fresh); status != http.StatusOK {
		t.Errorf("when it comes back, the new key is answered %d", status)
	}
}

// TestKeysAreFetched has a provider whose public keys are fetched: while they
// cannot be had it is told to come back, and nothing is stored or passed on.
func TestKeysAreFetched(t *testing.T) {
	t.Parallel()
	var answer atomic.Pointer[http.HandlerFunc]
	var calls atomic.Int32
	serve := func(f http.HandlerFunc) { answer.Store(&f) }
	serve(status(http.StatusInternalServerError))
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		(*answer.Load())(w, r)
	}))
	defer server.Close()

	app := newApp(t, nil)
	g := newGateway(t)
	g.trustServer(server)
	site := `	webhook_gateway /%[1]s {
		source %[1]s
		provider custom {
			jwt EdDSA {
				header Authorization
				body_hash hash
				keys_url %[2]s
			}
		}
		%[3]s
	}
`
	g.write(queueIn, "{$HTTPS} {\n"+
		fmt.Sprintf(site, "stored", server.URL, "route app "+app.address)+
		fmt.Sprintf(site, "passed", server.URL, "")+
		"reverse_proxy "+app.address+"\n}\n")
	g.run()

	good, goodKey := edToken("good", `{"a":1}`)
	foreign, _ := edToken("foreign", `{"a":1}`)
	post := func(path, token string, want int) {
		t.Helper()
		header := http.Header{"Authorization": {"Bearer " + token}}
		if got, _ := g.post(path, header, []byte(`{"a":1}`)); got != want {
			t.Errorf("%s was answered %d, want %d", path, got, want)
		}
	}
	post("/stored", good, http.StatusServiceUnavailable)
	post("/passed", good, http.StatusServiceUnavailable)
	if got := calls.Load(); got != 2 {
		t.Errorf("%d calls for keys that cannot be had, want 2", got)
	}
	if events, got := g.events(nil), app.deliveries(); len(events) != 0 || len(got) != 0 {
		t.Errorf("stored %v, passed on %v", events, got)
	}

	serve(says(goodKey))
	post("/stored", good, http.StatusOK)
	post("/passed", good, http.StatusOK)
	app.waitFor(t, 2)
	post("/stored", foreign, http.StatusUnauthorized)
	post("/passed", foreign, http.StatusUnauthorized)

	if got := calls.Load(); got != 5 { // the sources share what is at one URL
		t.Errorf("%d calls for keys, want one when they are there and one for each key that is not known", got-2)
	}

	// The provider has a new key, and its server is gone: it is told to come back.
	server.Close()
	post("/stored", good, http.StatusOK)
	post("/stored", foreign, http.StatusServiceUnavailable)

	// With the provider's server gone, neither a reload nor a start loses the keys.
	if err := g.reload(); err != nil {
		t.Fatal(err)
	}
	post("/stored", good, http.StatusOK)
	eventually(t, "the keys lie on disk", func() bool {
		files, _ := filepath.Glob(filepath.Join(g.dir, "*", "keys", "*.json"))
		return len(files) == 1
	})
	g.kill()
	g.run()
	post("/stored", good, http.StatusOK)
	post("/passed", good, http.StatusOK)
	post("/stored", foreign, http.StatusServiceUnavailable)
	if log := g.log.String(); strings.Contains(log, good) || strings.Contains(log, strings.Split(good, ".")[2]) {
		t.Error("the log has the token")
	}
}

// trustServer puts a server's certificate in place of the system's roots.
func (g *gateway) trustServer(server *httptest.Server) {
	g.t.Helper()
	roots := filepath.Join(g.dir, "roots.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(roots, block, 0o600); err != nil {
		g.t.Fatal(err)
	}
	g.env = append(g.env, "SSL_CERT_FILE="+roots, "SSL_CERT_DIR="+g.dir+"/none")
}

// edToken makes a token for a body, and the key set that verifies it.
func edToken(name, body string) (token, set string) {
	seed := sha256.Sum256([]byte(name))
	private := ed25519.NewKeyFromSeed(seed[:])
	sum := sha256.Sum256([]byte(body))
	encode := base64.RawURLEncoding.EncodeToString
	payload, _ := json.Marshal(map[string]any{"iat": time.Now().Unix(), "hash": fmt.Sprintf("%x", sum)})
	signed := encode([]byte(`{"alg":"EdDSA","kid":"`+name+`"}`)) + "." + encode(payload)
	public := encode(private.Public().(ed25519.PublicKey))
	return signed + "." + encode(ed25519.Sign(private, []byte(signed))),
		`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"` + name + `","x":"` + public + `"}]}`
}
