package module

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// EvaluateOptions says how Evaluate looks at a request.
type EvaluateOptions struct {
	// At is the time at which the request came.
	At time.Time

	// Public is the URL that the provider called. The default is what the request
	// says, with the scheme https.
	Public *url.URL

	// Calls allows Evaluate to fetch keys and to call the provider's API.
	Calls bool

	// Tenant is whose request it is, where the source has tenants. The default is the one
	// that the request names.
	Tenant string

	// Genuine has Evaluate take the request for a webhook with a right proof, and
	// find event type, delivery ID and routes only.
	Genuine bool
}

// The verdicts of an Evaluation.
const (
	Valid     = "valid"
	Invalid   = "invalid"
	Handshake = handshake
)

// Evaluation is what the gateway makes of a request, up to the point where it
// would look for a duplicate.
type Evaluation struct {
	Verdict   string             // Valid, Invalid or Handshake
	Why       string             // the reason why the request is invalid
	Status    int                // the status of the gateway's answer; 0 where nobody knows
	Reply     *provider.Reply    // the answer to a handshake
	Secret    int                // the position of the secret that matched, from 1; 0 for none
	Tenant    string             // that the request names, where the source has tenants
	Unproven  bool               // the request is valid because the provider proves nothing
	EventType string             // of a valid webhook
	ID        string             // the delivery ID of a valid webhook
	Routes    []RouteDecision    // the decisions on a valid webhook
	Parts     []PartEvaluation   // of a valid webhook whose elements are events, in place of those three
	Whole     string             // why the elements of a valid webhook are no events, though they are to be
	Diagnosis provider.Diagnosis // what was read, and what is likely to be wrong
}

// PartEvaluation is what the gateway makes of one of the events in a webhook.
type PartEvaluation struct {
	EventType string          `json:"event"`
	ID        string          `json:"id"`
	Routes    []RouteDecision `json:"routes,omitempty"`
}

// RouteDecision says whether a route takes a request.
type RouteDecision struct {
	Route    string `json:"route"`
	Takes    string `json:"takes"`           // yes, no, or failed
	Rule     string `json:"rule,omitempty"`  // a route without a rule takes all
	Error    string `json:"error,omitempty"` // of a rule that failed
	Why      string `json:"why,omitempty"`   // what a rule saw that does not hold
	*Preview        // of a route that takes the request; nil: the app gets the request as it is
}

// errOffline says that a proof cannot be checked without a call.
var errOffline = errors.New("this proof cannot be checked offline")

// Evaluate takes a request through the steps of ServeHTTP. It stores, counts,
// logs and delivers nothing, keeps no secret, and confirms no subscription. The
// client's address and connection are not looked at. Headers that the source's
// server would drop are dropped.
func (h *Handler) Evaluate(r *http.Request, content []byte, options EvaluateOptions) *Evaluation {
	r = r.Clone(r.Context())
	causes := h.dropHeaders(r.Header)
	e := h.evaluate(r, content, options)
	if e.Verdict == Invalid {
		e.Diagnosis.Causes = append(causes, e.Diagnosis.Causes...)
	}
	return e
}

func (h *Handler) evaluate(r *http.Request, content []byte, options EvaluateOptions) *Evaluation {
	hook, err := h.receiveAgain(r, content, options)
	if hook != nil {
		defer hook.free()
	}
	if err != nil {
		return h.invalid(hook, err)
	}
	if options.Genuine {
		return h.valid(hook)
	}
	reply, err := h.replyTo(hook)
	if reply != nil && err == nil {
		return &Evaluation{Verdict: Handshake, Status: reply.Status, Reply: reply}
	}
	if err == nil {
		err = h.prove(hook)
	}
	if err == nil && h.checker != nil {
		err = h.vouched(hook)
	}
	if err != nil {
		return h.invalid(hook, err)
	}
	diagnosis := h.diagnose(hook) // before valid cuts the token from the URL
	e := h.valid(hook)
	e.Diagnosis = diagnosis
	return e
}

// receiveAgain does what receive does, with a request whose body is read already. With
// a refusal of the provider it returns the webhook as well, to be diagnosed.
func (h *Handler) receiveAgain(r *http.Request, content []byte, options EvaluateOptions) (hook *webhook, err error) {
	if options.Genuine {
		hook = webhooks.Get().(*webhook)
		h.describe(hook, r, content, options.At)
		if hook.given = options.Tenant; h.tenants != nil {
			hook.tenant, _ = h.nameTenant(hook) // its secrets need not be known
		}
	} else {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(len(content))
		if hook, err = h.receive(nil, r, options.Tenant); err != nil && refusalOf(err).outcome != "unverified" {
			return nil, err
		}
	}
	if hook == nil {
		hook = webhooks.Get().(*webhook)
		h.describe(hook, r, content, options.At)
		hook.given = options.Tenant
		h.findTenant(hook)
	}
	hook.received, hook.offline = options.At, !options.Calls
	hook.proof.Public = publicURL(r)
	hook.proof.Public.Scheme = "https"
	hook.proof.Called(options.Public)
	return hook, err
}

