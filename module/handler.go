package module

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

func init() { caddy.RegisterModule(Handler{}) }

// Handler receives the webhooks of one source.
type Handler struct {
	// The name of the source. It has at most 64 letters, digits, dots, dashes and
	// underscores. Default: the name of the provider.
	Source string `json:"source,omitempty"`

	// The provider that sends the webhooks, with its secrets.
	ProviderRaw json.RawMessage `json:"provider,omitempty" caddy:"namespace=webhook_gateway.providers inline_key=name"`

	Guard

	// The expression that finds the tenant whose webhook it is, where each of many tenants
	// has secrets of its own. It is evaluated before anything is proven, and only the
	// secrets of that tenant count. A tenant's name has 1 to 64 letters, digits, dots,
	// dashes and underscores. Default: there are no tenants, and the secrets are those
	// of the provider.
	Tenant string `json:"tenant,omitempty"`

	// The secrets of tenants, by the names of the tenants. Placeholders are resolved when
	// the configuration loads.
	TenantSecrets map[string][]string `json:"secrets,omitempty"`

	// The file or directory with secrets of tenants. A file has a line for each tenant:
	// its name and its secrets. A directory has a file for each tenant, which has the
	// tenant's name, and a secret on each line. They are read again when they change.
	// Placeholders in the path are resolved when the configuration loads.
	SecretsFrom string `json:"secrets_from,omitempty"`

	// The expression that finds the event type. Default: the provider's own.
	Event string `json:"event,omitempty"`

	// The expression that finds the delivery ID. Default: the provider's own.
	ID string `json:"id,omitempty"`

	// Makes each element of a list in the body an event of its own. Default: a webhook is
	// one event.
	Each *Each `json:"each,omitempty"`

	// How copies of an event are recognized.
	Dedup *Dedup `json:"dedup,omitempty"`

	// The answer to accepted webhooks and to copies of them. Default: the answer that
	// the provider wants, else status 200 without a body.
	Respond *Response `json:"respond,omitempty"`

	// The route whose app answers the provider. Default: none; the provider gets the
	// answer of respond.
	AnswerFrom *AnswerFrom `json:"answer_from,omitempty"`

	// Where events go. Each route whose rule holds gets a delivery of the event. The
	// route with the name otherwise gets the events that no other route takes. Without
	// any route, verified requests go to the next handler of the site, and nothing is
	// stored.
	Routes []*Route `json:"routes,omitempty"`

	logger       *zap.Logger
	app          *App
	server       *caddyhttp.Server // which has the source; nil where nothing says which
	providerName string
	secrets      []string   // of the configuration
	external     []*url.URL // at which the provider knows the source
	provider     provider.Provider
	checker      provider.Checker    // nil unless the proof needs a call
	handshaker   provider.Handshaker // nil unless the provider has handshakes
	tenants      *tenants            // nil unless the secrets are those of tenants
	namesAPI     bool                // the provider's configuration names an API to call; known offline only
	enroller     provider.Enroller   // nil unless handshakes deliver secrets
	enrollment   *enrollment         // nil unless handshakes deliver secrets
	profile      *provider.Profile
	eventValue   *rules.Value // nil: no event type
	idValue      *rules.Value // nil: the hash stands in
	own          []finder     // of each proof, in place of those
	window       time.Duration
	copies       copies
	requests     requestCounters
	untrusted    *atomic.Pointer[string] // the last peer that may be a proxy nobody named
}

// Dedup says how duplicates are recognized.
type Dedup struct {
	// Accept every webhook as a new event. Default: false.
	Off bool `json:"off,omitempty"`

	// How long a delivery ID is remembered. Default: 72h, or longer if the provider
	// sends an event again for longer.
	Window caddy.Duration `json:"window,omitempty"`

	// How many delivery IDs are kept in memory. Default: 200000.
	Entries int `json:"entries,omitempty"`

	// What tells copies of an event from other events. With id it is the delivery ID
	// alone. With id_and_body, a webhook with a known delivery ID and another body is an
	// event of its own. Default: id if the handler has an expression for the delivery
	// ID, else what fits the provider.
	By string `json:"by,omitempty"`
}

