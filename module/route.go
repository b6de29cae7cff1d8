package module

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// Otherwise is the name of the route for events that no other route takes.
const Otherwise = "otherwise"

// Route is a rule with a destination.
type Route struct {
	// The name of the route. It has at most 64 letters, digits, dots, dashes and
	// underscores. The name otherwise is reserved for the route of events that no other
	// route takes.
	Name string `json:"name,omitempty"`

	// The expression that must be true for an event to take the route. Default: the
	// route takes every event.
	Rule string `json:"rule,omitempty"`

	// The upstreams that get the events. A route has either upstreams or a handler.
	To *To `json:"to,omitempty"`

	// The HTTP handler that delivers an event, such as reverse_proxy or subroute. The
	// status of its response says whether the app has taken the event.
	HandlerRaw json.RawMessage `json:"forward,omitempty" caddy:"namespace=http.handlers inline_key=handler"`

	// For how long, and after which pauses, a failed delivery is tried again.
	Retry *Retry `json:"retry,omitempty"`

	// The status codes after which a delivery is tried again. 1 to 5 stand for a whole
	// class of codes. A delivery that gets no answer is always tried again. Default:
	// 408, 409, 425, 429 and 5.
	RetryOn []int `json:"retry_on,omitempty"`

	// The status codes after which a delivery becomes a dead letter at once. 1 to 5
	// stand for a whole class of codes. If any are given, every other status but 2xx is
	// tried again. Default: every status but 2xx and those of retry_on.
	GiveUpOn []int `json:"give_up_on,omitempty"`

	// How long one attempt may take. Default: 30s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How many attempts may run at once. Default: 64.
	Concurrency int `json:"concurrency,omitempty"`

	// How many attempts may begin per second, minute or hour, such as 10/s, 100/m or
	// 1000/h. Default: no limit.
	Rate string `json:"rate,omitempty"`

	// Which deliveries are kept in order. Default: none.
	Order *Order `json:"order_by,omitempty"`

	// How each attempt is signed anew. Default: the headers of the provider go through
	// unchanged.
	Sign *Sign `json:"sign,omitempty"`

	// Another body for the app. Default: the body of the webhook.
	RewriteBody *RewriteBody `json:"rewrite_body,omitempty"`

	rule         *rules.Rule // nil: takes all events
	provider     provider.Provider
	transport    transport
	placeholders map[string]findValue // of webhooks, in the handler; nil: none
	logger       *zap.Logger
	source       string
}

// Retry says for how long, and with which pauses, a delivery is tried again.
// The pauses grow exponentially, with full jitter.
type Retry struct {
	// How long after it joined the queue a delivery is tried. Then it becomes a dead letter.
	// Default: 72h.
	For caddy.Duration `json:"for,omitempty"`

	// The limit of the first pause. It doubles with each attempt. Each pause is a random
	// part of its limit. Default: 5s.
	First caddy.Duration `json:"first,omitempty"`

	// The limit of every pause. Default: 1h.
	Max caddy.Duration `json:"max,omitempty"`
}

var defaultRetryOn = []int{408, 409, 425, 429, 5}

const (
	defaultRetryFor   = 72 * time.Hour
	defaultRetryFirst = 5 * time.Second
	defaultRetryMax   = time.Hour
	defaultTimeout    = 30 * time.Second
	defaultAttempts   = 64
)

func (r *Route) provision(ctx caddy.Context, server *caddyhttp.Server, source string, log *zap.Logger) error {
	r.source, r.logger = source, log
	if r.Retry == nil {
		r.Retry = new(Retry)
	}
	defaultDuration(&r.Retry.For, defaultRetryFor)
	defaultDuration(&r.Retry.First, defaultRetryFirst)
	defaultDuration(&r.Retry.Max, defaultRetryMax)
	defaultDuration(&r.Timeout, defaultTimeout)
	if r.Concurrency == 0 {
		r.Concurrency = defaultAttempts
	}
	if r.RetryOn == nil {
		r.RetryOn = defaultRetryOn
	}
	if err := r.compile(); err != nil {
		return err
	}
	if r.Order != nil {
		if err := r.Order.provision(); err != nil {
			return err
		}
	}
	if r.To != nil {
		upstreams, err := r.To.provision(ctx, server, r.Concurrency)
		if err != nil {
			return fmt.Errorf("to: %w", err)
		}
		r.transport = upstreams
		return nil
	}
	module, err := ctx.LoadModule(r, "HandlerRaw")
	if err != nil {
		return fmt.Errorf("loading handler: %w", err)
	}
	handler := module.(caddyhttp.MiddlewareHandler)
	if proxy, ok := handler.(*reverseproxy.Handler); ok {
		keepConnections(proxy.Transport, r.Concurrency)
	}
	r.transport = &chain{handler: handler, server: server, placeholders: r.placeholders}
	return nil
}

// compile compiles the rule, what makes another body, and the placeholders.
func (r *Route) compile() (err error) {
	if r.Rule != "" {
		if r.rule, err = rules.Compile(r.Rule); err != nil {
			return err
		}
	}
	if err := r.RewriteBody.compile(); err != nil {
		return err
	}
	r.HandlerRaw, r.placeholders, err = loadPlaceholders(r.HandlerRaw)
	return err
}

// keepConnections has a transport of reverse_proxy keep as many connections to an
// upstream as there may be attempts at once. By default it keeps 32, and opens the
// others anew for each attempt.
func keepConnections(rt http.RoundTripper, attempts int) {
	if t, ok := rt.(*reverseproxy.HTTPTransport); ok && t.Transport != nil {
		t.Transport.MaxIdleConnsPerHost = max(t.Transport.MaxIdleConnsPerHost, attempts)
	}
}

