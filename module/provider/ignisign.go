package provider

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
)

func init() { caddy.RegisterModule(Ignisign{}) }

// Ignisign is the provider of that name. Its proof is a token in the body,
// which a call to its API checks and consumes: it can be checked once, and it
// covers nothing of the content. Source: ignisign/ignisign-node, and
// https://docs.ignisign.io.
type Ignisign struct {
	Common // its secrets are those of an application with keys of the older kind

	// The application whose events are accepted.
	AppID string `json:"app_id,omitempty"`

	// The application's environment: DEVELOPMENT, TEST or PRODUCTION.
	AppEnv string `json:"app_env,omitempty"`

	// The API keys to call with. The next one is tried when the API does not
	// accept one. Placeholders are resolved when the configuration loads.
	APIKeys []string `json:"api_keys,omitempty"`

	// The address of Ignisign's API. Default: https://api.ignisign.io
	APIURL string `json:"api_url,omitempty"`

	appID, appEnv string
	keys          []ignisignKey
	api           *url.URL
	client        *http.Client
	profile       Profile
}

// CaddyModule returns the Caddy module information.
func (Ignisign) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "webhook_gateway.providers.ignisign",
		New: func() caddy.Module { return new(Ignisign) },
	}
}

// Provision resolves keys, application and address.
func (g *Ignisign) Provision(caddy.Context) error {
	if err := g.Common.provision(0); err != nil {
		return err
	}
	apiKeys, err := resolve("api_key", g.APIKeys)
	if err != nil {
		return err
	}
	repl := caddy.NewReplacer()
	g.appID, g.appEnv = repl.ReplaceKnown(g.AppID, ""), repl.ReplaceKnown(g.AppEnv, "")
	if g.appID == "" || g.appEnv == "" {
		return errors.New("ignisign needs app_id and app_env, and both must have a value")
	}
	if err := g.check(); err != nil {
		return err
	}
	g.keys = nil
	for _, key := range apiKeys {
		g.keys = append(g.keys, ignisignKey{bearer: key})
	}
	for _, secret := range g.resolved.Secrets {
		g.keys = append(g.keys, ignisignKey{secret: secret})
	}
	g.APIURL = cmp.Or(g.APIURL, "https://api.ignisign.io")
	if g.api, err = parseURL(g.APIURL); err != nil {
		return fmt.Errorf("api_url: %v", err)
	}
	g.client = &http.Client{
		// A redirect would carry the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     http.DefaultTransport.(*http.Transport).Clone(),
	}
	g.profile = (&Definition{
		Event:        `body.topic + "." + body.action`,
		ID:           `body.verificationToken`,
		NeverRetries: true,
	}).newProfile()
	g.profile.Samples = func() []Sample { return samples("ignisign") }
	g.guard(&g.profile)
	g.profile.Secrets = len(g.keys)
	return nil
}

// check says what is missing from the configuration.
func (g *Ignisign) check() error {
	switch {
	case g.AppID == "":
		return errors.New("ignisign needs a line: app_id <id>")
	case g.AppEnv == "":
		return errors.New("ignisign needs a line: app_env DEVELOPMENT|TEST|PRODUCTION")
	case len(g.APIKeys) == 0 && len(g.Secrets) == 0:
		return errors.New("ignisign needs a line: api_key <key>, or secret <secret> for keys of the older kind")
	}
	return g.checkTolerance(false)
}

// Cleanup closes the idle connections to the API.
func (g *Ignisign) Cleanup() error {
	if g.client != nil {
		g.client.CloseIdleConnections()
	}
	return nil
}

// Proves implements Provider.
func (g *Ignisign) Proves() bool { return true }

// Publishes implements Provider.
func (g *Ignisign) Publishes() bool { return false }

// Profile implements Provider.
func (g *Ignisign) Profile() *Profile { return &g.profile }

// ignisignEvent is what every webhook of Ignisign has.
type ignisignEvent struct {
	AppID     string          `json:"appId"`
	AppEnv    string          `json:"appEnv"`
	Topic     string          `json:"topic"`
	Action    string          `json:"action"`
	MsgNature string          `json:"msgNature"`
	Token     json.RawMessage `json:"verificationToken"`
}

// Strip implements Provider.
func (g *Ignisign) Strip(r *Request) { g.stripToken(r) }

