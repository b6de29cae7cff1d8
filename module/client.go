package module

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// client speaks to the admin API of a running gateway.
type client struct {
	address string
}

// newClient finds the admin API as Caddy's own commands do.
func newClient(address, configFile, adapter string) (*client, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(address, nil, configFile, adapter)
	if err != nil {
		return nil, usageError{fmt.Errorf("finding the admin address: %v", err)}
	}
	return &client{address}, nil
}

// call makes a request and decodes the JSON that is answered.
func (c *client) call(method, path string, query url.Values, to any) error {
	uri := path
	if len(query) > 0 {
		uri += "?" + query.Encode()
	}
	resp, err := caddycmd.AdminAPIRequest(c.address, method, uri, nil, nil)
	if err != nil {
		return apiMessage(c.address, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("reading the admin API's answer: %v", err)
	}
	if err := json.Unmarshal(body, to); err != nil {
		return fmt.Errorf("the admin API answered no JSON; does the process at %s have the webhook gateway?", c.address)
	}
	return nil
}

// apiMessage gets the message out of what Caddy makes of an error answer.
func apiMessage(address string, err error) error {
	if errors.As(err, new(*net.OpError)) {
		return fmt.Errorf("nothing answers at the admin address %s; is Caddy running there? (--address, --config)", address)
	}
	_, after, found := bytes.Cut([]byte(err.Error()), []byte(`{"error":`))
	if !found {
		return err
	}
	var message string
	if json.NewDecoder(bytes.NewReader(after)).Decode(&message) != nil {
		return err
	}
	return errors.New(message)
}

func (c *client) events(query url.Values) (events []EventInfo, err error) {
	err = c.call(http.MethodGet, "/webhook_gateway/events", query, &events)
	return events, err
}

func (c *client) showEvent(id string) (event EventInfo, err error) {
	err = c.call(http.MethodGet, "/webhook_gateway/events/"+url.PathEscape(id), nil, &event)
	return event, err
}

func (c *client) sources() (sources []SourceInfo, err error) {
	err = c.call(http.MethodGet, "/webhook_gateway/sources", nil, &sources)
	return sources, err
}

// send has the gateway sign a sample and post it to a URL.
func (c *client) send(source, event, target string) (sent Sent, err error) {
	query := url.Values{"url": {target}}
	if event != "" {
		query.Set("event", event)
	}
	err = c.call(http.MethodPost, "/webhook_gateway/sources/"+url.PathEscape(source)+"/send", query, &sent)
	return sent, err
}

// sourceURL finds the URL of a source in the running configuration.
func (c *client) sourceURL(source string) (string, error) {
	var servers map[string]configServer
	if err := c.call(http.MethodGet, "/config/apps/http/servers", nil, &servers); err != nil {
		return "", err
	}
	for _, server := range servers {
		place, ok := findSource(server.Routes, source, place{})
		if ok {
			return place.url(&server)
		}
	}
	return "", fmt.Errorf("the running configuration has no source %s", source)
}
