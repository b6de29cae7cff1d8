package disk

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/queuetest"
)

// fill sets each field to a value of its own, so that a field which is not stored is
// noticed, also one that is added later.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString("a string\xff " + strings.Repeat("x", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) - 20) // some are negative
	case reflect.Uint64, reflect.Uint8:
		v.SetUint(uint64(*n))
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 3 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, n)
			fill(value, n)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 1, 1, 0, 0, 0, *n, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	}
}

// full returns an event, and a request, with something in every field.
func full() (*queue.Event, *queue.Request) {
	e, q, n := new(queue.Event), new(queue.Request), 0
	fill(reflect.ValueOf(e).Elem(), &n) // the request is a pointer, which it leaves alone
	fill(reflect.ValueOf(q).Elem(), &n)
	return e, q
}

func TestMessagesKeepEverything(t *testing.T) {
	e, q := full()
	zero := queue.Event{Deliveries: make([]queue.Delivery, 2)}
	zero.Deliveries[1].Log = make([]queue.Attempt, 2)
	early := time.Date(1066, 10, 14, 0, 0, 0, 0, time.UTC)
	for _, e := range []*queue.Event{
		e, {}, &zero,
		{ReceivedAt: time.Unix(0, 0).UTC(), Dedup: queue.Dedup{Until: time.Unix(0, math.MaxInt64).UTC()}},
		{Check: queue.Check{Calls: math.MinInt64}, Deliveries: []queue.Delivery{{Attempts: math.MaxInt64}}},
	} {
		got, err := decodeEvent(appendEvent(nil, e))
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("got %+v: %v\nwant %+v", got, err, e)
		}
	}
	for _, q := range []*queue.Request{
		q, {},
		{Body: []byte{}, Header: map[string][]string{}},
		{Header: map[string][]string{"": {""}, "None": {}, "Two": {"", ""}}, Secret: []string{"", "a"}},
		{Header: map[string][]string{"Large": {strings.Repeat("x", 1<<20)}}, Body: make([]byte, 1<<20)},
	} {
		got, err := decodeRequest(appendRequest(nil, q))
		if err != nil || !reflect.DeepEqual(got, q) {
			t.Errorf("got %+v: %v\nwant %+v", got, err, q)
		}
	}
	got, err := decodeEvent(appendEvent(nil, &queue.Event{ReceivedAt: early}))
	if err != nil || !got.ReceivedAt.Equal(earliest) {
		t.Errorf("the year 1066 became %v: %v", got.ReceivedAt, err)
	}
}

// Records can get fields, and still be read by code that does not know these.
func TestUnknownFieldsAreSkipped(t *testing.T) {
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 1000, protowire.VarintType), 1<<40)
	unknown = protowire.AppendFixed32(protowire.AppendTag(unknown, 1001, protowire.Fixed32Type), 1)
	unknown = protowire.AppendFixed64(protowire.AppendTag(unknown, 1002, protowire.Fixed64Type), 1)
	unknown = protowire.AppendString(protowire.AppendTag(unknown, 1003, protowire.BytesType), "new")
	unknown = protowire.AppendGroup(protowire.AppendTag(unknown, 1004, protowire.StartGroupType), 1004, nil)
	e, q := full()
	data := slices.Concat(unknown, appendEvent(nil, e), unknown)
	if got, err := decodeEvent(data); err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("got %+v: %v", got, err)
	}
	data = slices.Concat(unknown, appendRequest(nil, q), unknown)
	if got, err := decodeRequest(data); err != nil || !reflect.DeepEqual(got, q) {
		t.Errorf("got %+v: %v", got, err)
	}
}

