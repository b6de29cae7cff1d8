package scheme_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

const snsTopic = "arn:aws:sns:us-east-2:1:t"

// snsIn is an SNS scheme of a gateway that keeps its files in a directory.
func snsIn(t testing.TB, dir string) *scheme.SNS {
	t.Helper()
	s := &scheme.SNS{Topics: []string{snsTopic}}
	if err := s.Provision(&scheme.Credentials{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	return s
}

// jwksIn is a token whose keys are at a URL, of a gateway that keeps its files in a
// directory.
func jwksIn(t testing.TB, dir, address string) *scheme.JWT {
	t.Helper()
	j := &scheme.JWT{From: "{header.X-Token}", Algorithms: []string{"EdDSA"}, BodyHash: "sha256"}
	if err := j.Provision(&scheme.Credentials{Keys: scheme.Keys{KeysURL: address}, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	return j
}

// from says which client a request comes from.
func from(client string, r *template.Request) *template.Request {
	r.Client = client
	return r
}

// snsServer has the certificate of snsCert, and no other.
func snsServer(t *testing.T) *keyServer {
	certificate := providertest.ValidCertificate(t, "sns.amazonaws.com")
	return newKeyServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/SimpleNotificationService-0.pem" {
			w.WriteHeader(404)
			return
		}
		fmt.Fprint(w, certificate)
	})
}

// madeUp is a message that names a certificate that is not there.
func madeUp(t *testing.T, client string, n int) *template.Request {
	address := fmt.Sprintf("https://sns.us-east-2.amazonaws.com/%d.pem", n)
	return from(client, providertest.Hook(snsBody(t, "2", address, nil)))
}

// TestStrangersStarveNobody has a stranger name certificates that are not there, as
// many as the gateway lets it. Whoever sends from elsewhere is served, and so is who
// names a certificate that was good before.
func TestStrangersStarveNobody(t *testing.T) {
	server := snsServer(t)
	s := snsIn(t, "")
	good := func(client string) error {
		return deliver(s, from(client, providertest.Hook(snsBody(t, "2", snsCert, nil))), providertest.Now)
	}
	refused := 0
	for i := range 100 {
		if errors.Is(deliver(s, madeUp(t, fmt.Sprintf("2001:db8::%x", i), i), providertest.Now), scheme.ErrManyKeys) {
			refused++
		}
	}
	if calls := int(server.calls.Load()); calls > scheme.FetchBurst+2 || refused != 100-calls {
		t.Errorf("one network caused %d calls, and was refused %d times", calls, refused)
	}
	if err := good("192.0.2.1"); err != nil {
		t.Errorf("a genuine message beside a stranger's: %v", err)
	}
	for i := range 2 * scheme.StrangersBurst {
		_ = deliver(s, madeUp(t, fmt.Sprintf("198.51.100.%d", i), 1000+i), providertest.Now)
	}
	if err := deliver(s, madeUp(t, "203.0.113.1", 5000), providertest.Now); !errors.Is(err, scheme.ErrManyKeys) {
		t.Errorf("strangers at many addresses are not refused: %v", err)
	}
	// The certificate is old by now, and fetched again though strangers are refused.
	cache, before := s.Cache(), server.calls.Load()
	cache.Clock = func() time.Time { return time.Now().Add(scheme.KeyLife + time.Minute) }
	if err := good("2001:db8::1"); err != nil {
		t.Errorf("a genuine message of the strangers' own network: %v", err)
	}
	if err := cache.Fetch(context.Background(), snsCert, nil); err != nil || server.calls.Load() == before {
		t.Errorf("fetching what was good before: %v", err)
	}
}

// TestGenuineNameComesAgain has strangers use up all shares with what they make up, and
// go on. A webhook of the same address, whose key was never fetched, is refused once:
// when the provider sends it again it is served, and the strangers have not made the
// gateway call more often.
func TestGenuineNameComesAgain(t *testing.T) {
	server := snsServer(t)
	s := snsIn(t, "")
	clock := time.Now()
	s.Cache().Clock = func() time.Time { return clock }
	good := func(s *scheme.SNS) error {
		return deliver(s, from("192.0.2.1", providertest.Hook(snsBody(t, "2", snsCert, nil))), clock)
	}
	n := 0
	strangers := func() {
		for range 4 * scheme.StrangersBurst {
			n++
			_ = deliver(s, madeUp(t, fmt.Sprintf("192.0.2.%d", n%256), n), clock)
			_ = deliver(s, madeUp(t, "192.0.2.1", -n), clock)
		}
	}
	strangers()
	if err := good(s); !errors.Is(err, scheme.ErrManyKeys) {
		t.Fatalf("beside the strangers: %v", err)
	}
	if err := good(s); !errors.Is(err, scheme.ErrManyKeys) {
		t.Errorf("at once again: %v", err)
	}
	strangers()
	clock = clock.Add(scheme.AgainPause)
	calls := server.calls.Load()
	strangers()
	if more := server.calls.Load() - calls; more > int32(scheme.AgainPause/scheme.StrangersPause)+1 {
		t.Errorf("the strangers caused %d calls in %v", more, scheme.AgainPause)
	}
	if err := good(s); err != nil {
		t.Errorf("when it comes again: %v", err)
	}
}

// TestSharesAreTheSources has strangers use up what one source may call. Another source
// whose keys are the same provider's still may.
func TestSharesAreTheSources(t *testing.T) {
	snsServer(t)
	dir := t.TempDir()
	open, guarded := snsIn(t, dir), snsIn(t, dir)
	for i := range 2 * scheme.StrangersBurst {
		_ = deliver(open, madeUp(t, "192.0.2.1", i), providertest.Now)
		_ = deliver(open, madeUp(t, fmt.Sprintf("198.51.100.%d", i), 1000+i), providertest.Now)
	}
	if err := deliver(open, from("192.0.2.1", providertest.Hook(snsBody(t, "2", snsCert, nil))), providertest.Now); !errors.Is(err, scheme.ErrManyKeys) {
		t.Errorf("of the source of the strangers: %v", err)
	}
	if err := deliver(guarded, from("192.0.2.1", providertest.Hook(snsBody(t, "2", snsCert, nil))), providertest.Now); err != nil {
		t.Errorf("of another source: %v", err)
	}
	open.Cache().Kept()
}

// goodSNS is a message that the certificate of snsServer signs.
func goodSNS(t *testing.T) *template.Request { return providertest.Hook(snsBody(t, "2", snsCert, nil)) }

// delivered returns a provider with its keys in a directory, after a good message.
func delivered(t *testing.T, dir string) (*scheme.SNS, *keyServer) {
	t.Helper()
	server := snsServer(t)
	s := snsIn(t, dir)
	if err := deliver(s, goodSNS(t), providertest.Now); err != nil {
		t.Fatal(err)
	}
	return s, server
}

// TestKeysOutliveConfiguration holds that neither a reload nor a start loses a key,
// with the provider down meanwhile.
func TestKeysOutliveConfiguration(t *testing.T) {
	dir := t.TempDir()
	_, server := delivered(t, dir)
	server.serve(500, "")
	if err := snsIn(t, dir).Verify(goodSNS(t), providertest.Now); err != nil {
		t.Errorf("after a reload: %v", err)
	}
	if err := snsIn(t, t.TempDir()).Verify(goodSNS(t), providertest.Now); !errors.Is(err, scheme.NoKey) {
		t.Errorf("of another gateway: %v", err)
	}
	scheme.ForgetCaches()
	if err := snsIn(t, dir).Verify(goodSNS(t), providertest.Now); err != nil {
		t.Errorf("after a start: %v", err)
	}
	if got := server.calls.Load(); got != 1 {
		t.Errorf("%d calls, want 1", got)
	}
	path := onlyFile(t, filepath.Join(dir, "keys"))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("the file's mode is %o", mode)
	}
}

