package module

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/addresses"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("webhook_gateway", parseApp)
	httpcaddyfile.RegisterHandlerDirective("webhook_gateway", parseHandler)
	httpcaddyfile.RegisterDirectiveOrder("webhook_gateway", httpcaddyfile.Before, "respond")
}

// parseApp reads the global option. Syntax:
//
//	webhook_gateway {
//		queue       <backend> { … }
//		retain      <duration>
//		retain_dead <duration>
//	}
func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	d.Next() // webhook_gateway
	if existing != nil {
		return nil, d.Err("webhook_gateway is given twice")
	}
	if d.NextArg() {
		return nil, d.ArgErr()
	}
	app := new(App)
	err := syntax.Block(d, syntax.Options{
		"queue": func(d *caddyfile.Dispenser) (err error) {
			app.QueueRaw, _, err = guest(d, "webhook_gateway.queues", "backend", nil)
			return err
		},
		"retain":      syntax.Duration(&app.Retain),
		"retain_dead": syntax.Duration(&app.RetainDead),
	})
	if err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "webhook_gateway", Value: caddyconfig.JSON(app, nil)}, nil
}

// guest reads a guest module: its name, its arguments and its block. prepare may tell the
// module something before.
func guest(d *caddyfile.Dispenser, namespace, inlineKey string, prepare func(any)) (json.RawMessage, caddyfile.Unmarshaler, error) {
	directive := d.Val()
	if !d.NextArg() {
		return nil, nil, d.ArgErr()
	}
	name := d.Val()
	info, err := caddy.GetModule(namespace + "." + name)
	if err != nil {
		var known []string
		for _, module := range caddy.GetModules(namespace) {
			known = append(known, module.ID.Name())
		}
		return nil, nil, d.Errf("unknown %s %q; known here: %s", directive, name, strings.Join(known, ", "))
	}
	mod, ok := info.New().(caddyfile.Unmarshaler)
	if !ok {
		return nil, nil, d.Errf("%s %s cannot be written in a Caddyfile", directive, name)
	}
	if prepare != nil {
		prepare(mod)
	}
	if err := mod.UnmarshalCaddyfile(d.NewFromNextSegment()); err != nil {
		return nil, nil, err
	}
	return caddyconfig.JSONModuleObject(mod, inlineKey, name, nil), mod, nil
}

// parseHandler reads the directive. Syntax:
//
//	webhook_gateway [<matcher>] {
//		source   <name>
//		provider <name> [<secret>...] { … }
//		insecure_http
//		insecure_unverified
//		allow_ips      <ip|cidr|private_ranges|published>...
//		allow_ips_from <module> …
//		max_body <size>
//		tenant   <expression>
//		secrets  <tenant> <secret>...
//		secrets_from <file|directory>
//		event    <expression>
//		id       <expression>
//		each     [<expression> [as element]]
//		dedup    [<window> [<entries>]] [by id|id_and_body] | off
//		respond  <status> [<body> [<type>]]
//		answer_from <route> [<deadline>]
//		route <name> [<expression>] [<upstream>...] { … }
//		otherwise [<upstream>...] { … }
//	}
func parseHandler(helper httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	helper.Next() // webhook_gateway
	if helper.NextArg() {
		return nil, helper.ArgErr()
	}
	p := &handlerParser{helper: helper, handler: new(Handler), tenants: hasTenants(*helper.Dispenser)}
	h, d := p.handler, helper.Dispenser
	if err := syntax.Block(d, p.options(), "route", "allow_ips_from", "secrets"); err != nil {
		return nil, err
	}
	if p.provider == nil {
		return nil, d.Err("webhook_gateway needs a line: provider <name> <secret>")
	}
	if h.Source == "" {
		h.Source = p.providerName
	}
	if p.answerFrom != nil {
		if err := h.checkAnswerFrom(p.provider); err != nil {
			return nil, syntax.At(p.answerFrom, err)
		}
	}
	return h, syntax.At(d, h.check(p.provider))
}

// handlerParser reads one webhook_gateway block.
type handlerParser struct {
	helper       httpcaddyfile.Helper
	handler      *Handler
	provider     provider.Provider
	providerName string
	answerFrom   *caddyfile.Dispenser // stands on that line; nil if there is none
	tenants      bool
}

// hasTenants reports whether the block has a line that finds the tenant. The provider's
// line, which may come before, has no secrets then. The dispenser is a copy.
func hasTenants(d caddyfile.Dispenser) bool {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Nesting() == nesting+1 && d.Val() == "tenant" {
			return true
		}
		d.RemainingArgs()
	}
	return false
}

func (p *handlerParser) options() syntax.Options {
	h := p.handler
	return syntax.Options{
		"source":              syntax.String(&h.Source),
		"provider":            p.readProvider,
		"insecure_http":       syntax.Flag(&h.InsecureHTTP),
		"insecure_unverified": syntax.Flag(&h.InsecureUnverified),
		"allow_ips":           p.readAllowIPs,
		"allow_ips_from":      p.readAllowIPsFrom,
		"max_body":            syntax.Size(&h.MaxBody),
		"tenant":              p.readTenant,
		"secrets":             p.readSecrets,
		"secrets_from":        syntax.String(&h.SecretsFrom),
		"event":               expression(&h.Event),
		"id":                  expression(&h.ID),
		"each":                p.readEach,
		"dedup":               p.readDedup,
		"respond":             p.readRespond,
		"answer_from":         p.readAnswerFrom,
		"route":               p.readRoute,
		Otherwise:             p.readOtherwise,
	}
}

