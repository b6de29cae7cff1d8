package scheme

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// SNS is the scheme of Amazon SNS: a signature over some fields of the body,
// made with the key of a certificate whose URL stands beside it. It proves that
// a message went through SNS, not whose it is: a topic can be anybody's. Source:
// aws/aws-sdk-ruby and aws/aws-sns-message-validator.
type SNS struct {
	// The ARNs of the topics whose messages are accepted. Without any, messages of all
	// topics are accepted, which the source must allow with insecure_unverified.
	Topics []string `json:"topics,omitempty"`

	certificates *keys.Certificates
	signing      *SigningKey
	tolerance    time.Duration
}

// Provision takes the certificates and the topics.
func (s *SNS) Provision(c *Credentials) (err error) {
	s.tolerance, s.signing = c.Tolerance, c.Signing
	s.Topics = NonEmpty(s.Topics)
	s.certificates, err = c.certificates("Amazon SNS", isSNS, snsNames)
	return err
}

// snsPartitions are the parts of AWS: the names of their regions, and what their
// hosts end in. Source: boto/botocore, partitions.json.
var snsPartitions = []struct{ regions, suffix string }{
	{`(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]{1,2}`, "amazonaws.com"},
	{`us-gov-[a-z]+-[0-9]{1,2}`, "amazonaws.com"},
	{`cn-[a-z]+-[0-9]{1,2}`, "amazonaws.com.cn"},
	{`eusc-de-[a-z]+-[0-9]{1,2}`, "amazonaws.eu"},
	{`us-iso-[a-z]+-[0-9]{1,2}`, "c2s.ic.gov"},
	{`us-isob-[a-z]+-[0-9]{1,2}`, "sc2s.sgov.gov"},
	{`eu-isoe-[a-z]+-[0-9]{1,2}`, "cloud.adc-e.uk"},
	{`us-isof-[a-z]+-[0-9]{1,2}`, "csp.hci.ic.gov"},
}

// SNSHost is the pattern of the host of all URLs in the messages of SNS. Other hosts
// of the form sns.<label>.amazonaws.com may be somebody's bucket.
var SNSHost = func() string {
	var hosts []string
	for _, p := range snsPartitions {
		hosts = append(hosts, p.regions+`\.`+regexp.QuoteMeta(p.suffix))
	}
	return `sns\.(?:` + strings.Join(hosts, "|") + `)`
}()

var snsHost = regexp.MustCompile(`\A` + SNSHost + `\z`)

func isSNS(u *url.URL) bool {
	return snsHost.MatchString(u.Hostname()) && strings.HasSuffix(u.Path, ".pem")
}

// snsNames returns the names of which a certificate of SNS has one: that of the
// partition, or one of its region's. Source: aws/aws-sdk-java-v2, SnsHostProvider.
func snsNames(u *url.URL) []string {
	host := u.Hostname()
	region, suffix, _ := strings.Cut(strings.TrimPrefix(host, "sns."), ".")
	names := []string{host, "sns." + suffix, "sns-signing." + region + "." + suffix, "sns-" + region + "." + suffix}
	if strings.HasPrefix(region, "us-gov-") {
		names = append(names, "sns-us-gov-west-1."+suffix)
	}
	return names
}

// snsSigned are the fields that are signed, by type of message.
var snsSigned = map[string][]string{
	"Notification":             {"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"},
	"SubscriptionConfirmation": {"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"},
	"UnsubscribeConfirmation":  {"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"},
}

// snsMessage is a message, as far as its signature is concerned.
type snsMessage struct {
	root        payload.Value
	algorithm   *keys.Algorithm
	certificate string // URL
}

// errFieldMissing is for a field that is not there, or is no string.
var errFieldMissing = errors.New("a field is missing")

// field returns the string that a field is. Of two, the app may take the one that
// was not signed.
func (m *snsMessage) field(name string) (payload.Value, error) {
	value, err := m.root.Only(name)
	if err == nil && value.Kind() != payload.String {
		err = errFieldMissing
	}
	return value, err
}

// text returns the text of a field that is short, and whether there is no doubt
// about the field.
func (m *snsMessage) text(name string) (text string, ok bool) {
	value, err := m.field(name)
	if err == nil {
		text = template.ShortText(value)
	}
	return text, err == nil || errors.Is(err, errFieldMissing)
}

