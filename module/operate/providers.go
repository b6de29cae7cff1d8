package operate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

func providersCommand() *cobra.Command {
	asJSON := false
	cmd := newCommand("providers [<name>]", "Lists the presets, or describes one",
		`Lists the providers that have a preset. With a name, it describes one preset:
what proves a webhook, what tells copies, the options and handshakes, and the
sources of these facts. No gateway needs to run.

  caddy webhook providers
  caddy webhook providers stripe
  caddy webhook providers stripe --json`, 0, 1,
		func(cmd *cobra.Command, args []string) error {
			return printProviders(cmd.OutOrStdout(), args, asJSON)
		})
	jsonFlag(cmd, &asJSON)
	return cmd
}

func printProviders(w io.Writer, names []string, asJSON bool) error {
	all := provider.Descriptions()
	if len(names) == 0 {
		if asJSON {
			return json.NewEncoder(w).Encode(all)
		}
		return printProviderTable(w, all)
	}
	i := slices.IndexFunc(all, func(d provider.Description) bool { return d.Name == names[0] })
	if i < 0 {
		return fmt.Errorf("no provider %q%s", names[0], alike(names[0], all))
	}
	if asJSON {
		return json.NewEncoder(w).Encode(all[i])
	}
	return printProvider(w, &all[i])
}

// byOption matches what an option of the preset says.
var byOption = regexp.MustCompile(`(?i)\{option\.[a-z_]+\}`)

// alike suggests names that a misspelt one may mean.
func alike(name string, all []provider.Description) string {
	var found []string
	for _, d := range all {
		title := strings.ToLower(d.Title)
		if strings.Contains(d.Name, name) || strings.Contains(name, d.Name) || strings.Contains(title, strings.ToLower(name)) {
			found = append(found, d.Name)
		}
	}
	if found == nil {
		return ""
	}
	return "; there is " + strings.Join(found, ", ")
}

func printProviderTable(w io.Writer, all []provider.Description) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tTITLE\tCATEGORY\tPROOF\tHANDSHAKES\tFACTS")
	for _, d := range all {
		proof := "none"
		if len(d.Proofs) > 0 {
			proof, _, _ = strings.Cut(d.Proofs[0], " (")
			proof, _, _ = strings.Cut(proof, ", ")
			proof = byOption.ReplaceAllString(proof, "…")
		}
		if more := len(d.Proofs) - 1; more > 0 {
			proof += fmt.Sprintf(" +%d", more)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\n", d.Name, d.Title, d.Category, proof, len(d.Handshakes), d.Confidence)
	}
	return t.Flush()
}

// printProvider prints what is known of a provider, one fact a line.
func printProvider(w io.Writer, d *provider.Description) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range facts(d) {
		fmt.Fprintf(t, "%s\t%s\n", line[0], line[1])
	}
	return t.Flush()
}

// facts are what is known of a provider: names and texts.
func facts(d *provider.Description) (lines [][2]string) {
	add := func(name string, texts ...string) {
		for i, text := range texts {
			if i > 0 {
				name = ""
			}
			if text != "" {
				lines = append(lines, [2]string{name, text})
			}
		}
	}
	add("provider", d.Title+" ("+d.Category+")")
	if len(d.Proofs) == 0 {
		add("proof", "none: guard the source with allow_ips or with a token line")
	}
	add("proof", d.Proofs...)
	if d.Need != "" {
		add("need", map[string]string{"all": "all of them", "first": "the first one that a request offers", "any": "any of them"}[d.Need])
	}
	add("tolerance", d.Tolerance)
	add("event type", cmp.Or(strings.TrimPrefix(d.Event, "nil"), noEvent))
	add("delivery ID", cmp.Or(d.ID, noID))
	if d.Each != nil {
		add("each", fmt.Sprintf("%s; the event type of an element: %s; its ID: %s", d.Each.List, d.Each.Event, cmp.Or(d.Each.ID, "none; a hash stands in")))
	}
	add("copies", copiesOf(d)...)
	add("methods", strings.Join(d.Methods, ", "))
	add("answer", d.Answer)
	add("retries", d.Retries)
	add("sign provider", signsAgain(d))
	add("handshake", d.Handshakes...)
	add("addresses", d.Ranges...)
	for _, o := range d.Options {
		text := o.Help
		if o.Choices != nil {
			text += " One of " + strings.Join(o.Choices, ", ") + "."
		}
		switch {
		case o.Required:
			text += " Required."
		case o.Default != "":
			text += " Default: " + o.Default + "."
		}
		add("option "+o.Name, text)
	}
	add("notes", d.Notes)
	add("facts from", d.Source+" ("+d.Confidence+")")
	return lines
}

// What is said where a provider gives no event type or no delivery ID.
const (
	noEvent = "none"
	noID    = "none; a hash of the webhook stands in"
)

// signsAgain says whether the line sign provider is possible.
func signsAgain(d *provider.Description) string {
	if d.Unsignable == "" {
		return "possible"
	}
	return "not possible, since " + d.Unsignable
}

// copiesOf says what tells copies of an event, whether that is signed, and why it is so.
func copiesOf(d *provider.Description) []string {
	id := "the same delivery ID (" + signed(d, func(c *provider.Coverage) string { return c.ID }) + ")"
	body := "body (" + signed(d, func(c *provider.Coverage) string { return c.Body }) + ")"
	hash := "the same path, query and " + body
	text := map[string]string{
		provider.ByID:        "have " + id,
		provider.ByIDAndBody: "have " + id + " and the same " + body,
		provider.ByBody:      "have " + hash,
		provider.ByNothing:   "cannot be told: every webhook is an event",
	}[d.Copies.By]
	if d.Copies.By == provider.ByID || d.Copies.By == provider.ByIDAndBody {
		text += map[string]string{
			provider.ByBody:    "; without an ID, " + hash,
			provider.ByNothing: "; without an ID, every webhook is an event",
		}[d.Copies.WithoutID]
	}
	lines := []string{text, d.Copies.Why}
	if d.Copies.Volatile != nil {
		lines = append(lines, "not compared, because it may change with each try: "+strings.Join(d.Copies.Volatile, ", "))
	}
	return lines
}

// signed says whether proofs cover something. Those that count only where that is asked
// for are left out.
func signed(d *provider.Description, part func(c *provider.Coverage) string) string {
	words := map[string]string{
		provider.CoveredWhole: "signed", provider.CoveredListed: "signed where listed",
		provider.CoveredPart: "signed in part", provider.CoveredOption: "signed as configured",
	}
	var proofs, others, found []string
	for i := range d.Covers {
		c := &d.Covers[i]
		if c.Legacy {
			continue
		}
		name := byOption.ReplaceAllString(c.Proof, "…")
		if found = append(found, part(c)); part(c) == provider.CoveredWhole {
			proofs = append(proofs, name)
		} else {
			others = append(others, name)
		}
	}
	// A name says nothing where another proof of that name does not cover it.
	proofs = slices.DeleteFunc(proofs, func(name string) bool { return slices.Contains(others, name) })
	switch slices.Sort(found); {
	case len(found) == 0 || words[found[0]] == "" && len(proofs) == 0:
		return "not signed"
	case len(slices.Compact(found)) > 1 && len(proofs) > 0:
		return "signed by " + strings.Join(slices.Compact(proofs), " or ") + " only"
	}
	return words[found[0]]
}
