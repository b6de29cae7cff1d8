package module

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// readRoute reads a route. Syntax:
//
//	route <name> [`<expression>`] [<upstream>...] {
//		to          <upstream>...
//		forward     { <directives> }
//		retry       <for> [<first> [<max>]]
//		retry_on    <status>...
//		give_up_on  <status>...
//		timeout     <duration>
//		concurrency <n>
//		rate        <n>/s|<n>/m|<n>/h
//		order_by    <expression> [hold]
//		sign        provider [<secret>] | standard <secret>
//		rewrite_body <expression> [<type>]
//	}
func (p *handlerParser) readRoute(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	r := &Route{Name: d.Val()}
	if r.Name == Otherwise {
		return d.Err("the route name otherwise is reserved; write: otherwise <upstream>")
	}
	return p.readDestination(d, r)
}

// readOtherwise reads the route for events that no other route takes. The syntax is
// that of a route without name and expression.
func (p *handlerParser) readOtherwise(d *caddyfile.Dispenser) error {
	return p.readDestination(d, &Route{Name: Otherwise})
}

func (p *handlerParser) readDestination(d *caddyfile.Dispenser, r *Route) error {
	var upstreams []caddyfile.Token
	for d.NextArg() {
		switch {
		case !d.Token().Quoted() && strings.ContainsAny(d.Val(), `"'=<>()`):
			return d.Errf("%q looks like part of an expression; put the whole expression in backticks", d.Val())
		case !d.Token().Quoted():
			upstreams = append(upstreams, d.Token())
		case r.Name == Otherwise:
			return d.Err("otherwise takes no expression")
		case r.Rule != "" || len(upstreams) > 0:
			return d.Errf("%q is quoted, so it is read as an expression; a route takes one expression, directly after its name", d.Val())
		default:
			r.Rule = d.Val()
			if _, err := rules.Compile(r.Rule); err != nil {
				return d.Errf("the quoted expression of route %s: %v", r.Name, err)
			}
		}
	}
	if len(upstreams) > 0 {
		if err := p.proxyTo(r, upstreams); err != nil {
			return err
		}
	}
	if err := syntax.Block(d, p.routeOptions(r)); err != nil {
		return err
	}
	p.handler.Routes = append(p.handler.Routes, r)
	return syntax.At(d, checkRoutes(p.handler.Routes))
}

func (p *handlerParser) routeOptions(r *Route) syntax.Options {
	return syntax.Options{
		"to": func(d *caddyfile.Dispenser) error {
			upstreams := d.RemainingArgsAsTokens()
			if len(upstreams) == 0 {
				return d.ArgErr()
			}
			return p.proxyTo(r, upstreams)
		},
		"forward":    func(d *caddyfile.Dispenser) error { return p.readForward(d, r) },
		"retry":      func(d *caddyfile.Dispenser) error { return readRetry(d, r) },
		"retry_on":   parseStatuses(&r.RetryOn),
		"give_up_on": parseStatuses(&r.GiveUpOn),
		"timeout":    syntax.Duration(&r.Timeout),
		"concurrency": func(d *caddyfile.Dispenser) (err error) {
			if !d.NextArg() {
				return d.ArgErr()
			}
			if r.Concurrency, err = strconv.Atoi(d.Val()); err != nil || r.Concurrency < 1 {
				return d.Errf("%q is not a number of attempts", d.Val())
			}
			return syntax.End(d)
		},
		"rate": func(d *caddyfile.Dispenser) error {
			if err := syntax.String(&r.Rate)(d); err != nil {
				return err
			}
			if !validRate.MatchString(r.Rate) {
				return d.Errf("%q is not a rate such as 10/s, 100/m or 1000/h", r.Rate)
			}
			return nil
		},
		"order_by": func(d *caddyfile.Dispenser) error { return readOrder(d, r) },
		"sign": func(d *caddyfile.Dispenser) error {
			r.Sign = new(Sign)
			return r.Sign.read(d)
		},
		"rewrite_body": func(d *caddyfile.Dispenser) error { return readRewriteBody(d, r) },
	}
}

