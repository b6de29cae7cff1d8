package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
)

// TestUnfencedSourcesWarn loads sites whose other paths are answered 200, or go
// to an app, and sites where neither is so.
func TestUnfencedSourcesWarn(t *testing.T) {
	const source = "webhook_gateway /webhooks/insigner {\n\tprovider insigner s\n\troute app 127.0.0.1:1\n}\n"
	const lost, unverified, otherHost = "a mistaken path", "goes to an app unverified", "for another host"
	handler := strings.Replace(source, "/webhooks/insigner", "/insigner", 1)
	const cut, rest = "{$HTTPS} {\nhandle_path /webhooks/* {\n", "}\nhandle {\nrespond 404\n}\n}"
	const renamed = "{$HTTPS} {\nrewrite /in /webhooks/insigner\nhandle /webhooks* {\n" + source + "respond 404\n}\n"
	for _, test := range []struct {
		name, sites string
		want        []string
	}{
		{"a fence that is cut off", cut + handler + "respond 404\n" + rest, nil},
		{"no end behind what is cut off", cut + handler + rest, []string{lost}},
		{"an app behind what is cut off", cut + handler + "reverse_proxy 127.0.0.1:1\n" + rest, []string{unverified}},
		{"a path that becomes another one", renamed + "}", []string{lost}},
		{"a path that becomes another one, fenced", renamed + "handle {\nrespond 404\n}\n}", nil},
		{"a path by a variable", "{$HTTPS} {\n@v vars my yes\nvars /in* my yes\nhandle @v {\n" + strings.Replace(source, "/webhooks/insigner", "/in", 1) + rest, []string{lost}},
		{"TLS for other hosts", "{$HTTPS} {\n" + source + "respond 404\n}\n# lax", []string{otherHost}},
		{"TLS for any host", "https://:{$PORT} {\n" + source + "respond 404\n}\n# lax", nil},
		{"empty 200", "{$HTTPS} {\n" + source + "}", []string{lost}},
		{"respond 200", "{$HTTPS} {\n" + source + "respond ok\n}", []string{lost}},
		{"respond 404", "{$HTTPS} {\n" + source + "respond 404\n}", nil},
		{"proxied", "{$HTTPS} {\n" + source + "reverse_proxy 127.0.0.1:1\n}", []string{unverified}},
		{"fenced", "{$HTTPS} {\nhandle /webhooks* {\n" + source + "respond 404\n}\nhandle {\nreverse_proxy 127.0.0.1:1\n}\n}", nil},
		{"fenced without an end", "{$HTTPS} {\nhandle /webhooks* {\n" + source + "}\nhandle {\nreverse_proxy 127.0.0.1:1\n}\n}", []string{lost}},
		{"a narrow fence", "{$HTTPS} {\nhandle /webhooks/* {\n" + source + "respond 404\n}\nhandle {\nreverse_proxy 127.0.0.1:1\n}\n}", []string{unverified}},
		{"a named route", "&(in) {\n" + source + "}\n{$HTTPS} {\ninvoke in\n}", []string{lost}},
		{"a named route, proxied", "&(in) {\n" + source + "}\n{$HTTPS} {\ninvoke in\nreverse_proxy 127.0.0.1:1\n}", []string{unverified}},
		{"a named route, fenced", "&(in) {\n" + source + "}\n{$HTTPS} {\ninvoke in\nrespond 404\n}", nil},
		{"a fence in a named route", "&(in) {\n" + source + "invoke out\n}\n&(out) {\nrespond 404\n}\n{$HTTPS} {\ninvoke in\n}", nil},
		{"the whole site", "{$HTTPS} {\n" + strings.Replace(source, " /webhooks/insigner", "", 1) + "}", nil},
		{"plain HTTP", "{$HTTP} {\n" + strings.Replace(source, "provider", "insecure_http\n\tprovider", 1) + "respond 404\n}", []string{otherHost}},
		{"plain HTTP and a site for other hosts", "http://hooks.example.com:{$PORT} {\n" + strings.Replace(source, "provider", "insecure_http\n\tprovider", 1) + "respond 404\n}\nhttp://:{$PORT} {\nrespond 404\n}", nil},
		{"plain HTTP for any host", "http://:{$PORT} {\n" + strings.Replace(source, "provider", "insecure_http\n\tprovider", 1) + "respond 404\n}", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g, options := newGateway(t), strict
			if strings.HasSuffix(test.sites, "# lax") {
				options = queueIn
			}
			_, port, _ := strings.Cut(freeAddress(t), ":")
			g.env = append(g.env, "PORT="+port)
			g.write(options, test.sites)
			g.run()
			log := g.log.String()
			for _, kind := range []string{lost, unverified, otherHost} {
				wanted := false
				for _, want := range test.want {
					wanted = wanted || want == kind
				}
				if warned := strings.Contains(log, kind); warned != wanted {
					t.Errorf("%s: warned %v, want %v", kind, warned, wanted)
				}
			}
		})
	}
}

