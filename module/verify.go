package module

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// Verification says what the gateway makes of a request, up to the point where
// it would look for a duplicate.
type Verification struct {
	Verdict   string            `json:"verdict"`              // valid, invalid or handshake
	Why       string            `json:"why,omitempty"`        // it is invalid
	Status    int               `json:"status,omitempty"`     // of the gateway's answer, as far as it is known
	Header    map[string]string `json:"header,omitempty"`     // of the answer to a handshake
	Body      string            `json:"body,omitempty"`       // the same
	Secret    int               `json:"secret,omitempty"`     // the position of the one that matched, from 1
	EventType string            `json:"event_type,omitempty"` // of a valid webhook
	ID        string            `json:"id,omitempty"`         // the same
	Unproven  bool              `json:"unproven,omitempty"`   // it is valid because the provider proves nothing

	provider.Diagnosis
}

// proofCheck is what a request is checked by.
type proofCheck struct {
	*Handler
	public   *url.URL // that the provider called; nil: what the request says
	at       time.Time
	callable bool // the provider's API may be called

	delivered int // secrets that handshakes delivered
}

// check does what the gateway does with a request.
func (c *proofCheck) check(r *http.Request, body []byte) *Verification {
	hook := new(webhook)
	c.describe(hook, r, body, c.at)
	hook.proof.Public = publicURL(r)
	hook.proof.Public.Scheme = "https"
	hook.proof.Called(c.public)
	defer func() {
		if hook.view != nil {
			hook.view.Free()
		}
	}()
	reply, err := c.greeted(hook)
	switch {
	case err != nil:
		return c.refused(hook, err)
	case reply != nil:
		return handshakeAnswer(reply)
	case !c.profile.Sends(r.Method):
		return c.refused(hook, refusedMethod)
	case int64(len(body)) > c.maxBody():
		return c.refused(hook, refusedSize)
	}
	if err := c.proven(hook); err != nil {
		return c.refused(hook, err)
	}
	return c.genuine(hook)
}

// maxBody is the largest body that the source accepts.
func (c *proofCheck) maxBody() int64 {
	if c.MaxBody > 0 {
		return c.MaxBody
	}
	return c.profile.MaxBody
}

func (c *proofCheck) greeted(hook *webhook) (reply *provider.Reply, err error) {
	if c.handshaker == nil {
		return nil, nil
	}
	err = c.withKey(hook, func() error {
		reply, err = c.handshaker.Handshake(&hook.proof, c.at)
		return err
	})
	return reply, err
}

// proven returns nil if the request is genuine.
func (c *proofCheck) proven(hook *webhook) error {
	err := c.withKey(hook, func() error { return c.provider.Verify(&hook.proof, c.at) })
	if err != nil || c.checker == nil {
		return err
	}
	if !c.callable {
		return errOffline
	}
	ctx, cancel := context.WithTimeout(context.Background(), keyDeadline)
	defer cancel()
	verdict := c.checker.Check(ctx, &hook.proof)
	if verdict.Outcome != provider.Genuine {
		return errors.New(verdict.Reason)
	}
	hook.proof.Matched = verdict.Matched
	return nil
}

// errOffline says that a proof cannot be checked without a call.
var errOffline = errors.New("this proof cannot be checked offline")

// offlineHelp says what would have a proof checked.
func (c *proofCheck) offlineHelp() string {
	if c.checker != nil {
		return "only the provider's API knows, and uses the proof up; to have it asked, name it: api_url <url> (--option api_url=<url>)"
	}
	return "its key is the provider's; give the key (public_key or certificate), or have it fetched: keys_url or api_url (as --option <name>=<value>, as far as the provider takes it)"
}

// withKey does something again once the key that it lacked is fetched.
func (c *proofCheck) withKey(hook *webhook, do func() error) error {
	err := do()
	if err != provider.NoKey {
		return err
	}
	if !c.callable {
		return errOffline
	}
	ctx, cancel := context.WithTimeout(context.Background(), keyDeadline)
	defer cancel()
	if err := c.provider.(provider.Fetcher).Fetch(ctx, &hook.proof); err != nil {
		return err
	}
	return do()
}

func handshakeAnswer(reply *provider.Reply) *Verification {
	x := &Verification{Verdict: handshake, Status: reply.Status, Body: reply.Body, Header: make(map[string]string)}
	for name, values := range reply.Header {
		x.Header[name] = strings.Join(values, ", ")
	}
	return x
}

func (c *proofCheck) genuine(hook *webhook) *Verification {
	x := &Verification{Verdict: "valid", Status: c.profile.Answer.Status, Secret: hook.proof.Matched, Unproven: !c.provider.Proves()}
	if d, ok := c.provider.(provider.Diagnoser); ok {
		x.Diagnosis = *d.Diagnose(&hook.proof, c.at)
	}
	c.provider.Strip(&hook.proof)
	c.identify(hook)
	x.EventType, x.ID = hook.input.Event, hook.input.ID
	return x
}

// refused says why a request would be refused.
func (c *proofCheck) refused(hook *webhook, err error) *Verification {
	answer := refusalOf(err)
	if err == errOffline {
		x := &Verification{Verdict: "invalid", Why: err.Error()}
		x.Causes = []string{c.offlineHelp()}
		return x
	}
	x := &Verification{Verdict: "invalid", Why: err.Error(), Status: answer.status}
	if answer.status == http.StatusUnauthorized {
		x.Status = c.profile.Answer.Refused
	}
	if refusal := new(refusal); errors.As(err, &refusal) {
		x.Why = refusal.detail
		return x
	}
	if errors.As(err, new(provider.Denial)) {
		x.Causes = []string{"it is a handshake, and something that it must say is missing or different: look at what is configured for it, such as verify_token"}
		return x
	}
	d, ok := c.provider.(provider.Diagnoser)
	if !ok || answer.outcome != "unverified" {
		return x
	}
	x.Diagnosis = *d.Diagnose(&hook.proof, c.at)
	if e, ok := c.provider.(provider.Enroller); ok && e.Enrolls() && c.profile.Secrets+c.delivered == 0 {
		x.Causes = []string{"the provider delivers its secret by a handshake, and none is known here: see caddy webhook enroll, or give it with --provider and --secret"}
	}
	return x
}

// greetUnknown answers a handshake for which no secret is needed, of a provider
// that has none here; nil if it is none. It is told by two providers with
// different secrets that say the same.
func greetUnknown(make func(secret string) (*proofCheck, error), r *http.Request, body []byte) *Verification {
	var answers [2]*Verification
	for i, digit := range []string{"0", "1"} {
		c, err := make(strings.Repeat(digit, len(anySecret)))
		if err != nil {
			return nil
		}
		answers[i] = c.check(r, body)
	}
	greeted := answers[0].Verdict == handshake || answers[0].Status != http.StatusUnauthorized && answers[0].Verdict == "invalid"
	if !greeted || !reflect.DeepEqual(answers[0], answers[1]) {
		return nil
	}
	return answers[0]
}

// callsAPI reports whether a provider's configuration names an API to call.
func callsAPI(raw json.RawMessage) bool {
	var tree any
	if json.Unmarshal(raw, &tree) != nil {
		return false
	}
	var names func(node any) bool
	names = func(node any) bool {
		fields, _ := node.(map[string]any)
		if fields["api_url"] != nil || fields["keys_url"] != nil {
			return true
		}
		for child := range maps.Values(fields) {
			if names(child) {
				return true
			}
		}
		return false
	}
	return names(tree)
}