// vouched has the provider's API check the proof.
func (h *Handler) vouched(hook *webhook) error {
	if hook.offline {
		return errOffline
	}
	ctx, cancel := context.WithTimeout(hook.Context(), keyDeadline)
	defer cancel()
	switch verdict := h.checker.Check(ctx, &hook.proof); verdict.Outcome {
	case provider.Genuine:
		hook.proof.Matched = verdict.Matched
		return nil
	case provider.Undecided:
		return errors.New(verdict.Reason)
	default:
		return &refusal{refusedByCall.status, refusedByCall.outcome, verdict.Reason}
	}
}

// valid evaluates a webhook whose proof is right.
func (h *Handler) valid(hook *webhook) *Evaluation {
	e := &Evaluation{Verdict: Valid, Status: h.Respond.Status, Secret: hook.proof.Matched, Tenant: hook.tenant, Unproven: !h.provider.Proves()}
	h.strip(hook)
	if h.Each != nil {
		b, whole, err := h.cut(hook)
		switch {
		case b != nil:
			e.Parts = h.evaluateParts(hook, b)
			return e
		case whole != nil:
			e.Whole = whole.Error()
		default:
			return h.invalid(hook, err)
		}
	}
	h.find(hook)
	e.EventType, e.ID = hook.input.Event, hook.input.ID
	e.Routes = h.decisions(hook.view, &hook.input)
	return e
}

func (h *Handler) evaluateParts(hook *webhook, b *batch) []PartEvaluation {
	parts, purse := make([]PartEvaluation, len(b.parts)), rules.NewPurse(len(b.parts))
	for i := range b.parts {
		view, input := h.viewOfPart(hook, &b.parts[i], purse)
		parts[i] = PartEvaluation{input.Event, input.ID, h.decisions(view, input)}
		view.Free()
	}
	return parts
}

// decisions says of each route whether it takes an event.
func (h *Handler) decisions(view *rules.View, input *rules.Input) []RouteDecision {
	decisions := make([]RouteDecision, len(h.Routes))
	failures := make(map[*Route]error)
	taken := h.match(view, func(r *Route, err error) { failures[r] = err })
	for i, r := range h.Routes {
		d := RouteDecision{Route: r.Name, Rule: r.Rule, Takes: "no"}
		if err := failures[r]; err != nil {
			d.Takes, d.Error = "failed", err.Error()
		} else if slices.Contains(taken, r.Name) {
			d.Takes, d.Preview = "yes", r.preview(input)
		} else if r.rule != nil {
			d.Why = r.rule.Why(input)
		}
		decisions[i] = d
	}
	return decisions
}

// invalid evaluates a request that would be refused. There is no webhook where
// its body was refused already.
func (h *Handler) invalid(hook *webhook, err error) *Evaluation {
	e := &Evaluation{Verdict: Invalid, Why: err.Error()}
	if errors.Is(err, errOffline) {
		e.Diagnosis.Causes = []string{h.offlineHelp()}
		return e
	}
	answer := refusalOf(err)
	e.Status = h.statusOf(answer)
	if hook != nil && h.tenants != nil {
		e.Tenant = hook.tenant
	}
	switch {
	case errors.As(err, new(*refusal)):
		e.Why = answer.detail
	case errors.As(err, new(provider.Denial)):
		e.Diagnosis.Causes = []string{"it is a handshake, and something that it must say is missing or different: look at what is configured for it, such as verify_token"}
	case answer.outcome == "unverified":
		e.Diagnosis = h.diagnose(hook)
		if p, ok := h.provider.(provider.Enroller); ok && p.Enrolls() && h.profile.Secrets+h.enrollment.count() == 0 {
			e.Diagnosis.Causes = []string{"the provider delivers its secret by a handshake, and none is known here: see caddy webhook enroll, or give it with --provider and --secret"}
		}
	}
	return e
}

// diagnose asks the provider what it read in a request, if it can tell.
func (h *Handler) diagnose(hook *webhook) provider.Diagnosis {
	if d, ok := hook.provider.(provider.Diagnoser); ok {
		return *d.Diagnose(&hook.proof, hook.received)
	}
	return provider.Diagnosis{}
}

// offlineHelp says which option allows a proof to be checked.
func (h *Handler) offlineHelp() string {
	if h.checker != nil {
		return "only the provider's API knows, and uses the proof up; to have it asked, name it: api_url <url> (--option api_url=<url>)"
	}
	return "its key is the provider's; give the key (public_key or certificate), or have it fetched: keys_url or api_url (as --option <name>=<value>, as far as the provider takes it)"
}
