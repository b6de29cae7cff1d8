package scheme_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

const (
	ignisignBody = `{"appId":"app-1","appEnv":"TEST","topic":"SIGNATURE","action":"CREATED","msgNature":"SUCCESS","verificationToken":"t0ken"}`
	checkPath    = "/v4/tokens/webhook-verification/checking-consumption"
	exchangePath = "/v4/auth/app-api"
	isValid      = `{"isValid": true, "haveBeenConsumed": true}`
)

// api stands in for Ignisign's.
type api struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	accepted []string // API keys and JWTs
	secrets  []string // those of the older kind
	jwts     int      // how many were issued
	asked    []string // with which key each check came
}

func newAPI(t *testing.T, answer http.HandlerFunc) *api {
	a := &api{t: t}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+checkPath, func(w http.ResponseWriter, r *http.Request) {
		if a.authorized(w, r) {
			answer(w, r)
		}
	})
	mux.HandleFunc("POST "+exchangePath, a.exchange)
	a.Server = httptest.NewServer(mux)
	t.Cleanup(a.Close)
	return a
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (a *api) authorized(w http.ResponseWriter, r *http.Request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	a.asked = append(a.asked, key)
	var call map[string]string
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil ||
		call["token"] != "t0ken" || call["appId"] != "app-1" || call["appEnv"] != "TEST" || len(call) != 3 {
		a.t.Errorf("asked with %v: %v", call, err)
	}
	if a.accepted != nil && !slices.Contains(a.accepted, key) {
		w.WriteHeader(http.StatusUnauthorized)
		return false
	}
	return true
}

// exchange gives a JWT for a secret. It is the only one that is good then.
func (a *api) exchange(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var call map[string]string
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil || call["appId"] != "app-1" || call["appEnv"] != "TEST" {
		a.t.Errorf("asked for a JWT with %v: %v", call, err)
	}
	if !slices.Contains(a.secrets, call["secret"]) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	a.jwts++
	jwt := fmt.Sprintf("jwt-%d", a.jwts)
	a.accepted = []string{jwt}
	_ = json.NewEncoder(w).Encode(map[string]string{"jwtToken": jwt})
}

func ignisignAt(t *testing.T, url, keys string) provider.Checker {
	return providertest.MustParse(t, "ignisign {\napp_id app-1\napp_env TEST\napi_url "+url+"\n"+keys+"\n}").(provider.Checker)
}

func check(t *testing.T, p provider.Checker) scheme.Verdict {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	verdict := p.Check(ctx, providertest.Hook(ignisignBody))
	for _, secret := range []string{"t0ken", "k3y", "s3cret", "jwt-"} {
		if strings.Contains(verdict.Reason, secret) {
			t.Errorf("the reason tells a secret: %s", verdict.Reason)
		}
	}
	if (verdict.Reason == "") != (verdict.Outcome == scheme.Genuine) {
		t.Errorf("outcome %d has the reason %q", verdict.Outcome, verdict.Reason)
	}
	return verdict
}

func TestIgnisignVerify(t *testing.T) {
	p := ignisignAt(t, "http://localhost:1", "api_key k3y")
	replace := func(from, to string) string { return strings.Replace(ignisignBody, from, to, 1) }
	for body, want := range map[string]error{
		ignisignBody:                      nil,
		replace("app-1", "app-2"):         scheme.Foreign,
		replace("TEST", "PRODUCTION"):     scheme.Foreign,
		replace("TEST", "test"):           scheme.Foreign,
		replace(`"t0ken"`, `""`):          scheme.Missing,
		replace(`"t0ken"`, `null`):        scheme.Missing,
		replace(`"t0ken"`, `7`):           scheme.Missing,
		replace("verificationToken", "x"): scheme.Missing,
		replace(`"SIGNATURE"`, `""`):      scheme.Malformed,
		replace(`"CREATED"`, `""`):        scheme.Malformed,
		replace("msgNature", "x"):         scheme.Malformed,
		replace(`"app-1"`, `["app-1"]`):   scheme.Malformed,
		``:                                scheme.Malformed,
		`null`:                            scheme.Missing,
		`[]`:                              scheme.Malformed,
		ignisignBody + "}":                scheme.Malformed,
	} {
		if err := p.Verify(providertest.Hook(body), providertest.Now); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", body, err, want)
		}
	}
}

