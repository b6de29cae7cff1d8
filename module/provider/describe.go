package provider

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Description describes a provider for people.
type Description struct {
	Name      string   `json:"name"`
	Title     string   `json:"title"`
	Category  string   `json:"category"`
	Proofs    []string `json:"proofs"` // one sentence each
	Need      string   `json:"need,omitempty"`
	Tolerance string   `json:"tolerance,omitempty"`
	Event     string   `json:"event,omitempty"`
	ID        string   `json:"id,omitempty"`

	// Each describes the list in a webhook that carries several events.
	Each *Each `json:"each,omitempty"`

	// Copies says what tells copies of an event, and Covers what each proof covers.
	Copies Copies     `json:"copies"`
	Covers []Coverage `json:"covers,omitempty"`

	Methods    []string `json:"methods"`
	Answer     string   `json:"answer"`
	Retries    string   `json:"retries"`
	Handshakes []string `json:"handshakes,omitempty"` // one sentence each
	Ranges     []string `json:"ranges,omitempty"`
	Options    []Option `json:"options,omitempty"`

	// Unsignable says why sign provider is not possible; "" where it is.
	Unsignable string `json:"unsignable,omitempty"`

	Notes      string `json:"notes,omitempty"`
	Source     string `json:"source"`
	Confidence string `json:"confidence"`
}

// Descriptions returns the descriptions of all presets, by name.
func Descriptions() []Description {
	var all []Description
	for _, p := range presets {
		all = append(all, p.describe())
	}
	slices.SortFunc(all, func(a, b Description) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (p *Preset) describe() Description {
	profile := p.newProfile()
	d := Description{
		Name: p.Name, Title: p.Title, Category: p.Category,
		Proofs: []string{}, Event: p.Event, ID: p.ID, Each: profile.Each, Copies: profile.Copies, Covers: p.coverage(),
		Methods: profile.Methods, Answer: fmt.Sprint(profile.Answer.Status), Retries: "unknown",
		Options: p.Options, Unsignable: p.unsignable(), Notes: p.Notes, Source: p.Source, Confidence: p.Confidence,
	}
	for i := range p.Proofs {
		d.Proofs = append(d.Proofs, p.Proofs[i].describe())
	}
	if len(d.Proofs) > 1 {
		d.Need = p.Need
		d.Need = cmp.Or(d.Need, NeedAll)
	}
	if p.Tolerance > 0 {
		d.Tolerance = inWords(p.Tolerance)
	}
	if profile.Answer.Body != "" {
		d.Answer += " " + profile.Answer.Body
	}
	switch {
	case p.NeverRetries:
		d.Retries = "never"
	case p.Horizon > 0:
		d.Retries = "for " + inWords(time.Duration(p.Horizon))
	}
	for i := range p.Handshakes {
		d.Handshakes = append(d.Handshakes, p.Handshakes[i].describe())
	}
	if p.Ranges != nil {
		d.Ranges = p.Ranges.List
		if p.Ranges.URL != "" {
			d.Ranges = append(slices.Clone(d.Ranges), p.Ranges.URL)
		}
	}
	return d
}

// inWords writes a duration in the largest unit that fits: 30 days, 4 hours, 90 minutes.
func inWords(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		switch n := d / unit.length; {
		case d%unit.length != 0 || unit.name == "day" && n < 3:
		case n == 1:
			return "1 " + unit.name
		default:
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return d.String()
}
