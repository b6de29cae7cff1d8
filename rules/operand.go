package rules

import (
	"net/textproto"
	"strconv"
	"strings"
	"unique"
)

// operand is one thing that expressions ask of a webhook.
type operand struct {
	id   operandID
	text func(*View) string // of those that are at hand; nil of others
	load func(*View) any
}

// operandID is an operand's name. Equal names mean equal values.
type operandID = unique.Handle[string]

func newOperand(name string, load func(*View) any) *operand {
	return &operand{id: unique.Make(name), load: load}
}

func textOperand(name string, text func(*View) string) *operand {
	op := newOperand(name, func(v *View) any { return text(v) })
	op.text = text
	return op
}

// MarshalText makes expr print an operand by its name, which it does to find
// out whether two predicates go over the same list.
func (o *operand) MarshalText() ([]byte, error) { return []byte(o.id.Value()), nil }

// operands are the names that stand for themselves.
var operands = map[string]*operand{
	"event":       textOperand("event", func(v *View) string { return v.in.Event }),
	"id":          textOperand("id", func(v *View) string { return v.in.ID }),
	"provider":    textOperand("provider", func(v *View) string { return v.in.Provider }),
	"source":      textOperand("source", func(v *View) string { return v.in.Source }),
	"method":      textOperand("method", func(v *View) string { return v.in.Method }),
	"path":        textOperand("path", func(v *View) string { return v.in.Path }),
	"query":       newOperand("query", func(v *View) any { return v.in.query() }),
	"headers":     newOperand("headers", func(v *View) any { return v.in.headers() }),
	"remote_ip":   textOperand("remote_ip", func(v *View) string { return v.in.RemoteIP }),
	"received_at": newOperand("received_at", func(v *View) any { return v.in.ReceivedAt }),
}

func headerOperand(key string) *operand {
	key = textproto.CanonicalMIMEHeaderKey(key)
	return textOperand("headers."+key, func(v *View) string { return v.in.header(key) })
}

func queryOperand(key string) *operand {
	return newOperand("query."+strconv.Quote(key), func(v *View) any { return v.in.queryValue(key) })
}

func bodyOperand(steps []step) *operand {
	return newOperand("body"+pathName(steps), func(v *View) any { return v.lookup(steps) })
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
