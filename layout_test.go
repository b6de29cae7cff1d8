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
//	cmd -> root -> operate -> module -> {presets -> provider -> scheme -> template}, queue, rules
func TestImportsRunOneWay(t *testing.T) {
	const (
		root     = self
		operate  = self + "/module/operate"
		module   = self + "/module"
		client   = self + "/module/internal/httpclient"
		syntax   = self + "/module/internal/syntax"
		durable  = self + "/module/internal/durable"
		share    = self + "/module/internal/share"
		public   = self + "/module/internal/public"
		mask     = self + "/module/internal/mask"
		senders  = self + "/module/internal/addresses"
		provider = self + "/module/provider"
		presets  = provider + "/presets"
		scheme   = provider + "/scheme"
		template = provider + "/template"
		queue    = self + "/module/queue"
		disk     = self + "/module/queue/disk"
		rules    = self + "/rules"
		payload  = self + "/internal/payload"

		caddy     = "github.com/caddyserver/caddy"
		caddyHTTP = "github.com/caddyserver/caddy/v2/modules/caddyhttp"
		expr      = "github.com/expr-lang/expr"
	)
	leaves := []string{senders, presets, provider, scheme, template, client, syntax, durable, share, public, mask, queue, disk, rules, payload}
	for _, test := range []struct {
		pkg    string
		may    []string // of this project, below it
		mayNot []string // of others, with all that lies below
	}{
		{self + "/cmd/caddy", append([]string{root, operate, module}, leaves...), nil},
		{root, append([]string{operate, module}, leaves...), nil},
		{operate, append([]string{module}, leaves...), nil},
		{module, leaves, nil},
		{presets, []string{provider, scheme, template, client, syntax, durable, share, public, payload}, []string{caddyHTTP}},
		{provider, []string{scheme, template, client, syntax, durable, share, public, payload}, []string{caddyHTTP}},
		{scheme, []string{template, client, syntax, durable, share, public, payload}, []string{caddyHTTP}},
		{template, []string{payload}, []string{caddy}},
		{queue, []string{share}, []string{caddyHTTP}},
		{disk, []string{queue, share, syntax, durable}, []string{caddyHTTP}},
		{client, nil, []string{caddyHTTP}},
		{queue + "/memory", []string{queue, share}, []string{caddyHTTP}},
		{queue + "/queuetest", []string{queue, queue + "/memory", share}, []string{caddyHTTP}},
		{syntax, nil, []string{caddyHTTP}},
		{durable, nil, []string{caddy}},
		{share, nil, []string{caddy, "net/http"}},
		{public, nil, []string{caddy}},
		{senders, []string{provider, scheme, template, client, syntax, durable, share, public, payload}, nil},
		{mask, nil, []string{caddy, "net/http"}},
		{rules, []string{payload}, []string{caddy}},
		{payload, nil, []string{caddy, expr}},
	} {
		for _, dep := range dependencies(t, test.pkg, "-deps") {
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

// TestReadersKnowNoHTTP holds that those who read content import no net/http. The
// library for brotli does so for itself.
func TestReadersKnowNoHTTP(t *testing.T) {
	for _, pkg := range []string{"./rules", "./internal/payload"} {
		if imports := dependencies(t, pkg, "-f", `{{join .Imports "\n"}}`); len(imports) == 0 || slices.Contains(imports, "net/http") {
			t.Errorf("%s imports %v", pkg, imports)
		}
	}
}

// below reports whether a package is another one or lies in its directory.
func below(pkg, other string) bool {
	return pkg == other || strings.HasPrefix(pkg, other+"/")
}

// dependencies returns what go list prints of a package.
func dependencies(t *testing.T, pkg string, flags ...string) []string {
	t.Helper()
	list := exec.Command("go", append(append([]string{"list"}, flags...), pkg)...)
	var complaint strings.Builder
	list.Stderr = &complaint
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", pkg, err, complaint.String())
	}
	return strings.Fields(string(out))
}
