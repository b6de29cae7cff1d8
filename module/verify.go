package module

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"strings"

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

// newVerification returns what the command says of an evaluation.
func newVerification(e *Evaluation) *Verification {
	x := &Verification{Verdict: e.Verdict, Why: e.Why, Status: e.Status, Secret: e.Secret, Unproven: e.Unproven,
		EventType: e.EventType, ID: e.ID, Diagnosis: e.Diagnosis}
	if e.Reply != nil {
		x.Body, x.Header = e.Reply.Body, make(map[string]string)
		for name, values := range e.Reply.Header {
			x.Header[name] = strings.Join(values, ", ")
		}
	}
	return x
}

// greetUnknown answers a handshake for which no secret is needed, of a provider
// that has none here; nil if it is none. It is told by two providers with
// different secrets that say the same.
func greetUnknown(evaluate func(secret string) (*Evaluation, error)) *Evaluation {
	var answers [2]*Evaluation
	for i, digit := range []string{"0", "1"} {
		var err error
		if answers[i], err = evaluate(strings.Repeat(digit, len(anySecret))); err != nil {
			return nil
		}
	}
	greeted := answers[0].Verdict == Handshake || answers[0].Status != http.StatusUnauthorized && answers[0].Verdict == Invalid
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