// proxyTo makes upstreams the route's destination, in the syntax of Caddy's
// own reverse_proxy. Upstreams that only the handler can reach get a forward.
func (p *handlerParser) proxyTo(r *Route, upstreams []caddyfile.Token) error {
	if r.hasDestination() {
		return p.helper.Errf("route %s has two destinations; put several upstreams on one line", r.Name)
	}
	// The arguments of a directive stand on its line. The upstreams may stand on
	// another line than the route's name, after a rule of several lines.
	directive := upstreams[0]
	directive.Text = "reverse_proxy"
	tokens := append([]caddyfile.Token{directive}, upstreams...)
	helper := p.helper.WithDispenser(caddyfile.NewDispenser(tokens))
	proxy := new(reverseproxy.Handler)
	if err := proxy.UnmarshalCaddyfile(helper.Dispenser); err != nil {
		return err
	}
	if err := proxy.FinalizeUnmarshalCaddyfile(helper); err != nil {
		return err
	}
	to := &To{TransportRaw: proxy.TransportRaw}
	for _, upstream := range proxy.Upstreams {
		address, ok := tcpAddress(upstream.Dial)
		if !ok {
			r.HandlerRaw = caddyconfig.JSONModuleObject(proxy, "handler", "reverse_proxy", nil)
			return checkPlaceholders(r.HandlerRaw, caddyfile.NewDispenser(tokens), p.helper.Dispenser)
		}
		to.Upstreams = append(to.Upstreams, address)
	}
	r.To = to
	return nil
}

// readForward reads the directives of a site that deliver an event.
func (p *handlerParser) readForward(d *caddyfile.Dispenser, r *Route) error {
	if r.hasDestination() {
		return d.Errf("route %s has two destinations; use either upstreams or forward", r.Name)
	}
	segment := d.NewFromNextSegment()
	if !hasDirective(segment) {
		return d.Errf("forward needs a block of directives, such as: forward { reverse_proxy <upstream> }")
	}
	subroute, err := httpcaddyfile.ParseSegmentAsSubroute(p.helper.WithDispenser(segment))
	if err != nil {
		return err
	}
	r.HandlerRaw = caddyconfig.JSONModuleObject(subroute, "handler", "subroute", nil)
	return checkPlaceholders(r.HandlerRaw, segment, d)
}

// hasDirective reports whether the block of a segment has a directive.
func hasDirective(segment *caddyfile.Dispenser) bool {
	defer segment.Reset()
	segment.Next()                                   // forward
	return segment.NextArg() || segment.NextBlock(0) // an argument is refused later, with a better error
}

func readRetry(d *caddyfile.Dispenser, r *Route) (err error) {
	r.Retry = new(Retry)
	args := d.RemainingArgsAsTokens()
	if len(args) < 1 || len(args) > 3 {
		return d.ArgErr()
	}
	times := caddyfile.NewDispenser(args)
	times.Next()
	if r.Retry.For, err = syntax.ParseDuration(times); err != nil {
		return err
	}
	if times.NextArg() {
		if r.Retry.First, err = syntax.ParseDuration(times); err != nil {
			return err
		}
	}
	if times.NextArg() {
		if r.Retry.Max, err = syntax.ParseDuration(times); err != nil {
			return err
		}
	}
	return nil
}

func readOrder(d *caddyfile.Dispenser, r *Route) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	r.Order = &Order{Key: d.Val()}
	if err := r.Order.provision(); err != nil {
		return syntax.At(d, err)
	}
	if d.NextArg() {
		if r.Order.Hold = d.Val() == "hold"; !r.Order.Hold {
			return d.Errf("order_by takes only hold after its expression, not %q", d.Val())
		}
	}
	return syntax.End(d)
}
