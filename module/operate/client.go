package operate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// client speaks to the admin API of a running gateway.
type client struct {
	address         string // found with the first request unless it is given
	config, adapter string
}

// request makes a request, and returns the answer if its status is one of success.
func (c *client) request(method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	if err := c.find(); err != nil {
		return nil, err
	}
	uri := path
	if len(query) > 0 {
		uri += "?" + query.Encode()
	}
	// Each request of Caddy's has a connection of its own, which nothing else closes.
	header := http.Header{"Connection": {"close"}}
	resp, err := caddycmd.AdminAPIRequest(c.address, method, uri, header, body)
	if err != nil {
		return nil, apiMessage(c.address, err)
	}
	return resp, nil
}

// find finds the admin API as Caddy's own commands do.
func (c *client) find() (err error) {
	c.address, err = caddycmd.DetermineAdminAPIAddress(c.address, nil, c.config, c.adapter)
	if err != nil {
		return usageError{fmt.Errorf("finding the admin address: %v", err)}
	}
	return nil
}

// call makes a request without a body and decodes the JSON that is answered.
func (c *client) call(method, path string, query url.Values, to any) error {
	return c.post(method, path, query, nil, to)
}

// post makes a request with a body and decodes the JSON that is answered.
func (c *client) post(method, path string, query url.Values, body io.Reader, to any) error {
	resp, err := c.request(method, path, query, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("reading the admin API's answer: %v", err)
	}
	if err := json.Unmarshal(answer, to); err != nil {
		return fmt.Errorf("the admin API answered no JSON; does the process at %s have the webhook gateway?", c.address)
	}
	return nil
}

// copyList copies the JSON of a list as it comes.
func (c *client) copyList(w io.Writer, path string, query url.Values) error {
	resp, err := c.request(http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("the list broke off: %v", err)
	}
	return nil
}

// readList reads a list row by row, and returns where the next page begins.
func readList[T any](c *client, path string, query url.Values, row func(*T) error) (next string, err error) {
	resp, err := c.request(http.MethodGet, path, query, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(resp.Body)
	for range 3 { // {, the name, [
		if _, err := dec.Token(); err != nil {
			return "", fmt.Errorf("the admin API answered no list; does the process at %s have the webhook gateway?", c.address)
		}
	}
	for dec.More() {
		value := new(T)
		if err := dec.Decode(value); err != nil {
			return "", fmt.Errorf("the list broke off: %v", err)
		}
		if err := row(value); err != nil {
			return "", err
		}
	}
	for range 2 { // ], and } or the name of next
		if _, err := dec.Token(); err != nil {
			return "", fmt.Errorf("the list broke off: %v", err)
		}
	}
	_ = dec.Decode(&next) // the last page has none
	return next, nil
}

// apiMessage finds the message of the admin API in the error that Caddy makes of
// its answer.
func apiMessage(address string, err error) error {
	if !strings.Contains(err.Error(), "HTTP ") {
		if failed := reach(address); failed != nil {
			return fmt.Errorf("nothing answers at the admin address %s: %s; is Caddy running there? (--address, --config)", address, briefly(failed))
		}
	}
	_, after, found := bytes.Cut([]byte(err.Error()), []byte(`{"error":`))
	if !found {
		return err
	}
	var message string
	if json.NewDecoder(bytes.NewReader(after)).Decode(&message) != nil {
		return err
	}
	if strings.Contains(err.Error(), "HTTP 400") {
		return usageError{errors.New(message)}
	}
	return errors.New(message)
}

// reach tries to connect to an admin address, since the errors of Caddy's client do
// not tell whether anybody listens there.
func reach(address string) error {
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil {
		return nil // the error of the client says what is wrong with it
	}
	conn, err := net.DialTimeout(parsed.Network, parsed.JoinHostPort(0), time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

// eventPath returns the path of an event, or of a verb that is done with it.
func eventPath(id, verb string) string {
	path := eventsPath + "/" + url.PathEscape(id)
	if verb != "" {
		path += "/" + verb
	}
	return path
}

// sourcePath returns the path of a verb that is done with a source.
func sourcePath(source, verb string) string {
	return sourcesPath + "/" + url.PathEscape(source) + "/" + verb
}

// setOptional sets a parameter of a query unless the value is empty.
func setOptional(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

// setFlag sets a parameter of a query if it is true.
func setFlag(query url.Values, name string, value bool) {
	if value {
		query.Set(name, "true")
	}
}
