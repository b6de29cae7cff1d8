package gateway

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const self = "github.com/caddy-webhook-gateway/caddy-webhook-gateway"

// TestImportsRunOneWay holds what each package may know:
//
//	cmd -> root -> module -> {presets -> provider -> scheme -> template} and {queue, rules}
func TestImportsRunOneWay(t *testing.T) {
	const (
		root     = self
		module   = self + "/module"
		syntax   = self + "/module/internal/syntax"
		durable  = self + "/module/internal/durable"
		provider = self + "/module/provider"
		presets  = provider + "/presets"
		scheme   = provider + "/scheme"
		template = provider + "/template"
		queue    = self + "/module/queue"
		disk     = self + "/module/queue/disk"
		rules    = self + "/rules"

		caddy     = "github.com/caddyserver/caddy"
		caddyHTTP = "github.com/caddyserver/caddy/v2/modules/caddyhttp"
	)
	leaves := []string{presets, provider, scheme, template, syntax, durable, queue, disk, rules}
	for _, test := range []struct {
		pkg    string
		may    []string // of this project, below it
		mayNot []string // of others, with all that lies below
	}{
		{self + "/cmd/caddy", append([]string{root, module}, leaves...), nil},
		{root, append([]string{module}, leaves...), nil},
		{module, leaves, nil},
		{presets, []string{provider, scheme, template, syntax}, []string{caddyHTTP}},
		{provider, []string{scheme, template, syntax}, []string{caddyHTTP}},
		{scheme, []string{template, syntax}, []string{caddyHTTP}},
		{template, nil, []string{caddy}},
		{queue, nil, []string{caddyHTTP}},
		{disk, []string{queue, syntax, durable}, []string{caddyHTTP}},
		{queue + "/queuetest", []string{queue}, []string{caddyHTTP}},
		{syntax, nil, []string{caddyHTTP}},
		{durable, nil, []string{caddy}},
		{rules, nil, []string{caddy, "net/http"}},
	} {
		for _, dep := range dependencies(t, test.pkg) {
			if dep != test.pkg && below(dep, self) && !slices.Contains(test.may, dep) {
				t.Errorf("%s must not know %s", test.pkg, dep)
			}
			for _, other := range test.mayNot {
				if below(dep, other) {
					t.Errorf("%s must not know %s", test.pkg, dep)
				}
			}
		}
	}
}

// below reports whether a package is another one or lies in its directory.
func below(pkg, other string) bool {
	return pkg == other || strings.HasPrefix(pkg, other+"/")
}

func dependencies(t *testing.T, pkg string) []string {
	t.Helper()
	list := exec.Command("go", "list", "-deps", pkg)
	var complaint strings.Builder
	list.Stderr = &complaint
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v\n%s", pkg, err, complaint.String())
	}
	return strings.Fields(string(out))
}
