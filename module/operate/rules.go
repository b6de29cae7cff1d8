package operate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
)

// Explanation says which routes of a source would take a request.
type Explanation struct {
	Source string                 `json:"source"`
	Type   string                 `json:"event"`
	ID     string                 `json:"id"`
	Routes []module.RouteDecision `json:"routes"`

	// Parts are the events of a request whose elements are events, in place of those three.
	Parts []module.PartEvaluation `json:"parts,omitempty"`
	// Whole says why they are none, though they are to be.
	Whole string `json:"whole,omitempty"`
}

// parts returns all events of the request.
func (x *Explanation) parts() []module.PartEvaluation {
	if x.Parts != nil {
		return x.Parts
	}
	return []module.PartEvaluation{{EventType: x.Type, ID: x.ID, Routes: x.Routes}}
}

// Rules tells which routes of a source would take a raw request, whose proof is
// not looked at.
func (s *Service) Rules(source string, raw []byte) (*Explanation, error) {
	h, err := s.source(source)
	if err != nil {
		return nil, err
	}
	request, body, err := parseRaw(raw)
	if err != nil {
		return nil, InvalidError{err}
	}
	x := explain(h, request, body)
	x.Type, x.ID = s.app.Mask(x.Type), s.app.Mask(x.ID)
	s.maskDecisions(x.Routes)
	for i := range x.Parts {
		p := &x.Parts[i]
		p.EventType, p.ID = s.app.Mask(p.EventType), s.app.Mask(p.ID)
		s.maskDecisions(p.Routes)
	}
	return x, nil
}

func (s *Service) maskDecisions(list []module.RouteDecision) {
	for i := range list {
		d := &list[i]
		for _, text := range append(d.Texts(), &d.Rule, &d.Error, &d.Why) {
			*text = s.app.Mask(*text)
		}
	}
}

// explain asks the rules of a source about a request as it comes from the
// provider. Its proof is not looked at.
func explain(h *module.Handler, r *http.Request, body []byte) *Explanation {
	e := h.Evaluate(r, body, module.EvaluateOptions{At: time.Now(), Genuine: true})
	return &Explanation{Source: h.Source, Type: e.EventType, ID: e.ID, Routes: e.Routes, Parts: e.Parts, Whole: e.Whole}
}

func askRules(s *Service, r *http.Request) (any, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxRawRequest))
	if err != nil {
		return nil, err
	}
	return s.Rules(r.PathValue("source"), raw)
}

func (c *client) rules(source string, raw []byte) (x *Explanation, err error) {
	err = c.post(http.MethodPost, sourcePath(source, "rules"), nil, bytes.NewReader(raw), &x)
	return x, err
}

func rulesCommand() *cobra.Command {
	var source string
	cmd := remoteCommand("rules --source <name> <request file>", "Says which routes would take a request, and why",
		`Says which routes of a source would take a request, and shows the event type and
the delivery ID that the gateway finds in it. Of a rule that does not hold it says
what the rule saw, or why the rule failed. Of a route that takes it, it shows the
body that rewrite_body makes, and the values of placeholders such as
{webhook.body.id}. The signature is not checked.

The request file holds the raw request as the provider sends it: the request
line, the headers, an empty line, and the body to its last byte. - stands for
the standard input. The rules are those of the running gateway or, with
--config, those of a file. With --config nothing is started, no queue is opened,
and no secret needs to be there.

  caddy webhook rules --source stripe request.txt
  caddy webhook rules --config Caddyfile --source stripe request.txt

The exit status is 1 if no route takes the request.`, 1, 1,
		func(c *client, r *remote, args []string) error {
			if source == "" {
				return usageError{errors.New("name the source: --source <name>")}
			}
			raw, err := openRaw(args[0], r.InOrStdin())
			if err != nil {
				return usageError{err}
			}
			x, err := explainFor(c, r, source, raw)
			if err != nil {
				return err
			}
			if r.json {
				err = r.printJSON(x)
			} else {
				err = printExplanation(r.OutOrStdout(), x)
			}
			if err == nil {
				err = unrouted(x)
			}
			return err
		})
	cmd.Flags().StringVar(&source, "source", "", "The `name` of the source")
	cmd.Flags().Lookup("config").Usage = "A configuration `file` whose rules are asked, instead of the running gateway's"
	return cmd
}

