package main

import (
	"errors"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/bench/internal/rig"
)

// What the site of a Caddy does.
const (
	proxy   = "reverse_proxy [APP]"
	gateway = "webhook_gateway {\nprovider insigner [SECRET]\ninsecure_http\notherwise [APP]\n}"
)

const options = `{
	admin [ADMIN]
	auto_https off
	persist_config off
	default_bind 127.0.0.1
	storage file_system [DIR]/caddy
	log {
		level ERROR
	}
	webhook_gateway {
		queue disk {
			path [DIR]/queue
		}
	}
}
`

// startCaddy returns what starts a Caddy with one site, and the app behind it.
func startCaddy(site string) func(dir string) (string, func() error, error) {
	return func(dir string) (address string, stop func() error, err error) {
		server, err := rig.NewServer(dir, "APP", "SITE")
		if err != nil {
			return "", nil, err
		}
		app, err := rig.NewUpstream(server.Sites["APP"])
		if err != nil {
			return "", nil, errors.Join(err, server.Remove())
		}
		stop = func() error {
			app.Close()
			return server.Remove()
		}
		if err := server.Start(options + "http://[SITE] {\n" + site + "\n}\n"); err != nil {
			return "", nil, errors.Join(err, stop())
		}
		return server.Sites["SITE"], stop, nil
	}
}
