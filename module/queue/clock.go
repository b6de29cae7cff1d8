package queue

import (
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// Now returns the time that the queue works by: the clock's, but it never goes
// back. When the clock is set back, what waits for its time would wait that much
// longer, and new events would come before old ones. So this time goes on from
// where it was, a little slower than the clock, until that has caught up.
func Now() time.Time { return steady.read() }

// NewID returns an ID that is greater than any that this process made before,
// and than those that a store held when it was opened.
func NewID() (ID, error) {
	var id ID
	if _, err := rand.Read(id[8:]); err != nil {
		return ID{}, err
	}
	// 48 bits of milliseconds and, in place of the first random bits, 12 of their fraction.
	nanos := Now().UnixNano()
	stamp := nanos/1e6<<12 | nanos%1e6>>8
	for {
		last := lastStamp.Load()
		stamp = max(stamp, last+1)
		if lastStamp.CompareAndSwap(last, stamp) {
			break
		}
	}
	binary.BigEndian.PutUint64(id[:], uint64(stamp>>12<<16|7<<12|stamp&0xfff))
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

var (
	steady    clock
	lastStamp atomic.Int64
	started   = time.Now()
)

const (
	// setBack is how far the wall clock must fall behind to have been set back:
	// it is not read at the very same moment as the monotonic one.
	setBack = time.Second
	// catchUp is the part of its speed that a clock loses until the wall clock
	// has caught up.
	catchUp = 8
	// farAhead is how far in the future a time cannot be right.
	farAhead = 24 * time.Hour
)

// clock follows the wall clock, but does not go back.
type clock struct{ state atomic.Pointer[clockState] }

// clockState says how far a clock is ahead of the monotonic one, and since when
// the wall clock is behind it; zero if it is not.
type clockState struct{ ahead, behind time.Duration }

func (c *clock) read() time.Time {
	t := time.Now()
	return time.Unix(0, c.at(t.UnixNano(), t.Sub(started)))
}

// at returns the time at a reading of the wall clock and the monotonic one.
func (c *clock) at(wall int64, mono time.Duration) int64 {
	ahead := time.Duration(wall) - mono
	for {
		state := c.state.Load()
		if state == nil {
			state = &clockState{ahead: ahead}
			c.state.CompareAndSwap(nil, state)
			continue
		}
		kept := state.ahead
		if state.behind > 0 {
			kept -= (mono - state.behind) / catchUp
		}
		next := state
		switch {
		case ahead > kept, ahead == kept && state.behind > 0:
			next = &clockState{ahead: ahead}
		case state.behind == 0 && kept-ahead >= setBack:
			next = &clockState{ahead: kept, behind: mono}
		}
		if next == state || c.state.CompareAndSwap(state, next) {
			return int64(mono + max(ahead, kept))
		}
	}
}

// resume has the clock go on from the time of an ID that an earlier process
// made, if the wall clock was set back since then.
func (c *clock) resume(id ID) {
	made := time.UnixMilli(int64(binary.BigEndian.Uint64(id[:])>>16) + 1)
	t := time.Now()
	if by := made.Sub(t); by < setBack || by > farAhead {
		return
	}
	mono := t.Sub(started)
	state := c.state.Load()
	if ahead := time.Duration(made.UnixNano()) - mono; state == nil || ahead > state.ahead {
		c.state.CompareAndSwap(state, &clockState{ahead: ahead, behind: mono})
	}
}
