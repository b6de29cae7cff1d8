package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestUnsafeConfigurationDoesNotLoad has sources that anybody could send to.
func TestUnsafeConfigurationDoesNotLoad(t *testing.T) {
	t.Parallel()
	guard := []string{"Caddyfile:", "allow_ips", "token path <secret>", "insecure_unverified"}
	tests := map[string]struct {
		provider string
		want     []string // in the message
	}{
		"nothing proves InsertSign":         {"provider insertsign", guard},
		"nothing proves custom":             {"provider custom {\nnone\n}", guard},
		"InsertSign with a secret":          {"provider insertsign secret", []string{"Caddyfile:", "allow_ips", "token"}},
		"no secret, iusign":                 {"provider iusign", []string{"Caddyfile:", "needs a secret"}},
		"no secret, custom":                 {"provider custom {\nhmac {\nheader X-Sig\n}\n}", []string{"Caddyfile:", "needs a secret"}},
		"no key, ignisign":                  {"provider ignisign {\napp_id a\napp_env TEST\n}", []string{"Caddyfile:", "api_key"}},
		"empty secret, iusign":              {"provider iusign {env.NOPE}", []string{"{env.NOPE}", "source iusign"}},
		"empty secret, fusesign":            {"provider fusesign {env.NOPE}", []string{"{env.NOPE}"}},
		"empty secret, insigner":            {"provider insigner {\nsecret {env.NOPE}\n}", []string{"{env.NOPE}"}},
		"empty secret, github":              {"provider github {file./nowhere/at/all}", []string{"{file./nowhere/at/all}"}},
		"empty secret, stripe, the second":  {"provider stripe good {env.NOPE}", []string{"{env.NOPE}"}},
		"empty secret but for its prefix":   {"provider stripe whsec_{env.NOPE}", []string{"{env.NOPE}"}},
		"empty secret, standardwebhooks":    {"provider standardwebhooks whsec_", []string{"not a key in base64"}},
		"empty secret, custom":              {"provider custom {\nhmac {\nheader X-Sig\nsecret {env.NOPE}\n}\n}", []string{"{env.NOPE}"}},
		"empty key, ignisign":               {"provider ignisign {\napp_id a\napp_env TEST\napi_key {env.NOPE}\n}", []string{"{env.NOPE}"}},
		"empty application, ignisign":       {"provider ignisign {\napp_id {env.NOPE}\napp_env TEST\napi_key k\n}", []string{"app_id"}},
		"empty token":                       {"provider insertsign {\ntoken path {env.NOPE}\n}", []string{"{env.NOPE}"}},
		"empty token beside the signature":  {"provider iusign secret {\ntoken header X-T {env.NOPE}\n}", []string{"{env.NOPE}"}},
		"secret in quotes that is nothing":  {`provider iusign ""`, []string{"empty"}},
		"placeholder that is none of Caddy": {"provider iusign {envv.NOPE}", []string{"{envv.NOPE}"}},
	}
	g := start(t, "")
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g.write(queueIn, fmt.Sprintf("{$HTTPS} {\nwebhook_gateway {\n%s\nroute app 127.0.0.1:1\n}\n}\n", test.provider))
			status, message := g.load()
			if status == http.StatusOK {
				t.Error("it was loaded")
			}
			for _, want := range test.want {
				if !strings.Contains(message, want) {
					t.Errorf("the message says nothing of %q: %s", want, message)
				}
			}
		})
	}
}

// load has the running gateway load the Caddyfile, which takes less than a
// process of its own, and returns the answer.
func (g *gateway) load() (status int, message string) {
	g.t.Helper()
	content, err := os.ReadFile(g.config)
	if err != nil {
		g.t.Fatal(err)
	}
	// Each load replaces the admin endpoint. The one before closes its
	// connections, even such as it has just accepted.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var resp *http.Response
	eventually(g.t, "the admin endpoint answers", func() bool {
		resp, err = client.Post("http://"+g.admin+"/load", "text/caddyfile", bytes.NewReader(content))
		return err == nil
	})
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	// The message is quoted as JSON.
	return resp.StatusCode, strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\"`, `"`).Replace(string(answer))
}

// TestRefusedConfigurationDoesNotRun also shows that the same configuration
// runs once the line is added that the message asks for.
func TestRefusedConfigurationDoesNotRun(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	const site = "{$HTTPS} {\nwebhook_gateway /hook {\nprovider insertsign\nroute app 127.0.0.1:1\n%s}\n}\n"
	g.write(queueIn, fmt.Sprintf(site, ""))
	for _, command := range []string{"run", "validate"} {
		_, stderr, status := g.command(command, "--config", g.config)
		if status == 0 || !strings.Contains(stderr, "allow_ips <ip|cidr>") {
			t.Errorf("%s: exit %d, want another, and a message: %s", command, status, stderr)
		}
	}
	if _, err := os.Stat(g.dir + "/queue"); err == nil {
		t.Error("a configuration that was refused made a queue")
	}
	g.write(queueIn, fmt.Sprintf(site, "allow_ips 127.0.0.1\n"))
	g.run()
	if status, _ := g.post("/hook", jsonHeader(), []byte("{}")); status != 200 {
		t.Errorf("answer %d, want 200", status)
	}
	// What is refused later leaves the gateway as it is.
	g.write(queueIn, fmt.Sprintf(site, ""))
	if err := g.reload(); err == nil {
		t.Error("an unsafe configuration was loaded")
	}
	if status, _ := g.post("/hook", jsonHeader(), []byte("{ }")); status != 200 {
		t.Errorf("answer %d after a refused reload, want 200", status)
	}
}

// TestClientsOwnWord has allow_ips go by what a client may have written of itself.
func TestClientsOwnWord(t *testing.T) {
	t.Parallel()
	g := start(t, "")
	for options, loads := range map[string]bool{
		"":                       false,
		"trusted_proxies_strict": true,
		"client_ip_headers X-Forwarded-For\n trusted_proxies_strict": true,
		"client_ip_headers CF-Connecting-IP":                         true,
		"client_ip_headers Fly-Client-IP":                            true,
		"client_ip_headers X-Azure-SocketIP":                         true,
		"client_ip_headers X-Azure-ClientIP":                         false,
		"client_ip_headers X-Real-IP":                                false,
		"client_ip_headers True-Client-IP":                           false,
		"client_ip_headers Fastly-Client-IP":                         false,
		"client_ip_headers CF-Connecting-IP X-Forwarded-For":         false,
		"client_ip_headers Fly-Client-IP CF-Connecting-IP":           false, // Cloudflare passes a Fly-Client-IP on
	} {
		g.write(queueIn+"\n}\nservers {\ntrusted_proxies static private_ranges\n"+options, "{$HTTPS} {\nwebhook_gateway {\nprovider iusign secret\nallow_ips 192.0.2.1\n}\n}\n")
		status, message := g.load()
		if (status == http.StatusOK) != loads {
			t.Errorf("%q: answered %d, want it to load: %v", options, status, loads)
		}
		if !loads && (!strings.Contains(message, "trusted_proxies_strict") || !strings.Contains(message, "Cf-Connecting-Ip, Fly-Client-Ip")) {
			t.Errorf("%q: the message does not say what to write: %s", options, message)
		}
	}
}