// strict is queueIn for a gateway that answers nobody who asks for another host than
// its TLS handshake names.
const strict = queueIn + "\n}\nservers {\nstrict_sni_host on\n"

// TestTwoSourcesAtOnePlace holds that a source that would never get a request is an
// error.
func TestTwoSourcesAtOnePlace(t *testing.T) {
	source := func(name, matcher string) string {
		return "webhook_gateway " + matcher + " {\n\tsource " + name + "\n\tprovider insigner s\n\troute app 127.0.0.1:1\n}\n"
	}
	g := start(t, "{$HTTPS} {\n"+source("a", "/a")+source("b", "/b")+"respond 404\n}")
	for _, test := range []struct {
		sites string
		loads bool
	}{
		{source("a", "/hook") + source("b", "/hook"), false},
		{source("a", "/hook/*") + source("b", "/hook"), true},
		{source("a", "") + source("b", ""), false},
		{"@a {\npath /hook\nheader X-A *\n}\n" + source("a", "@a") + source("b", "/hook"), true},
		{"@a {\npath /hook\nheader X-A *\n}\n@b {\npath /hook\nheader X-A *\n}\n" + source("a", "@a") + source("b", "@b"), false},
		{"handle /hook {\n" + source("a", "") + "}\n" + source("b", "/other"), true},
	} {
		g.write(queueIn, "{$HTTPS} {\n"+test.sites+"respond 404\n}")
		if err := g.reload(); (err == nil) != test.loads {
			t.Errorf("%s\nloads: %v", test.sites, err)
		} else if err != nil && !strings.Contains(err.Error(), "sources a and b") {
			t.Errorf("the error does not name the sources: %v", err)
		}
	}
}

