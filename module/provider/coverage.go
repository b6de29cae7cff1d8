package provider

import (
	"cmp"
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"time"
)

// How far a proof covers something.
const (
	CoveredWhole  = "yes"
	CoveredListed = "where listed" // the signature says which headers it covers
	CoveredPart   = "in part"
	CoveredOption = "as configured" // an option says what is signed
	CoveredNot    = "no"
)

// Coverage says what a proof covers: what nobody but the provider can change.
type Coverage struct {
	Proof  string `json:"proof"`            // in a few words
	Legacy bool   `json:"legacy,omitempty"` // it counts only where that is asked for
	Body   string `json:"body"`
	ID     string `json:"id,omitempty"`    // the delivery ID; "" where the provider gives none
	Event  string `json:"event,omitempty"` // the event type; "" where the provider gives none
	Time   string `json:"time"`
	Replay string `json:"replay"` // whether a captured request is taken again once the dedup window has ended
}

// coverage returns that of each proof; one entry stands for proofs that cover the same.
func (p *Preset) coverage() (list []Coverage) {
	for i := range p.Proofs {
		c := p.coverageOf(i)
		if !slices.ContainsFunc(list, func(other Coverage) bool { return other.like(c) }) {
			list = append(list, c)
		}
	}
	return list
}

// like reports whether two proofs cover the same.
func (c Coverage) like(other Coverage) bool {
	c.Proof = other.Proof
	return c == other
}

// coverageOf returns what one of the proofs covers.
func (p *Preset) coverageOf(i int) Coverage {
	profile, proof := p.newProfile(), &p.Proofs[i]
	identity := profile.IdentityOf(i + 1)
	c := Coverage{
		Proof: proof.inShort(), Legacy: proof.Legacy,
		Body:  coversBody(proof.covers()),
		ID:    proof.coversInputs(identity.ID),
		Event: proof.coversInputs(identity.Event),
		Time:  proof.coversTime(),
	}
	switch {
	case proof.checks():
		c.Replay = "no: it can be used once"
	case c.Time == CoveredNot:
		c.Replay = "yes"
	case c.Time == CoveredOption:
		c.Replay = CoveredOption
	case p.Tolerance == 0:
		c.Replay = "yes, unless tolerance is set"
	case c.Time == CoveredListed:
		c.Replay = fmt.Sprintf("no, after %s, where the time is listed", brief(p.Tolerance))
	default:
		c.Replay = fmt.Sprintf("no, after %s", brief(p.Tolerance))
	}
	return c
}

// brief writes a duration without what is zero.
func brief(d time.Duration) string {
	if text, whole := strings.CutSuffix(d.String(), "m0s"); whole {
		return text + "m"
	}
	return d.String()
}

// inShort says what the proof is and where it stands.
func (p *Proof) inShort() string {
	_, s, ok := p.only()
	if !ok {
		return ""
	}
	text := parenthesis.ReplaceAllString(s.Describe(), "")
	for _, more := range []string{" as ", " over ", ", "} {
		text, _, _ = strings.Cut(text, more)
	}
	return text
}

var parenthesis = regexp.MustCompile(` \([^)]*\)`)

// covers returns the texts that the proof covers, with what its conditions hold them
// against.
func (p *Proof) covers() []string {
	texts := slices.Clone(p.traits().Covers)
	for _, c := range p.When {
		for i := range texts {
			switch {
			case c.Of == "{body}" && slices.Equal(c.Is, []string{""}):
				texts[i] += "{body}" // there is none
			case len(c.Is) == 1 && wholeBody.MatchString(c.Is[0]) && strings.Contains(texts[i], "{url"):
				texts[i] += c.Is[0]
			}
		}
	}
	return texts
}

// coversTime tells whether the proof covers the time that it carries.
func (p *Proof) coversTime() string {
	covers := p.covers()
	every := func(holds func(text string) bool) bool {
		return len(covers) > 0 && !slices.ContainsFunc(covers, func(text string) bool { return !holds(text) })
	}
	switch {
	case every(func(text string) bool { return strings.Contains(text, "{timestamp}") }):
		return CoveredWhole
	case every(isOption):
		return CoveredOption
	}
	if from := p.traits().TimeFrom; from != "" {
		return coversInput(covers, withoutFunctions(from), false)
	}
	return CoveredNot
}

// withoutFunctions returns a placeholder without what is done to its text.
func withoutFunctions(text string) string {
	inside, _, piped := strings.Cut(text, "|")
	if piped {
		return inside + "}"
	}
	return text
}

// coversInputs tells whether the proof covers all that an expression reads; "" where it
// reads nothing.
func (p *Proof) coversInputs(expression string) string {
	covered := ""
	for _, input := range inputsOf(expression) {
		one := CoveredWhole
		if input != p.traits().From { // another signature is not right
			one = coversInput(p.covers(), input, expression == p.ID)
		}
		if order := []string{"", CoveredWhole, CoveredListed, CoveredOption, CoveredNot}; slices.Index(order, one) > slices.Index(order, covered) {
			covered = one
		}
	}
	if first, _, choice := cutLast(expression, " : "); choice && covered == CoveredNot && p.coversInputs(first) == CoveredWhole {
		return CoveredPart
	}
	return covered
}

