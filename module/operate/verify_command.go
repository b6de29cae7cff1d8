package operate

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/spf13/cobra"
)

func verifyCommand() *cobra.Command {
	v := new(verifier)
	cmd := &cobra.Command{
		Use:   "verify (--provider <name> | --config <file> --source <name>) <request file>",
		Short: "Tells whether a request is genuine, and why it is not",
		Long: `Does with a request what the gateway does with it: answers it if it is a
handshake, and otherwise checks its proof. Where that is not right, it says which
headers were read, what must have been signed, and what is likely to be wrong.
The file (or - for the standard input) is the raw request as the provider sends
it: request line, headers, an empty line, and the body to the end.

The provider is one of "caddy webhook providers" with its secrets and options, or
that of a source in a configuration. An option is a line of the provider's block.

  caddy webhook verify --provider stripe --secret '{env.STRIPE_SECRET}' request.txt
  caddy webhook verify --provider twilio --secret s --url https://example.com/sms request.txt
  caddy webhook verify --config Caddyfile --source stripe request.txt

No running gateway is needed. The provider's API is called only where the option
api_url or keys_url names it. Other programs may see the command line: a secret
can be a placeholder such as {env.X} or {file./run/secrets/x}.

The first line says valid, invalid with the reason, or handshake with the status,
and then come the headers and the body of its answer. It exits with 1 if the
request is invalid.`,
	}
	cmd.Flags().StringVar(&v.provider, "provider", "", "The provider")
	cmd.Flags().StringArrayVar(&v.secrets, "secret", nil, "A secret of the provider; may be repeated")
	cmd.Flags().StringArrayVar(&v.options, "option", nil, "An option of the provider, name=value; may be repeated")
	cmd.Flags().StringVarP(&v.config, "config", "c", "", "The configuration that has the source")
	cmd.Flags().StringVarP(&v.adapter, "adapter", "a", "", "The adapter of that configuration")
	cmd.Flags().StringVar(&v.source, "source", "", "The source in that configuration")
	cmd.Flags().StringVar(&v.url, "url", "", "The public URL that the provider called (default: https, and what the request says)")
	cmd.Flags().StringVar(&v.at, "at", "", "The time to check at, in seconds since 1970 (default: now)")
	cmd.Flags().BoolVar(&v.json, "json", false, "Print JSON")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exit(cmd, usageError{err}) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return exit(cmd, usageError{fmt.Errorf("usage: caddy webhook %s", cmd.Use)})
		}
		return exit(cmd, v.run(cmd, args[0]))
	}
	return cmd
}

// verifier is the command with its flags.
type verifier struct {
	provider, config, adapter, source, url, at string
	secrets, options                           []string
	json                                       bool
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
	x, err := v.verify(r, body)
	if err != nil {
		return usageError{err}
	}
	if v.json {
		err = (&remote{Command: cmd}).printJSON(x)
	} else {
		err = printVerification(cmd.OutOrStdout(), x)
	}
	switch {
	case err != nil || x.Verdict != "invalid":
		return err
	case x.Status == 0:
		return errors.New("what the gateway would answer is not known")
	default:
		return fmt.Errorf("the gateway would answer %d %s", x.Status, http.StatusText(x.Status))
	}
}

// verify checks a request. An error is one of usage or configuration.
func (v *verifier) verify(r *http.Request, body []byte) (*module.Verification, error) {
	if (v.provider == "") == (v.config == "" && v.source == "") {
		return nil, errors.New("name the provider (--provider <name>), or a source of a configuration (--config <file> --source <name>)")
	}
	if v.provider == "" && (v.source == "" || v.secrets != nil || v.options != nil) {
		return nil, errors.New("--config goes with --source, and takes secrets and options from the configuration")
	}
	c := new(module.ProofCheck)
	if err := v.readPlaceAndTime(c); err != nil {
		return nil, err
	}
	if v.provider == "" {
		h, err := module.ReadSource(v.config, v.adapter, v.source)
		if err != nil {
			return nil, err
		}
		c.Source, c.Callable = h, module.CallsAPI(h.ProviderRaw)
		if err := h.ProvisionProof(); err != nil {
			return nil, err
		}
		if c.Delivered, err = h.ReadDelivered(); err != nil {
			return nil, err
		}
		return c.Check(r, body), nil
	}
	named := func(secrets []string, more ...string) (*module.ProofCheck, error) {
		h, err := namedSource(v.provider, secrets, slices.Concat(v.options, more))
		if err != nil {
			return nil, err
		}
		other := *c
		other.Source = h
		return &other, nil
	}
	c.Callable = slices.ContainsFunc(v.options, func(option string) bool {
		return strings.HasPrefix(option, "api_url=") || strings.HasPrefix(option, "keys_url=")
	})
	given, err := named(v.secrets)
	if err == nil {
		return given.Check(r, body), nil
	}
	if len(v.secrets) > 0 {
		return nil, err
	}
	if keyless, err := named(nil, "api_key="+module.AnySecret); err == nil && keyless.Source.ByCall() {
		return keyless.Check(r, body), nil // its key is for the API alone
	}
	x := module.GreetUnknown(func(secret string) (*module.ProofCheck, error) { return named([]string{secret}) }, r, body)
	if x != nil {
		return x, nil
	}
	return nil, err
}

func (v *verifier) readPlaceAndTime(c *module.ProofCheck) error {
	if v.url != "" {
		var ok bool
		if c.Public, ok = httpURL(v.url); !ok {
			return fmt.Errorf("--url %q is not a URL such as https://example.com/hook", v.url)
		}
	}
	c.At = time.Now()
	if v.at != "" {
		seconds, err := strconv.ParseFloat(v.at, 64)
		if err != nil || !(seconds >= 0 && seconds < 1<<33) { // NaN is neither
			return fmt.Errorf("--at %q is no number of seconds since 1970", v.at)
		}
		c.At = time.UnixMicro(int64(seconds * 1e6))
	}
	return nil
}

// printVerification prints the verdict, and what it comes from.
func printVerification(w io.Writer, x *module.Verification) error {
	if x.Verdict == module.Handshake {
		fmt.Fprintf(w, "handshake %d\n", x.Status)
		for _, name := range slices.Sorted(maps.Keys(x.Header)) {
			fmt.Fprintf(w, "%s: %s\n", name, printable(x.Header[name]))
		}
		_, err := fmt.Fprintf(w, "\n%s", x.Body)
		return err
	}
	switch {
	case x.Verdict == "invalid":
		fmt.Fprintf(w, "invalid: %s\n", printable(x.Why))
	case x.Secret > 0:
		fmt.Fprintf(w, "valid, by secret or key %d\n", x.Secret)
	case x.Unproven:
		fmt.Fprintln(w, "valid, but the provider proves nothing: anybody can have sent it")
	default:
		fmt.Fprintln(w, "valid")
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range verificationRows(x) {
		fmt.Fprintf(table, "  %s\t%s\n", row[0], inCell(row[1]))
	}
	return table.Flush()
}

// verificationRows are names and texts of what there is to say.
func verificationRows(x *module.Verification) (rows [][2]string) {
	add := func(name, format string, args ...any) {
		rows = append(rows, [2]string{name, fmt.Sprintf(format, args...)})
	}
	for _, cause := range x.Causes {
		add("likely cause", "%s", cause)
	}
	if x.Verdict == "valid" {
		add("event type", "%s", x.EventType)
		add("delivery ID", "%s", x.ID)
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
