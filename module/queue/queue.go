// Package queue keeps accepted webhooks until their deliveries have ended.
//
// A [Store] keeps events: module/queue/disk in files, module/queue/memory for tests. An
// [Engine] runs on a store: it admits events, remembers delivery IDs, and hands due
// deliveries to their destinations. Neither knows Caddy or HTTP.
package queue

import "github.com/google/uuid"

// ID names an event. IDs are UUIDs of version 7, so they sort in the order in
// which their events were accepted.
type ID = uuid.UUID

// RouteKey names a route of a source, whose deliveries queue up for it. The empty route
// stands for the checks of the source's held events.
type RouteKey struct {
	Source, Route string
}
