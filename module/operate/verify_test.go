package operate

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	// Configurations that are read need Caddy's own modules.
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
)

// rawOf writes the request of a vector as it stands on the wire.
func rawOf(t *testing.T, v *providertest.Vector) string {
	t.Helper()
	target := "/"
	if v.URL != "" {
		u, err := url.Parse(v.URL)
		if err != nil {
			t.Fatal(err)
		}
		target = u.RequestURI()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", v.Method, target)
	for name, value := range v.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	return b.String() + "\r\n" + v.Body
}

// argumentsOf are those of the command line for a vector.
func argumentsOf(t *testing.T, v *providertest.Vector) (args []string) {
	t.Helper()
	args = []string{"--provider", v.Provider}
	for _, secret := range providertest.Texts(v.Secret) {
		args = append(args, "--secret", secret)
	}
	option := func(name, value string) { args = append(args, "--option", name+"="+value) }
	for _, name := range providertest.VectorOptions {
		for _, text := range providertest.Texts(v.Options[name]) {
			option(name, text)
		}
	}
	if v.Echo.VerifyToken != "" {
		option("verify_token", v.Echo.VerifyToken)
	}
	if v.Legacy {
		option("legacy", "")
	}
	if v.Tolerance > 0 {
		option("tolerance", fmt.Sprintf("%ds", v.Tolerance))
	}
	if v.APIReply != nil {
		option("api_key", "key")
		option("api_url", v.StandIn(t))
	}
	if v.URL != "" {
		args = append(args, "--url", v.URL)
	}
	if v.Now == 0 {
		return append(args, "--at", "1760000000")
	}
	return append(args, "--at", strconv.FormatFloat(v.Now, 'f', -1, 64))
}

// runVerify runs the command and returns what it printed.
func runVerify(raw string, args ...string) (out string, err error) {
	cmd := verifyCommand()
	var stdout, stderr strings.Builder
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SetIn(strings.NewReader(raw))
	cmd.SetArgs(append(args, "-"))
	err = cmd.Execute()
	return stdout.String() + stderr.String(), err
}

// TestVerifyVectors runs the command on the providers' vectors.
func TestVerifyVectors(t *testing.T) {
	for _, v := range providertest.ReadVectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			out, err := runVerify(rawOf(t, v), argumentsOf(t, v)...)
			first, _, _ := strings.Cut(out, "\n")
			_, answer, _ := strings.Cut(out, "\n\n")
			switch {
			case v.NoKey:
				if !strings.Contains(first, "cannot be checked offline") {
					t.Errorf("printed %s", out)
				}
			case v.ConfigError:
				if err == nil || !strings.HasPrefix(out, "Error:") {
					t.Errorf("printed %s", out)
				}
			case v.Expected != "valid":
				if err == nil || !strings.HasPrefix(first, "invalid: ") || len(first) < 12 {
					t.Errorf("printed %s", out)
				}
			case v.Type == "handshake":
				if err != nil || first != fmt.Sprintf("handshake %d", v.Response.Status) || answer != v.Response.Body {
					t.Errorf("printed %s", out)
				}
			case err != nil || !strings.HasPrefix(first, "valid"):
				t.Errorf("printed %s", out)
			}
			for name, secret := range map[string]any{"secret": v.Secret, "secondary": v.Options["secret_secondary"]} {
				if text, _ := secret.(string); len(text) > 12 && strings.Contains(out, text) {
					t.Errorf("the %s is printed: %s", name, out)
				}
			}
		})
	}
}

