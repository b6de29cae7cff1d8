package disk

import (
	"bytes"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// The wire format of Protocol Buffers, by hand. Zero values are left out, and unknown
// fields are skipped. Times are nanoseconds since 1970.

func appendString(b []byte, n protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func appendStrings(b []byte, n protowire.Number, list []string) []byte {
	for _, s := range list {
		b = protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
	}
	return b
}

// appendBytes leaves out nil, but not an empty slice.
func appendBytes(b []byte, n protowire.Number, value []byte) []byte {
	if value == nil {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), value)
}

func appendInt(b []byte, n protowire.Number, value int64) []byte {
	if value == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(value))
}

func appendBool(b []byte, n protowire.Number, value bool) []byte {
	if !value {
		return b
	}
	return appendInt(b, n, 1)
}

func appendFixed(b []byte, n protowire.Number, value uint64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, n, protowire.Fixed64Type), value)
}

func appendTimestamp(b []byte, n protowire.Number, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return appendFixed(b, n, uint64(nanoseconds(t)))
}

// openMessage begins a message within another one. The caller appends its fields, and
// calls closeMessage with start.
func openMessage(b []byte, n protowire.Number) (_ []byte, start int) {
	b = append(protowire.AppendTag(b, n, protowire.BytesType), 0)
	return b, len(b)
}

// closeMessage fills in the length of a message. openMessage left one byte for it;
// closeMessage makes room for more.
func closeMessage(b []byte, start int) []byte {
	size := len(b) - start
	if more := protowire.SizeVarint(uint64(size)) - 1; more > 0 {
		b = append(b, make([]byte, more)...)
		copy(b[start+more:], b[start:start+size])
	}
	protowire.AppendVarint(b[:start-1], uint64(size))
	return b
}

// reader reads the fields of a message. The first error ends it.
type reader struct {
	data []byte // the message, and what stands before it
	text string // a copy of data, which strings are parts of
	at   int    // where the next field begins
	err  error

	number     protowire.Number
	wire       protowire.Type
	value      uint64 // of a number
	start, end int    // of bytes
}

// next reads the next field. It returns false at the end, and after an error.
func (r *reader) next() bool {
	if r.err != nil || r.at == len(r.data) {
		return false
	}
	rest := r.data[r.at:]
	var tag, n int
	if r.number, r.wire, tag = protowire.ConsumeTag(rest); tag < 0 {
		return r.fail(protowire.ParseError(tag))
	}
	switch rest = rest[tag:]; r.wire {
	case protowire.VarintType:
		r.value, n = protowire.ConsumeVarint(rest)
	case protowire.Fixed64Type:
		r.value, n = protowire.ConsumeFixed64(rest)
	case protowire.BytesType:
		var content []byte
		content, n = protowire.ConsumeBytes(rest)
		r.end = r.at + tag + n
		r.start = r.end - len(content)
	default:
		n = protowire.ConsumeFieldValue(r.number, r.wire, rest)
	}
	if n < 0 {
		return r.fail(protowire.ParseError(n))
	}
	r.at += tag + n
	return true
}

// fail ends the reader with an error, if there is one, and returns false.
func (r *reader) fail(err error) bool {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	return false
}

// is reports whether the field has a wire type. Any other wire type is damage.
func (r *reader) is(wire protowire.Type) bool {
	return r.wire == wire || r.fail(fmt.Errorf("field %d has the wire type %d", r.number, r.wire))
}

func (r *reader) string() string {
	if !r.is(protowire.BytesType) {
		return ""
	}
	return r.text[r.start:r.end]
}

func (r *reader) bytes() []byte {
	if !r.is(protowire.BytesType) {
		return nil
	}
	return bytes.Clone(r.data[r.start:r.end])
}

// array copies a field into to, which must have the length of the field.
func (r *reader) array(to []byte) {
	if r.is(protowire.BytesType) && r.end-r.start != len(to) {
		r.fail(fmt.Errorf("field %d has %d bytes", r.number, r.end-r.start))
	}
	if r.err == nil {
		copy(to, r.data[r.start:r.end])
	}
}

func (r *reader) int() int64 {
	if !r.is(protowire.VarintType) {
		return 0
	}
	return int64(r.value)
}

func (r *reader) bool() bool { return r.int() != 0 }

func (r *reader) fixed() uint64 {
	if !r.is(protowire.Fixed64Type) {
		return 0
	}
	return r.value
}

func (r *reader) time() time.Time { return time.Unix(0, int64(r.fixed())).UTC() }

// message returns a reader of a message within this one.
func (r *reader) message() reader {
	if !r.is(protowire.BytesType) {
		return reader{err: r.err}
	}
	return reader{data: r.data[:r.end], text: r.text, at: r.start}
}

// count returns how many of the following fields have a number.
func (r reader) count(number protowire.Number) (n int) {
	for r.next() {
		if r.number == number {
			n++
		}
	}
	return n
}
