package provider

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Description says for people what is known about a provider.
type Description struct {
	Name       string   `json:"name"`
	Title      string   `json:"title"`
	Category   string   `json:"category"`
	Proofs     []string `json:"proofs"` // one sentence each
	Need       string   `json:"need,omitempty"`
	Tolerance  string   `json:"tolerance,omitempty"`
	Event      string   `json:"event,omitempty"`
	ID         string   `json:"id,omitempty"`
	Methods    []string `json:"methods"`
	Answer     string   `json:"answer"`
	Retries    string   `json:"retries"`
	Handshakes []string `json:"handshakes,omitempty"` // one sentence each
	Ranges     []string `json:"ranges,omitempty"`
	Options    []Option `json:"options,omitempty"`
	Notes      string   `json:"notes,omitempty"`
	Source     string   `json:"source"`
	Confidence string   `json:"confidence"`
}

// Descriptions returns those of all providers but custom, by name.
func Descriptions() []Description {
	all := []Description{describeIgnisign()}
	for i := range presets {
		all = append(all, presets[i].describe())
	}
	slices.SortFunc(all, func(a, b Description) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (p *Preset) describe() Description {
	profile := p.newProfile()
	d := Description{
		Name: p.Name, Title: p.Title, Category: p.Category,
		Proofs: []string{}, Event: p.Event, ID: p.ID,
		Methods: profile.Methods, Answer: fmt.Sprint(profile.Answer.Status), Retries: "unknown",
		Options: p.Options, Notes: p.Notes, Source: p.Source, Confidence: p.Confidence,
	}
	for i := range p.Proofs {
		d.Proofs = append(d.Proofs, p.Proofs[i].describe())
	}
	if len(d.Proofs) > 1 {
		d.Need = p.Need
		setDefault(&d.Need, needAll)
	}
	if p.Tolerance > 0 {
		d.Tolerance = p.Tolerance.String()
	}
	if profile.Answer.Body != "" {
		d.Answer += " " + profile.Answer.Body
	}
	switch {
	case p.NeverRetries:
		d.Retries = "never"
	case p.Horizon > 0:
		d.Retries = "for " + time.Duration(p.Horizon).String()
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

// describe says what the proof is.
func (p *Proof) describe() string {
	text := ""
	switch {
	case p.HMAC != nil:
		text = p.HMAC.describe("HMAC")
	case p.Digest != nil:
		text = p.Digest.describe("hash")
	case p.Token != nil:
		text = p.Token.describe()
	case p.Ed25519 != nil:
		text = p.Ed25519.describe("Ed25519")
	case p.ECDSA != nil:
		text = p.ECDSA.describe("ECDSA")
	case p.RSA != nil:
		text = p.RSA.describe("RSA")
	case p.JWT != nil:
		text = fmt.Sprintf("JWT (%s) in %s", strings.Join(p.JWT.Algorithms, ", "), p.JWT.Header)
	case p.MessageSignature != nil:
		text = "HTTP message signature of RFC 9421"
	case p.SNS != nil:
		text = "signature of Amazon SNS over fields of the body, by Amazon's certificate"
	case p.PayPal != nil:
		text = "signature of PayPal over transmission, webhook ID and a checksum of the body, by PayPal's certificate"
	case p.EBay != nil:
		text = "ECDSA signature in X-Ebay-Signature over the body, by eBay's public key"
	}
	for _, place := range slices.Sorted(maps.Keys(p.When)) {
		text += fmt.Sprintf(", where %s is %q", place, p.When[place])
	}
	return text
}

func (h *HMAC) describe(what string) string {
	own := *h
	own.defaults()
	place := own.From
	if own.Header != "" {
		place = own.Header
	}
	return fmt.Sprintf("%s-%s (%s) in %s as %s, over %s", what, strings.ToUpper(own.Hash), own.Encoding, place,
		strings.Join(own.Value, " or "), quoteEach(own.Signed))
}

func (s *Signature) describe(what string) string {
	own := *s
	own.defaults()
	return fmt.Sprintf("%s signature (%s) in %s as %s, over %q", what, own.Encoding, own.Header, strings.Join(own.Value, " or "), own.Signed)
}

func (t *Token) describe() string {
	if t.Prefix == "Basic " {
		return "Basic authentication"
	}
	return strings.TrimSpace(fmt.Sprintf("fixed value in %s %s", t.In, t.Name))
}

func (h *Handshake) describe() string {
	own := *h
	own.defaults()
	text := fmt.Sprintf("%s by %s", own.Kind, own.Method)
	if own.Challenge != (Place{}) {
		text += fmt.Sprintf(", challenge in %s %s", own.Challenge.In, own.Challenge.Name)
	}
	switch own.Signed {
	case "always":
		text += ", signed"
	case "present":
		text += ", whose signature must be right if there is one"
	}
	return text
}

func quoteEach(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = fmt.Sprintf("%q", text)
	}
	return strings.Join(quoted, " or ")
}

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
