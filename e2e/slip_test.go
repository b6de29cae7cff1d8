package e2e

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSlipsCostNothing holds that what an operator, or a script, gets wrong is an
// error: at the admin API as in the commands.
func TestSlipsCostNothing(t *testing.T) {
	t.Parallel()
	app := newApp(t, status(http.StatusInternalServerError))
	g := start(t, insignerSite(app.address+" {\ngive_up_on 500\n}", ""))
	g.mustSend("a", "b")
	g.waitForState("a", "app", "dead")
	g.waitForState("b", "app", "dead")
	for _, call := range []string{
		"POST drop", "POST replay", "POST drop?limit=1", "POST replay?dry_run=true", "POST drop?dry_run=false",
		"POST drop?state=dead&dry_run=maybe", "POST drop?state=dead&dry_run", "POST replay?state=dead&reroute=yes",
		"POST drop?state=dead&dry-run=true", "POST replay?sate=dead", "POST drop?state=dead&state=pending", "POST drop?source=",
		"POST drop?state=%zz", "POST drop?state=dead;source=x", "GET events?sources=insigner", "GET events?limit=ten",
		"GET dead?limit=-1", "POST sources/insigner/pause?rout=app", "POST sources/insigner/send?url=http://localhost:1&tamper=2&event=x",
		"GET sources?all=true", "POST events/01a20312-0787-7ad9-85b1-a3abe39c08c4/drop?dryrun=true",
	} {
		method, path, _ := strings.Cut(call, " ")
		if status, answer := g.askAdmin(method, "/webhook_gateway/"+path); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", call, status, answer)
		}
	}
	for _, call := range []string{
		"GET events?source=x", "GET events?route=x", "GET events?source=insigner&route=x", "GET dead?source=x", "POST drop?source=x",
		"POST replay?state=dead&to=x", "POST replay?route=x", "POST sources/x/pause", "POST sources/insigner/resume?route=x",
		"POST sources/x/send?url=http://localhost:1", "POST sources/x/enroll", "POST sources/x/rules",
	} {
		method, path, _ := strings.Cut(call, " ")
		if status, answer := g.askAdmin(method, "/webhook_gateway/"+path); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", call, status, answer)
		}
	}
	g.waitForState("a", "app", "dead")
	a, _ := g.event("a")
	for _, args := range [][]string{
		{"events", "--source", "x"}, {"dead", "--route", "x"}, {"events", "--follow", "--source", "x"}, {"drop", "--source", "x", "--yes"},
		{"replay", "--route", "x", "--yes"}, {"replay", a.ID, "--route", "x"}, {"drop", a.ID, "--route", "x"}, {"pause", "x"},
		{"resume", "insigner", "x"}, {"enroll", "x"}, {"send", "x"},
	} {
		out, errs, status := g.command(append([]string{"webhook"}, append(args, "--address", g.admin)...)...)
		if status != 1 || out != "" && args[0] != "replay" && args[0] != "drop" || !strings.Contains(errs, "named x") && !strings.Contains(errs, "no such route") {
			t.Errorf("%v: exit %d, printed %q and %q", args, status, out, errs)
		}
	}
	nobody := freeAddress(t)
	for _, args := range [][]string{{"events"}, {"dead"}, {"show", a.ID}, {"send", "insigner"}, {"drop", "--state", "dead", "--yes"}} {
		out, errs, status := g.command(append([]string{"webhook"}, append(args, "--address", nobody)...)...)
		if status != 1 || out != "" || errs != "Error: nothing answers at the admin address "+nobody+": dial: connect: connection refused; is Caddy running there? (--address, --config)\n" {
			t.Errorf("%v: exit %d, printed %q and %q", args, status, out, errs)
		}
	}
}

// askAdmin makes a request to the admin API, whatever is answered.
func (g *gateway) askAdmin(method, path string) (status int, body string) {
	g.t.Helper()
	req, err := http.NewRequest(method, "http://"+g.admin+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp.StatusCode, string(content)
}

// TestRawRequest holds that the request as it came is written for its operator
// alone, and is what the provider sent.
func TestRawRequest(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address, ""))
	g.mustSend("a")
	g.waitForState("a", "app", "delivered")
	a, _ := g.event("a")
	file := filepath.Join(g.dir, "request.txt")
	if err := os.WriteFile(file, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	g.exits(t, 0, "are in "+file, "show", a.ID, "--raw", file)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	out, errs, status := g.command("webhook", "verify", "--provider", "insigner", "--secret", insignerSecret, file)
	if status != 0 || !strings.HasPrefix(out, "valid") {
		t.Errorf("verify: exit %d, %s%s", status, out, errs)
	}
	link := filepath.Join(g.dir, "link")
	if err := os.Symlink(filepath.Join(g.dir, "elsewhere"), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "-", link, g.dir, filepath.Join(g.dir, "no", "where"), "/dev/null"} {
		g.exits(t, 2, "Error: ", "show", a.ID, "--raw", path)
	}
	if _, err := os.Stat(filepath.Join(g.dir, "elsewhere")); err == nil {
		t.Error("the request was written through a link")
	}
	shown, _, _ := g.command("webhook", "show", a.ID, "--address", g.admin)
	if strings.Contains(shown, "sha256=") || !strings.Contains(shown, "X-Insigner-Signature: [masked]") {
		t.Errorf("the proof is shown: %s", shown)
	}
}
