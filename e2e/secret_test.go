package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestSecretsStayInside has secrets in every place that a sender and an operator can
// put them, and looks for them in what the gateway writes, at the level debug.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	const secret = `s3cr3t/of+"the"=source`
	app := newApp(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, "no "+secret)
	})
	var sites strings.Builder
	sites.WriteString("{$HTTPS} {\nlog\n")
	block := func(name, provider string) {
		fmt.Fprintf(&sites, "webhook_gateway /%[1]s* {\nsource %[1]s\nprovider %[2]s\nevent `body.type`\nroute chain {\nforward {\nhandle /%[1]s* {\nreverse_proxy %[3]s\n}\n}\n}\nroute direct %[3]s\n}\n",
			name, provider, app.address)
	}
	block("fixed", "fusesign {env.LEAK}")
	block("json", "insertsign {\ntoken json key {env.LEAK}\n}")
	block("form", "insertsign {\ntoken form key {env.LEAK}\n}")
	block("query", "insertsign {\ntoken query key {env.LEAK}\n}")
	block("path", "insertsign {\ntoken path {env.LEAK}\n}")
	block("basic", "postmark user:{env.LEAK}")
	sites.WriteString("respond 404\n}\n")
	g := start(t, strings.Replace(sites.String(), "log\n", "", 1), "LEAK="+secret)

	quoted := strings.ReplaceAll(secret, `"`, `\u0022`)
	body := fmt.Sprintf(`{"type":"%s\nline","key":"%s","again":"%s","form":"%s","base64":"%s"}`, quoted, quoted, quoted,
		url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte("xy"+secret+"z")))
	referer := http.Header{"Referer": {"https://example.com/?key=" + url.QueryEscape(secret)}, "Content-Type": {"application/json"}}
	send := func(path, content string, more ...string) {
		header := referer.Clone()
		for i := 0; i < len(more); i += 2 {
			header.Set(more[i], more[i+1])
		}
		if status, answer := g.post(path, header, []byte(content)); status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, answer)
		}
	}
	send("/fixed", body, "Fuse-Signature", secret)
	send("/json", body)
	send("/form", url.Values{"key": {secret}}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	send("/query?key="+url.QueryEscape(secret), body)
	send("/path/"+url.PathEscape(secret), body)
	send("/basic", body, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("user:"+secret)))
	eventually(t, "all deliveries have ended", func() bool { return len(g.events(url.Values{"state": {"dead"}})) == 6 })

	written := map[string]string{"metrics": g.adminText("/metrics")}
	for _, args := range [][]string{{"events"}, {"events", "--json"}, {"dead"}, {"dead", "--json"}, {"send", "fixed", "--json"}} {
		out, errs, _ := g.command(append([]string{"webhook"}, append(args, "--address", g.admin)...)...)
		written[strings.Join(args, " ")] = out + errs
	}
	for _, e := range g.events(nil) {
		written["show "+e.Source], _, _ = g.command("webhook", "show", e.ID, "--address", g.admin)
		written["show --json "+e.Source], _, _ = g.command("webhook", "show", e.ID, "--json", "--address", g.admin)
		if !strings.Contains(written["show "+e.Source], "[masked]") {
			t.Errorf("nothing of %s is masked: %s", e.Source, written["show "+e.Source])
		}
	}
	written["the log"] = g.log.String()
	if !strings.Contains(written["the log"], "upstream roundtrip") {
		t.Error("the log has no debug lines of reverse_proxy")
	}
	for what, text := range written {
		for name, form := range map[string]string{
			"plain": secret, "JSON": strings.ReplaceAll(secret, `"`, `\"`), "escaped JSON": quoted, "JSON in JSON": strings.ReplaceAll(secret, `"`, `\\u0022`),
			"query": url.QueryEscape(secret), "path": url.PathEscape(secret), "base64": base64.StdEncoding.EncodeToString([]byte("xy" + secret + "z"))[4:24],
			"basic": base64.StdEncoding.EncodeToString([]byte("user:" + secret)), "part": "s3cr3t",
		} {
			if strings.Contains(text, form) {
				at := strings.Index(text, form)
				t.Errorf("%s shows the secret (%s): …%s…", what, name, text[max(0, at-200):min(len(text), at+100)])
			}
		}
	}
}

// TestFixedSecretsStayHome holds that a sample with the source's secret in it goes to
// the source's own address only.
func TestFixedSecretsStayHome(t *testing.T) {
	t.Parallel()
	app, got := newApp(t, nil), make(chan string, 100)
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.URL.Path }))
	t.Cleanup(stranger.Close)
	g := start(t, fmt.Sprintf(`{$HTTPS} {
		webhook_gateway /header { 
			source header
			provider fusesign fixed-secret-1
			route app %[1]s
		}
		webhook_gateway /query {
			source query
			provider insertsign {
				token query key t2
			}
			route app %[1]s
		}
		webhook_gateway /path/* {
			source path
			provider insertsign {
				token path fixed-secret-3
			}
			route app %[1]s
		}
		webhook_gateway /json {
			source json
			provider microsoft_graph fixed-secret-4
			route app %[1]s
		}
		webhook_gateway /basic {
			source basic
			provider postmark user:pw5
			route app %[1]s
		}
		webhook_gateway /public {
			source public
			provider fusesign fixed-secret-6 {
				external_url %[2]s/public
			}
			route app %[1]s
		}
		webhook_gateway /signed {
			source signed
			provider insigner signing-secret
			route app %[1]s
		}
		handle /app/* {
			reverse_proxy %[1]s
		}
	}`, app.address, stranger.URL))
	for _, source := range []string{"header", "query", "path", "json", "basic", "public"} {
		elsewhere := []string{stranger.URL + "/other", "https://" + g.https + "/app/x", "http://" + g.admin + "/" + source}
		for _, target := range elsewhere {
			for _, more := range [][]string{nil, {"--tamper"}, {"--count", "2"}} {
				g.exits(t, 2, "has its secret in it", append([]string{"send", source, "--url", target}, more...)...)
			}
		}
	}
	if len(got) > 0 {
		t.Errorf("a stranger got %s", <-got)
	}
	for _, source := range []string{"header", "query", "path", "json", "basic"} {
		g.exits(t, 0, "answer    20", "send", source)
		g.exits(t, 0, "answer    20", "send", source, "--url", "https://"+g.https+"/"+source+map[string]string{"path": "/"}[source])
	}
	g.exits(t, 1, "not for the source", "send", "public", "--url", stranger.URL+"/public")
	g.exits(t, 1, "not for the source", "send", "signed", "--url", stranger.URL+"/signed")
	g.exits(t, 0, "answer    200", "send", "--provider", "fusesign", "--secret", "given-by-hand", "--url", stranger.URL+"/given")
	for _, want := range []string{"/public", "/signed", "/given"} {
		if path := <-got; path != want {
			t.Errorf("the stranger got %s, want %s", path, want)
		}
	}
}
