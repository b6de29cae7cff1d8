package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
)

// sendSecret is good for every kind of proof: as text, as base64, and for keys
// of Standard Webhooks.
const sendSecret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// kinds are presets, one of each kind of proof that can be made.
var kinds = []struct {
	name    string
	options []string // lines of the block, as --option has them
	keyless bool
}{
	{name: "insigner"},        // an HMAC over the body
	{name: "stripe"},          // and a timestamp, both in one header
	{name: "square"},          // over the URL
	{name: "mailgun"},         // in the body, over a part of it
	{name: "shopify_query"},   // in the query, by GET
	{name: "lark"},            // a plain hash with the secret
	{name: "gitlab"},          // a token in a header
	{name: "microsoft_graph"}, // a token in the body
	{name: "vonage"},          // a JSON Web Token
	{name: "rfc9421", options: []string{"algorithm=hmac-sha256"}},          // an HTTP message signature
	{name: "insertsign", options: []string{"token=path g"}, keyless: true}, // nothing but the guard
}

// startKinds runs a gateway that has a source of each kind.
func startKinds(t *testing.T) *gateway {
	t.Helper()
	app := newApp(t, nil)
	var site strings.Builder
	for _, k := range kinds {
		fmt.Fprintf(&site, "webhook_gateway /%s* {\nprovider %s {\n", k.name, k.name)
		if !k.keyless {
			fmt.Fprintln(&site, "secret {env.SEND_SECRET}")
		}
		for _, option := range k.options {
			fmt.Fprintln(&site, strings.Replace(option, "=", " ", 1))
		}
		fmt.Fprintf(&site, "}\nroute app %s\n}\n", app.address)
	}
	fmt.Fprintf(&site, "webhook_gateway /discord {\nprovider discord {\npublic_key %064d\n}\nroute app %s\n}\n", 0, app.address)
	return start(t, "{$HTTPS} {\n"+site.String()+"}\n", "SEND_SECRET="+sendSecret)
}

// TestSendAsAProvider plays providers from the command line. The gateway's own
// root is found in Caddy's directory.
func TestSendAsAProvider(t *testing.T) {
	t.Parallel()
	g := startKinds(t)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			args := []string{"webhook", "send", "--provider", k.name, "--url", "https://" + g.https + "/" + k.name}
			for _, option := range k.options {
				args = append(args, "--option", option)
			}
			good, bad := slices.Clone(args), slices.Clone(args)
			if k.keyless {
				bad = slices.Concat(args[:len(args)-1], []string{"token=path other"})
			} else {
				good = append(good, "--secret", "{env.SEND_SECRET}")
				bad = append(bad, "--secret", strings.Replace(sendSecret, "M", "N", 1))
			}
			for _, test := range []struct {
				args   []string
				status int
				says   string
				stored int
			}{
				{good, 0, "answer    2", 1},
				{append(good, "--tamper"), 0, "401 Unauthorized", 0},
				{bad, 1, "401 Unauthorized", 0},
			} {
				before := len(g.events(url.Values{"source": {k.name}}))
				stdout, stderr, status := g.command(test.args...)
				if status != test.status || !strings.Contains(stdout, test.says) || strings.Contains(stdout+stderr, sendSecret) {
					t.Errorf("%v: exit %d, want %d and %s: %s%s", test.args[3:], status, test.status, test.says, stdout, stderr)
				}
				if stored := len(g.events(url.Values{"source": {k.name}})) - before; stored != test.stored {
					t.Errorf("%v: %d events were stored, want %d", test.args[3:], stored, test.stored)
				}
			}
		})
	}
}

