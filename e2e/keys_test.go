package e2e

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

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

	before := calls.Load()
	server.Close()
	post("/stored", good, http.StatusOK)
	post("/stored", foreign, http.StatusUnauthorized)
	if got := calls.Load(); got != before || got != 3 { // the sources share what is at one URL
		t.Errorf("%d calls for keys, then %d; want 3", before, got)
	}

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
	post("/stored", foreign, http.StatusUnauthorized)
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
