package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"
)

// TestPublicURLs holds which URL a provider may have signed.
func TestPublicURLs(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	source := func(path, name, more string) string {
		return "webhook_gateway " + path + " {\nsource " + name + "\ndedup off\nprovider custom s3cret {\nhmac sha256 {\nheader X-Sig\nsigned {url}\n}\n" + more + "\n}\nroute app " + app.address + "\n}\n"
	}
	g := newGateway(t)
	g.env = append(g.env, "PUBLIC_URL=https://three.example")
	g.write(trusting, "{$HTTPS} {\n"+
		source("/several", "several", "external_url https://one.example/a https://two.example/b?x=1 {env.PUBLIC_URL}")+
		source("/placed", "placed", "external_url https://{http.request.header.X-Original-Host}/in")+
		source("/direct", "direct", "")+
		source("/", "root", "external_url https://root.example")+"}\n")
	g.run()
	for _, tt := range []struct {
		path, signed string
		header       http.Header
		want         int
	}{
		{"/several", "https://one.example/a", nil, 200},
		{"/several", "https://two.example/b?x=1", nil, 200},
		{"/several?y=2", "https://three.example/several?y=2", nil, 200},
		{"/several", "https://four.example/several", nil, 401},
		{"/placed", "https://acme.example/in", http.Header{"X-Original-Host": {"acme.example"}}, 200},
		{"/placed", "https://acme.example/in", http.Header{"X-Original-Host": {"other.example"}}, 401},
		{"/placed", "https://acme.example/in", nil, 401},
		{"/direct", "https://acme.example/direct", http.Header{"X-Forwarded-Host": {"acme.example"}}, 200},
		{"/direct", "https://acme.example/direct", http.Header{"X-Forwarded-Host": {"other.example, acme.example"}}, 200},
		{"/direct", "https://acme.example/hooks/direct?a=%20", http.Header{"X-Forwarded-Host": {"acme.example"}, "X-Forwarded-Prefix": {"/hooks/"}}, 401},
		{"/direct?a=%20", "https://acme.example/hooks/direct?a=%20", http.Header{"X-Forwarded-Host": {"acme.example"}, "X-Forwarded-Prefix": {"/hooks/"}}, 200},
		{"/direct", "https://other.example/direct", http.Header{"X-Forwarded-Host": {"other.example, acme.example"}}, 401},
		{"/", "https://root.example", nil, 200},
		{"/", "https://root.example/", nil, 200},
		{"/?a=1", "https://root.example?a=1", nil, 200},
		{"/", "https://root.example/x", nil, 401},
	} {
		header := http.Header{"X-Sig": {hex.EncodeToString(sum(sha256.New, "s3cret", tt.signed))}}
		for name, values := range tt.header {
			header[name] = values
		}
		if status, _ := g.post(tt.path, header, []byte("{}")); status != tt.want {
			t.Errorf("%s, signed %s, with %v: %d, want %d", tt.path, tt.signed, tt.header, status, tt.want)
		}
	}
}