func TestIgnisignVerdicts(t *testing.T) {
	for _, test := range []struct {
		status  int
		reply   string
		outcome scheme.Outcome
	}{
		{200, isValid, scheme.Genuine},
		{201, isValid, scheme.Genuine},
		{200, `{"isValid": false}`, scheme.Used},
		{200, `{"isValid": false, "alreadyConsumed": true}`, scheme.Used},
		{200, `{"isValid": false, "isExpired": true}`, scheme.Used},
		{200, `{"isValid": false, "notFound": true}`, scheme.Forged},
		{200, `{"isValid": false, "badTarget": true}`, scheme.Forged},
		{200, `{"isValid": false, "badRelatedId": true}`, scheme.Forged},
		{404, `{"isValid": false, "notFound": true}`, scheme.Forged},
		{400, isValid, scheme.Undecided},
		{500, isValid, scheme.Undecided},
		{302, isValid, scheme.Undecided},
		{500, `{"isValid": false, "notFound": true}`, scheme.Undecided},
		{503, `{}`, scheme.Undecided},
		{404, `not found`, scheme.Undecided},
		{429, `{"message": "slow down"}`, scheme.Undecided},
		{200, ``, scheme.Undecided},
		{200, `{}`, scheme.Undecided},
		{200, `null`, scheme.Undecided},
		{200, `[true]`, scheme.Undecided},
		{200, `{"isValid": "true"}`, scheme.Undecided},
		{200, `{"isValid": 1}`, scheme.Undecided},
		{200, `{"isValid": null}`, scheme.Undecided},
		{200, `{"isValid": true`, scheme.Undecided},
		{200, `{"isValid": true} {"isValid": false}`, scheme.Undecided},
		{200, `<html>t0ken k3y</html>`, scheme.Undecided},
		{200, `{"isValid": true, "x": "` + strings.Repeat("a", 64<<10) + `"}`, scheme.Undecided},
	} {
		a := newAPI(t, says(test.status, test.reply))
		got := check(t, ignisignAt(t, a.URL, "api_key k3y"))
		if got.Outcome != test.outcome || !got.Sent {
			t.Errorf("%d %.60s: got %+v, want outcome %d", test.status, test.reply, got, test.outcome)
		}
	}
}

func TestIgnisignOverloaded(t *testing.T) {
	answer := func(status int, after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", after)
			w.WriteHeader(status)
		}
	}
	for _, test := range []struct {
		answer     http.HandlerFunc
		overloaded bool
		after      time.Duration
	}{
		{says(429, "slow down"), true, 0},
		{says(429, isValid), true, 0},
		{answer(429, "7"), true, 7 * time.Second},
		{answer(429, "soon"), true, 0},
		{answer(503, "120"), true, 2 * time.Minute},
		{answer(503, "soon"), false, 0},
		{answer(500, "120"), false, 0},
		{says(503, ""), false, 0},
		{says(200, isValid), false, 0},
	} {
		a := newAPI(t, test.answer)
		got := check(t, ignisignAt(t, a.URL, "api_key k3y"))
		if got.Overloaded != test.overloaded || got.RetryAfter != test.after || !got.Sent || test.overloaded && got.Outcome != scheme.Undecided {
			t.Errorf("got %+v, want overloaded %v, %v", got, test.overloaded, test.after)
		}
	}
	// No call for the token is made while no JWT is to be had.
	busy := httptest.NewServer(answer(429, "9"))
	defer busy.Close()
	if got := check(t, ignisignAt(t, busy.URL, "secret s3cret")); !got.Overloaded || got.RetryAfter != 9*time.Second || got.Sent {
		t.Errorf("without a JWT: got %+v", got)
	}
}

func TestIgnisignKeys(t *testing.T) {
	for name, test := range map[string]struct {
		keys              string
		accepted, secrets []string
		outcome           scheme.Outcome
		asked             string
	}{
		"the first key":          {"api_key k3y-1 k3y-2", []string{"k3y-1", "k3y-2"}, nil, scheme.Genuine, "[k3y-1]"},
		"the next key":           {"api_key k3y-1 k3y-2", []string{"k3y-2"}, nil, scheme.Genuine, "[k3y-1 k3y-2]"},
		"no key":                 {"api_key k3y-1 k3y-2", []string{}, nil, scheme.Undecided, "[k3y-1 k3y-2]"},
		"a secret":               {"secret s3cret-1", []string{}, []string{"s3cret-1"}, scheme.Genuine, "[jwt-1]"},
		"the next secret":        {"secret s3cret-1 s3cret-2", []string{}, []string{"s3cret-2"}, scheme.Genuine, "[jwt-1]"},
		"no secret":              {"secret s3cret-1 s3cret-2", []string{}, nil, scheme.Undecided, "[]"},
		"a secret after the key": {"api_key k3y-1\nsecret s3cret-1", []string{}, []string{"s3cret-1"}, scheme.Genuine, "[k3y-1 jwt-1]"},
	} {
		a := newAPI(t, says(200, isValid))
		a.accepted, a.secrets = test.accepted, test.secrets
		got := check(t, ignisignAt(t, a.URL, test.keys))
		if got.Outcome != test.outcome || got.Sent != (test.outcome == scheme.Genuine) {
			t.Errorf("%s: got %+v", name, got)
		}
		if asked := fmt.Sprint(a.asked); asked != test.asked {
			t.Errorf("%s: asked with %s, want %s", name, asked, test.asked)
		}
	}
}

