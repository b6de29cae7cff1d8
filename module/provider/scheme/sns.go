package scheme

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// SNS is the scheme of Amazon SNS: a signature over some fields of the body,
// made with the key of a certificate whose URL stands beside it. It proves that
// a message went through SNS, not whose it is: a topic can be anybody's. Source:
// aws/aws-sdk-ruby and aws/aws-sns-message-validator.
type SNS struct {
	// The topics whose messages are accepted. Default: all.
	Topics []string `json:"topics,omitempty"`

	certificates *certificates
	tolerance    time.Duration
}

// Provision takes the certificates and the topics.
func (s *SNS) Provision(c *Credentials) (err error) {
	s.tolerance = c.Tolerance
	s.Topics = NonEmpty(s.Topics)
	s.certificates, err = newCertificates(c, isSNS, func(u *url.URL) []string {
		return []string{u.Hostname(), "sns.amazonaws.com"}
	})
	return err
}

// snsHost is the host of all URLs in the messages of SNS.
var snsHost = regexp.MustCompile(`^sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(\.cn)?$`)

func isSNS(u *url.URL) bool {
	return snsHost.MatchString(u.Hostname()) && strings.HasSuffix(u.Path, ".pem")
}

// snsSigned are the fields that are signed, by type of message.
var snsSigned = map[string][]string{
	"Notification":             {"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"},
	"SubscriptionConfirmation": {"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"},
	"UnsubscribeConfirmation":  {"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"},
}

// snsMessage is a message, as far as its signature is concerned.
type snsMessage struct {
	fields      map[string]string
	algorithm   *algorithm
	certificate string // URL
}

// find reads the message of a request.
func (s *SNS) find(r *template.Request) (*snsMessage, error) {
	fields, err := stringFields(r.Body)
	if err != nil {
		return nil, err
	}
	m := &snsMessage{fields: fields, certificate: fields["SigningCertURL"]}
	if m.certificate == "" {
		m.certificate = fields["SigningCertUrl"] // as Lambda spells it
	}
	if fields["Signature"] == "" || m.certificate == "" {
		return nil, Missing
	}
	switch fields["SignatureVersion"] {
	case "1":
		m.algorithm = &rsaSHA1
	case "2":
		m.algorithm = &rsaSHA256
	default:
		return nil, Wrong
	}
	return m, s.certificates.Check(m.certificate)
}

// text returns the text that SNS signs of a message.
func (m *snsMessage) text() (string, error) {
	names, known := snsSigned[m.fields["Type"]]
	if !known {
		return "", Malformed
	}
	var b strings.Builder
	for _, name := range names {
		value, given := m.fields[name]
		switch {
		case given:
			b.WriteString(name + "\n" + value + "\n")
		case name != "Subject":
			return "", Malformed
		}
	}
	return b.String(), nil
}

// Verify reports whether the message was signed by SNS, for a topic that is
// accepted.
func (s *SNS) Verify(r *template.Request, now time.Time) error {
	m, err := s.find(r)
	if err != nil {
		return err
	}
	text, err := m.text()
	if err != nil {
		return err
	}
	if len(s.Topics) > 0 && !slices.Contains(s.Topics, m.fields["TopicArn"]) {
		return Foreign
	}
	at := template.Timestamp{Unit: "rfc3339"}
	if err := checkTime(&at, m.fields["Timestamp"], now, s.tolerance); err != nil {
		return err
	}
	r.Matched, err = s.certificates.verify(m.algorithm, m.certificate, text, m.fields["Signature"])
	return err
}

// Fetch implements Fetcher.
func (s *SNS) Fetch(ctx context.Context, r *template.Request) error {
	m, err := s.find(r)
	if err != nil {
		return err
	}
	return s.certificates.fetch(ctx, m.certificate)
}

// Sign implements Scheme.
func (s *SNS) Sign(*template.Request, time.Time) error { return ErrPrivateKey }

// Compile implements Scheme.
func (s *SNS) Compile() error { return nil }

// Traits implements Scheme.
func (s *SNS) Traits() Traits {
	return Traits{
		UsesKeys: true, CarriesTime: true, CoversContent: true, Keys: s.certificates.count(),
		Covers: []string{"{json.Message}{json.MessageId}{json.Subject}{timestamp}{json.TopicArn}{json.Type}"},
	}
}

// Headers implements Scheme.
func (s *SNS) Headers() []string { return nil }

// Screen implements Scheme: the signature stands in the body.
func (s *SNS) Screen(*template.Request, time.Time) error { return nil }

// Holds implements Scheme.
func (s *SNS) Holds(*template.Request) bool { return false }

// Describe implements Scheme.
func (s *SNS) Describe() string {
	return "signature of Amazon SNS over fields of the body, by Amazon's certificate"
}

// Observe implements Scheme.
func (s *SNS) Observe(*template.Request, *Reading) {}

// Read implements Scheme. Syntax:
//
//	sns {
//		topic <arn>...
//	}
func (s *SNS) Read(d *caddyfile.Dispenser, options syntax.Options) error {
	return readBlock(d, options, syntax.Options{"topic": syntax.Strings(&s.Topics)})
}