// TestKeySetOutlivesConfiguration does the same with a set, whose URL has a token.
func TestKeySetOutlivesConfiguration(t *testing.T) {
	const address = "https://keys.example.com/jwks?token=hidden"
	server := newKeyServer(t, nil)
	server.serve(200, providertest.JWKS('a'))
	dir := t.TempDir()
	good := func() *template.Request { return providertest.Hook("{}", "X-Token: "+edToken('a', "{}")) }
	j := jwksIn(t, dir, address)
	if err := deliver(j, good(), providertest.Now); err != nil {
		t.Fatal(err)
	}
	j.Cache().Kept()
	scheme.ForgetCaches()
	server.serve(500, "")
	again := jwksIn(t, dir, address)
	if err := again.Verify(good(), providertest.Now); err != nil {
		t.Errorf("after a start: %v", err)
	}
	if err := jwksIn(t, dir, "https://other.example.com/jwks").Verify(good(), providertest.Now); !errors.Is(err, scheme.NoKey) {
		t.Errorf("keys of another URL: %v", err)
	}
	// A set that changes is written again, and one that does not is not.
	path := onlyFile(t, filepath.Join(dir, "keys"))
	first, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(first), "hidden") {
		t.Errorf("the file is %s, %v", first, err)
	}
	for i, set := range []string{providertest.JWKS('a'), providertest.JWKS('a', 'b')} {
		server.serve(200, set)
		if err := again.Cache().Fetch(context.Background(), "", nil); err != nil {
			t.Fatal(err)
		}
		again.Cache().Kept()
		content, err := os.ReadFile(path)
		if changed := string(content) != string(first); err != nil || changed != (i == 1) {
			t.Errorf("set %d: written is %v, %v", i, changed, err)
		}
	}
}