func TestIgnisignJWT(t *testing.T) {
	a := newAPI(t, says(200, isValid))
	a.accepted, a.secrets = []string{}, []string{"s3cret"}
	p := ignisignAt(t, a.URL, "secret s3cret")
	for range 3 {
		check(t, p)
	}
	if a.jwts != 1 {
		t.Errorf("%d JWTs for three checks", a.jwts)
	}
	a.accepted = []string{} // the JWT expires
	if got := check(t, p); got.Outcome != scheme.Genuine || a.jwts != 2 {
		t.Errorf("after the JWT has expired: %+v with %d JWTs", got, a.jwts)
	}
	a.accepted, a.secrets = []string{}, nil // and the secret is withdrawn
	if got := check(t, p); got.Outcome != scheme.Undecided || got.Sent {
		t.Errorf("after the secret was withdrawn: %+v", got)
	}
	a.secrets = []string{"s3cret"}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			// One exchange spoils the JWT of the one before, so some may find none that is good.
			if got := check(t, p); got.Outcome != scheme.Genuine && got.Sent {
				t.Errorf("at once: %+v", got)
			}
		})
	}
	all.Wait()
}

func TestIgnisignExchangeThatFails(t *testing.T) {
	for _, reply := range []http.HandlerFunc{
		says(500, ""), says(200, "{}"), says(200, "s3cret"), says(200, `{"jwtToken": 7}`), says(200, `{"jwtToken": "a\r\nb"}`), says(302, ""),
	} {
		server := httptest.NewServer(reply)
		t.Cleanup(server.Close)
		if got := check(t, ignisignAt(t, server.URL, "secret s3cret")); got.Outcome != scheme.Undecided || got.Sent {
			t.Errorf("got %+v", got)
		}
	}
}

func TestIgnisignDoesNotFollowRedirects(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the token went elsewhere")
	}))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, status)
		})
		if got := check(t, ignisignAt(t, a.URL, "api_key k3y")); got.Outcome != scheme.Undecided || !got.Sent {
			t.Errorf("%d: got %+v", status, got)
		}
	}
}

func TestIgnisignCutOff(t *testing.T) {
	arrived := make(chan struct{}, 2)
	slow := newAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	cut := newAPI(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	half := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, isValid)
		panic(http.ErrAbortHandler)
	})
	closed := newAPI(t, says(200, isValid))
	closed.Close()
	untrusted := httptest.NewTLSServer(says(200, isValid))
	t.Cleanup(untrusted.Close)

	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-arrived
		cancel()
	}()
	got := ignisignAt(t, slow.URL, "api_key k3y").Check(ctx, providertest.Hook(ignisignBody))
	if got.Outcome != scheme.Undecided || !got.Sent {
		t.Errorf("timed out: %+v", got)
	}
	if got := ignisignAt(t, slow.URL, "api_key k3y").Check(ctx, providertest.Hook(ignisignBody)); got.Sent {
		t.Errorf("cancelled before: %+v", got)
	}
	for name, test := range map[string]struct {
		url  string
		sent bool
	}{
		"cut off":            {cut.URL, true},
		"cut off half-way":   {half.URL, true},
		"connection refused": {closed.URL, false},
		"untrusted":          {untrusted.URL, false},
	} {
		if got := check(t, ignisignAt(t, test.url, "api_key k3y")); got.Outcome != scheme.Undecided || got.Sent != test.sent {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// TestMatchedByCall asks with each key until the API accepts one.
func TestMatchedByCall(t *testing.T) {
	stand := newAPI(t, says(200, isValid))
	stand.accepted = []string{"k3y-2"}
	p := ignisignAt(t, stand.URL, "api_key k3y-1 k3y-2 k3y-3\ntoken header X-Guard g")
	if n := p.Profile().Secrets; n != 3 {
		t.Errorf("announces %d secrets", n)
	}
	r := providertest.Hook(ignisignBody, "X-Guard: g")
	if err := p.Verify(r, providertest.Now); err != nil || r.Matched != 0 {
		t.Errorf("%v and secret %d before the call", err, r.Matched)
	}
	if verdict := check(t, p); verdict.Outcome != scheme.Genuine || verdict.Matched != 2 {
		t.Errorf("outcome %d with secret %d, want 2", verdict.Outcome, verdict.Matched)
	}
}
