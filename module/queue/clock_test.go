package queue

import (
	"testing"
	"time"
)

// wallClock is a clock with a wall clock that a test sets, and a monotonic clock.
type wallClock struct {
	clock
	wall, mono time.Duration
}

func (w *wallClock) pass(d time.Duration) { w.wall, w.mono = w.wall+d, w.mono+d }
func (w *wallClock) now() time.Duration   { return time.Duration(w.at(int64(w.wall), w.mono)) }

func TestClockFollowsTheWallClock(t *testing.T) {
	w := &wallClock{wall: 1000 * time.Hour}
	for _, jump := range []time.Duration{0, time.Millisecond, time.Hour, 10000 * time.Hour} {
		w.wall += jump
		if now := w.now(); now != w.wall {
			t.Errorf("after a jump by %v it is %v, want %v", jump, now, w.wall)
		}
		w.pass(time.Minute)
		if now := w.now(); now != w.wall {
			t.Errorf("a minute later it is %v, want %v", now, w.wall)
		}
	}
}

func TestClockDoesNotGoBack(t *testing.T) {
	w := &wallClock{wall: 1000 * time.Hour}
	before := w.now()
	w.pass(time.Hour)
	w.now()
	w.wall -= time.Hour
	if now := w.now(); now != before+time.Hour {
		t.Errorf("set back, it shows %v, want %v", now, before+time.Hour)
	}
	before = w.now()
	for minutes := range 8*60 + 1 {
		w.pass(time.Minute)
		now := w.now()
		if passed := now - before; passed < 50*time.Second || passed > time.Minute {
			t.Fatalf("minute %d took %v", minutes, passed)
		}
		before = now
	}
	if before != w.wall {
		t.Errorf("after eight hours it shows %v, and the wall clock %v", before, w.wall)
	}
	w.pass(time.Hour)
	if w.now() != w.wall {
		t.Error("it left the wall clock that it had caught up with")
	}
}

// The wall clock and the monotonic one are not read at the same moment.
func TestClockTrembles(t *testing.T) {
	w := &wallClock{wall: 1000 * time.Hour}
	for last, i := w.now(), 0; i < 100; i++ {
		w.pass(time.Millisecond)
		w.mono += time.Duration(i%3) * time.Microsecond
		now := w.now()
		if now <= last || now-last > 2*time.Millisecond {
			t.Fatalf("a millisecond took %v", now-last)
		}
		last = now
		w.mono -= time.Duration(i%3) * time.Microsecond
	}
}

func TestClockResumes(t *testing.T) {
	id, err := NewID()
	if err != nil {
		t.Fatal(err)
	}
	ahead := func(by time.Duration) ID {
		later := id
		stamp := time.Now().Add(by).UnixMilli()
		for i := range 6 {
			later[i] = byte(stamp >> (40 - 8*i))
		}
		return later
	}
	for by, want := range map[time.Duration]time.Duration{
		-time.Hour: 0, 0: 0, time.Hour: time.Hour, 30 * time.Hour: 0,
	} {
		for _, used := range []bool{false, true} {
			var c clock
			if used {
				c.read()
			}
			c.resume(ahead(by))
			if got := time.Until(c.read()); got < want-time.Second || got > want+time.Second {
				t.Errorf("with an ID from %v ahead the clock is %v ahead, want %v", by, got, want)
			}
		}
	}
}

func TestIDsGrow(t *testing.T) {
	var last ID
	for range 20000 {
		id, err := NewID()
		if err != nil {
			t.Fatal(err)
		}
		if string(id[:]) <= string(last[:]) {
			t.Fatalf("%s comes after %s", id, last)
		}
		if id.Version() != 7 || id.Variant() != 1 {
			t.Fatalf("%s is no UUID of version 7", id)
		}
		last = id
	}
}