func (p *handlerParser) readProvider(d *caddyfile.Dispenser) error {
	raw, mod, err := guest(d, "webhook_gateway.providers", "name", func(mod any) {
		if tenanted, ok := mod.(provider.Tenanted); ok && p.tenants {
			tenanted.ServeTenants()
		}
	})
	if err != nil {
		return err
	}
	configured, ok := mod.(provider.Provider)
	if !ok {
		return d.Errf("module %T is no provider", mod)
	}
	p.handler.ProviderRaw, p.provider, p.providerName = raw, configured, inlineName(raw)
	custom, ok := mod.(*provider.Custom)
	if !ok {
		return nil
	}
	for name, expression := range map[string]string{"event": custom.Event, "id": custom.ID} {
		if expression != "" {
			if err := compiles(name, expression); err != nil {
				return syntax.At(d, err)
			}
		}
	}
	return nil
}

func (p *handlerParser) readTenant(d *caddyfile.Dispenser) error {
	if err := syntax.String(&p.handler.Tenant)(d); err != nil {
		return err
	}
	if _, err := rules.CompileTenant(p.handler.Tenant); err != nil {
		return d.Errf("tenant: %v", err)
	}
	return nil
}

func (p *handlerParser) readSecrets(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	name, secrets := args[0], args[1:]
	if err := checkTenant(name, secrets); err != nil {
		return syntax.At(d, err)
	}
	if p.handler.TenantSecrets[name] != nil {
		return d.Errf("the secrets of tenant %s are given twice; put all of them on one line", name)
	}
	if p.handler.TenantSecrets == nil {
		p.handler.TenantSecrets = make(map[string][]string)
	}
	p.handler.TenantSecrets[name] = secrets
	return nil
}

func (p *handlerParser) readAllowIPs(d *caddyfile.Dispenser) error {
	if err := syntax.Strings(&p.handler.AllowIPs)(d); err != nil {
		return err
	}
	for _, text := range p.handler.AllowIPs {
		if strings.Contains(text, "{") { // known when the configuration loads
			continue
		}
		ranges, err := addresses.Split([]string{text})
		if err == nil {
			_, err = addresses.Parse(ranges, nil)
		}
		if err != nil {
			return syntax.At(d, err)
		}
	}
	return nil
}

func (p *handlerParser) readAllowIPsFrom(d *caddyfile.Dispenser) error {
	raw, _, err := guest(d, "http.ip_sources", "source", nil)
	p.handler.AllowIPsFromRaw = append(p.handler.AllowIPsFromRaw, raw)
	return err
}

// expression reads an expression and compiles it, so that an error has the line
// number.
func expression(to *string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if err := syntax.String(to)(d); err != nil {
			return err
		}
		return syntax.At(d, compiles(name, *to))
	}
}

// compiles returns an error if the expression does not compile.
func compiles(name, expression string) error {
	if _, err := rules.CompileValue(expression); err != nil {
		return fmt.Errorf("%s: %v", name, err)
	}
	return nil
}

func (p *handlerParser) readEach(d *caddyfile.Dispenser) error {
	p.handler.Each = new(Each)
	return p.handler.Each.read(d)
}

func (p *handlerParser) readDedup(d *caddyfile.Dispenser) (err error) {
	dedup := new(Dedup)
	p.handler.Dedup = dedup
	if !d.NextArg() {
		return d.ArgErr()
	}
	if dedup.Off = d.Val() == "off"; dedup.Off {
		return syntax.End(d)
	}
	for more := true; more; more = d.NextArg() {
		switch {
		case d.Val() == "by":
			return syntax.OneOf(&dedup.By, provider.ByID, provider.ByIDAndBody)(d)
		case dedup.Window == 0:
			if dedup.Window, err = syntax.ParseDuration(d); err != nil {
				return err
			}
		case dedup.Entries == 0:
			if dedup.Entries, err = strconv.Atoi(d.Val()); err != nil || dedup.Entries < 1 {
				return d.Errf("%q is not a number of entries", d.Val())
			}
		default:
			return d.ArgErr()
		}
	}
	return syntax.End(d)
}

func (p *handlerParser) readRespond(d *caddyfile.Dispenser) (err error) {
	p.handler.Respond, err = readResponse(d)
	return err
}

// parseStatuses reads status codes and classes such as 5xx.
func parseStatuses(to *[]int) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		var args []string
		if err := syntax.Strings(&args)(d); err != nil {
			return err
		}
		for _, arg := range args {
			class, isClass := strings.CutSuffix(arg, "xx")
			status, err := strconv.Atoi(class)
			if err != nil || isClass && (status < 1 || status > 5) || !isClass && (status < 100 || status > 599) {
				return d.Errf("%q is neither a status such as 429 nor a class such as 5xx", arg)
			}
			*to = append(*to, status)
		}
		return nil
	}
}
