package operate

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// Verification says what the gateway makes of a request, up to the point where it
// would look for a duplicate.
type Verification struct {
	Verdict   string            `json:"verdict"`              // valid, invalid or handshake
	Why       string            `json:"why,omitempty"`        // the request is invalid
	Status    int               `json:"status,omitempty"`     // of the gateway's answer, as far as it is known
	Header    map[string]string `json:"header,omitempty"`     // of the answer to a handshake
	Body      string            `json:"body,omitempty"`       // the same
	Tenant    string            `json:"tenant,omitempty"`     // that the request names
	Secret    int               `json:"secret,omitempty"`     // the position of the one that matched, from 1
	EventType string            `json:"event_type,omitempty"` // of a valid webhook
	ID        string            `json:"id,omitempty"`         // the same
	Parts     []Part            `json:"parts,omitempty"`      // of a valid webhook whose elements are events, in place of those two
	Whole     string            `json:"whole,omitempty"`      // why the elements of a valid webhook are no events
	Unproven  bool              `json:"unproven,omitempty"`   // the request is valid because the provider proves nothing

	provider.Diagnosis
}

// Part is one of the events in a webhook.
type Part struct {
	EventType string `json:"event_type"`
	ID        string `json:"id"`
}

// newVerification describes an evaluation.
func newVerification(e *module.Evaluation) *Verification {
	x := &Verification{Verdict: e.Verdict, Why: e.Why, Status: e.Status, Tenant: e.Tenant, Secret: e.Secret, Unproven: e.Unproven,
		EventType: e.EventType, ID: e.ID, Whole: e.Whole, Diagnosis: e.Diagnosis}
	for _, p := range e.Parts {
		x.Parts = append(x.Parts, Part{p.EventType, p.ID})
	}
	if e.Reply != nil {
		x.Body, x.Header = e.Reply.Body, make(map[string]string)
		for name, values := range e.Reply.Header {
			x.Header[name] = strings.Join(values, ", ")
		}
	}
	return x
}

func verifyCommand() *cobra.Command {
	v := new(verifier)
	cmd := newCommand("verify (--provider <name> | --config <file> --source <name>) <request file>",
		"Checks the signature of a request, and says why it fails",
		`Checks a request as the gateway would. A handshake gets its answer. For any
other request the command checks the proof. Where the proof fails, it says which
headers it read, what the provider must have signed, and the likely cause.

The request file holds the raw request as the provider sends it: the request
line, the headers, an empty line, and the body to its last byte. - stands for
the standard input. Name a preset with its secrets and options, or a source in a
configuration. An option is a line of the provider's block.

  caddy webhook verify --provider stripe --secret '{env.STRIPE_SECRET}' request.txt
  caddy webhook verify --provider twilio --secret '{env.TWILIO_TOKEN}' --url https://example.com/sms request.txt
  caddy webhook verify --provider slack --secret '{env.SLACK_SECRET}' --option tolerance=10m request.txt
  caddy webhook verify --config Caddyfile --source stripe --at 1700000000 request.txt
  caddy webhook verify --config Caddyfile --source stripe --tenant acme request.txt

No gateway needs to run. The command calls a provider's API only if the option
api_url or keys_url names it. Other users of the machine may see the command
line, so write a secret as a placeholder: {env.X} or {file./run/secrets/x}.

The first line of the output says valid, invalid with the reason, or handshake
with a status; the answer to the handshake follows. The exit status is 1 if the
request is invalid.`, 1, 1, func(cmd *cobra.Command, args []string) error { return v.run(cmd, args[0]) })
	v.provider.add(cmd, "The `name` of a preset")
	cmd.Flags().StringVarP(&v.config, "config", "c", "", "A configuration `file` that has the source")
	cmd.Flags().StringVarP(&v.adapter, "adapter", "a", "", "The `adapter` of that file")
	cmd.Flags().StringVar(&v.source, "source", "", "The `name` of a source in that file")
	cmd.Flags().StringVar(&v.tenant, "tenant", "", "The `tenant` whose secrets count (default: the one that the request names)")
	cmd.Flags().StringVar(&v.url, "url", "", "The public `URL` that the provider called (default: https, with host and path of the request)")
	cmd.Flags().StringVar(&v.at, "at", "", "The `time` to check at: seconds since 1970, or such as 2025-11-27T17:41:40Z (default: now)")
	jsonFlag(cmd, &v.json)
	return cmd
}