// Verify implements Provider with what can be told without a call.
func (g *Ignisign) Verify(r *Request, now time.Time) error {
	if err := g.verifyToken(r, now); err != nil {
		return err
	}
	r.Matched = 0 // Check will tell
	var event ignisignEvent
	token := ""
	if json.Unmarshal(r.Body, &event) != nil {
		return Malformed
	}
	if json.Unmarshal(event.Token, &token) != nil || token == "" {
		return Missing
	}
	if event.Topic == "" || event.Action == "" || event.MsgNature == "" {
		return Malformed
	}
	if event.AppID != g.appID || event.AppEnv != g.appEnv {
		return Foreign
	}
	return nil
}

// Sign implements Provider. Ignisign's tokens cannot be made, so a sample is
// accepted only where api_url points to a stand-in.
func (g *Ignisign) Sign(r *Request, now time.Time) error {
	if g.Token != nil {
		return g.Token.Sign(r, now)
	}
	return nil
}

// SampleValues are the values of the samples' gaps that the configuration gives.
func (g *Ignisign) SampleValues() map[string]string {
	return map[string]string{"app_id": g.appID, "app_env": g.appEnv}
}

// Check implements Checker: it asks the API about the token, and consumes it.
func (g *Ignisign) Check(ctx context.Context, r *Request) Verdict {
	var event struct {
		Token string `json:"verificationToken"`
	}
	if err := json.Unmarshal(r.Body, &event); err != nil {
		return Verdict{Outcome: Forged, Reason: string(Malformed)}
	}
	var verdict Verdict
	for i := range g.keys {
		var refused bool
		verdict, refused = g.ask(ctx, &g.keys[i], event.Token)
		if !refused {
			verdict.Matched = i + 1
			return verdict
		}
	}
	return verdict
}

// ask makes the call with one key. refused says that the API did not accept it.
func (g *Ignisign) ask(ctx context.Context, key *ignisignKey, token string) (v Verdict, refused bool) {
	bearer, fresh, err := key.get(ctx, g)
	if err != nil {
		return Verdict{Reason: err.Error()}, errors.Is(err, errKeyRefused)
	}
	var sent atomic.Bool // the transport may be at it when the call is cut short
	trace := &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}
	status, reply, err := g.post(httptrace.WithClientTrace(ctx, trace),
		"/v4/tokens/webhook-verification/checking-consumption", bearer,
		map[string]string{"token": token, "appId": g.appID, "appEnv": g.appEnv})
	switch {
	case err != nil:
		return Verdict{Sent: sent.Load(), Reason: err.Error()}, false
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		key.forget(bearer)
		if !fresh { // the JWT has expired
			return g.ask(ctx, key, token)
		}
		return Verdict{Reason: "the API does not accept the key"}, true
	}
	return readVerdict(status, reply), false
}

// readVerdict tells what the API's answer means. Only a plain isValid: true
// with a status of success is one that vouches for the event.
func readVerdict(status int, reply []byte) Verdict {
	var answer struct {
		IsValid         *bool `json:"isValid"`
		NotFound        bool  `json:"notFound"`
		AlreadyConsumed bool  `json:"alreadyConsumed"`
		BadTarget       bool  `json:"badTarget"`
		BadRelatedID    bool  `json:"badRelatedId"`
		IsExpired       bool  `json:"isExpired"`
	}
	err := json.Unmarshal(reply, &answer)
	switch {
	case err != nil || answer.IsValid == nil || status >= 500 || status >= 300 && status < 400:
		return Verdict{Sent: true, Reason: fmt.Sprintf("the API answered %d without a verdict", status)}
	case *answer.IsValid && status < 300:
		return Verdict{Outcome: Genuine, Sent: true}
	case *answer.IsValid:
		return Verdict{Sent: true, Reason: fmt.Sprintf("the API answered %d without a verdict", status)}
	case answer.NotFound:
		return Verdict{Outcome: Forged, Sent: true, Reason: "the API does not know the token"}
	case answer.BadTarget || answer.BadRelatedID:
		return Verdict{Outcome: Forged, Sent: true, Reason: "the token is for another purpose"}
	case answer.AlreadyConsumed:
		return Verdict{Outcome: Used, Sent: true, Reason: "the token was consumed before"}
	case answer.IsExpired:
		return Verdict{Outcome: Used, Sent: true, Reason: "the token has expired"}
	}
	return Verdict{Outcome: Used, Sent: true, Reason: "the API says that the token is not valid"}
}