// unrouted is an error if no route takes an event of the request.
func unrouted(x *Explanation) error {
	for i, p := range x.parts() {
		switch {
		case len(p.Routes) == 0 || slices.ContainsFunc(p.Routes, func(a module.RouteDecision) bool { return a.Takes == "yes" }):
		case x.Parts != nil:
			return fmt.Errorf("no route takes part %d; it would be stored as unrouted", i+1)
		default:
			return errors.New("no route takes it; it would be stored as unrouted")
		}
	}
	return nil
}

// explainFor asks the configuration that is named, or the running gateway.
func explainFor(c *client, r *remote, source string, raw []byte) (x *Explanation, err error) {
	request, body, err := parseRaw(raw)
	if err != nil {
		return nil, usageError{err}
	}
	if r.config == "" {
		return c.rules(source, raw)
	}
	h, err := module.ReadRules(r.config, r.adapter, source)
	if err != nil {
		return nil, usageError{err}
	}
	return explain(h, request, body), nil
}

func printExplanation(w io.Writer, x *Explanation) error {
	if x.Whole != "" {
		fmt.Fprintf(w, "stored whole: %s\n", inLine(x.Whole))
	}
	for i, p := range x.parts() {
		if x.Parts != nil {
			fmt.Fprintf(w, "%spart   %d/%d\n", map[bool]string{true: "\n"}[i > 0], i+1, len(x.Parts))
		}
		if err := printDecisions(w, &p); err != nil {
			return err
		}
	}
	return nil
}

func printDecisions(w io.Writer, x *module.PartEvaluation) error {
	fmt.Fprintf(w, "event  %s\nid     %s\n\n", cmp.Or(inLine(x.EventType), "(none)"), inLine(x.ID))
	if len(x.Routes) == 0 {
		_, err := fmt.Fprintln(w, "The source has no routes: the next handler of the site gets the request.")
		return err
	}
	t := newTable(w, "ROUTE", "TAKES IT", "RULE")
	for _, a := range x.Routes {
		why := a.Rule
		switch {
		case a.Error != "":
			why += ": " + a.Error
		case a.Why != "":
			why += ": " + inLine(a.Why)
		case a.Route == module.Otherwise && a.Takes == "yes":
			why = "(no other route takes it)"
		case a.Route == module.Otherwise:
			why = "(another route takes it)"
		case why == "":
			why = "(takes all)"
		}
		if err := t.row(a.Route, a.Takes, why); err != nil {
			return err
		}
	}
	if err := t.end(); err != nil {
		return err
	}
	for _, a := range x.Routes {
		if a.Preview != nil {
			printPreview(w, a.Route, a.Preview)
		}
	}
	return nil
}

// printPreview prints what a route makes of a request.
func printPreview(w io.Writer, route string, p *module.Preview) {
	for _, value := range p.Placeholders {
		if value.Error != "" {
			fmt.Fprintf(w, "\n%s cannot use %s\n", route, inLine(value.Error))
		} else {
			fmt.Fprintf(w, "\n%s has %q for %s\n", route, value.Value, value.Name)
		}
	}
	switch {
	case p.Body == nil:
	case p.Body.Error != "":
		fmt.Fprintf(w, "\n%s gets nothing, and the delivery is a dead letter: %s\n", route, inLine(p.Body.Error))
	default:
		fmt.Fprintf(w, "\n%s gets this body as %s:\n%s\n", route, p.Body.ContentType, printable(p.Body.Text))
	}
}
