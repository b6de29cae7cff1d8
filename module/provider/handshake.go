package provider

import (
	"cmp"
	"crypto/cipher"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Handshaker is a Provider that asks an endpoint a question before it sends webhooks
// there: whether the endpoint exists, or expects them.
type Handshaker interface {
	Provider

	// Handshake returns what a handshake is answered, nil if the request is
	// none, and a Refusal or a Denial if it is one that must not be answered.
	// It makes no calls. It comes before Verify, and calls that itself where
	// the provider signs its handshakes.
	Handshake(r *template.Request, now time.Time) (*Reply, error)
}

// Reply is the answer to a handshake. The gateway sends it after it has kept Secret
// and fetched Visit.
type Reply struct {
	Status int
	Header http.Header
	Body   string

	// Secret is one that the handshake delivered. It must be kept, and given
	// to Enroll, before the answer is sent; while no enrollment is open, the
	// handshake is refused.
	Secret string

	// Keyed says that the answer is made with a secret.
	Keyed bool

	// Visit is a URL of the provider's that must be fetched, with GET, before
	// the answer is sent.
	Visit string

	// Anywhere says that the configuration names the host of Visit, which may then
	// lie anywhere. Else it must have a public address.
	Anywhere bool
}

// Denial is a Refusal with a status of its own.
type Denial struct {
	scheme.Refusal
	Status int
	Bare   bool // the answer has no body
}

// Unwrap returns the Refusal.
func (d Denial) Unwrap() error { return d.Refusal }

// Handshake is a question that a provider asks an endpoint, and its answer.
type Handshake struct {
	// What is asked: probe (is anybody there?), echo (send the challenge back), hmac
	// (send the challenge back, signed with the first secret), hash (send the challenge
	// back, hashed), enroll (keep the secret that is in the challenge's place) or
	// confirm (fetch the URL that is in its place).
	Kind string `json:"kind"`

	// The method of the request. Default: POST if something of the body is read, else
	// GET.
	Method string `json:"method,omitempty"`

	// What a request must have to be this handshake.
	When []Condition `json:"when,omitempty"`

	// The template that may give the whole body encrypted, such as {json.encrypt}:
	// base64 of an initial vector and a text in AES-256-CBC, whose key is the SHA-256 of
	// a secret. Default: bodies are not encrypted.
	Encrypted string `json:"encrypted,omitempty"`

	// The template that gives the challenge, such as {query.challenge} or {json.token}.
	// A request without a challenge is not this handshake.
	Challenge string `json:"challenge,omitempty"`

	// The regular expression that the whole challenge must match. A challenge never has
	// more than 1000 characters, all of them printable ASCII. Default: any.
	Pattern string `json:"pattern,omitempty"`

	// What else the request must have. If it does not, the handshake is refused.
	Expect []Condition `json:"expect,omitempty"`

	// When the request must be signed: always, or present, which checks the proof if
	// there is one. Default: it need not be signed.
	Signed string `json:"signed,omitempty"`

	// The status of a refused handshake, from 400 to 499. Default: 403.
	Refuse int `json:"refuse,omitempty"`

	// Refuse without a body. Default: false.
	Bare bool `json:"bare,omitempty"`

	// How the digest of an hmac or a hash is made.
	Digest *HandshakeDigest `json:"digest,omitempty"`

	// The status of the answer. Default: 200.
	Status int `json:"status,omitempty"`

	// The headers of the answer: templates with {challenge}, {digest}, {header.X-Name}
	// and options of the preset. A header that comes out empty is left out.
	Header map[string]string `json:"header,omitempty"`

	// The body of the answer as text/plain, a template as in header. Default: the
	// challenge, or its digest.
	Text string `json:"text,omitempty"`

	// The body of the answer as JSON. Templates may be inside its strings. Default: the
	// answer is text.
	JSON string `json:"json,omitempty"`

	challenge template.Template
	encrypted template.Template
	pattern   *regexp.Regexp
	ciphers   []cipher.Block // of the secrets
}

var (
	handshakeKinds = []string{"probe", "echo", "hmac", "hash", "enroll", "confirm"}
	signedChoices  = []string{"always", "present"}
)

const (
	printable = `[\x20-\x7e]{1,1000}`

	// What the gateway signs for strangers. It has no character that separates
	// or encloses the parts of an event.
	Signable = `[A-Za-z0-9_=+/-]{1,256}`

	// The largest body that a handshake has.
	MaxHandshake = 64 << 10
)

// provision checks the handshake and takes the provider's secrets.
func (h *Handshake) provision(secrets []string) (err error) {
	h.defaults()
	if err := h.check(); err != nil {
		return err
	}
	if h.pattern, err = h.compile(); err != nil {
		return err
	}
	if h.When, err = resolvedConditions(h.When); err != nil {
		return err
	}
	if h.Expect, err = resolvedConditions(h.Expect); err != nil {
		return err
	}
	if h.Digest != nil {
		digest := *h.Digest
		h.Digest = &digest
		if err := h.Digest.provision(h.Kind); err != nil {
			return err
		}
	}
	return h.rekey(secrets)
}

// keyed reports whether the handshake is made with secrets.
func (h *Handshake) keyed() bool { return h.Encrypted != "" || h.Kind == "hmac" }

// rekey takes secrets. The digest is a copy, since other handshakes may share it.
func (h *Handshake) rekey(secrets []string) (err error) {
	if h.Encrypted != "" {
		if h.ciphers, err = ciphersOf(secrets); err != nil {
			return err
		}
	}
	if h.Kind != "hmac" {
		return nil
	}
	digest := *h.Digest
	h.Digest = &digest
	return h.Digest.rekey(secrets)
}

func (h *Handshake) defaults() {
	asked := []string{h.Challenge}
	for _, c := range slices.Concat(h.When, h.Expect) {
		asked = append(asked, c.Of)
	}
	switch {
	case h.Method != "":
	case template.Mentions(asked, "json", "form", "body"):
		h.Method = http.MethodPost
	default:
		h.Method = http.MethodGet
	}
	digests := h.Kind == "hmac" || h.Kind == "hash"
	switch {
	case h.Text != "" || h.JSON != "":
	case h.Kind == "echo" && len(h.Header) == 0:
		h.Text = "{challenge}"
	case digests && len(h.Header) == 0:
		h.Text = "{digest}"
	}
	if digests && h.Digest == nil {
		h.Digest = new(HandshakeDigest)
	}
	h.Pattern = cmp.Or(h.Pattern, printable)
	h.Status = cmp.Or(h.Status, http.StatusOK)
	h.Refuse = cmp.Or(h.Refuse, http.StatusForbidden)
}

// check holds the parts against each other.
func (h *Handshake) check() error {
	switch {
	case !slices.Contains(handshakeKinds, h.Kind):
		return fmt.Errorf("unknown kind %q; use %s", h.Kind, strings.Join(handshakeKinds, ", "))
	case h.Kind == "probe" && h.Challenge != "":
		return errors.New("probe takes no challenge; use echo to send one back")
	case h.Kind != "probe" && h.Challenge == "":
		return fmt.Errorf("%s needs the place of its challenge: header, query, form or body, and a name", h.Kind)
	case h.Kind == "probe" && h.Method == http.MethodPost && len(h.When) == 0:
		return errors.New("probe with POST needs a line: when header|query|form|body <name> [<value>...]; otherwise each webhook would be a probe")
	case h.Kind == "confirm" && (h.Signed != "always" || h.Pattern == printable):
		return errors.New("confirm needs signed always, and a pattern that pins the host; otherwise anybody could have the gateway visit any URL")
	case h.Signed != "" && !slices.Contains(signedChoices, h.Signed):
		return fmt.Errorf("signed is always or present, not %q", h.Signed)
	case h.Text != "" && h.JSON != "":
		return errors.New("a handshake takes either text or json")
	case h.Status < 200 || h.Status > 299:
		return fmt.Errorf("the answer to a handshake has a status from 200 to 299, not %d", h.Status)
	case h.Refuse < 400 || h.Refuse > 499:
		return fmt.Errorf("refuse takes a status from 400 to 499, not %d", h.Refuse)
	}
	asked := []string{h.Challenge, h.Encrypted}
	for _, c := range slices.Concat(h.When, h.Expect) {
		if err := c.compileOf(); err != nil {
			return err
		}
		if !c.allows([]string{h.Method}) {
			return fmt.Errorf("%s, but the method of the handshake is %s, so it would never be answered", c.describe(), h.Method)
		}
		if len(c.Is) > 0 {
			asked = append(asked, c.Of)
		}
	}
	if h.Method != http.MethodPost && h.Method != http.MethodPut && template.Mentions(asked, "json", "form", "body") {
		return fmt.Errorf("a %s request has no body, so the handshake would never be answered; leave method out, or read header or query", h.Method)
	}
	var err error
	if h.challenge, err = parseAsked(h.Challenge); err != nil {
		return err
	}
	if h.encrypted, err = parseAsked(h.Encrypted); err != nil {
		return err
	}
	for name := range h.Header {
		if textproto.TrimString(name) != name || name == "" {
			return fmt.Errorf("%q is not a name of a header", name)
		}
	}
	if _, err := h.compile(); err != nil {
		return err
	}
	return h.checkTemplates()
}

func (h *Handshake) compile() (*regexp.Regexp, error) {
	pattern, err := regexp.Compile(`\A(?:` + h.Pattern + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("pattern %q is not a regular expression", h.Pattern)
	}
	return pattern, nil
}

// asks reports whether a request is this handshake, and returns the challenge.
func (h *Handshake) asks(r *template.Request) (challenge string, ok bool) {
	if r.Method != h.Method || len(r.Body) > MaxHandshake {
		return "", false
	}
	for i := range h.When {
		if h.When[i].ruledOut(r) {
			return "", false
		}
	}
	if !h.challenge.MayHold(r) {
		return "", false
	}
	e := template.NewOwnEnv(r)
	defer e.Free()
	for i := range h.When {
		if !h.When[i].holds(e) {
			return "", false
		}
	}
	if h.Kind == "probe" {
		return "", true
	}
	challenge = h.challenge.Text(e)
	return challenge, challenge != ""
}

// answer makes the answer to a handshake that may be answered.
func (h *Handshake) answer(r *template.Request, challenge string) (*Reply, error) {
	if h.Kind != "probe" && !h.takes(challenge) {
		return nil, Denial{scheme.Malformed, http.StatusBadRequest, h.Bare}
	}
	e := template.NewOwnEnv(r)
	defer e.Free()
	for i := range h.Expect {
		if !h.Expect[i].holds(e) {
			return nil, Denial{scheme.Wrong, h.Refuse, h.Bare}
		}
	}
	a := &Reply{Status: h.Status, Header: make(http.Header), Keyed: h.Kind == "hmac"}
	switch h.Kind {
	case "enroll":
		a.Secret = challenge
	case "confirm":
		a.Visit, a.Anywhere = challenge, h.pins(challenge)
	}
	h.write(a, r, challenge)
	return a, nil
}

// takes reports whether a challenge matches the pattern.
func (h *Handshake) takes(challenge string) bool {
	return h.pattern.MatchString(challenge) && reflectable.MatchString(challenge) &&
		(h.Kind != "hmac" || unforgeable.MatchString(challenge))
}

// pins reports whether the pattern begins with the very scheme and host of a URL,
// and not with something that several hosts match.
func (h *Handshake) pins(target string) bool {
	pattern := strings.TrimPrefix(strings.ReplaceAll(h.Pattern, `\.`, "."), "^")
	protocol, rest, found := strings.Cut(pattern, "://")
	host, _, slash := strings.Cut(rest, "/")
	return found && slash && strings.HasPrefix(target, protocol+"://"+host+"/")
}

// verifier is asked where a handshake is to be signed.
type verifier interface {
	Verify(r *template.Request, now time.Time) error
}

// handshakes are the handshakes of one provider.
type handshakes struct {
	list    []Handshake
	methods []string      // of webhooks
	guard   *scheme.Token // of the gateway's own; nil if there is none
}

// provisionHandshakes makes the handshakes of a definition ready. methods are
// those of its webhooks.
func provisionHandshakes(d *Definition, guard *scheme.Token, secrets, methods []string) (handshakes, error) {
	own := handshakes{list: d.Handshakes, methods: methods}
	if guard != nil && guard.Headers() == nil { // it is part of the URL that the provider knows
		own.guard = guard
	}
	for i := range own.list {
		if err := own.list[i].provision(secrets); err != nil {
			return own, fmt.Errorf("handshake %s: %w", own.list[i].Kind, err)
		}
	}
	return own, nil
}

// greet reports whether a request with a method of webhooks may be a handshake that
// nothing proves.
func (hs *handshakes) greet() bool {
	return slices.ContainsFunc(hs.list, func(h Handshake) bool { return h.Signed != "always" && slices.Contains(hs.methods, h.Method) })
}

// answer answers the first handshake that a request is, and refuses a webhook
// whose signature anybody can have.
func (hs *handshakes) answer(p verifier, r *template.Request, now time.Time) (*Reply, error) {
	for i := range hs.list {
		h := &hs.list[i]
		asked := h.decrypted(r)
		challenge, ok := h.asks(asked)
		if !ok {
			continue
		}
		if err := hs.prove(h, p, r, now); err != nil {
			return nil, err
		}
		return h.answer(asked, challenge)
	}
	if slices.Contains(hs.methods, r.Method) {
		for i := range hs.list {
			if hs.list[i].gaveAway(r) {
				return nil, scheme.Wrong
			}
		}
	}
	return nil, nil
}

// prove checks the proof of a handshake.
func (hs *handshakes) prove(h *Handshake, p verifier, r *template.Request, now time.Time) error {
	if hs.guard != nil {
		if err := hs.guard.Verify(r, now); err != nil {
			return err
		}
	}
	if h.Signed == "" {
		return nil
	}
	err := p.Verify(r, now)
	var refusal scheme.Refusal
	switch {
	case err == nil, errors.Is(err, scheme.Missing) && h.Signed == "present":
		return nil
	case h.Bare && errors.As(err, &refusal):
		return Denial{refusal, http.StatusUnauthorized, true}
	}
	return err
}

func (h *Handshake) describe() string {
	own := *h
	own.defaults()
	text := fmt.Sprintf("%s by %s", own.Kind, own.Method)
	if own.Challenge != "" {
		text += ", challenge in " + template.Words(own.Challenge)
	}
	switch own.Signed {
	case "always":
		text += ", signed"
	case "present":
		text += ", whose signature must be right if there is one"
	}
	return text
}
