package module

import (
	"net/url"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestListener looks for the address at which a site is reached on its own machine.
func TestListener(t *testing.T) {
	for _, test := range []struct{ listen, target, want string }{
		{":443", "https://hooks.example.com/a", "127.0.0.1:443"},
		{"tcp4/0.0.0.0:80", "http://hooks.example.com/a", "127.0.0.1:80"},
		{"[::]:8443", "https://HOOKS.example.com:8443/a", "[::1]:8443"},
		{"192.0.2.1:443", "https://hooks.example.com/a", "192.0.2.1:443"},
		{":8443", "https://hooks.example.com/a", ""},
		{":443", "https://other.example.com/a", ""},
		{"unix//run/caddy.sock", "https://hooks.example.com/a", ""},
	} {
		target, err := url.Parse(test.target)
		if err != nil {
			t.Fatal(err)
		}
		at := siting{server: &caddyhttp.Server{Listen: []string{test.listen}}, hosts: []string{"hooks.example.com"}}
		if got := at.listener(target); got != test.want {
			t.Errorf("%s is reached at %q where the server listens on %s, want %q", test.target, got, test.listen, test.want)
		}
	}
}
