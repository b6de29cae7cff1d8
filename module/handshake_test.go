package module

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// TestVisit has URLs lead to this machine. They are visited only where the
// configuration names the host, and redirects of it are not followed.
func TestVisit(t *testing.T) {
	visits := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visits++
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/", http.StatusFound)
		}
	}))
	defer server.Close()
	for _, test := range []struct {
		reply provider.Reply
		err   string
	}{
		{provider.Reply{Visit: server.URL + "/?token=hidden", Anywhere: true}, ""},
		{provider.Reply{Visit: server.URL + "/moved?token=hidden", Anywhere: true}, "answered 302"},
		{provider.Reply{Visit: server.URL + "/?token=hidden"}, "not a public address"},
		{provider.Reply{Visit: strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/?token=hidden"}, "not a public address"},
	} {
		before := visits
		err := visit(context.Background(), &test.reply)
		if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%+v: %v, want %q", test.reply, err, test.err)
		}
		if err != nil && strings.Contains(err.Error(), "hidden") {
			t.Errorf("the error quotes the token: %v", err)
		}
		if got := visits - before; got != 1 && test.reply.Anywhere || got != 0 && !test.reply.Anywhere {
			t.Errorf("%+v: %d visits", test.reply, got)
		}
	}
}

// TestProofKnowsTheClient holds that the client's address, as the server knows it,
// reaches what counts by address.
func TestProofKnowsTheClient(t *testing.T) {
	h := loadSource(t, "", "route app localhost:1\n")
	r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
	r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{caddyhttp.ClientIPVarKey: "2001:db8::1%eth0"}))
	hook := webhooks.Get().(*webhook)
	h.describe(hook, r, nil, time.Now())
	defer hook.free()
	if got := hook.proof.Client; got != "2001:db8::1" {
		t.Errorf("the client is %q", got)
	}
}
