package disk

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

const (
	defaultMaxSize = 10 << 30

	syncAlways = "always"
	syncNever  = "never"
)

func init() { caddy.RegisterModule(new(Backend)) }

// Backend keeps the queue in a directory of the local disk.
type Backend struct {
	// The directory of the queue. It is made if it does not exist. Only one process can
	// use it at a time. Placeholders are resolved when the configuration loads. Default:
	// the directory webhook_gateway in Caddy's data directory.
	Path string `json:"path,omitempty"`

	// How many bytes of undelivered events the queue may hold. Beyond that, webhooks get
	// status 503. Default: 10 GiB.
	MaxBytes int64 `json:"max_size,omitempty"`

	// When writes are forced to the disk. With always, a webhook is acknowledged only
	// after its event is on the disk. With never, the operating system decides, and a
	// power cut loses acknowledged webhooks, or the whole queue. Default: always.
	Sync string `json:"sync,omitempty"`

	dir string
}

// CaddyModule implements caddy.Module.
func (*Backend) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "webhook_gateway.queues.disk",
		New: func() caddy.Module { return new(Backend) },
	}
}

// Provision implements caddy.Provisioner.
func (b *Backend) Provision(caddy.Context) error {
	path := b.Path
	if path == "" {
		path = filepath.Join(caddy.AppDataDir(), "webhook_gateway")
	}
	path, err := caddy.NewReplacer().ReplaceOrErr(path, true, true)
	if err != nil {
		return fmt.Errorf("replacing placeholders of queue path: %w", err)
	}
	if b.dir, err = filepath.Abs(path); err != nil {
		return fmt.Errorf("resolving queue path: %w", err)
	}
	b.dir = resolve(b.dir)
	if b.MaxBytes == 0 {
		b.MaxBytes = defaultMaxSize
	}
	if b.Sync == "" {
		b.Sync = syncAlways
	}
	return nil
}

// Validate implements caddy.Validator.
func (b *Backend) Validate() error {
	if b.MaxBytes < 0 {
		return errors.New("max_size of the queue must be greater than zero")
	}
	if b.Sync != syncAlways && b.Sync != syncNever {
		return fmt.Errorf("sync of the queue takes %s or %s, not %q", syncAlways, syncNever, b.Sync)
	}
	return nil
}

// Key implements queue.Backend. It is the absolute path of the directory.
func (b *Backend) Key() string { return b.dir }

// Dir returns the directory, in which others may keep directories of their own.
func (b *Backend) Dir() string { return b.dir }

// Open implements queue.Backend.
func (b *Backend) Open(logger *zap.Logger) (queue.Store, error) {
	if err := checkPermissions(b.dir, logger); err != nil {
		return nil, err
	}
	s, err := Open(b.dir, logger)
	if err != nil {
		return nil, err
	}
	b.Apply(s)
	return s, nil
}

// Apply implements queue.Backend.
func (b *Backend) Apply(store queue.Store) {
	if s, ok := store.(*Store); ok {
		s.neverSync.Store(b.Sync == syncNever)
	}
}

// MaxSize implements queue.Backend.
func (b *Backend) MaxSize() int64 { return b.MaxBytes }

// resolve follows the symbolic links in a path, as far as it exists, so that
// the same directory has one key.
func resolve(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(resolve(parent), filepath.Base(path))
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler. Syntax:
//
//	queue disk {
//		path     <dir>
//		max_size <size>
//		sync     always|never
//	}
func (b *Backend) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the backend
	if d.NextArg() {
		return d.ArgErr()
	}
	return syntax.Block(d, syntax.Options{
		"path":     syntax.String(&b.Path),
		"max_size": syntax.Size(&b.MaxBytes),
		"sync":     syntax.OneOf(&b.Sync, syncAlways, syncNever),
	})
}

// Interface guards
var (
	_ queue.Backend         = (*Backend)(nil)
	_ queue.Located         = (*Backend)(nil)
	_ queue.Exposer         = (*Backend)(nil)
	_ caddy.Provisioner     = (*Backend)(nil)
	_ caddy.Validator       = (*Backend)(nil)
	_ caddyfile.Unmarshaler = (*Backend)(nil)
)