// find reads the message of a request.
func (s *SNS) find(e *template.Env) (*snsMessage, error) {
	root, err := e.Root()
	if err != nil || root.Kind() != payload.Object {
		return nil, Malformed
	}
	m := &snsMessage{root: root}
	signature, sound := m.text("Signature")
	version, sound2 := m.text("SignatureVersion")
	var sound3 bool
	if m.certificate, sound3 = m.text("SigningCertURL"); !sound3 {
		m.certificate, sound3 = m.text("SigningCertUrl") // as Lambda spells it
	}
	switch {
	case !sound || !sound2 || !sound3:
		return nil, Malformed
	case signature == "" || m.certificate == "":
		return nil, Missing
	case version == "1":
		m.algorithm = &keys.RSASHA1
	case version == "2":
		m.algorithm = &keys.RSASHA256
	default:
		return nil, Wrong
	}
	return m, s.certificates.Check(m.certificate)
}

// signed returns what is signed of a message.
func (m *snsMessage) signed() ([]byte, error) {
	kind, _ := m.text("Type")
	names, known := snsSigned[kind]
	if !known {
		return nil, Malformed
	}
	signed := make([]byte, 0, len(m.root.Raw()))
	for _, name := range names {
		value, err := m.field(name)
		switch {
		case errors.Is(err, errFieldMissing) && name == "Subject":
		case err != nil:
			return nil, Malformed
		default:
			signed = append(append(signed, name...), '\n')
			signed = append(value.AppendText(signed), '\n')
		}
	}
	return signed, nil
}

// Verify reports whether the message was signed by SNS, for a topic that is
// accepted.
func (s *SNS) Verify(r *template.Request, now time.Time) error {
	e := template.NewEnv(r, nil)
	defer e.Free()
	m, err := s.find(e)
	if err != nil {
		return err
	}
	signed, err := m.signed()
	if err != nil {
		return err
	}
	if topic, _ := m.text("TopicArn"); len(s.Topics) > 0 && !slices.Contains(s.Topics, topic) {
		return Foreign
	}
	at := template.Timestamp{Unit: "rfc3339"}
	stamp, _ := m.text("Timestamp")
	if err := checkTime(&at, stamp, now, s.tolerance); err != nil {
		return err
	}
	text, _ := m.text("Signature")
	signature, err := decodeSignature("base64", text)
	if err != nil {
		return Wrong
	}
	r.Matched, err = s.certificates.Verify(m.algorithm, m.certificate, now, signed, signature)
	return err
}

// Fetch implements Fetcher.
func (s *SNS) Fetch(ctx context.Context, r *template.Request) error {
	e := template.NewEnv(r, nil)
	defer e.Free()
	m, err := s.find(e)
	if err != nil {
		return err
	}
	return s.certificates.Fetch(ctx, m.certificate, r.Client)
}

// Sign implements Scheme. The message has the fields of its signature already.
func (s *SNS) Sign(r *template.Request, _ time.Time) error {
	if s.signing == nil {
		return ErrPrivateKey
	}
	e := template.NewEnv(r, nil)
	defer e.Free()
	m, err := s.find(e)
	if err != nil {
		return err
	}
	if topic, _ := m.text("TopicArn"); len(s.Topics) > 0 && !slices.Contains(s.Topics, topic) {
		if err := putField(e, "TopicArn", s.Topics[0]); err != nil {
			return err
		}
		if m, err = s.find(e); err != nil {
			return err
		}
	}
	signed, err := m.signed()
	if err != nil {
		return err
	}
	signature, err := s.signing.sign(m.algorithm, m.algorithm.Digest(func(to io.Writer) { to.Write(signed) }))
	if err != nil {
		return err
	}
	return putField(e, "Signature", base64.StdEncoding.EncodeToString(signature))
}

// putField gives a field of the body another text.
func putField(e *template.Env, name, text string) error {
	place, err := template.Parse(template.Of("json", name))
	if err != nil {
		return err
	}
	return e.Put(place, text)
}

// Compile implements Scheme.
func (s *SNS) Compile() error { return nil }

// Traits implements Scheme.
func (s *SNS) Traits() Traits {
	t := Traits{
		UsesKeys: true, Unsignable: unsignableWith(s.signing), OwnKey: s.signing != nil, CarriesTime: true, CoversContent: true, Keys: s.certificates.Count(),
		Covers: []string{"{json.Message}{json.MessageId}{json.Subject}{timestamp}{json.TopicArn}{json.Type}"},
	}
	if len(NonEmpty(s.Topics)) == 0 {
		t.Anybodys = "topic <arn>..."
	}
	return t
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
