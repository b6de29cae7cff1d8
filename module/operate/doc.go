// Package operate is the operator's half of the webhook gateway: the admin API
// and the commands under "caddy webhook".
package operate