const (
	defaultWindow  = 72 * time.Hour
	defaultEntries = 200_000
)

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.webhook_gateway",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision loads provider, guard and routes, and adds the source to the app.
func (h *Handler) Provision(ctx caddy.Context) error {
	definition, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encoding source: %v", err)
	}
	app, err := ctx.App("webhook_gateway")
	if err != nil {
		return err
	}
	h.app = app.(*App)
	h.logger = h.app.secrets.maskLog(ctx.Logger())
	if err := h.provisionProvider(provider.WithDir(ctx, h.app.dir())); err != nil {
		return fmt.Errorf("source %s: %w", h.Source, err)
	}
	if err := h.provisionSource(ctx); err != nil {
		return fmt.Errorf("source %s: %w", h.Source, err)
	}
	return h.app.register(h, definition)
}

// Cleanup gives back what the source shares with other configurations.
func (h *Handler) Cleanup() error { return errors.Join(h.Guard.cleanup(), h.cleanupEnrollment()) }

func (h *Handler) provisionProvider(ctx caddy.Context) error {
	if h.ProviderRaw == nil {
		return errors.New("no provider; add a line: provider <name> <secret>")
	}
	h.providerName, h.untrusted = inlineName(h.ProviderRaw), new(atomic.Pointer[string])
	h.secrets, h.external = secretsIn(h.ProviderRaw), externalURLs(h.ProviderRaw)
	if h.Source == "" {
		h.Source = h.providerName
	}
	if h.Tenant != "" {
		ctx = provider.WithTenants(ctx)
	}
	mod, err := ctx.LoadModule(h, "ProviderRaw")
	if err != nil {
		return fmt.Errorf("loading provider: %w", err)
	}
	h.use(mod.(provider.Provider))
	return nil
}

// use sets the provider of the source. The provider must be provisioned.
func (h *Handler) use(p provider.Provider) {
	h.provider, h.profile = p, p.Profile()
	h.checker = provider.CheckerOf(p)
	h.handshaker, _ = p.(provider.Handshaker)
}

// Provider returns the provider of the source.
func (h *Handler) Provider() provider.Provider { return h.provider }

// ProviderName returns the name of the source's provider.
func (h *Handler) ProviderName() string { return h.providerName }