// long is a secret that cannot be guessed.
const long = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// TestAudit looks at configurations with one slip each, before they run and while
// they run.
func TestAudit(t *testing.T) {
	site := func(address, lines string) string {
		return address + " {\nhandle /hook {\nwebhook_gateway {\nsource hook\nroute app 127.0.0.1:1\n" + lines + "\n}\n}\nrespond 404\n}"
	}
	const ignisign = "provider ignisign {\napp_id a\napp_env TEST\napi_key " + long + "\napi_url http://127.0.0.1:1\n%s\n}\n"
	for name, test := range map[string]struct{ sites, want string }{
		"nothing":            {site("{$HTTPS}", "provider github "+long), ""},
		"a path":             {"{$HTTPS} {\nwebhook_gateway /hook {\nsource hook\nprovider github " + long + "\n}\n}", "respond 404"},
		"unverified":         {site("{$HTTPS}", "provider insertsign\ninsecure_unverified"), "insecure_unverified"},
		"plain HTTP":         {site("http://:{$PORT}", "provider github "+long+"\ninsecure_http\n}\n}\nbind 0.0.0.0\nhandle /x {\nroute {"), "remove insecure_http"},
		"HTTP nearby":        {site("http://:{$PORT}", "provider github "+long+"\ninsecure_http\nallow_ips private_ranges 192.168.1.7\n}\n}\nbind 0.0.0.0\nhandle /x {\nroute {"), ""},
		"HTTP not so near":   {site("http://:{$PORT}", "provider github "+long+"\ninsecure_http\nallow_ips private_ranges 192.0.2.0/24\n}\n}\nbind 0.0.0.0\nhandle /x {\nroute {"), "remove insecure_http"},
		"HTTP on loopback":   {site("http://:{$PORT}", "provider github "+long+"\ninsecure_http"), ""},
		"a short secret":     {site("{$HTTPS}", "provider github "+long+" 0123456789abcde"), "secret 2 has fewer than 16 bytes"},
		"a short token":      {site("{$HTTPS}", "provider insertsign {\ntoken query t 0123\n}"), "token 1 has fewer than 16 bytes"},
		"a short own secret": {site("{$HTTPS}", "provider custom {\nhmac {\nheader X-A\nsecret 0123\n}\n}"), "secret 1 has fewer than 16 bytes"},
		"held from anybody":  {site("{$HTTPS}", fmt.Sprintf(ignisign, "")), "add allow_ips or allow_ips_from"},
		"held behind tokens": {site("{$HTTPS}", fmt.Sprintf(ignisign, "token query t "+long)), ""},
		"held from some":     {site("{$HTTPS}", fmt.Sprintf(ignisign, "")+"allow_ips private_ranges"), ""},
		"other hosts, HTTP":  {site("http://hooks.example.com:{$PORT}", "provider github "+long+"\ninsecure_http"), "leave the host out of the site's address, or add a site for every other host: http://:{$PORT} { respond 404 }"},
		"other hosts":        {site("{$HTTPS}", "provider github "+long) + "\n# lax", "strict_sni_host on"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, options := newGateway(t), strict
			if strings.HasSuffix(test.sites, "# lax") {
				options = queueIn
			}
			_, port, _ := strings.Cut(freeAddress(t), ":")
			g.env = append(g.env, "PORT="+port)
			g.write(options, test.sites)
			g.run()
			fromFile, _, before := g.command("webhook", "audit", "--config", g.config)
			running, _, during := g.webhook("audit")
			if fromFile != running || before != during {
				t.Errorf("before it runs: exit %d, %s\nwhile it runs: exit %d, %s", before, fromFile, during, running)
			}
			if test.want == "" {
				if running != "nothing found\n" || during != 0 || strings.Contains(g.log.String(), "gives up") {
					t.Errorf("exit %d, %s", during, running)
				}
				return
			}
			if during != 1 || !strings.HasPrefix(running, "source hook: ") || strings.Count(running, "\n") != 1 || !strings.Contains(running, strings.ReplaceAll(test.want, "{$PORT}", port)) {
				t.Errorf("exit %d, %s, want a line with %q", during, running, test.want)
			}
			if !strings.Contains(g.log.String(), "gives up a promise") {
				t.Error("the log has no warning")
			}
			if _, stderr, _ := g.webhook("audit"); stderr != "Error: 1 problem found\n" {
				t.Errorf("audit ends with %s", stderr)
			}
			var info operate.AuditInfo
			if out, _, _ := g.webhook("audit", "--json"); json.Unmarshal([]byte(out), &info) != nil || len(info.Findings) != 1 || info.Findings[0].Fix == "" {
				t.Errorf("as JSON: %s", out)
			}
		})
	}
}

// TestAuditOfTheQueue looks at a directory that others get at.
func TestAuditOfTheQueue(t *testing.T) {
	t.Parallel()
	g := start(t, "{$HTTPS} {\nrespond 404\n}")
	for mode, want := range map[os.FileMode]string{0o700: "nothing found\n", 0o750: "others can read", 0o770: "a group can write", 0o777: "everyone can write"} {
		if err := os.Chmod(filepath.Join(g.dir, "queue"), mode); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"--address", g.admin}, {"--config", g.config}} {
			if out, _, status := g.command(append([]string{"webhook", "audit"}, args...)...); !strings.Contains(out, want) || (status == 0) != (mode == 0o700) {
				t.Errorf("audit %s of mode %o: exit %d, %s", args[0], mode, status, out)
			}
		}
	}
}

// TestAuditOfWhatDoesNotLoad names in one line what keeps a configuration from loading.
func TestAuditOfWhatDoesNotLoad(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sites, want string
		status      int
	}{
		"two sources": {"{$HTTPS} {\nwebhook_gateway {\nsource a\nprovider github " + long + "\n}\nwebhook_gateway {\nsource b\nprovider github " + long + "\n}\n}", "sources a and b", 1},
		"any host":    {"https://:{$PORT} {\nwebhook_gateway /tw {\nprovider twilio " + long + "\n}\nrespond 404\n}", "external_url https://<host>/tw", 1},
		"no secret":   {"{$HTTPS} {\nwebhook_gateway {\nprovider github {env.NOT_SET}\n}\n}", "does not load: source github: secret 1 has no value: {env.NOT_SET} is not set in the environment of Caddy", 1},
		"no grammar":  {"{$HTTPS} {\nwebhook_gateway {\nprovider nobody\n}\n}", "", 2},
	} {
		g := newGateway(t)
		_, port, _ := strings.Cut(freeAddress(t), ":")
		g.env = append(g.env, "PORT="+port)
		g.write(queueIn, test.sites)
		out, stderr, status := g.command("webhook", "audit", "--config", g.config)
		if status != test.status || test.want != "" && !strings.Contains(out, test.want) {
			t.Errorf("%s: exit %d, %s%s", name, status, out, stderr)
		}
	}
}

