package queue_test

import (
	"context"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// unread is a store that cannot be read for now.
type unread struct {
	queue.Store
	broken *atomic.Bool
}

func (u *unread) List(ctx context.Context, before queue.ID, yield func(*queue.Event) bool) error {
	if u.broken.Load() {
		return queue.ErrUnavailable
	}
	return u.Store.List(ctx, before, yield)
}

// The clock was set back by an hour, and the store cannot be read at first. Nothing is
// accepted before the engine has learned the time from the store.
func TestClockResumesWhenTheStoreIsBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var broken atomic.Bool
		b := &backend{wrap: func(s queue.Store) queue.Store { return &unread{s, &broken} }}
		s := newSetup(t, b)
		last := newEvent(t, "shop", "app")
		binary.BigEndian.PutUint64(last.ID[:], binary.BigEndian.Uint64(last.ID[:])+uint64(time.Hour.Milliseconds())<<16)
		s.append(last)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		broken.Store(true)
		s = newSetup(t, b, func(p *queue.Timing) { p.StoreRetry = 10 * time.Millisecond })
		var a app
		routes := map[string]*queue.Route{"app": a.route()}
		s.Attach(s.config(map[string]*queue.Source{
			"shop":   {Routes: routes},
			"bank":   {Routes: routes, Window: time.Hour, Entries: 10},
			"verify": {Window: time.Hour, Entries: 10},
		}))
		var key queue.DedupKey
		enter := func(source string) error {
			key[0]++ // a new delivery
			_, _, err := s.Enter(t.Context(), source, queue.Identity{Key: key})
			return err
		}
		pass(5 * time.Second)
		for source, want := range map[string]error{"shop": queue.ErrUnavailable, "bank": queue.ErrUnavailable, "verify": nil} {
			if err := enter(source); !errors.Is(err, want) {
				t.Errorf("entering %s while the store cannot be read: %v, want %v", source, err, want)
			}
		}
		broken.Store(false)
		eventually(t, "the source that remembers nothing", func() bool { return enter("shop") == nil })
		if id, err := queue.NewID(); err != nil || string(id[:]) <= string(last.ID[:]) {
			t.Errorf("%s comes after %s, %v", id, last.ID, err)
		}
		s.ended(last.ID)
		if ahead := time.Until(queue.Now()); ahead < 59*time.Minute {
			t.Errorf("the queue's time is %v ahead", ahead)
		}
		eventually(t, "the other", func() bool { return enter("bank") == nil })
	})
}