// RouteNamed returns the route of a name, or nil.
func (h *Handler) RouteNamed(name string) *Route {
	for _, r := range h.Routes {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// inlineName returns the module name in a raw configuration.
func inlineName(raw json.RawMessage) string {
	var module struct {
		Name string `json:"name"`
	}
	// A raw configuration that is no object fails to load with a better error.
	_ = json.Unmarshal(raw, &module)
	return module.Name
}

func (h *Handler) provisionSource(ctx caddy.Context) error {
	if err := h.check(h.provider); err != nil {
		return err
	}
	if err := h.Guard.provision(ctx, h.profile, h.app.dir()); err != nil {
		return err
	}
	if err := h.provisionTenants(); err != nil {
		return err
	}
	if err := h.provisionIdentity(); err != nil {
		return err
	}
	if err := h.provisionEnrollment(); err != nil {
		return err
	}
	h.server, _ = ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if err := h.checkServer(); err != nil {
		return err
	}
	for _, route := range h.Routes {
		if err := route.provision(ctx, h.server, h.Source, h.logger); err != nil {
			return fmt.Errorf("route %s: %w", route.Name, err)
		}
		route.provider = h.provider
		if forward, ok := route.transport.(*chain); ok {
			forward.source = h
			h.quiet(ctx, forward.handler)
		}
		if err := route.Sign.provision(h); err != nil {
			return fmt.Errorf("route %s: sign %s: %w", route.Name, route.Sign.Scheme, err)
		}
		if route.RewriteBody != nil {
			route.RewriteBody.handler = h
		}
	}
	h.provisionResponse()
	h.requests = countersOf(h.Source, h.profile.Secrets)
	if h.AnswerFrom != nil {
		defaultDuration(&h.AnswerFrom.Deadline, defaultDeadline)
		h.requests.answered = answersOf(h.Source)
	}
	beginAtZero(h.Source, h.Routes)
	if h.Each != nil {
		beginUndividedAtZero(h.Source)
	}
	return nil
}

// provisionResponse sets the answer to accepted webhooks.
func (h *Handler) provisionResponse() {
	if h.Respond == nil {
		answer := &h.profile.Answer
		h.Respond = &Response{Status: answer.Status, Body: answer.Body, ContentType: answer.ContentType}
	}
	h.Respond.provision()
}

// provisionIdentity compiles the expressions that find event type and delivery ID,
// and sets how duplicates are recognized.
func (h *Handler) provisionIdentity() (err error) {
	compile := func(name, override, preset string) (*rules.Value, error) {
		return compileFinder(name, cmp.Or(override, preset))
	}
	if h.eventValue, err = compile("event", h.Event, h.profile.Event); err != nil {
		return err
	}
	if h.idValue, err = compile("id", h.ID, h.profile.ID); err != nil {
		return err
	}
	h.own = make([]finder, len(h.profile.Own))
	for i := range h.own {
		identity, own := h.profile.IdentityOf(i+1), &h.own[i]
		if own.event, err = compile("event", h.Event, identity.Event); err != nil {
			return err
		}
		if own.id, err = compile("id", h.ID, identity.ID); err != nil {
			return err
		}
	}
	if h.Dedup == nil {
		h.Dedup = new(Dedup)
	}
	if h.Dedup.Entries == 0 {
		h.Dedup.Entries = defaultEntries
	}
	h.window = time.Duration(h.Dedup.Window)
	switch {
	case h.Dedup.Off:
		h.window = 0
	case h.window == 0:
		h.window = max(defaultWindow, h.profile.Horizon)
	}
	if err := h.provisionCopies(); err != nil {
		return err
	}
	return h.Each.provision(h)
}

// finder finds event type and delivery ID.
type finder struct {
	event, id *rules.Value // nil: there is none to be found
}

// finderFor returns the expressions for event type and delivery ID of the proof that
// verified the webhook, or else the source's.
func (h *Handler) finderFor(hook *webhook) finder {
	if hook.list {
		return h.Each.whole
	}
	if i := hook.proof.Proof; i > 0 && i <= len(h.own) {
		return h.own[i-1]
	}
	return finder{h.eventValue, h.idValue}
}

// nameRule says what validName matches.
const nameRule = "use at most 64 letters, digits, dots, dashes and underscores, and begin with a letter or digit"

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// check refuses settings that make no sense or contradict each other. The provider
// need not be provisioned, so that the Caddyfile's parser can name the wrong line.
func (h *Handler) check(p provider.Provider) error {
	switch {
	case !validName.MatchString(h.Source):
		return fmt.Errorf("%q is not a valid name of a source; %s", h.Source, nameRule)
	case !p.Proves() && !h.InsecureUnverified && len(h.AllowIPs) == 0 && len(h.AllowIPsFromRaw) == 0:
		return errors.New("the provider proves nothing, so anybody could send; add one of these lines: " +
			"allow_ips <ip|cidr>..., token path <secret> (in the provider block), or insecure_unverified")
	case h.allowsPublished() && !p.Publishes():
		return errors.New("allow_ips published is not possible here: the provider publishes no addresses; name addresses instead")
	case h.Respond != nil && h.Respond.Status != 0 && (h.Respond.Status < 200 || h.Respond.Status > 299):
		return fmt.Errorf("respond takes a status from 200 to 299, not %d; any other status would make the provider send again", h.Respond.Status)
	}
	if err := h.checkTenants(p); err != nil {
		return err
	}
	if err := h.checkCopies(p); err != nil {
		return err
	}
	if err := h.Each.check(h, p); err != nil {
		return err
	}
	if b, ok := p.(provider.Binder); ok && b.Anybodys() != "" && !h.InsecureUnverified {
		return fmt.Errorf("the provider signs for all of its customers alike, so any of them could send; name what is yours in the provider block: %s; "+
			"or accept webhooks from anybody with the line insecure_unverified", b.Anybodys())
	}
	if provider.CheckerOf(p) != nil && len(h.Routes) == 0 {
		return errors.New("the provider's proof is checked by a call, and the event must be stored until then; add a route")
	}
	for _, r := range h.Routes {
		if err := r.Sign.checkProvider(p); err != nil {
			return fmt.Errorf("route %s: %v", r.Name, err)
		}
	}
	if err := checkRoutes(h.Routes); err != nil {
		return err
	}
	return h.checkAnswerFrom(p)
}

// engineSource describes the source to the engine.
func (h *Handler) engineSource() *queue.Source {
	source := &queue.Source{
		Window:       h.window,
		Entries:      h.Dedup.Entries,
		LastToRefuse: h.profile.NeverRetries,
		Routes:       make(map[string]*queue.Route),
	}
	for _, route := range h.Routes {
		source.Routes[route.Name] = route.engineRoute()
		if h.AnswerFrom != nil && h.AnswerFrom.Route == route.Name {
			source.Routes[route.Name].Ask = route.ask
		}
	}
	if h.checker != nil {
		source.Check, source.Route = h.checkProof, h.RouteEvent
	}
	return source
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