// verifier is the command with its flags.
type verifier struct {
	provider                         providerFlags
	config, adapter, source, url, at string
	tenant                           string
	json                             bool
}

func (v *verifier) run(cmd *cobra.Command, file string) error {
	raw, err := openRaw(file, cmd.InOrStdin())
	if err != nil {
		return usageError{err}
	}
	r, body, err := parseRaw(raw)
	if err != nil {
		return usageError{err}
	}
	e, err := v.evaluate(r, body)
	if err != nil {
		return usageError{err}
	}
	x := newVerification(e)
	if v.json {
		err = printJSON(cmd.OutOrStdout(), x)
	} else {
		err = printVerification(cmd.OutOrStdout(), x)
	}
	switch {
	case err != nil || x.Verdict != module.Invalid:
		return err
	case x.Status == 0:
		return errors.New("what the gateway would answer is not known")
	default:
		return fmt.Errorf("the gateway would answer %d %s", x.Status, http.StatusText(x.Status))
	}
}

// evaluate checks a request. An error is one of usage or configuration.
func (v *verifier) evaluate(r *http.Request, body []byte) (*module.Evaluation, error) {
	if (v.provider.name == "") == (v.config == "" && v.source == "") {
		return nil, errors.New("name the provider (--provider <name>), or a source of a configuration (--config <file> --source <name>)")
	}
	if v.provider.name != "" && v.tenant != "" {
		return nil, errors.New("--tenant goes with --config and --source")
	}
	if v.provider.name == "" && (v.source == "" || v.provider.given()) {
		return nil, errors.New("--config goes with --source, and takes secrets and options from the configuration")
	}
	options, err := v.options()
	if err != nil {
		return nil, err
	}
	if v.provider.name != "" {
		return evaluateNamed(v.provider, r, body, options)
	}
	h, err := module.ReadSource(v.config, v.adapter, v.source)
	if err != nil {
		return nil, err
	}
	if v.tenant != "" {
		if _, err := h.ProviderFor(v.tenant); err != nil {
			return nil, err
		}
	}
	options.Calls, options.Tenant = h.NamesAPI(), v.tenant
	return h.Evaluate(r, body, options), nil
}

// options reads the public URL and the time.
func (v *verifier) options() (options module.EvaluateOptions, err error) {
	if v.url != "" {
		if options.Public, err = urlFlag(v.url); err != nil {
			return options, err
		}
	}
	options.At = time.Now()
	if v.at != "" {
		if options.At, err = readTime(v.at); err != nil {
			return options, fmt.Errorf("--at %w", err)
		}
	}
	return options, nil
}

// readTime reads a time in seconds since 1970, or as RFC 3339 writes one.
func readTime(text string) (time.Time, error) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err == nil && seconds >= 0 && seconds < 1<<33 { // NaN is neither
		return time.UnixMicro(int64(seconds * 1e6)), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%q is no time: write seconds since 1970, such as 1764265300, or a time such as 2025-11-27T17:41:40Z", text)
	}
	return at, nil
}

