// Package gateway adds the webhook gateway to a Caddy build.
//
// Importing it registers the global option and the handler directive
// webhook_gateway, the presets of all providers, and the command
// "caddy webhook". The code lives below:
//
//	module/           the way of a request, and the face that Caddy sees: app and handler
//	module/operate/   the operator's half: admin API and commands
//	module/provider/  signature schemes and the presets made of them
//	module/queue/     what a queue promises, and the scheduler that empties it
//	module/queue/disk the embedded queue
//	rules/            expressions over webhooks
package gateway

import (
	// Registers every module of the gateway, and its commands.
	_ "github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
)
