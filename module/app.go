package module

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

func init() { caddy.RegisterModule(new(App)) }

const (
	defaultRetain     = 72 * time.Hour
	defaultRetainDead = 720 * time.Hour
)

// App owns the queue that the sources of a configuration share. All of its settings
// have defaults.
type App struct {
	// Where events are stored. Default: the backend disk, in Caddy's data directory.
	QueueRaw json.RawMessage `json:"queue,omitempty" caddy:"namespace=webhook_gateway.queues inline_key=backend"`

	// How long delivered events are kept. The oldest ones go earlier when the queue
	// takes more space than it may. Default: 72h.
	Retain caddy.Duration `json:"retain,omitempty"`

	// How long everything else is kept that has ended: dead letters, unrouted and
	// uncertain events, deliveries whose route is gone. Default: 720h.
	RetainDead caddy.Duration `json:"retain_dead,omitempty"`

	ctx     caddy.Context
	logger  *zap.Logger
	backend queue.Backend
	config  *queue.Config
	sources map[string]*registration
	secrets secretKeeper

	// open opens the engine and attaches this configuration to it, once. A request
	// may call open before Start does: apps start in no order.
	open func() (*queue.Engine, error)

	mu      sync.Mutex
	engine  *queue.Engine // nil before open
	cleaned bool          // Cleanup was called: too late to open
}

// registration is a source of this configuration.
type registration struct {
	definition []byte
	handler    *Handler
}

// engines holds one engine for each store. Configurations with the same store share
// its engine.
var engines = caddy.NewUsagePool()

// pooledEngine closes its engine when the last configuration that uses the engine
// is gone.
type pooledEngine struct{ *queue.Engine }

// Destruct implements caddy.Destructor.
func (e pooledEngine) Destruct() error {
	if live := e.Live(); live > 0 {
		caddy.Log().Named("webhook_gateway").Info("closing the queue with deliveries that wait in it", zap.Int64("deliveries", live))
	}
	return e.Close()
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "webhook_gateway",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision reads the queue's configuration. It opens nothing, since a
// configuration may be validated beside a running gateway.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.logger = ctx, a.secrets.maskLog(ctx.Logger())
	if a.Retain == 0 {
		a.Retain = caddy.Duration(defaultRetain)
	}
	if a.RetainDead == 0 {
		a.RetainDead = caddy.Duration(defaultRetainDead)
	}
	if err := a.loadBackend(ctx); err != nil {
		return err
	}
	a.sources = make(map[string]*registration)
	a.config = &queue.Config{
		Backend:   a.backend,
		Retention: queue.Retention{Done: time.Duration(a.Retain), Failed: time.Duration(a.RetainDead)},
		Sources:   make(map[string]*queue.Source),
		Observer:  observer{a.logger, a.Mask},
		Logger:    a.logger,
	}
	a.open = sync.OnceValues(a.openEngine)
	return provisionMetrics(ctx)
}

func (a *App) loadBackend(ctx caddy.Context) error {
	if a.QueueRaw == nil {
		a.QueueRaw = json.RawMessage(`{"backend": "disk"}`)
	}
	backend, err := ctx.LoadModule(a, "QueueRaw")
	if err != nil {
		return fmt.Errorf("loading queue: %v", err)
	}
	a.backend = backend.(queue.Backend)
	return nil
}

// Validate refuses settings that make no sense.
func (a *App) Validate() error {
	if a.Retain < 0 || a.RetainDead < 0 {
		return errors.New("retain and retain_dead must be greater than zero")
	}
	return nil
}

// register adds a source. The same definition may come twice, since a site with two
// addresses is provisioned twice. Two definitions that differ are an error.
func (a *App) register(h *Handler, definition []byte) error {
	if before, ok := a.sources[h.Source]; ok {
		if !bytes.Equal(before.definition, definition) {
			return fmt.Errorf("source %s is defined twice, with different settings; give one of them another name with a line: source <name>", h.Source)
		}
		return nil
	}
	a.sources[h.Source] = &registration{definition, h}
	a.secrets.add(h)
	a.config.Sources[h.Source] = h.engineSource()
	return nil
}

// Source returns the source of a name, or nil.
func (a *App) Source(name string) *Handler {
	if registered := a.sources[name]; registered != nil {
		return registered.handler
	}
	return nil
}

// Sources returns the sources of the configuration, ordered by name.
func (a *App) Sources() []*Handler {
	sources := make([]*Handler, 0, len(a.sources))
	for _, name := range slices.Sorted(maps.Keys(a.sources)) {
		sources = append(sources, a.sources[name].handler)
	}
	return sources
}

// Logger returns the logger of the gateway.
func (a *App) Logger() *zap.Logger { return a.logger }

// dir returns the directory for files that are not the queue's, such as delivered
// secrets. A queue on disk has these files beside it.
func (a *App) dir() string {
	if onDisk, ok := a.backend.(queue.Located); ok {
		return onDisk.Dir()
	}
	return filepath.Join(caddy.AppDataDir(), "webhook_gateway")
}

func (a *App) openEngine() (*queue.Engine, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cleaned {
		return nil, queue.ErrClosed
	}
	pooled, _, err := engines.LoadOrNew(a.backend.Key(), func() (caddy.Destructor, error) {
		// The engine outlives this configuration and its logger.
		engine, err := queue.NewEngine(a.backend, caddy.Log().Named("webhook_gateway"))
		return pooledEngine{engine}, err
	})
	if err != nil {
		return nil, err
	}
	a.engine = pooled.(pooledEngine).Engine
	a.engine.Attach(a.config)
	return a.engine, nil
}

// Engine returns the engine of the queue, which it opens unless it is open.
func (a *App) Engine() (*queue.Engine, error) { return a.open() }

// Opened returns the engine of the queue if it is open, else nil.
func (a *App) Opened() *queue.Engine {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.engine
}

// Start opens the queue, begins to deliver, and fetches what sources need.
func (a *App) Start() error {
	if err := checkSites(a.servers()); err != nil {
		return err
	}
	if _, err := a.open(); err != nil {
		return err
	}
	for _, source := range a.sources {
		source.handler.Guard.start()
	}
	a.watchTenants()
	for _, finding := range a.findings() {
		a.logger.Warn("the configuration gives up a promise: "+finding.Problem, zap.String("source", finding.Source), zap.String("fix", finding.Fix))
	}
	return nil
}

// servers returns the servers of the configuration.
func (a *App) servers() map[string]*caddyhttp.Server {
	app, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return nil
	}
	return app.(*caddyhttp.App).Servers
}

// Stop ends deliveries unless another configuration takes over. Requests that
// are still in flight are stored nevertheless.
func (a *App) Stop() error {
	if engine := a.Opened(); engine != nil {
		engine.Detach(a.config)
	}
	return nil
}

// Cleanup gives back the engine, which closes when no configuration uses it any
// more.
func (a *App) Cleanup() error {
	a.mu.Lock()
	a.cleaned = true
	a.mu.Unlock()
	engine := a.Opened()
	if engine == nil {
		return nil
	}
	engine.Detach(a.config) // a request may have opened it for an app that never started
	_, err := engines.Delete(a.backend.Key())
	return err
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.Validator    = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
