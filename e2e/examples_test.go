package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Every file in examples is adapted, run as it is but for names and places,
// sent a webhook of each source, and watched until the app has got it.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../examples/*.caddyfile")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfile"), func(t *testing.T) {
			t.Parallel()
			runExample(t, file)
		})
	}
}

func runExample(t *testing.T, file string) {
	app := newApp(t, nil)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"isValid": true}`))
	}))
	t.Cleanup(api.Close)
	g := newGateway(t)
	g.config = filepath.Join(g.dir, "config.json")
	g.useName()
	site := "https://" + g.https
	if strings.Contains(readFile(t, file), "SITE:http://") {
		site = "http://" + g.http
	}
	g.env = append(append(g.env, exampleEnv...), "SITE="+site, "APP="+app.address, "APP_2="+app.address, "BILLING="+app.address,
		"INSIGNER_SECRET="+insignerSecret, "IGNISIGN_API_URL="+api.URL)
	g.runAdapted(file)

	if strings.Contains(file, "behind-proxy") {
		checkBehindProxy(t, g, app)
		return
	}
	var sources []struct {
		Source string `json:"source"`
	}
	g.adminJSON(http.MethodGet, "/webhook_gateway/sources", &sources)
	if len(sources) == 0 {
		t.Fatal("the example has no source")
	}
	for _, source := range sources {
		before := len(app.deliveries())
		out, errs, status := g.command("webhook", "send", source.Source, "--all", "--address", g.admin)
		if status != 0 {
			t.Fatalf("webhook send %s: exit %d: %s%s", source.Source, status, out, errs)
		}
		app.waitFor(t, before+1)
	}
	checkFence(t, g, app, site, readFile(t, file))
}

// exampleEnv are the variables that the examples need.
var exampleEnv = []string{"INSIGNER_SECRET=" + long, "IUSIGN_SECRET=1" + long, "INSERTSIGN_TOKEN=2" + long, "FUSESIGN_SIGNATURE=3" + long,
	"FUSESIGN_SIGNATURE_NEXT=4" + long, "IGNISIGN_APP_ID=a", "IGNISIGN_APP_ENV=TEST", "IGNISIGN_API_KEY=5" + long, "IGNISIGN_TOKEN=6" + long,
	"INTERNAL_KEY=7" + long, "FUSESIGN_IPS=127.0.0.1", "SENDERS=203.0.113.7", "OTEL_TRACES_EXPORTER=none",
	"STRIPE_SECRET=whsec_" + long, "APP_SECRET=8" + long, "APP_KEY=" + ourKey}

// TestExamplesGiveNothingUp has the audit find nothing in the examples, nor in the
// Caddyfile that one tries the gateway with.
func TestExamplesGiveNothingUp(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../examples/*.caddyfile")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range append(files, "../Caddyfile") {
		g := newGateway(t)
		g.env = append(g.env, exampleEnv...)
		if out, errs, status := g.command("webhook", "audit", "--config", absolute(t, file), "--adapter", "caddyfile"); status != 0 || out != "nothing found\n" {
			t.Errorf("%s: exit %d, %s%s", filepath.Base(file), status, out, errs)
		}
	}
}

// useName has URLs of the gateway name the host, which strict_sni_host asks for.
func (g *gateway) useName() {
	g.https, g.http = strings.Replace(g.https, "127.0.0.1", "localhost", 1), strings.Replace(g.http, "127.0.0.1", "localhost", 1)
}

// sourcePath finds the paths of sources in a Caddyfile.
var sourcePath = regexp.MustCompile(`webhook_gateway (/[a-z/]+[a-z])`)

// checkFence sends unsigned webhooks to where no source is. None of them may be
// answered as if it had been taken, and none may reach the app.
func checkFence(t *testing.T, g *gateway, app *app, site, caddyfile string) {
	t.Helper()
	_, port, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(site, "https://"), "http://"), ":")
	post := func(host, path string, header ...string) int {
		t.Helper()
		return g.postRaw(strings.HasPrefix(site, "https"), "127.0.0.1:"+port, host, path, header...)
	}
	before := len(app.deliveries())
	for _, match := range sourcePath.FindAllStringSubmatch(caddyfile, -1) {
		path := match[1]
		parent, name := path[:strings.LastIndexByte(path, '/')], path[strings.LastIndexByte(path, '/')+1:]
		for _, other := range []string{
			path, path + "/", path + "//", "/" + path, parent + "//" + name, parent + "/./" + name, parent + "/x/../" + name,
			strings.ToUpper(path), path + "x", path + "/x", path + ";a=b", parent + ";a=b/" + name, path + "%2f", parent + "%2f" + name, path + "%20",
			path + ".json", parent + "\\" + name,
		} {
			if status := post("localhost:"+port, other); status >= 200 && status < 300 {
				t.Errorf("an unsigned webhook to %s is answered %d", other, status)
			}
		}
		if status := post("other.example.com", path); strings.HasPrefix(site, "https") && status >= 200 && status < 300 {
			t.Errorf("a webhook for another host is answered %d", status)
		}
	}
	if got := app.deliveries()[before:]; len(got) > 0 {
		t.Errorf("the app got an unverified webhook: %s %s", got[0].method, got[0].uri)
	}
	if !strings.Contains(caddyfile, "request_header -Webhook-Gateway-*") {
		return
	}
	if status := post("localhost:"+port, "/orders", "Webhook-Gateway-Source: insigner"); status != http.StatusOK {
		t.Errorf("another path of the app is answered %d", status)
	}
	if got := app.waitFor(t, before+1)[before]; got.header.Get("Webhook-Gateway-Source") != "" {
		t.Error("the app got a header of the gateway's from a stranger")
	}
}

// postRaw posts an empty object to a path as it is written, and returns the
// status of the answer.
func (g *gateway) postRaw(secure bool, address, host, path string, header ...string) int {
	g.t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if secure {
		conn = tls.Client(conn, &tls.Config{ServerName: "localhost", InsecureSkipVerify: true})
	}
	lines := append([]string{"POST " + path + " HTTP/1.1", "Host: " + host, "Content-Type: application/json",
		"Content-Length: 2", "Connection: close"}, header...)
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n{}"); err != nil {
		g.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		g.t.Fatalf("%s: %v", path, err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// checkBehindProxy plays the load balancer.
func checkBehindProxy(t *testing.T, g *gateway, app *app) {
	for _, tt := range []struct {
		proto, client string
		want          int
	}{
		{"https", "203.0.113.7", 200},
		{"http", "203.0.113.7", 403},
		{"https", "203.0.113.8", 403},
	} {
		header, body := insigner("proxied")
		header.Set("X-Forwarded-Proto", tt.proto)
		header.Set("X-Forwarded-For", tt.client)
		resp, err := g.do(http.MethodPost, "http://"+g.http+"/webhooks/insigner", header, strings.NewReader(string(body)))
		if err != nil || resp.status != tt.want {
			t.Errorf("%s from %s: %+v, %v; want %d", tt.proto, tt.client, resp, err, tt.want)
		}
	}
	app.waitFor(t, 1)
}

// runAdapted runs a Caddyfile with the admin address, the storage, the queue and
// the CA of a test.
func (g *gateway) runAdapted(file string) {
	g.t.Helper()
	adapted, errs, status := g.command("adapt", "--adapter", "caddyfile", "--config", absolute(g.t, file))
	if status != 0 {
		g.t.Fatalf("adapting %s: %s", file, errs)
	}
	var config map[string]any
	if err := json.Unmarshal([]byte(adapted), &config); err != nil {
		g.t.Fatal(err)
	}
	config["admin"] = map[string]any{"listen": g.admin}
	config["storage"] = map[string]any{"module": "file_system", "root": g.dir + "/caddy"}
	apps := config["apps"].(map[string]any)
	apps["tls"] = json.RawMessage(`{"automation": {"policies": [{"issuers": [{"module": "internal"}]}]}}`)
	apps["pki"] = json.RawMessage(`{"certificate_authorities": {"local": {"install_trust": false}}}`)
	gatewayApp, _ := apps["webhook_gateway"].(map[string]any)
	if gatewayApp == nil {
		gatewayApp = make(map[string]any)
		apps["webhook_gateway"] = gatewayApp
	}
	gatewayApp["queue"] = map[string]any{"backend": "disk", "path": g.dir + "/queue"}
	for _, server := range apps["http"].(map[string]any)["servers"].(map[string]any) {
		if server := server.(map[string]any); server["automatic_https"] == nil {
			server["automatic_https"] = map[string]any{"disable_redirects": true}
		}
	}
	patched, err := json.Marshal(config)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(g.config, patched, 0o600); err != nil {
		g.t.Fatal(err)
	}
	g.run()
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func absolute(t *testing.T, file string) string {
	t.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