// signedRaw returns a sample of a provider as it stands on the wire.
func signedRaw(t *testing.T, at time.Time, name string, secrets []string, options ...string) string {
	t.Helper()
	h, err := (&providerFlags{name, secrets, options}).newSource()
	if err != nil {
		t.Fatal(err)
	}
	p := h.Provider()
	r, err := p.Profile().Samples()[0].Request(at, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.To(&url.URL{Scheme: "https", Host: "example.com", Path: "/hook"})
	if err := p.Sign(r, at); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: example.com\r\nContent-Length: %d\r\n", r.Method, r.URL(&url.URL{}), len(r.Body))
	for header, values := range r.Header {
		fmt.Fprintf(&b, "%s: %s\r\n", header, values[0])
	}
	return b.String() + "\r\n" + string(r.Body)
}

// TestVerifyCauses makes one thing wrong and looks whether that is named.
func TestVerifyCauses(t *testing.T) {
	at := time.Unix(1_760_000_000, 0)
	const text = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	key := base64.StdEncoding.EncodeToString([]byte(text))
	changed := func(change func(body string) string) func(string) string {
		return func(raw string) string {
			head, body, _ := strings.Cut(raw, "\r\n\r\n")
			head = regexp.MustCompile(`Content-Length: \d+\r\n`).ReplaceAllString(head, "")
			return head + "\r\n\r\n" + change(body)
		}
	}
	indented := func(body string) string {
		var out bytes.Buffer
		if err := json.Indent(&out, []byte(body), "", "    "); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for name, test := range map[string]struct {
		provider, secret string
		change           func(raw string) string
		args             []string
		says             string
	}{
		"white space":     {"github", text, nil, []string{"--secret", text + " \n"}, "white space"},
		"quotes":          {"github", text, nil, []string{"--secret", `"` + text}, "quotes"},
		"line break":      {"github", text + "\n", nil, []string{"--secret", text}, "ends in a line break"},
		"other case":      {"github", "abc0", nil, []string{"--secret", "ABC0"}, "the other case"},
		"not decoded":     {"github", text, nil, []string{"--secret", key}, "base64, but it was not decoded"},
		"decoded":         {"standardwebhooks", base64.StdEncoding.EncodeToString([]byte("whsec_" + key)), nil, []string{"--secret", "whsec_" + key}, "not what it says in base64"},
		"other secret":    {"github", text, nil, []string{"--secret", "another"}, "another endpoint"},
		"indented":        {"github", text, changed(indented), []string{"--secret", text}, "re-serialised"},
		"line break lost": {"github", text, changed(func(body string) string { return body + "\n" }), []string{"--secret", text}, "a line break at its end was added"},
		"tampered":        {"github", text, changed(func(body string) string { return body[1:] }), []string{"--secret", text}, "the body was changed after it was signed"},
		"cut":             {"github", text, func(raw string) string { return raw[:len(raw)-3] }, []string{"--secret", text}, "Content-Length says"},
		"other URL":       {"twilio", text, nil, []string{"--secret", text, "--url", "http://example.com:8080/hook"}, "wrong public URL: the provider signed https://example.com/hook"},
		"missing":         {"github", text, nil, []string{"--provider", "stripe", "--secret", text}, "it may be from"},
		"old": {"stripe", text, nil, []string{"--secret", text, "--at", "1760003600"}, "1h0m0s before the one that it is checked at, and the tolerance is 5m0s: one of the clocks is wrong, or the request is an old one; " +
			"to see whether it was refused, give --at the time at which it arrived; to check the signature alone, --at 1760000000"},
		"new":           {"stripe", text, nil, []string{"--secret", text, "--at", "1759990000"}, "2h46m40s after"},
		"old and wrong": {"stripe", text, nil, []string{"--secret", text + " ", "--at", "1760003600"}, "white space"},
		"hex": {"shopify", text, func(raw string) string {
			return regexp.MustCompile(`X-Shopify-Hmac-Sha256: \S+`).ReplaceAllString(raw, "X-Shopify-Hmac-Sha256: "+strings.Repeat("0f", 32))
		}, []string{"--secret", text}, "written in hex"},
		"other form": {"github", text, func(raw string) string { return strings.Replace(raw, "sha256=", "", 1) },
			[]string{"--secret", text}, "is not written as it should be"},
		"prefix lost":     {"stripe", "whsec_" + text, nil, []string{"--secret", text}, "lacks the whsec_"},
		"old in RFC 3339": {"stripe", text, nil, []string{"--secret", text, "--at", "2025-10-09T10:53:20+01:00"}, "1h0m0s before"},
		"milliseconds":    {"stripe", text, func(raw string) string { return raw }, []string{"--secret", text, "--at", "7000000000"}, "an old one"},
		"token":           {"gitlab", text, nil, []string{"--secret", text + " "}, "white space"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := signedRaw(t, at, test.provider, []string{test.secret})
			given := append([]string{"--provider", test.provider, "--at", "1760000000"}, test.args...)
			if test.change == nil {
				right := []string{"--provider", test.provider, "--at", "1760000000", "--secret", test.secret}
				if out, err := runVerify(raw, right...); err != nil || !strings.HasPrefix(out, "valid") {
					t.Fatalf("the right one: %s", out)
				}
			} else {
				raw = test.change(raw)
			}
			out, err := runVerify(raw, given...)
			if err == nil || !strings.HasPrefix(out, "invalid: ") || !strings.Contains(out, test.says) {
				t.Errorf("printed %s", out)
			}
			if strings.Contains(out, text) || strings.Contains(out, key) {
				t.Errorf("a secret is printed: %s", out)
			}
		})
	}
}

// TestVerifySpelling holds that verify says how the JSON was written that was signed.
func TestVerifySpelling(t *testing.T) {
	for name, test := range map[string]struct {
		signed, sent string
		says         string
	}{
		"characters":         {`{"a":"f\u00fcr /"}`, `{"a":"für /"}`, `with non-ASCII characters escaped (\u00fc), 18 bytes; the request has 14;`},
		"plain characters":   {`{"a":"für"}`, `{"a":"f\u00fcr"}`, "with characters that are not escaped, 12 bytes; the request has 16;"},
		"slashes":            {`{"a":"ü\/"}`, `{"a":"ü/"}`, `with slashes escaped (\/), 12 bytes; the request has 11;`},
		"both":               {`{"a":"\u00fc\/"}`, `{"a":"ü/"}`, `with non-ASCII characters and slashes escaped (\u00fc, \/), 16 bytes; the request has 11;`},
		"plain slashes":      {`{"a":"/"}`, `{"a":"\/"}`, "with slashes that are not escaped, 9 bytes; the request has 10;"},
		"HTML":               {`{"a":"\u003cb\u003e"}`, `{"a":"<b>"}`, `with <, > and & escaped (\u003c), 21 bytes; the request has 11;`},
		"no white space":     {`{"a":1,"b":2}`, `{"a": 1, "b": 2}`, "without white space between its parts, 13 bytes; the request has 16;"},
		"spaces":             {`{"a": 1, "b": "/"}`, `{"a":1,"b":"/"}`, "with a space after each comma and colon, 18 bytes; the request has 15;"},
		"indented":           {"{\n\t\"a\": 1\n}", `{"a":1}`, "indented by tabs, 11 bytes; the request has 7;"},
		"sorted":             {`{"a":1,"b":2}`, `{"b":2,"a":1}`, "with its names sorted and without white space between its parts, 13 bytes; the request has 13;"},
		"spaces and slashes": {`{"a": "\/"}`, `{"a":"/"}`, `with a space after each comma and colon and with slashes escaped (\/), 11 bytes; the request has 9;`},
		"line break, too":    {"{\"a\":\"\\/\"}\n", `{"a":"/"}`, `with slashes escaped (\/) and with a line break at its end, 11 bytes; the request has 9;`},
	} {
		t.Run(name, func(t *testing.T) {
			sum := hmac.New(sha256.New, []byte("s3cr3t"))
			sum.Write([]byte(test.signed))
			raw := fmt.Sprintf("POST /hook HTTP/1.1\r\nX-Hub-Signature-256: sha256=%x\r\n\r\n%s", sum.Sum(nil), test.sent)
			out, err := runVerify(raw, "--provider", "github", "--secret", "s3cr3t")
			want := "likely cause  the body was re-serialised after it was signed: the provider signed the same JSON " + test.says + " keep the bytes as they came\n"
			if err == nil || !strings.Contains(out, want) {
				t.Errorf("printed %s, want %s", out, want)
			}
		})
	}
}

// TestVerifyProofs holds that verify prints the proof that counted, or those that a
// request offers, and all proofs only where it offers none.
func TestVerifyProofs(t *testing.T) {
	const signature = "X-Hub-Signature-256: sha256=5e8b1a31ac8ac27be1d1a2ce0b0d9a35ea3f0bd1c9a7e5f5b0f1d7b8f5e4f1ce"
	signed := signedRaw(t, time.Now(), "github", []string{"s3cr3t"})
	for name, test := range map[string]struct {
		raw    string
		proofs []string // their headers
	}{
		"valid":                    {signed, []string{"X-Hub-Signature-256"}},
		"one that is wrong":        {"POST /hook HTTP/1.1\r\n" + signature + "\r\n\r\n{}", []string{"X-Hub-Signature-256"}},
		"none":                     {"POST /hook HTTP/1.1\r\n\r\n{}", []string{"X-Hub-Signature-256", "X-Hub-Signature"}},
		"one that is no signature": {"POST /hook HTTP/1.1\r\nX-Hub-Signature-256: none\r\n\r\n{}", []string{"X-Hub-Signature-256"}},
		"two": {"POST /hook HTTP/1.1\r\nX-Hub-Signature: sha1=00\r\n" + signature + "\r\n\r\n{}",
			[]string{"X-Hub-Signature-256", "X-Hub-Signature"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, _ := runVerify(test.raw, "--provider", "github", "--secret", "s3cr3t")
			var proofs []string
			for _, match := range regexp.MustCompile(`(?m)^  proof .* in (\S+) as `).FindAllStringSubmatch(out, -1) {
				proofs = append(proofs, match[1])
			}
			if !slices.Equal(slices.Compact(proofs), test.proofs) {
				t.Errorf("printed the proofs %v, want %v: %s", proofs, test.proofs, out)
			}
		})
	}
}

// TestVerifyUsage tries command lines that say too little, or too much.
func TestVerifyUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "Caddyfile")
	config := "localhost {\n\twebhook_gateway /hook {\n\t\tsource a\n\t\tprovider github s3cr3t\n\t\troute r 127.0.0.1:1\n\t}\n}\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	raw := signedRaw(t, time.Now(), "github", []string{"s3cr3t"})
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"source":             {[]string{"--config", file, "--source", "a"}, "valid, by secret or key 1\n"},
		"JSON":               {[]string{"--config", file, "--source", "a", "--json"}, `"verdict": "valid"`},
		"nothing":            {nil, "name the provider"},
		"both":               {[]string{"--config", file, "--source", "a", "--provider", "github"}, "name the provider"},
		"no source":          {[]string{"--config", file}, "goes with --source"},
		"other source":       {[]string{"--config", file, "--source", "b"}, "no source b"},
		"secret beside":      {[]string{"--config", file, "--source", "a", "--secret", "s"}, "takes secrets and options from the configuration"},
		"no secret":          {[]string{"--provider", "github"}, "needs a secret"},
		"URL without a host": {[]string{"--provider", "github", "--secret", "s3cr3t", "--url", "/hook"}, "is not a URL"},
		"no time":            {[]string{"--provider", "github", "--secret", "s3cr3t", "--at", "now"}, `--at "now" is no time: write seconds since 1970, such as 1764265300, or a time such as 2025-11-27T17:41:40Z`},
		"no time zone":       {[]string{"--provider", "github", "--secret", "s3cr3t", "--at", "2025-11-27T17:41:40"}, "is no time"},
		"no key for an API":  {[]string{"--provider", "ignisign", "--option", "app_id=a", "--option", "app_env=b"}, "invalid: "},
	} {
		t.Run(name, func(t *testing.T) {
			if out, _ := runVerify(raw, test.args...); !strings.Contains(out, test.says) {
				t.Errorf("printed %s", out)
			}
		})
	}
}