func defaultDuration(d *caddy.Duration, value time.Duration) {
	if *d == 0 {
		*d = caddy.Duration(value)
	}
}

func (r *Route) hasDestination() bool { return r.To != nil || r.HandlerRaw != nil }

// check refuses settings that make no sense or contradict each other.
func (r *Route) check() error {
	switch {
	case !validName.MatchString(r.Name):
		return fmt.Errorf("%q is not a valid name of a route; %s", r.Name, nameRule)
	case !r.hasDestination() && r.transport == nil:
		return fmt.Errorf("route %s has no destination; name an upstream, or add a line: to <upstream>", r.Name)
	case r.To != nil && r.HandlerRaw != nil:
		return fmt.Errorf("route %s has two destinations; use either to or forward", r.Name)
	case r.Timeout < 0 || r.Concurrency < 0:
		return fmt.Errorf("route %s: timeout and concurrency must be greater than zero", r.Name)
	case r.Rate != "" && !validRate.MatchString(r.Rate):
		return fmt.Errorf("route %s: %q is not a rate such as 10/s, 100/m or 1000/h", r.Name, r.Rate)
	case r.Order != nil && r.Order.Key == "":
		return fmt.Errorf("route %s: order_by needs an expression", r.Name)
	case r.RewriteBody != nil && r.RewriteBody.Expression == "":
		return fmt.Errorf("route %s: rewrite_body needs an expression", r.Name)
	case r.Name == Otherwise && r.Rule != "":
		return errors.New("otherwise takes no expression: it gets the events that no other route takes")
	}
	if r.Sign != nil {
		if err := r.Sign.check(); err != nil {
			return fmt.Errorf("route %s: %v", r.Name, err)
		}
	}
	if t := r.Retry; t != nil && (t.For < 0 || t.First < 0 || t.Max < 0 || t.Max > 0 && t.First > t.Max) {
		return fmt.Errorf("route %s: the times of retry must be greater than zero, and the first pause must not be longer than the longest", r.Name)
	}
	for _, status := range append(r.RetryOn[:len(r.RetryOn):len(r.RetryOn)], r.GiveUpOn...) {
		if (status < 1 || status > 5) && (status < 100 || status > 599) {
			return fmt.Errorf("route %s: %d is not a status code", r.Name, status)
		}
		if slices.Contains(r.RetryOn, status) && slices.Contains(r.GiveUpOn, status) {
			return fmt.Errorf("route %s: %d is in both retry_on and give_up_on", r.Name, status)
		}
	}
	return nil
}

// validRate matches rates that are greater than zero.
var validRate = regexp.MustCompile(`^([1-9][0-9]{0,8})/([smh])$`)

// perSecond returns the route's rate, 0 if it has none.
func (r *Route) perSecond() float64 {
	parts := validRate.FindStringSubmatch(r.Rate)
	if parts == nil {
		return 0
	}
	n, _ := strconv.Atoi(parts[1])
	return float64(n) / map[string]float64{"s": 1, "m": 60, "h": 3600}[parts[2]]
}

// checkRoutes checks each route of a source, and refuses routes that contradict each
// other.
func checkRoutes(routes []*Route) error {
	seen := make(map[string]bool)
	all := ""
	for _, r := range routes {
		if err := r.check(); err != nil {
			return err
		}
		if seen[r.Name] {
			return fmt.Errorf("route %s is defined twice", r.Name)
		}
		seen[r.Name] = true
		if r.Rule == "" && r.Name != Otherwise {
			all = r.Name
		}
	}
	if all != "" && seen[Otherwise] {
		return fmt.Errorf("otherwise would never get an event: route %s has no expression and takes every event", all)
	}
	return nil
}

// engineRoute describes the route to the engine.
func (r *Route) engineRoute() *queue.Route {
	route := &queue.Route{
		Deliver:     r.deliver,
		Concurrency: r.Concurrency,
		Rate:        r.perSecond(),
		Timeout:     time.Duration(r.Timeout),
		Retry: queue.Backoff{
			For: time.Duration(r.Retry.For), First: time.Duration(r.Retry.First), Max: time.Duration(r.Retry.Max),
		},
	}
	if r.Order != nil {
		route.Key, route.Hold = r.Key, r.Order.Hold
	}
	return route
}

// route names the routes that take an event. A rule that fails is counted.
func (h *Handler) route(view *rules.View) []string { return h.match(view, (*Route).ruleFailed) }

// match names the routes that take an event. A rule that fails does not hold, and
// never costs the event; failed is called with its error.
func (h *Handler) match(view *rules.View, failed func(*Route, error)) []string {
	var names []string
	hasOtherwise := false
	for _, r := range h.Routes {
		switch {
		case r.Name == Otherwise:
			hasOtherwise = true
		case r.takes(view, failed):
			names = append(names, r.Name)
		}
	}
	if names == nil && hasOtherwise {
		names = []string{Otherwise}
	}
	return names
}

// takes reports whether the route's rule holds.
func (r *Route) takes(view *rules.View, failed func(*Route, error)) bool {
	if r.rule == nil {
		return true
	}
	ok, err := r.rule.Match(view)
	if err != nil {
		failed(r, err)
	}
	return ok
}

func (r *Route) ruleFailed(err error) {
	metrics.ruleErrors.WithLabelValues(r.source, r.Name).Inc()
	r.logger.Warn("rule failed, so its route does not take the event",
		zap.String("source", r.source), zap.String("route", r.Name), zap.String("rule", r.Rule), zap.Error(err))
}

// levelOf is the level at which to log that an expression yields nothing: a warning
// if it wanted more work than one event may cost.
func levelOf(err error) zapcore.Level {
	if errors.Is(err, rules.ErrBudget) {
		return zap.WarnLevel
	}
	return zap.DebugLevel
}
