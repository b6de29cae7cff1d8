package e2e

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestUntrustedProxyIsNamed has a proxy that nobody named use up the share of one
// address: of the memory for bodies, of the places for held events, and of the calls
// for keys. The log and audit say each time what it may be.
func TestUntrustedProxyIsNamed(t *testing.T) {
	t.Parallel()
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "token") {
			io.WriteString(w, `{"access_token": "t", "expires_in": 7200}`)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer api.Close()
	g := newGateway(t)
	g.trustServer(api)
	down := unstartedApp(t, freeAddress(t), nil)
	ebay := "webhook_gateway /keys {\nsource keys\ninsecure_http\nprovider ebay {\nclient_id a\nclient_secret b\napi_url " + api.URL + "\n}\nroute app 127.0.0.1:1\n}\n"
	memory := "webhook_gateway /memory {\nsource memory\ninsecure_http\nprovider iusign secret\nroute app 127.0.0.1:1\n}\n"
	g.write(fewPlaces, "{$HTTP} {\n"+memory+ebay+strings.Replace(ignisignSource("held", "127.0.0.1:1", down, ""), "route", "insecure_http\nroute", 1)+"}\n")
	g.run()
	post := func(path, body string, header ...string) int {
		h := jsonHeader(append(header, "X-Forwarded-For", "192.0.2.7")...)
		resp, err := g.do(http.MethodPost, "http://"+g.http+path, h, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return resp.status
	}
	for source, use := range map[string]func(){
		"keys": func() {
			for i := range 10 {
				proof := fmt.Sprintf(`{"alg":"ecdsa","kid":"%d","signature":"AAAA","digest":"SHA1"}`, i)
				post("/keys", "{}", "X-Ebay-Signature", base64.StdEncoding.EncodeToString([]byte(proof)))
			}
		},
		"held": func() {
			for i := range 1000 {
				if post("/held", fmt.Sprintf(`{"appId":"app-1","appEnv":"TEST","topic":"SIGNATURE","action":"FINALIZED","msgNature":"SUCCESS","content":{"pad":%[2]q},"verificationToken":"%[1]d"}`, i, strings.Repeat("x", 32<<10))) != http.StatusOK {
					return
				}
			}
		},
		"memory": func() {
			var all sync.WaitGroup
			for range 40 {
				conn, err := net.Dial("tcp", g.http)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				fmt.Fprintf(conn, "POST /memory HTTP/1.1\r\nHost: %s\r\nX-Forwarded-For: 192.0.2.7\r\nX-IUSign-Signature: 00\r\nContent-Length: %d\r\n\r\n", g.http, 10<<20)
				all.Go(func() { _, _ = conn.Write(make([]byte, 9<<20)) }) // which fails when it is refused
			}
			all.Wait()
		},
	} {
		use()
		eventually(t, source+": the log names trusted_proxies", func() bool {
			for line := range strings.Lines(g.log.String()) {
				if strings.Contains(line, fmt.Sprintf(`"source":%q`, source)) && strings.Contains(line, "name it in trusted_proxies") && strings.Contains(line, `"status":503`) {
					return true
				}
			}
			return false
		})
		if out, _, _ := g.webhook("audit"); !strings.Contains(out, "source "+source+": the peer 127.0.0.1 sends X-Forwarded-For") {
			t.Errorf("audit says of %s: %s", source, out)
		}
	}
}