// post sends JSON to the API and returns what it answers. Its errors hold
// neither key nor token.
func (g *Ignisign) post(ctx context.Context, path, bearer string, content map[string]string) (int, []byte, error) {
	body, err := json.Marshal(content)
	if err != nil {
		return 0, nil, fmt.Errorf("encoding the call: %v", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.api.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("preparing the call: %v", err)
	}
	req.GetBody = nil // sent once, or not at all
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("calling the API: %w", err)
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, nil, fmt.Errorf("reading the API's answer: %w", err)
	}
	return resp.StatusCode, reply, nil
}

// ignisignKey is an API key, or the secret of the older kind with the JWT that
// it was exchanged for.
type ignisignKey struct {
	secret string

	mu     sync.Mutex
	bearer string
}

var errKeyRefused = errors.New("the API does not accept the secret")

// get returns what to authorize with, exchanging the secret if need be. fresh
// says that it will not get better by asking again.
func (k *ignisignKey) get(ctx context.Context, g *Ignisign) (bearer string, fresh bool, err error) {
	k.mu.Lock()
	bearer = k.bearer
	k.mu.Unlock()
	if bearer != "" {
		return bearer, k.secret == "", nil
	}
	status, reply, err := g.post(ctx, "/v4/auth/app-api", "",
		map[string]string{"appId": g.appID, "appEnv": g.appEnv, "secret": k.secret})
	if err != nil {
		return "", true, err
	}
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return "", true, errKeyRefused
	}
	var answer struct {
		Token string `json:"jwtToken"`
	}
	if json.Unmarshal(reply, &answer) != nil || answer.Token == "" || strings.ContainsAny(answer.Token, "\r\n") {
		return "", true, fmt.Errorf("the API answered %d without a jwtToken", status)
	}
	k.mu.Lock()
	k.bearer = answer.Token
	k.mu.Unlock()
	return answer.Token, true, nil
}

// forget drops a JWT that the API no longer accepts.
func (k *ignisignKey) forget(bearer string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.secret != "" && k.bearer == bearer {
		k.bearer = ""
	}
}

// UnmarshalCaddyfile reads the provider and its block. Syntax:
//
//	ignisign [<secret>...] {
//		app_id  <id>
//		app_env DEVELOPMENT|TEST|PRODUCTION
//		api_key <key>...
//		secret  <secret>...    # instead of api_key, for keys of the older kind
//		api_url <url>
//		token   header|query <name> <secret>...
//		token   path <secret>...
//	}
func (g *Ignisign) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // ignisign
	g.Secrets = d.RemainingArgs()
	options := g.options()
	options["app_id"] = syntax.String(&g.AppID)
	options["app_env"] = syntax.String(&g.AppEnv)
	options["api_key"] = syntax.Strings(&g.APIKeys)
	options["api_url"] = readURL(&g.APIURL)
	if err := syntax.Block(d, options); err != nil {
		return err
	}
	return syntax.At(d, g.check())
}

// Interface guards
var (
	_ Checker               = (*Ignisign)(nil)
	_ caddy.Provisioner     = (*Ignisign)(nil)
	_ caddy.CleanerUpper    = (*Ignisign)(nil)
	_ caddyfile.Unmarshaler = (*Ignisign)(nil)
)

// describeIgnisign describes the provider that no data can say all of.
func describeIgnisign() Description {
	return Description{
		Name: "ignisign", Title: "Ignisign", Category: "e-signature",
		Proofs:  []string{"token in the body, which a call to Ignisign's API checks and uses up"},
		Event:   `body.topic + "." + body.action`,
		ID:      "body.verificationToken",
		Methods: []string{"POST"}, Answer: "200", Retries: "unknown",
		Options: []Option{
			{Name: "app_id", Help: "The ID of the application.", Required: true},
			{Name: "app_env", Help: "The environment of the application.", Required: true},
			{Name: "api_key", Help: "The API keys, any of which may be right.", Required: true},
			{Name: "api_url", Help: "The address of Ignisign's API.", Default: "https://api.ignisign.io"},
		},
		Notes:      "While the API cannot be asked, events are held, and delivered once it has vouched for them.",
		Source:     "https://docs.ignisign.io",
		Confidence: "code",
	}
}
