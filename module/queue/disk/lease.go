package disk

import (
	"sync"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// leases lie in memory: the lock on the file makes this process the only one
// that could take any, and a process that has gone holds none.
type leases struct {
	mu    sync.Mutex
	until map[string]time.Time // by lane and ID
}

func leaseKey(lane queue.Lane, id queue.ID) string {
	return string(append(appendLane(nil, lane), id[:]...))
}

// leaseOf returns the lease key that belongs to a due key.
func leaseOf(dueKey []byte) string { return string(appendLease(nil, dueKey)) }

func appendLease(to, dueKey []byte) []byte {
	at := len(dueKey) - timeSize - idSize
	return append(append(to, dueKey[:at]...), dueKey[at+timeSize:]...)
}

// take returns false if somebody else has the lease.
func (l *leases) take(key []byte, now, until time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until[string(key)].After(now) {
		return false
	}
	l.until[string(key)] = until
	return true
}

func (l *leases) taken(key []byte, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until[string(key)].After(now)
}

func (l *leases) end(keys ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range keys {
		delete(l.until, key)
	}
}