// TestHostOfTheSendersChoosing has a stranger replay what Twilio signed for another
// host.
func TestHostOfTheSendersChoosing(t *testing.T) {
	t.Parallel()
	source := func(more string) string {
		return "webhook_gateway /tw {\nsource tw\nprovider twilio " + long + " {\n" + more + "\n}\nroute app 127.0.0.1:1\n}\nrespond 404\n"
	}
	_, port, _ := strings.Cut(freeAddress(t), ":")
	g := start(t, "{$HTTPS} {\nrespond 404\n}", "PORT="+port)
	for _, test := range []struct {
		sites string
		loads bool
	}{
		{"https://:{$PORT} {\n" + source("") + "}", false},
		{"https://:{$PORT} {\nhandle /tw {\n" + source("") + "}\n}", false},
		{"https://:{$PORT} {\n" + source("external_url https://hooks.example.com") + "}", true},
		{"https://:{$PORT} {\n@ours host hooks.example.com\nhandle @ours {\n" + source("") + "}\n}", true},
		{"{$HTTPS} {\n" + source("") + "}", true},
		{"https://:{$PORT} {\n" + strings.Replace(source(""), "twilio", "github", 1) + "}", true},
	} {
		g.write(queueIn, test.sites+"\n{$HTTPS}/unused {\nrespond 404\n}")
		if strings.HasPrefix(test.sites, "{$HTTPS}") {
			g.write(queueIn, test.sites)
		}
		if err := g.reload(); (err == nil) != test.loads || err != nil && !strings.Contains(err.Error(), "external_url https://") {
			t.Errorf("%s\n%v, want it to load: %v", test.sites, err, test.loads)
		}
	}
}

// TestDroppedHeaders holds that verify treats a captured request as the server treats
// one that arrives.
func TestDroppedHeaders(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	const source = "webhook_gateway {\nsource u\nprovider custom {\ntoken header api_key " + long + "\n}\ndedup off\nroute app 127.0.0.1:1\n}\n}"
	g.write(queueIn+"\n}\nservers {\nexpected_underscore_headers api_*\n", "{$HTTPS} {\n"+source)
	g.run()
	request := func(headers string) string {
		return "POST / HTTP/1.1\r\nHost: " + g.https + "\r\nConnection: close\r\nContent-Length: 2\r\n" + headers + "\r\n{}"
	}
	file := filepath.Join(g.dir, "request")
	verify := func(raw string, args ...string) (string, int) {
		if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _, status := g.command(append(append([]string{"webhook", "verify"}, args...), file)...)
		return out, status
	}
	for headers, want := range map[string]int{
		"api_key: " + long + "\r\n":                                 200,
		"API_KEY: " + long + "\r\n":                                 200,
		"api_key: " + long + "\r\napi_key: " + long + "\r\n":        401,
		"api-key: " + long + "\r\n":                                 401,
		"api.key: " + long + "\r\n":                                 401,
		"api_key: " + long + "\r\napi-key: x\r\napi_k.ey: x\r\n":    200,
		"api_key: " + long + "\r\nother_key: x\r\nother.key: x\r\n": 200,
	} {
		resp := g.raw(false, request(headers))
		out, status := verify(request(headers), "--config", g.config, "--source", "u")
		if resp.StatusCode != want || (status == 0) != (want == 200) {
			t.Errorf("%q is answered %d, want %d; verify says %s", headers, resp.StatusCode, want, out)
		}
	}
	genuine := request("api_key: " + long + "\r\n")
	if out, _ := verify(request("api_key: "+long+"\r\napi_key: x\r\n"), "--config", g.config, "--source", "u"); !strings.Contains(out, "api_key, which is there more than once") {
		t.Errorf("a repeated header: %s", out)
	}
	g.write(queueIn, "{$HTTPS} {\n"+source)
	if out, status := verify(genuine, "--config", g.config, "--source", "u"); status != 1 || !strings.Contains(out, "likely cause") || !strings.Contains(out, "expected_underscore_headers api_key") {
		t.Errorf("with a server that drops it: exit %d, %s", status, out)
	}
	if err := g.reload(); err == nil || !strings.Contains(err.Error(), "expected_underscore_headers api_key") {
		t.Errorf("a server that drops it: %v", err)
	}
}
