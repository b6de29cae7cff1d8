// Package module is the webhook gateway as Caddy sees it: an app that owns the
// queue, and a handler for each source.
//
//	guard -> receive -> handshake -> verify -> identify -> deduplicate -> route -> persist -> acknowledge
//	                                                                          \-> deliver -> retry -> dead letter
//
// The upper line is [Handler].ServeHTTP. The lower line happens later, when the
// queue calls a [Route] with a delivery that is due.
package module

import (
	// Registers the presets of providers, and the embedded queue.
	_ "github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/presets"
	_ "github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/disk"
)
