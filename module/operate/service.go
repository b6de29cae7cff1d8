// Package operate is the operator's half of the webhook gateway: the admin API
// and the commands under "caddy webhook".
//
//	command -> client -> admin endpoint -> Service -> module.App, queue.Engine
//
// Each verb has a file, in which stand, in this order: the method of [Service],
// the endpoint, the client's call, and the command. A new endpoint is listed in
// admin.go, and a new command in command.go.
package operate

import (
	"context"
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Service does what an operator asks of a gateway, in plain Go: it knows no HTTP
// and prints nothing. Its methods lie in the files of their verbs. The admin API
// is the Service over HTTP, and the client its counterpart.
//
// An error of the caller is an InvalidError or a NotFoundError.
type Service struct {
	app *module.App
}

// Running returns the service of the running configuration. It is to be asked
// for anew each time: a reload replaces the configuration.
func Running() (*Service, error) {
	app, err := caddy.ActiveContext().AppIfConfigured("webhook_gateway")
	if err != nil {
		return nil, NotFoundError{errors.New("no webhook gateway is configured")}
	}
	return &Service{app.(*module.App)}, nil
}

// InvalidError is an error in what the caller asks for.
type InvalidError struct{ error }

// NotFoundError says that something is not there that the caller names.
type NotFoundError struct{ error }

// source returns the source of a name.
func (s *Service) source(name string) (*module.Handler, error) {
	h := s.app.Source(name)
	if h == nil {
		return nil, NotFoundError{fmt.Errorf("no source is named %s", name)}
	}
	return h, nil
}

// event loads an event, given its ID.
func (s *Service) event(ctx context.Context, text string) (*queue.Engine, *queue.Event, error) {
	id, err := parseID(text)
	if err != nil {
		return nil, nil, InvalidError{err}
	}
	engine, err := s.app.Engine()
	if err != nil {
		return nil, nil, err
	}
	event, err := engine.Get(ctx, id)
	return engine, event, err
}

// log writes into the log what was done.
func (s *Service) log(verb string, fields ...zap.Field) {
	s.app.Logger().Info(verb+" by an operator", fields...)
}
