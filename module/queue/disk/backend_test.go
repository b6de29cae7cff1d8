package disk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
)

func parse(t *testing.T, config string) (*Backend, error) {
	t.Helper()
	d := caddyfile.NewTestDispenser(config)
	b := new(Backend)
	return b, b.UnmarshalCaddyfile(d)
}

func provision(t *testing.T, b *Backend) *Backend {
	t.Helper()
	if err := b.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Validate(); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBackendCaddyfile(t *testing.T) {
	for _, test := range []struct {
		config string
		want   Backend
		err    string
	}{
		{config: `disk`},
		{config: "disk {\n}"},
		{
			config: "disk {\n path /var/lib/q\n max_size 2GiB\n sync never\n}",
			want:   Backend{Path: "/var/lib/q", MaxBytes: 2 << 30, Sync: syncNever},
		},
		{config: "disk {\n max_size 5MB\n sync always\n}", want: Backend{MaxBytes: 5_000_000, Sync: syncAlways}},
		{config: "disk /var/lib/q", err: "rong argument count"},
		{config: "disk {\n path\n}", err: "rong argument count"},
		{config: "disk {\n path \"\"\n}", err: "path is empty"},
		{config: "disk {\n path /a /b\n}", err: "rong argument count"},
		{config: "disk {\n path /a {\n  b\n }\n}", err: "a block is not expected here"},
		{config: "disk {\n path /a\n path /a\n}", err: "given twice"},
		{config: "disk {\n fsync always\n}", err: `unknown subdirective "fsync"`},
		{config: "disk {\n max_size lots\n}", err: "not a size"},
		{config: "disk {\n max_size -1GB\n}", err: "not a size"},
		{config: "disk {\n max_size 0\n}", err: "not a size"},
		{config: "disk {\n max_size 16EiB\n}", err: "not a size"},
		{config: "disk {\n sync sometimes\n}", err: "takes always or never"},
	} {
		got, err := parse(t, test.config)
		if test.err == "" {
			if err != nil || *got != test.want {
				t.Errorf("%s\ngives %+v and %v, want %+v", test.config, *got, err, test.want)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s\ngives the error %v, want one about %q", test.config, err, test.err)
		} else if !strings.Contains(err.Error(), "Testfile:") {
			t.Errorf("%s\nis refused without a place: %v", test.config, err)
		}
	}
}

func TestBackendDefaults(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	b := provision(t, new(Backend))
	if want := resolve(filepath.Join(caddy.AppDataDir(), "webhook_gateway")); b.Key() != want {
		t.Errorf("key is %s, want %s", b.Key(), want)
	}
	if b.MaxSize() != 10<<30 || b.Sync != syncAlways {
		t.Errorf("defaults are %+v", b)
	}
	for _, b := range []*Backend{{MaxBytes: -1, Sync: syncAlways}, {Sync: "sometimes"}} {
		if b.Validate() == nil {
			t.Errorf("%+v is valid", b)
		}
	}
	if err := (&Backend{Path: "{env.NO_SUCH_VARIABLE}"}).Provision(caddy.Context{}); err == nil {
		t.Error("a path with a placeholder that means nothing is taken")
	}
}

func TestBackendKey(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("QUEUE_DIR", dir)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:                                   dir,
		dir + "/x/../":                        dir,
		"{env.QUEUE_DIR}":                     dir,
		link:                                  dir,
		filepath.Join(link, "none", "so far"): filepath.Join(dir, "none", "so far"),
	} {
		if got := provision(t, &Backend{Path: path}).Key(); got != want {
			t.Errorf("key of %s is %s, want %s", path, got, want)
		}
	}
}

func TestBackendOpens(t *testing.T) {
	info, err := caddy.GetModule("webhook_gateway.queues.disk")
	if err != nil {
		t.Fatal(err)
	}
	b := info.New().(*Backend)
	b.Path, b.Sync = t.TempDir(), syncNever
	store, err := provision(t, b).Open(zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	s := store.(*Store)
	t.Cleanup(func() { _ = s.Close() })
	appendNew(t, s)
	if !s.files.Load().db.NoSync {
		t.Error("sync never is not applied to a store that was just opened")
	}
}