// TestStrangersWriteNothing holds that only keys that verified a request lie on disk.
func TestStrangersWriteNothing(t *testing.T) {
	snsServer(t)
	dir := t.TempDir()
	s := snsIn(t, dir)
	forged := strings.Replace(snsBody(t, "2", snsCert, nil), `"hello"`, `"hullo"`, 1)
	for i := range 3 {
		if err := deliver(s, providertest.Hook(forged), providertest.Now); !errors.Is(err, scheme.Wrong) {
			t.Errorf("a forged message: %v", err)
		}
		_ = deliver(s, madeUp(t, "", i), providertest.Now)
	}
	s.Cache().Kept()
	if _, err := os.Stat(filepath.Join(dir, "keys")); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
}

// TestCopiesAreHeldToTheRules changes what lies on disk. Nothing counts that could
// not have been fetched.
func TestCopiesAreHeldToTheRules(t *testing.T) {
	dir := t.TempDir()
	s, server := delivered(t, dir)
	s.Cache().Kept()
	server.serve(500, "")
	path := onlyFile(t, filepath.Join(dir, "keys"))
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	hour := func(n int) time.Time { return time.Now().Add(time.Duration(n) * time.Hour) }
	stranger := providertest.NewAuthority("root").Issue(t, hour(-1), hour(1), "", "sns.amazonaws.com")
	type key struct {
		Name, Text string
		Fetched    time.Time
	}
	file := func(name, text string, fetched time.Time) string {
		encoded, _ := json.Marshal(map[string]any{"keys": []key{{name, text, fetched}}})
		return string(encoded)
	}
	valid := providertest.ValidCertificate(t, "sns.amazonaws.com")
	for name, test := range map[string]struct {
		content string
		good    bool
	}{
		"as it was":             {string(content), true},
		"from the future":       {file(snsCert, valid, hour(24*365)), true},
		"very old":              {file(snsCert, valid, hour(-24*365)), true},
		"a stranger's":          {file(snsCert, stranger, hour(0)), false},
		"expired":               {file(snsCert, providertest.CertificateFor(t, "sns.amazonaws.com", hour(-2), hour(-1)), hour(-3)), false},
		"for another name":      {file(snsCert, providertest.ValidCertificate(t, "evil.com"), hour(0)), false},
		"a bare key":            {file(snsCert, providertest.PEMOf(t, providertest.RSAKey().Public()), hour(0)), false},
		"of no URL":             {file("", valid, hour(0)), false},
		"cut off":               {string(content[:len(content)/2]), false},
		"empty":                 {"", false},
		"too large":             {file(snsCert, valid+strings.Repeat("\n", 2*scheme.MaxKeyBytes), hour(0)), false},
		"something else":        {`[1, 2]`, false},
		"of a host of nobody's": {file("https://sns.s3-us-west-2.amazonaws.com/evil.pem", valid, hour(0)), false},
	} {
		scheme.ForgetCaches()
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		err := snsIn(t, dir).Verify(goodSNS(t), providertest.Now)
		if test.good && err != nil || !test.good && !errors.Is(err, scheme.NoKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFailingSetIsCalledSeldom has strangers come while the host of a set is down:
// it is not called for each of them.
func TestFailingSetIsCalledSeldom(t *testing.T) {
	server := newKeyServer(t, nil)
	server.serve(500, "")
	j := jwksToken(t)
	for i := range 50 {
		r := from(fmt.Sprintf("192.0.2.%d", i), providertest.Hook("{}", "X-Token: "+edToken('a', "{}")))
		if err := deliver(j, r, providertest.Now); err == nil {
			t.Error("it was taken")
		}
	}
	if got := server.calls.Load(); got > scheme.FetchBurst+2 {
		t.Errorf("%d calls", got)
	}
}

func onlyFile(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%s has %v, %v; want one file", dir, entries, err)
	}
	return filepath.Join(dir, entries[0].Name())
}
