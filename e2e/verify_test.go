package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// raw writes a delivery as it stood on the wire.
func (d *delivery) raw() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", d.method, d.uri, d.host)
	for name, values := range d.header {
		for _, value := range values {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	return b.String() + "\r\n" + string(d.body)
}

// TestVerify checks with the command what the gateway took and passed on, and
// the same with one byte changed.
func TestVerify(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, "{$HTTPS} {\n"+
		"webhook_gateway /github {\nprovider github {env.E2E_GITHUB}\nroute app "+app.address+"\n}\n"+
		"webhook_gateway /twilio {\nprovider twilio {env.E2E_TWILIO}\nroute app "+app.address+"\n}\n}\n",
		"E2E_GITHUB=It's a Secret to Everybody", "E2E_TWILIO=another secret")
	for _, source := range []string{"github", "twilio"} {
		g.must(t, "send", source)
	}
	for _, d := range app.waitFor(t, 2) {
		source := strings.Trim(d.uri, "/")
		file := filepath.Join(t.TempDir(), "request.txt")
		verify := func(raw string, args ...string) (string, int) {
			t.Helper()
			if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
				t.Fatal(err)
			}
			stdout, stderr, status := g.command(slices.Concat([]string{"webhook", "verify"}, args, []string{file})...)
			if strings.Contains(stdout+stderr, "ecret to") || strings.Contains(stdout+stderr, "another secret") {
				t.Errorf("the secret is printed: %s%s", stdout, stderr)
			}
			return stdout, status
		}
		named := []string{"--provider", source, "--secret", "{env.E2E_" + strings.ToUpper(source) + "}"}
		configured := []string{"--config", g.config, "--source", source}
		url := []string{"--url", "https://" + d.host + d.uri}
		for _, args := range [][]string{named, configured, append(named, url...)} {
			if out, status := verify(d.raw(), args...); status != 0 || !strings.HasPrefix(out, "valid, by secret or key 1\n") {
				t.Errorf("%s %v: exit %d, %s", source, args, status, out)
			}
		}
		tampered := strings.Replace(d.raw(), string(d.body), "x"+string(d.body[1:]), 1)
		out, status := verify(tampered, named...)
		if status != 1 || !strings.HasPrefix(out, "invalid: proof wrong\n") || !strings.Contains(out, "the body was changed after it was signed") {
			t.Errorf("%s tampered: exit %d, %s", source, status, out)
		}
		if _, status := verify(d.raw(), "--provider", "nobody"); status != 2 {
			t.Errorf("an unknown provider: exit %d, want 2", status)
		}
	}
}