func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

// What an expression reads. A header that stands in for a signed value that is absent is
// no more than that.
var (
	standIn = regexp.MustCompile(`(body[\w.?\[\]"]*) \?\? header\("[^"]+"\)`)
	reads   = regexp.MustCompile(`(?:^|[^\w."])(?:header\("([^"]+)"\)|query(?:\.(\w+)|\["([^"]+)"\])|body((?:\??\.\w+|\[\d+\]|\["[^"]+"\])*))`)
	index   = regexp.MustCompile(`\[(\d+)\]|\["([^"]+)"\]`)
	number  = regexp.MustCompile(`\.\d+(\.|$)`)
	mapped  = regexp.MustCompile(`map\((body[\w.]*), ((?:[^()]|\([^()]*\))*)\)`)
)

// inputsOf returns what an expression reads, as templates.
func inputsOf(expression string) (inputs []string) {
	expression = mapped.ReplaceAllStringFunc(expression, func(all string) string {
		match := mapped.FindStringSubmatch(all)
		return strings.ReplaceAll(match[2], "#", match[1]+"[0]")
	})
	expression = standIn.ReplaceAllString(expression, "$1")
	for _, match := range reads.FindAllStringSubmatch(expression, -1) {
		path := strings.TrimPrefix(strings.ReplaceAll(index.ReplaceAllString(match[4], ".$1$2"), "?", ""), ".")
		switch {
		case match[1] != "":
			inputs = append(inputs, "{header."+textproto.CanonicalMIMEHeaderKey(match[1])+"}")
		case match[2]+match[3] != "":
			inputs = append(inputs, "{query."+cmp.Or(match[2], match[3])+"}")
		case path == "":
			inputs = append(inputs, "{body}")
		default:
			inputs = append(inputs, "{json."+number.ReplaceAllString(path, ".#$1")+"}")
		}
	}
	return inputs
}

// coversInput says how far every text covers the value that input reads. own is true if an
// expression of the proof itself reads that value; then a list of signed headers counts as
// covering it.
func coversInput(covers []string, input string, own bool) string {
	part := strings.TrimSuffix(input, "}")
	least := CoveredWhole
	for _, text := range covers {
		text = signedHeader.ReplaceAllStringFunc(text, textproto.CanonicalMIMEHeaderKey)
		listed := (strings.Contains(text, "|headers ") || strings.Contains(text, "|header_lines")) && strings.HasPrefix(input, "{header.")
		switch {
		case coversBody([]string{text}) == CoveredWhole && (strings.HasPrefix(input, "{json.") || input == "{body}"):
		case strings.Contains(text, "{body|gunzip}") && strings.HasPrefix(input, "{json."): // whichever bytes they are compressed to
		case strings.Contains(text, part+"}"), strings.Contains(text, part+"|"):
		case strings.Contains(text, strings.Replace(part, "{json.", "{form.", 1)+"}"),
			strings.Contains(text, strings.Replace(part, "{json.", "{form.", 1)+"|"):
		case strings.HasPrefix(input, "{query.") && (strings.Contains(text, "{query|") || strings.Contains(text, "{query}") || strings.Contains(text, "{url}")):
		case listed && own:
		case listed:
			least = CoveredListed
		case isOption(text):
			least = CoveredOption
		default:
			return CoveredNot
		}
	}
	if len(covers) == 0 {
		return CoveredNot
	}
	return least
}

var signedHeader = regexp.MustCompile(`[A-Za-z][A-Za-z0-9-]*-[A-Za-z0-9-]+`)

// coversBody tells whether each of the texts covers the body.
func coversBody(covers []string) string {
	whole, part := len(covers) > 0, false
	for _, text := range covers {
		if !wholeBody.MatchString(text) {
			whole = false
		}
		if isOption(text) {
			return CoveredOption
		}
		part = part || strings.Contains(text, "{body") || strings.Contains(text, "{form") || strings.Contains(text, "{json.")
	}
	switch {
	case whole:
		return CoveredWhole
	case part:
		return CoveredPart
	}
	return CoveredNot
}

// isOption reports whether an option says what is signed.
func isOption(text string) bool { return strings.HasPrefix(text, "{option.") }

// wholeBody matches a body of which no byte can be another.
var wholeBody = regexp.MustCompile(`\{body(?:\|(?:sha1|sha256|sha384|sha512|md5|quote|ascii)(?:\|[^}]*)?)?\}`)

// TellsSigned reports whether what tells copies is covered by a proof: nobody but the
// provider can make another event of a copy, or a copy of another event.
func (c *Coverage) TellsSigned(by string) bool {
	switch by {
	case ByID:
		return c.ID == CoveredWhole
	case ByIDAndBody:
		return c.ID == CoveredWhole && c.Body == CoveredWhole
	}
	return c.Body == CoveredWhole
}
