package disk

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// leases are kept in memory. The lock on the file makes this process the only one that
// takes leases, and those of a process that has gone are gone, too.
type leases struct {
	mu    sync.Mutex
	until map[leaseKey]time.Time
}

// leaseKey is an event in a route. It has a hash of the route: an event has few routes.
type leaseKey struct {
	route uint64
	id    queue.ID
}

var routeSeed = maphash.MakeSeed()

func leaseIn(route queue.RouteKey, id queue.ID) leaseKey {
	var buf [128]byte
	return leaseKey{maphash.Bytes(routeSeed, appendRoute(buf[:0], route)), id}
}

// leaseOf returns the lease key that belongs to a due key.
func leaseOf(dueKey []byte) leaseKey {
	return leaseKey{maphash.Bytes(routeSeed, dueKey[:len(dueKey)-timeSize-idSize]), idOf(dueKey)}
}

// take returns false if somebody else has the lease.
func (l *leases) take(key leaseKey, now, until time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until[key].After(now) {
		return false
	}
	l.until[key] = until
	return true
}

func (l *leases) end(keys ...leaseKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range keys {
		delete(l.until, key)
	}
}