// TestSendTampered sends to a source what was changed after it was signed.
func TestSendTampered(t *testing.T) {
	t.Parallel()
	g := startKinds(t)
	for _, k := range []string{"insigner", "gitlab"} {
		out := g.must(t, "send", k, "--tamper")
		if !strings.Contains(out, "tampered  a byte of the ") || !strings.Contains(out, "401 Unauthorized") {
			t.Errorf("send %s --tamper says %s", k, out)
		}
	}
	if n := len(g.events(nil)); n != 0 {
		t.Errorf("%d tampered events were stored", n)
	}
	// Where nothing is verified, it is not refused.
	accepts := newApp(t, nil)
	for _, args := range [][]string{
		{"insigner", "--tamper", "--url", "http://" + accepts.address},
		{"insigner", "--tamper", "--count", "5", "--url", "http://" + accepts.address},
		{"--provider", "insigner", "--secret", "s", "--tamper", "--url", "http://" + accepts.address},
	} {
		stdout, stderr, status := g.webhook(append([]string{"send"}, args...)...)
		if status != 1 || !strings.Contains(stdout, "200 OK") || !strings.Contains(stderr, "not refused, though tampered with") {
			t.Errorf("%v: exit %d: %s%s", args, status, stdout, stderr)
		}
	}
}

// TestSendToOwnSite sends to a source whose site has a name that does not resolve here.
func TestSendToOwnSite(t *testing.T) {
	t.Parallel()
	for _, bind := range []string{"127.0.0.1", "0.0.0.0", "[::]"} {
		app := newApp(t, nil)
		g := newGateway(t)
		_, port, _ := strings.Cut(g.http, ":")
		site := "https://hooks.nowhere.invalid:" + port
		g.env = append(g.env, "SEND_SECRET="+sendSecret)
		g.write(queueIn, site+" {\nbind "+bind+"\nwebhook_gateway /hook {\nprovider insigner {env.SEND_SECRET}\nroute app "+app.address+"\n}\nrespond 404\n}\n")
		g.run()
		eventually(t, "the site has its certificate", func() bool {
			_, _, status := g.webhook("send", "insigner")
			return status == 0
		})
		app.waitFor(t, 1)
		for _, args := range [][]string{{"--tamper"}, {"--count", "3"}} {
			if out, stderr, status := g.webhook(append([]string{"send", "insigner"}, args...)...); status != 0 {
				t.Errorf("bind %s: send %v: exit %d: %s%s", bind, args, status, out, stderr)
			}
		}
		if _, stderr, status := g.webhook("send", "insigner", "--url", site+"/hook"); status != 1 || !strings.Contains(stderr, "lookup hooks.nowhere.invalid") {
			t.Errorf("bind %s: send with --url: exit %d: %s", bind, status, stderr)
		}
	}
}

// TestSendLoad makes loads on a source, and as a provider.
func TestSendLoad(t *testing.T) {
	t.Parallel()
	g := startKinds(t)
	target := "https://" + g.https + "/insigner"
	player := []string{"--provider", "insigner", "--secret", "{env.SEND_SECRET}", "--url", target}
	stored := 0
	for _, origin := range [][]string{{"insigner"}, player} {
		began := time.Now()
		out := g.must(t, slices.Concat([]string{"send"}, origin, []string{"--count", "200", "--concurrency", "8", "--rate", "150", "--json"})...)
		if took := time.Since(began); took < 199*time.Second/150 {
			t.Errorf("200 at 150 per second took %v", took)
		}
		var sum operate.LoadSummary
		if err := json.Unmarshal([]byte(out), &sum); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		ms := sum.Millis
		if sum.Sent != 200 || sum.OK != 200 || sum.Statuses[200] != 200 || sum.URL != target || sum.Event != "document.completed" ||
			ms.P50 <= 0 || ms.P90 < ms.P50 || ms.P99 < ms.P90 || ms.Max < ms.P99 || sum.PerSecond < 20 || sum.PerSecond > 160 {
			t.Errorf("send %v: %s", origin, out)
		}
		stored += 200
		if n := len(g.events(nil)); n != stored {
			t.Errorf("after %v %d events are stored, want %d", origin, n, stored)
		}
		out = g.must(t, slices.Concat([]string{"send"}, origin, []string{"--count", "20", "--concurrency", "50", "--tamper"})...)
		if !strings.Contains(out, "answers   401 Unauthorized: 20\n") {
			t.Errorf("send %v --tamper says %s", origin, out)
		}
		if n := len(g.events(nil)); n != stored {
			t.Errorf("after tampered %v %d events are stored, want %d", origin, n, stored)
		}
		stored += g.interrupted(t, origin)
		if n := len(g.events(nil)); n != stored {
			t.Errorf("after %v was interrupted %d events are stored, want %d", origin, n, stored)
		}
	}
	// Errors are counted, and the answer is no.
	stdout, stderr, status := g.webhook("send", "insigner", "--count", "3", "--url", "https://"+freeAddress(t))
	if status != 1 || !strings.Contains(stdout, "connection refused: 3") || !strings.Contains(stderr, "3 of 3 not accepted") {
		t.Errorf("with nobody there: exit %d: %s%s", status, stdout, stderr)
	}
}

