package scheme

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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/httpclient"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Ignisign is the scheme of that name: a token in the body, which a call to
// Ignisign's API checks and consumes. The token can be checked once, and covers
// nothing of the content. The secrets are those of an application with keys of the
// older kind. Source: ignisign/ignisign-node, and https://docs.ignisign.io.
type Ignisign struct {
	// The ID of the application whose events are accepted.
	AppID string `json:"app_id,omitempty"`

	// The environment of the application: DEVELOPMENT, TEST or PRODUCTION.
	AppEnv string `json:"app_env,omitempty"`

	// The API keys to call Ignisign with. If the API does not accept one, the next one
	// is tried. Placeholders are resolved when the configuration loads.
	APIKeys []string `json:"api_keys,omitempty"`

	keys   []ignisignKey
	api    *url.URL
	client *http.Client
}

// Read implements Scheme. Syntax:
//
//	ignisign {
//		app_id  <id>
//		app_env DEVELOPMENT|TEST|PRODUCTION
//		api_key <key>...
//		secret  <secret>... # instead of api_key, for keys of the older kind
//		api_url <url>
//	}
func (g *Ignisign) Read(d *caddyfile.Dispenser, options syntax.Options) error {
	return readBlock(d, options, syntax.Options{
		"app_id":  syntax.String(&g.AppID),
		"app_env": syntax.String(&g.AppEnv),
		"api_key": syntax.Strings(&g.APIKeys),
	})
}

// Compile implements Scheme.
func (g *Ignisign) Compile() error { return nil }