// evaluateNamed checks a request by a provider that a command line describes.
// Without a secret that the provider needs, there is still an answer where the
// provider's API checks the proof, and to some handshakes.
func evaluateNamed(named providerFlags, r *http.Request, body []byte, options module.EvaluateOptions) (*module.Evaluation, error) {
	evaluate := func(named providerFlags) (*module.Handler, *module.Evaluation, error) {
		h, err := named.newSource()
		if err != nil {
			return nil, nil, err
		}
		options.Calls = h.NamesAPI()
		return h, h.Evaluate(r, body, options), nil
	}
	_, e, err := evaluate(named)
	if err == nil || len(named.secrets) > 0 {
		return e, err
	}
	keyless := named
	keyless.lines = append(slices.Clone(named.lines), "api_key="+anySecret("0"))
	if h, e, noKey := evaluate(keyless); noKey == nil && needsCall(h) {
		return e, nil // the key is for the API alone
	}
	// A handshake needs no secret if two sources with different ones answer alike.
	var answers [2]*module.Evaluation
	for i, digit := range []string{"0", "1"} {
		guessed := named
		guessed.secrets = []string{anySecret(digit)}
		var failed error
		if _, answers[i], failed = evaluate(guessed); failed != nil {
			return nil, err
		}
	}
	greeted := answers[0].Verdict == module.Handshake ||
		answers[0].Verdict == module.Invalid && answers[0].Status != http.StatusUnauthorized
	if !greeted || !reflect.DeepEqual(answers[0], answers[1]) {
		return nil, err
	}
	return answers[0], nil
}

// anySecret stands in for a secret. It is good as text, as hex and as base64.
func anySecret(digit string) string { return strings.Repeat(digit, 64) }

// needsCall reports whether only a call can check the proof of a source.
func needsCall(h *module.Handler) bool {
	_, ok := h.Provider().(provider.Checker)
	return ok
}

// printVerification prints the verdict, and what it comes from.
func printVerification(w io.Writer, x *Verification) error {
	if x.Verdict == module.Handshake {
		fmt.Fprintf(w, "handshake %d\n", x.Status)
		for _, name := range slices.Sorted(maps.Keys(x.Header)) {
			fmt.Fprintf(w, "%s: %s\n", name, inLine(x.Header[name]))
		}
		_, err := fmt.Fprintf(w, "\n%s", x.Body)
		return err
	}
	switch {
	case x.Verdict == module.Invalid:
		fmt.Fprintf(w, "invalid: %s\n", inLine(x.Why))
	case x.Secret > 0:
		fmt.Fprintf(w, "valid, by secret or key %d\n", x.Secret)
	case x.Unproven:
		fmt.Fprintln(w, "valid, but the provider proves nothing: anybody can have sent it")
	default:
		fmt.Fprintln(w, "valid")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range verificationRows(x) {
		fmt.Fprintf(t, "  %s\t%s\n", row[0], inLine(row[1]))
	}
	return t.Flush()
}

// verificationRows are names and texts of what there is to say.
func verificationRows(x *Verification) (rows [][2]string) {
	add := func(name, format string, args ...any) {
		rows = append(rows, [2]string{name, fmt.Sprintf(format, args...)})
	}
	for _, cause := range x.Causes {
		add("likely cause", "%s", cause)
	}
	if x.Tenant != "" {
		add("tenant", "%s", x.Tenant)
	}
	switch {
	case x.Parts != nil:
		for i, p := range x.Parts {
			add(fmt.Sprintf("part %d/%d", i+1, len(x.Parts)), "event type %s, delivery ID %s", p.EventType, p.ID)
		}
	case x.Verdict == module.Valid:
		add("event type", "%s", x.EventType)
		add("delivery ID", "%s", x.ID)
	}
	if x.Whole != "" {
		add("stored whole", "%s", x.Whole)
	}
	for _, p := range x.Readings {
		add("proof", "%s", p.Proof)
		for _, text := range p.Found {
			add("", "%s", text)
		}
		for _, s := range p.Signed {
			lacking := ""
			if s.Lacking {
				lacking = ", but the request lacks a part of it"
			}
			add("", "signed: %q, %d bytes with SHA-256 %s%s", s.Template, s.Bytes, s.SHA256, lacking)
		}
		if p.Refusal != "" {
			add("", "%s", p.Refusal)
		}
	}
	return rows
}