// interrupted interrupts an endless load, and returns how much it says that it
// has sent.
func (g *gateway) interrupted(t *testing.T, origin []string) int {
	t.Helper()
	args := slices.Concat([]string{"webhook", "send"}, origin, []string{"--count", "1000000", "--rate", "50", "--concurrency", "4", "--json", "--address", g.admin})
	cmd := exec.Command(os.Args[0], args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = g.env, g.dir, &out, &errs
	before := len(g.events(nil))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "events come", func() bool { return len(g.events(nil)) > before+60 })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	var sum operate.LoadSummary
	if err := cmd.Wait(); err != nil || json.Unmarshal(out.Bytes(), &sum) != nil || sum.OK != sum.Sent {
		t.Errorf("interrupted: %v, %s%s", err, &out, &errs)
	}
	return sum.Sent
}

// TestSendSaysNo runs commands that cannot send anything.
func TestSendSaysNo(t *testing.T) {
	t.Parallel()
	g := startKinds(t)
	target := "https://" + g.https + "/insigner"
	for name, test := range map[string]struct {
		args []string
		want int
		says string
	}{
		"private key":                 {[]string{"--provider", "discord", "--url", target}, 1, "discord signs with a private key that only the provider has: no sample can be signed"},
		"source with a private key":   {[]string{"discord"}, 1, "no sample can be signed"},
		"a load with a private key":   {[]string{"discord", "--count", "5"}, 1, "no sample can be signed"},
		"private key by an option":    {[]string{"--provider", "rfc9421", "--url", target, "--option", "algorithm=ed25519", "--option", fmt.Sprintf("public_key=%064d", 0)}, 1, "no sample can be signed"},
		"unknown event type":          {[]string{"--provider", "insigner", "--secret", "s", "--url", target, "--event", "nothing"}, 1, "no sample of nothing"},
		"nobody there":                {[]string{"--provider", "insigner", "--secret", "s", "--url", "https://" + freeAddress(t)}, 1, "refused"},
		"nothing to tamper with":      {[]string{"--provider", "insertsign", "--url", target, "--tamper"}, 1, "nothing to tamper with"},
		"no URL":                      {[]string{"--provider", "insigner", "--secret", "s"}, 2, "--url"},
		"no secret":                   {[]string{"--provider", "insigner", "--url", target}, 2, "needs a secret"},
		"secret without a value":      {[]string{"--provider", "insigner", "--secret", "{env.SEND_NOTHING}", "--url", target}, 2, "has no value"},
		"unknown provider":            {[]string{"--provider", "insignerr", "--url", target}, 2, "no provider"},
		"samples of nobody":           {[]string{"--provider", "insignerr", "--list"}, 1, "no samples"},
		"custom":                      {[]string{"--provider", "custom", "--url", target}, 2, "custom"},
		"unknown option":              {[]string{"--provider", "insigner", "--secret", "s", "--option", "color=red", "--url", target}, 2, "color"},
		"source and provider":         {[]string{"insigner", "--provider", "insigner", "--url", target}, 2, "usage"},
		"secret of a source":          {[]string{"insigner", "--secret", "s"}, 2, "go with --provider"},
		"no count":                    {[]string{"insigner", "--count", "0"}, 2, "count"},
		"negative rate":               {[]string{"insigner", "--count", "2", "--rate", "-1"}, 2, "rate"},
		"too many at once":            {[]string{"insigner", "--count", "2", "--concurrency", "100000"}, 2, "concurrency"},
		"all event types and a count": {[]string{"insigner", "--all", "--count", "2"}, 2, "--all"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, status := g.webhook(append([]string{"send"}, test.args...)...)
			if status != test.want || !strings.Contains(stderr, test.says) {
				t.Errorf("exit %d, want %d and a message with %q: %s%s", status, test.want, test.says, stdout, stderr)
			}
		})
	}
	if n := len(g.events(nil)); n != 0 {
		t.Errorf("%d events were stored", n)
	}
	if list := g.must(t, "send", "--provider", "insigner", "--list"); !strings.HasPrefix(list, "document.completed\n") || list != g.must(t, "send", "insigner", "--list") {
		t.Errorf("there are samples of %s", list)
	}
}

