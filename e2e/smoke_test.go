package e2e

import "testing"

func TestDeliversToApp(t *testing.T) {
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address, ""))
	header, body := insigner("d1")
	if status, answer := g.post("/hook", header, body); status != 200 || answer != "" {
		t.Fatalf("answer %d %q, want 200 without a body", status, answer)
	}
	got := app.waitFor(t, 1)
	if string(got[0].body) != string(body) {
		t.Errorf("app got %q, want %q", got[0].body, body)
	}
}
