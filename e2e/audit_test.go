package e2e

import (
	"strings"
	"testing"
)

// TestUnfencedSourcesWarn loads sites whose other paths are answered 200, or go
// to an app, and sites where neither is so.
func TestUnfencedSourcesWarn(t *testing.T) {
	const source = "webhook_gateway /webhooks/insigner {\n\tprovider insigner s\n\troute app 127.0.0.1:1\n}\n"
	const lost, unverified, otherHost = "a mistaken path", "goes to an app unverified", "for another host"
	for _, test := range []struct {
		name, sites string
		want        []string
	}{
		{"empty 200", "{$HTTPS} {\n" + source + "}", []string{lost}},
		{"respond 200", "{$HTTPS} {\n" + source + "respond ok\n}", []string{lost}},
		{"respond 404", "{$HTTPS} {\n" + source + "respond 404\n}", nil},
		{"proxied", "{$HTTPS} {\n" + source + "reverse_proxy 127.0.0.1:1\n}", []string{unverified}},
		{"fenced", "{$HTTPS} {\nhandle /webhooks* {\n" + source + "respond 404\n}\nhandle {\nreverse_proxy 127.0.0.1:1\n}\n}", nil},
		{"fenced without an end", "{$HTTPS} {\nhandle /webhooks* {\n" + source + "}\nhandle {\nreverse_proxy 127.0.0.1:1\n}\n}", []string{lost}},
		{"a narrow fence", "{$HTTPS} {\nhandle /webhooks/* {\n" + source + "respond 404\n}\nhandle {\nreverse_proxy 127.0.0.1:1\n}\n}", []string{unverified}},
		{"the whole site", "{$HTTPS} {\n" + strings.Replace(source, " /webhooks/insigner", "", 1) + "}", nil},
		{"plain HTTP", "{$HTTP} {\n" + strings.Replace(source, "provider", "insecure_http\n\tprovider", 1) + "respond 404\n}", []string{otherHost}},
		{"plain HTTP for any host", "http://:{$PORT} {\n" + strings.Replace(source, "provider", "insecure_http\n\tprovider", 1) + "respond 404\n}", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, port, _ := strings.Cut(freeAddress(t), ":")
			g := start(t, test.sites, "PORT="+port)
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
