// Package syntax reads the gateway's Caddyfile blocks strictly: whatever is
// unknown, doubled, missing or too much is an error with file and line.
package syntax

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// Options maps the name of each subdirective of a block to what reads its
// arguments. The dispenser stands on the name when it is called. What nothing
// reads yet is nil.
type Options map[string]func(d *caddyfile.Dispenser) error

// Block reads a block in which each subdirective may stand once, but for those
// that may be repeated.
func Block(d *caddyfile.Dispenser, options Options, repeated ...string) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		read, ok := options[name]
		switch {
		case name == "{":
			return d.Err("a block is not expected here")
		case !ok:
			return d.Errf("unknown subdirective %q; known here: %s", name, options.known())
		case read == nil:
			return d.Errf("%s is not supported yet", name)
		case seen[name] && !slices.Contains(repeated, name):
			return d.Errf("%s is given twice", name)
		}
		seen[name] = true
		if err := read(d); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) known() string {
	var names []string
	for name, read := range o {
		if read != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// String reads exactly one argument, which is not empty.
func String(to *string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.NextArg() {
			return d.ArgErr()
		}
		if *to = d.Val(); *to == "" {
			return d.Errf("%s is empty", name)
		}
		return End(d)
	}
}

// OneOf reads exactly one argument out of a few.
func OneOf(to *string, choices ...string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.NextArg() {
			return d.ArgErr()
		}
		if !slices.Contains(choices, d.Val()) {
			return d.Errf("%s takes %s, not %q", name, Alternatives(choices), d.Val())
		}
		*to = d.Val()
		return End(d)
	}
}

// Alternatives lists choices in words: a, b or c.
func Alternatives(choices []string) string {
	last := len(choices) - 1
	if last < 1 {
		return strings.Join(choices, "")
	}
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

// Strings reads one or more arguments.
func Strings(to *[]string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		*to = d.RemainingArgs()
		if len(*to) == 0 {
			return d.ArgErr()
		}
		return noBlock(d)
	}
}

// Flag takes no arguments and sets a boolean.
func Flag(to *bool) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		*to = true
		return End(d)
	}
}

// Duration reads one duration that is greater than zero, in Caddy's units.
func Duration(to *caddy.Duration) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) (err error) {
		if !d.NextArg() {
			return d.ArgErr()
		}
		if *to, err = ParseDuration(d); err != nil {
			return err
		}
		return End(d)
	}
}

// ParseDuration reads the duration that the dispenser stands on.
func ParseDuration(d *caddyfile.Dispenser) (caddy.Duration, error) {
	duration, err := caddy.ParseDuration(d.Val())
	if err != nil {
		return 0, d.Errf("%q is not a duration such as 30s, 5m or 7d", d.Val())
	}
	if duration <= 0 {
		return 0, d.Errf("the duration %s must be greater than zero", d.Val())
	}
	return caddy.Duration(duration), nil
}

// Size reads one size in bytes that is greater than zero, such as 10MiB.
func Size(to *int64) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		if !d.NextArg() {
			return d.ArgErr()
		}
		size, err := humanize.ParseBytes(d.Val())
		if err != nil || size == 0 || size > 1<<62 {
			return d.Errf("%q is not a size such as 512KiB or 10MiB", d.Val())
		}
		*to = int64(size)
		return End(d)
	}
}

// End refuses further arguments and a block.
func End(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	return noBlock(d)
}

func noBlock(d *caddyfile.Dispenser) error {
	if d.NextBlock(d.Nesting()) {
		return d.Err("a block is not expected here")
	}
	return nil
}

// At adds file and line to an error, if it is one.
func At(d *caddyfile.Dispenser, err error) error {
	if err == nil {
		return nil
	}
	return d.WrapErr(err)
}