// Provision implements Scheme.
func (g *Ignisign) Provision(c *Credentials) (err error) {
	if g.AppID == "" || g.AppEnv == "" {
		return errors.New("ignisign needs app_id and app_env, and both must have a value")
	}
	apiKeys, err := Resolve("api_key", NonEmpty(g.APIKeys))
	if err != nil {
		return err
	}
	g.keys = nil
	for _, key := range apiKeys {
		g.keys = append(g.keys, ignisignKey{bearer: key})
	}
	for _, secret := range c.Secrets {
		g.keys = append(g.keys, ignisignKey{secret: secret})
	}
	if len(g.keys) == 0 {
		return errors.New("ignisign needs a line: api_key <key>, or secret <secret> for keys of the older kind")
	}
	if g.api, err = ParseURL(cmp.Or(c.APIURL, "https://api.ignisign.io")); err != nil {
		return fmt.Errorf("api_url: %v", err)
	}
	g.client = &http.Client{
		// A redirect would carry the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

// Traits implements Scheme.
func (g *Ignisign) Traits() Traits {
	return Traits{UsesSecret: true, UsesKeys: true, Keys: len(g.keys), Unsignable: "Ignisign's tokens can be used once"}
}

// Headers implements Scheme.
func (g *Ignisign) Headers() []string { return nil }

// Screen implements Scheme: the token stands in the body.
func (g *Ignisign) Screen(*template.Request, time.Time) error { return nil }

// Holds implements Scheme.
func (g *Ignisign) Holds(*template.Request) bool { return false }

// Describe implements Scheme.
func (g *Ignisign) Describe() string {
	return "token in the body, which a call to Ignisign's API checks and uses up"
}

// Observe implements Scheme.
func (g *Ignisign) Observe(*template.Request, *Reading) {}

// ignisignNames are what every webhook of Ignisign has: texts, and the token last.
var ignisignNames = [...]string{"appId", "appEnv", "topic", "action", "msgNature", "verificationToken"}

// read returns the texts of a webhook, in the order of ignisignNames.
func (g *Ignisign) read(r *template.Request) (texts [len(ignisignNames)]string, err error) {
	e := template.NewEnv(r, nil)
	defer e.Free()
	root, err := e.Root()
	if err != nil || root.Kind() != payload.Object && root.Kind() != payload.Null {
		return texts, Malformed
	}
	for i, name := range ignisignNames {
		value, err := root.Only(name)
		if err != nil {
			return texts, Malformed
		}
		if value.Kind() == payload.String {
			texts[i] = template.ShortText(value)
		}
	}
	return texts, nil
}

// Verify implements Scheme: it checks everything but the token, which needs a call.
func (g *Ignisign) Verify(r *template.Request, _ time.Time) error {
	r.Matched = 0 // Check will tell
	texts, err := g.read(r)
	if err != nil {
		return err
	}
	appID, appEnv, token := texts[0], texts[1], texts[5]
	switch {
	case token == "":
		return Missing
	case slices.Contains(texts[:], ""):
		return Malformed
	case appID != g.AppID || appEnv != g.AppEnv:
		return Foreign
	}
	return nil
}

// Sign implements Scheme. Ignisign's tokens cannot be made, so a sample is accepted
// only where api_url points to a stand-in.
func (g *Ignisign) Sign(*template.Request, time.Time) error { return nil }

// Check implements Checker: it asks the API about the token, and consumes it.
func (g *Ignisign) Check(ctx context.Context, r *template.Request) Verdict {
	texts, err := g.read(r)
	if err != nil {
		return Verdict{Outcome: Forged, Reason: err.Error()}
	}
	var verdict Verdict
	for i := range g.keys {
		var refused bool
		verdict, refused = g.ask(ctx, &g.keys[i], texts[5])
		if !refused {
			verdict.Matched = i + 1
			return verdict
		}
	}
	return verdict
}

// ask makes the call with one key. refused reports that the API did not accept the
// key.
func (g *Ignisign) ask(ctx context.Context, key *ignisignKey, token string) (v Verdict, refused bool) {
	bearer, fresh, err := key.get(ctx, g)
	var busy *overloaded
	if errors.As(err, &busy) {
		return busy.verdict(false), false
	}
	if err != nil {
		return Verdict{Reason: err.Error()}, errors.Is(err, errKeyRefused)
	}
	var sent atomic.Bool // the transport may be at it when the call is cut short
	trace := &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}
	status, reply, err := g.post(httptrace.WithClientTrace(ctx, trace),
		"/v4/tokens/webhook-verification/checking-consumption", bearer,
		map[string]string{"token": token, "appId": g.AppID, "appEnv": g.AppEnv})
	switch {
	case errors.As(err, &busy):
		return busy.verdict(true), false
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

// readVerdict reads the API's answer. Only isValid: true with a status of success
// vouches for the event.
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

// overloaded is the error of a call that the API refused because there are too many.
type overloaded struct {
	status int
	pause  time.Duration
}

func (o *overloaded) Error() string {
	return fmt.Sprintf("the API answered %d: too many calls", o.status)
}

// verdict returns what the answer means. sent says that it answers the call that uses
// the token up: most likely that was refused unread, but nobody promises that.
func (o *overloaded) verdict(sent bool) Verdict {
	return Verdict{Sent: sent, Reason: o.Error(), Overloaded: true, RetryAfter: o.pause}
}

// post sends JSON to the API and returns the answer. Its errors hold neither key nor
// token.
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
	pause := httpclient.RetryAfter(resp.Header, time.Now())
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable && pause > 0 {
		return 0, nil, &overloaded{resp.StatusCode, pause}
	}
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

// get returns the bearer to authorize with. It exchanges the secret if need be.
// fresh reports that another try would give the same bearer.
func (k *ignisignKey) get(ctx context.Context, g *Ignisign) (bearer string, fresh bool, err error) {
	k.mu.Lock()
	bearer = k.bearer
	k.mu.Unlock()
	if bearer != "" {
		return bearer, k.secret == "", nil
	}
	status, reply, err := g.post(ctx, "/v4/auth/app-api", "",
		map[string]string{"appId": g.AppID, "appEnv": g.AppEnv, "secret": k.secret})
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
