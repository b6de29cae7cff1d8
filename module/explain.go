package module

import (
	"net/http"
	"time"
)

// Explanation says which routes of a source would take a request.
type Explanation struct {
	Source string        `json:"source"`
	Type   string        `json:"event"`
	ID     string        `json:"id"`
	Routes []RouteAnswer `json:"routes"`
}

// RouteAnswer says whether a route would take a request.
type RouteAnswer struct {
	Route string `json:"route"`
	Takes string `json:"takes"`          // yes, no, or failed
	Rule  string `json:"rule,omitempty"` // none takes all
	Error string `json:"error,omitempty"`
}

// explain asks the rules about a request as it comes from the provider. Its
// proof is not looked at.
func (h *Handler) explain(r *http.Request, body []byte) *Explanation {
	hook := new(webhook)
	h.describe(hook, r, body, time.Now())
	h.provider.Strip(&hook.proof)
	h.identify(hook)
	defer hook.view.Free()

	x := &Explanation{Source: h.Source, Type: hook.input.Event, ID: hook.input.ID, Routes: []RouteAnswer{}}
	taken := false
	for _, route := range h.Routes {
		answer := RouteAnswer{Route: route.Name, Rule: route.Rule, Takes: "yes"}
		if route.rule != nil {
			holds, err := route.rule.Match(hook.view)
			if err != nil {
				answer.Takes, answer.Error = "failed", err.Error()
			} else if !holds {
				answer.Takes = "no"
			}
		}
		taken = taken || route.Name != otherwise && answer.Takes == "yes"
		x.Routes = append(x.Routes, answer)
	}
	for i := range x.Routes {
		if x.Routes[i].Route == otherwise && taken {
			x.Routes[i].Takes = "no"
		}
	}
	return x
}
