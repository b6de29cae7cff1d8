package operate

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// TestShownRequestsProveNothing holds that no genuine request of any provider is
// shown such that somebody could send it again, and that its content is shown.
func TestShownRequestsProveNothing(t *testing.T) {
	tried := make(map[string]bool)
	for _, v := range providertest.ReadVectors(t) {
		if v.Expected != "valid" || v.Type == "handshake" || v.NoKey || v.ConfigError || v.APIReply != nil {
			continue
		}
		t.Run(v.ID, func(t *testing.T) {
			flags, options := flagsOf(t, v)
			h, err := flags.newSource()
			if err != nil {
				t.Fatal(err)
			}
			r, body, err := parseRaw([]byte(rawOf(t, v)))
			if err != nil {
				t.Fatal(err)
			}
			if h.Evaluate(r, body, options).Verdict != module.Valid {
				return // it needs what its file of vectors says besides
			}
			e := &queue.Event{Source: h.Source, ReceivedAt: options.At, Request: &queue.Request{
				Method: r.Method, Host: r.Host, URI: r.URL.RequestURI(), Header: r.Header, Body: body,
				PublicURL: v.URL, Secret: h.Provider().Profile().SecretHeaders,
			}}
			shown := module.Shown(e, h, h.Mask)
			target, err := r.URL.Parse(shown.URI)
			if err != nil {
				t.Fatal(err)
			}
			again := &http.Request{Method: r.Method, URL: target, Host: r.Host, Header: shown.Header}
			if options.Public != nil {
				options.Public.RawQuery = target.RawQuery
			}
			if h.Provider().Proves() && h.Evaluate(again, shown.Body, options).Verdict == module.Valid {
				t.Errorf("what is shown is genuine: %s %s %v %s", r.Method, shown.URI, shown.Header, shown.Body)
			}
			if bytes.Equal(shown.Body, []byte("[masked]")) {
				t.Errorf("nothing of the body is shown: %v %s", r.Header, body)
			}
			tried[v.Provider] = true
		})
	}
	if len(tried) < 100 {
		t.Errorf("only %d providers were tried", len(tried))
	}
}

// flagsOf returns the arguments of a vector as the command reads them.
func flagsOf(t *testing.T, v *providertest.Vector) (flags providerFlags, options module.EvaluateOptions) {
	args := argumentsOf(t, v)
	for i := 0; i < len(args); i += 2 {
		switch value := args[i+1]; args[i] {
		case "--provider":
			flags.name = value
		case "--secret":
			flags.secrets = append(flags.secrets, value)
		case "--option":
			flags.lines = append(flags.lines, value)
		case "--url":
			var err error
			if options.Public, err = urlFlag(value); err != nil {
				t.Fatal(err)
			}
		case "--at":
			seconds, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			options.At = time.UnixMicro(int64(seconds * 1e6))
		}
	}
	return flags, options
}