// What was stored when a body had another hash is read as an entry without a digest.
func TestEntriesWithTheFormerHash(t *testing.T) {
	want := queue.Dedup{Identity: queue.Identity{Key: queue.DedupKey{1, 2, 3}}, Until: start.UTC()}
	head, at := openMessage(nil, eventDedup)
	head = appendBytes(head, dedupKeyHash, want.Key[:])
	head = appendFixed(head, 2, 1<<63+5)
	head = closeMessage(appendTimestamp(head, dedupUntil, want.Until), at)
	if e, err := decodeEvent(head); err != nil || e.Dedup != want {
		t.Errorf("got %+v, %v, want %+v", e.Dedup, err, want)
	}
	id := queue.ID{7}
	key := appendDedupKey(nil, want.Until, id)
	record := append(openRecord(nil), want.Key[:]...)
	record = append(append(record, 0, 1, 2, 0, 0, 5, 6, 7), "github"...)
	d, err := readDedup(key, seal(key, record))
	if err != nil || d != (dedupEntry{"github", id, d.Dedup}) || d.Key != want.Key || d.Body != (queue.BodyDigest{}) || !d.Until.Equal(want.Until) {
		t.Errorf("got %+v, %v", d, err)
	}
}

// A decoded event does not use the memory of the page that it was read from.
func TestDecodedSharesNothing(t *testing.T) {
	e, q := full()
	head, request := appendEvent(nil, e), appendRequest(nil, q)
	gotEvent, err1 := decodeEvent(head)
	gotRequest, err2 := decodeRequest(request)
	clear(head)
	clear(request)
	if !reflect.DeepEqual(gotEvent, e) || !reflect.DeepEqual(gotRequest, q) {
		t.Errorf("what was decoded has changed: %v", errors.Join(err1, err2))
	}
	for _, values := range gotRequest.Header { // nor do the values share room
		_ = append(values, "more")
	}
	if !reflect.DeepEqual(gotRequest, q) {
		t.Error("values of the header have changed")
	}
}

func TestDecodingAllocatesLittle(t *testing.T) {
	e := queuetest.NewEvent(t, "github", start, "app")
	head, request := appendEvent(nil, e), appendRequest(nil, e.Request)
	n := testing.AllocsPerRun(100, func() {
		_, _ = decodeEvent(head)
		_, _ = decodeRequest(request)
	})
	if n > 11 { // event, its text, copies, deliveries, log; request, its text, map of two parts, values, body
		t.Errorf("decoding an event makes %v allocations", n)
	}
	buf := make([]byte, 0, 4<<10)
	if n := testing.AllocsPerRun(100, func() { appendRequest(appendEvent(buf, e), e.Request) }); n > 0 {
		t.Errorf("encoding an event makes %v allocations", n)
	}
}

func FuzzDecodeEvent(f *testing.F) {
	e := queuetest.NewEvent(f, "github", start, "app", "audit")
	f.Add(appendEvent(nil, e))
	f.Add(appendRequest(nil, e.Request))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeEvent(data)
		if err != nil {
			if !errors.Is(err, errDamaged) {
				t.Fatal(err)
			}
			return
		}
		again, err := decodeEvent(appendEvent(nil, e))
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("%+v became %+v: %v", e, again, err)
		}
	})
}

func FuzzDecodeRequest(f *testing.F) {
	e := queuetest.NewEvent(f, "github", start, "app", "audit")
	f.Add(appendEvent(nil, e))
	f.Add(appendRequest(nil, e.Request))
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := decodeRequest(data)
		if err != nil {
			if !errors.Is(err, errDamaged) {
				t.Fatal(err)
			}
			return
		}
		again, err := decodeRequest(appendRequest(nil, q))
		if err != nil || !reflect.DeepEqual(again, q) {
			t.Fatalf("%+v became %+v: %v", q, again, err)
		}
	})
}

// A head is not taken for a request, nor a request for a head, when salvaging finds it.
func TestHeadsAndRequestsDiffer(t *testing.T) {
	e := queuetest.NewEvent(t, "github", start, "app")
	key := e.ID[:]
	head := seal(key, appendEvent(openRecord(nil), e))
	request := seal(key, appendRequest(openRecord(nil), e.Request))
	if headOf(key, head) == nil || headOf(key, request) != nil || !isRequest(key, request) || isRequest(key, head) {
		t.Error("one was taken for the other")
	}
	for _, record := range [][]byte{head, request} {
		for i := range record {
			bad := bytes.Clone(record)
			bad[i] ^= 1
			if headOf(key, bad) != nil || isRequest(key, bad) {
				t.Fatalf("a flipped bit at %d was not noticed", i)
			}
		}
	}
}
