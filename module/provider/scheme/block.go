package scheme

import (
	"cmp"
	"fmt"
	"maps"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// templates reads one template or several, as the user spelled them.
func templates(take func(string), one bool) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		var texts []string
		if err := syntax.Strings(&texts)(d); err != nil {
			return err
		}
		if one && len(texts) > 1 {
			return d.ArgErr()
		}
		for _, text := range texts {
			text = template.Short(text)
			if _, err := template.Parse(text); err != nil {
				return syntax.At(d, err)
			}
			take(text)
		}
		return nil
	}
}

// readTimestamp reads where the time of a proof stands.
func readTimestamp(d *caddyfile.Dispenser, to **template.Timestamp) error {
	t := new(template.Timestamp)
	*to = t
	args := d.RemainingArgs()
	switch {
	case len(args) >= 2 && args[0] == "header":
		t.From, args = template.Of("header", args[1]), args[2:]
	case len(args) >= 2 && args[0] == "from":
		t.From, args = template.Short(args[1]), args[2:]
	case len(args) >= 1 && args[0] == "value":
		args = args[1:]
	default:
		return d.Err("timestamp takes header <name>, from <template> or value, with unix, unix_ms, rfc3339 or rfc1123 after it")
	}
	if len(args) > 1 {
		return d.ArgErr()
	}
	if len(args) == 1 {
		t.Unit = args[0]
	}
	check := *t
	check.Unit = cmp.Or(check.Unit, "unix")
	return syntax.At(d, check.Compile())
}

// readBlock reads a scheme's block, which has the options of every proof and the
// scheme's own.
func readBlock(d *caddyfile.Dispenser, options, own syntax.Options) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	options = maps.Clone(options)
	maps.Copy(options, own)
	return syntax.Block(d, options, "when")
}

// readHeader reads the name of the header that carries a proof.
func readHeader(to *string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		if *to != "" {
			return d.Errf("the proof is already read from %s", *to)
		}
		var name string
		if err := syntax.String(&name)(d); err != nil {
			return err
		}
		*to = template.Of("header", name)
		return nil
	}
}

// readFrom reads the template that gives a proof.
func readFrom(to *string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		if *to != "" {
			return d.Errf("the proof is already read from %s", *to)
		}
		return templates(func(text string) { *to = text }, true)(d)
	}
}

// parseFrom compiles what gives a signature, which is read in the request.
func parseFrom(text string) (template.Template, error) {
	t, err := template.Parse(text)
	switch {
	case err != nil:
		return nil, err
	case t.Constant():
		return nil, fmt.Errorf("from %q reads nothing in the request, so no signature would ever be right; write {query.name}, {json.path} or {form.name}", text)
	case t.Has("secret", "timestamp", "value", "id"):
		return nil, fmt.Errorf("from %q: a signature stands in the request; write {query.name}, {json.path} or {form.name}", text)
	}
	return t, nil
}
