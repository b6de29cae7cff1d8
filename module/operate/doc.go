// Package operate is the operator's half of the webhook gateway: the admin API
// and the commands under "caddy webhook".
//
//	command -> client -> admin endpoint -> Service -> module.App, queue.Engine
//
// Each verb has a file, in which stand, in this order: the method of [Service],
// the endpoint, the client's call, and the command. A new endpoint is listed in
// [Admin].Routes, and a new command in command.go.
package operate