// TestVerifyOffline holds that a proof that needs a call is not called wrong, and
// that the call is made once its address is given.
func TestVerifyOffline(t *testing.T) {
	raw := signedRaw(t, time.Now(), "ignisign", nil, "app_id={app_id}", "app_env={app_env}", "api_key=k")
	calls := 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		fmt.Fprint(w, `{"isValid":true}`)
	}))
	t.Cleanup(api.Close)
	args := []string{"--provider", "ignisign", "--option", "app_id={app_id}", "--option", "app_env={app_env}"}
	out, err := runVerify(raw, args...)
	if err == nil || !strings.HasPrefix(out, "invalid: this proof cannot be checked offline") || calls > 0 {
		t.Errorf("printed %s", out)
	}
	out, err = runVerify(raw, append(args, "--option", "api_url="+api.URL)...)
	if err != nil || !strings.HasPrefix(out, "valid") || calls != 1 {
		t.Errorf("%d calls, printed %s", calls, out)
	}
}

// TestVerifyDeepJSON holds that a body that nests deeply, or is large, costs
// little: whoever sends a webhook may make one.
func TestVerifyDeepJSON(t *testing.T) {
	for _, body := range []string{
		strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		`{"a":[` + strings.Repeat(`{"b":1},`, 1<<20) + `{}]}`,
	} {
		raw := "POST /hook HTTP/1.1\r\nX-Hub-Signature-256: sha256=" + strings.Repeat("0f", 32) + "\r\n\r\n" + body
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, err := runVerify(raw, "--provider", "github", "--secret", "s3cr3t")
		runtime.ReadMemStats(&after)
		if err == nil || !strings.HasPrefix(out, "invalid: proof wrong") {
			t.Errorf("printed %.200s", out)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(100*len(body)+64<<20) {
			t.Errorf("a body of %d bytes took %d", len(body), n)
		}
	}
}

// TestVerifyDelivered checks a webhook that is signed with a secret which came by
// handshake.
func TestVerifyDelivered(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	config := "{\n\twebhook_gateway {\n\t\tqueue disk {\n\t\t\tpath " + dir + "\n\t\t}\n\t}\n}\n" +
		"localhost {\n\twebhook_gateway /hook {\n\t\tprovider asana\n\t\troute r 127.0.0.1:1\n\t}\n}\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	raw := signedRaw(t, time.Now(), "asana", []string{"delivered-by-handshake"})
	out, err := runVerify(raw, "--config", file, "--source", "asana")
	if err == nil || !strings.Contains(out, "delivers its secret by a handshake") {
		t.Errorf("before it was delivered, printed %s", out)
	}
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	err = os.WriteFile(filepath.Join(dir, "secrets", "asana.json"), []byte(`[{"secret":"delivered-by-handshake"}]`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := runVerify(raw, "--config", file, "--source", "asana"); err != nil || !strings.HasPrefix(out, "valid") {
		t.Errorf("printed %s", out)
	}
}

// TestVerifyVerdicts looks at verdicts that are easily taken for others.
func TestVerifyVerdicts(t *testing.T) {
	out, err := runVerify("POST /hook HTTP/1.1\r\n\r\n{}", "--provider", "insertsign")
	if err != nil || !strings.HasPrefix(out, "valid, but the provider proves nothing") {
		t.Errorf("a provider that proves nothing: %s", out)
	}
	out, err = runVerify("GET /hook?hub.mode=subscribe&hub.challenge=1&hub.verify_token=x HTTP/1.1\r\n\r\n",
		"--provider", "meta", "--secret", "s3cr3t", "--option", "verify_token=y")
	if err == nil || !strings.HasPrefix(out, "invalid: ") || !strings.Contains(out, "verify_token") {
		t.Errorf("a handshake with another token: %s", out)
	}
}
