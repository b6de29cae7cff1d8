package gateway

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const self = "github.com/caddy-webhook-gateway/caddy-webhook-gateway"

// TestLayoutImportsRunOneWay holds what each package may know. Every package has its row:
//
//	cmd -> root -> operate -> module -> {presets -> provider -> scheme -> {keys -> refusal, template}}, queue, rules
func TestLayoutImportsRunOneWay(t *testing.T) {
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
		bodies   = self + "/module/internal/bodies"
		provider = self + "/module/provider"
		presets  = provider + "/presets"
		scheme   = provider + "/scheme"
		keys     = scheme + "/keys"
		trust    = scheme + "/internal/trust"
		refusal  = scheme + "/refusal"
		template = provider + "/template"
		queue    = self + "/module/queue"
		disk     = self + "/module/queue/disk"
		rules    = self + "/rules"
		payload  = self + "/internal/payload"
		bench    = self + "/bench"
		rig      = self + "/bench/internal/rig"

		caddy     = "github.com/caddyserver/caddy"
		caddyHTTP = "github.com/caddyserver/caddy/v2/modules/caddyhttp"
		expr      = "github.com/expr-lang/expr"
	)
	leaves := []string{senders, bodies, presets, provider, scheme, keys, trust, refusal, template, client, syntax, durable, share, public, mask, queue, disk, rules, payload}
	all := slices.Concat([]string{root, operate, module}, leaves)
	rows := []struct {
		pkg    string
		may    []string // of this project, below it
		mayNot []string // of others, with all that lies below
	}{
		{self + "/cmd/caddy", all, nil},
		{root, append([]string{operate, module}, leaves...), nil},
		{operate, append([]string{module}, leaves...), nil},
		{module, leaves, nil},
		{presets, []string{provider, scheme, keys, trust, refusal, template, client, syntax, durable, share, public, payload}, []string{caddyHTTP}},
		{provider, []string{scheme, keys, trust, refusal, template, client, syntax, durable, share, public, payload}, []string{caddyHTTP}},
		{scheme, []string{keys, trust, refusal, template, client, syntax, durable, share, public, payload}, []string{caddyHTTP}},
		{keys, []string{trust, refusal, durable, share, public}, []string{caddyHTTP}},
		{trust, []string{public}, []string{caddy}},
		{refusal, nil, []string{caddy, "net/http"}},
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
		{senders, []string{provider, scheme, keys, trust, refusal, template, client, syntax, durable, share, public, payload}, nil},
		{bodies, []string{share}, []string{caddy}},
		{mask, nil, []string{caddy, "net/http"}},
		{rules, []string{payload}, []string{caddy}},
		{payload, nil, []string{caddy, expr}},

		// Of tests and measurements. No row above allows them.
		{self + "/internal/pagetest", nil, []string{caddy, "net/http"}},
		{provider + "/providertest", []string{presets, provider, scheme, keys, trust, refusal, template, client, syntax, durable, share, public, payload, rules}, []string{caddyHTTP}},
		{self + "/e2e", nil, nil},
		{bench + "/faults", nil, nil},
		{rig, all, nil},
		{bench, append(all, rig), nil},
		{bench + "/peers", append(all, rig), nil},
		{bench + "/scale", append(all, rig), nil},
	}
	without := dependencies(t, "./...")
	for _, test := range rows {
		without = slices.DeleteFunc(without, func(pkg string) bool { return pkg == test.pkg })
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
	if len(without) > 0 {
		t.Errorf("these packages have no row here: %v", without)
	}
}

// TestLayoutReadersKnowNoHTTP holds that those who read content import no net/http. The
// library for brotli does so for itself.
func TestLayoutReadersKnowNoHTTP(t *testing.T) {
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