// TestEverySourceTakesItsSamples sends to a source of each preset that can be
// signed what it is, and what was tampered with.
func TestEverySourceTakesItsSamples(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	var site strings.Builder
	types := make(map[string][]string)
	for _, d := range provider.Descriptions() {
		if d.Name == "ignisign" || provider.SignsAlone(d.Name) {
			continue
		}
		types[d.Name] = nil
		fmt.Fprintf(&site, "webhook_gateway /%s {\nprovider %s {\n", d.Name, d.Name)
		switch {
		case len(d.Proofs) == 0:
			fmt.Fprintln(&site, "token header X-Guard g")
		case d.Name == "rfc9421": // whose key has nothing before it
			fmt.Fprintln(&site, "secret "+sendSecret)
		default:
			fmt.Fprintln(&site, "secret "+providertest.SecretOf(d.Name))
		}
		for _, o := range d.Options {
			if o.Name == "algorithm" {
				o.Choices = []string{"hmac-sha256"}
			}
			if o.Required {
				fmt.Fprintln(&site, o.Name, providertest.OptionValue(o))
			}
		}
		fmt.Fprintf(&site, "}\nroute app %s\n}\n", app.address)
	}
	g := start(t, "{$HTTPS} {\n"+site.String()+"}\n")
	var sources []operate.SourceInfo
	g.adminJSON("GET", "/webhook_gateway/sources", &sources)
	sent := 0
	for _, source := range sources {
		for _, event := range source.Events {
			query := url.Values{"url": {"https://" + g.https + "/" + source.Source}, "event": {event}}
			var good, bad operate.Sent
			g.adminJSON("POST", "/webhook_gateway/sources/"+source.Source+"/send?"+query.Encode(), &good)
			query.Set("tamper", "true")
			g.adminJSON("POST", "/webhook_gateway/sources/"+source.Source+"/send?"+query.Encode(), &bad)
			if !good.OK || good.EventID == "" || good.Tampered != "" {
				t.Errorf("%s: %s came to %+v", source.Source, event, good)
			}
			if !bad.OK || bad.EventID != "" || bad.Tampered == "" {
				t.Errorf("%s: %s tampered with came to %+v", source.Source, event, bad)
			}
			types[source.Source] = append(types[source.Source], event)
			sent++
		}
	}
	for _, e := range g.events(nil) {
		i := slices.Index(types[e.Source], e.Type)
		if i < 0 {
			t.Errorf("%s has an event of type %q that was not sent", e.Source, e.Type)
			continue
		}
		types[e.Source] = slices.Delete(types[e.Source], i, i+1)
	}
	for source, left := range types {
		if len(left) > 0 {
			t.Errorf("%s has not taken %v", source, left)
		}
	}
	if sent < 200 || len(sources) < 125 {
		t.Errorf("%d samples were sent to %d sources", sent, len(sources))
	}
}
