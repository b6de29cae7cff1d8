package rules

import (
	"net/textproto"
	"strconv"
	"strings"
)

// operand is one thing that expressions ask of a webhook.
type operand struct {
	name string // equal names mean equal values
	load func(*View) any
}

// MarshalText makes expr print an operand by its name, which it does to find
// out whether two predicates go over the same list.
func (o *operand) MarshalText() ([]byte, error) { return []byte(o.name), nil }

// operands are the names that stand for themselves.
var operands = map[string]*operand{
	"event":       {"event", func(v *View) any { return v.in.Event }},
	"id":          {"id", func(v *View) any { return v.in.ID }},
	"provider":    {"provider", func(v *View) any { return v.in.Provider }},
	"source":      {"source", func(v *View) any { return v.in.Source }},
	"method":      {"method", func(v *View) any { return v.in.Method }},
	"path":        {"path", func(v *View) any { return v.in.Path }},
	"query":       {"query", func(v *View) any { return v.in.query() }},
	"headers":     {"headers", func(v *View) any { return v.in.headers() }},
	"remote_ip":   {"remote_ip", func(v *View) any { return v.in.RemoteIP }},
	"received_at": {"received_at", func(v *View) any { return v.in.ReceivedAt }},
}

func headerOperand(key string) *operand {
	key = textproto.CanonicalMIMEHeaderKey(key)
	return &operand{"headers." + key, func(v *View) any { return v.in.header(key) }}
}

func queryOperand(key string) *operand {
	return &operand{"query." + strconv.Quote(key), func(v *View) any { return v.in.queryValue(key) }}
}

func bodyOperand(steps []step) *operand {
	return &operand{"body" + pathName(steps), func(v *View) any { return v.lookup(steps) }}
}

// step is one key on a path into the body: a string, or an index.
type step struct {
	key      any
	optional bool
}

func pathName(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		if s.optional {
			b.WriteByte('?')
		}
		b.WriteByte('.')
		switch key := s.key.(type) {
		case string:
			b.WriteString(strconv.Quote(key))
		case int:
			b.WriteString(strconv.Itoa(key))
		}
	}
	return b.String()
}
