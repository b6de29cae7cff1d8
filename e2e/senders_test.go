package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// party is a provider as the tests play it.
type party struct {
	name    string
	block   string // its provider line or block in the Caddyfile
	path    string // where it posts to, token included
	appPath string // the path that the app gets
	event   string // the event type of its webhooks
	secret  string // in the variable that the block names: E2E_ and the name in capitals
	// webhook makes the delivery with an ID. Its body has white space that no
	// encoder would write, and bytes that are no UTF-8.
	webhook func(id string) (http.Header, []byte)
	// forgeries break the proof of a delivery, each in another way.
	forgeries map[string]func(*forgery)
}

// forgery is a delivery that is being tampered with.
type forgery struct {
	path   string
	header http.Header
	body   []byte
}

// oddQuery would not survive being decoded and
// encoded again.
const oddQuery = `?b=2&a=1&a=%7e;&odd=%zz+%20&&empty`

// theFive are the e-signature providers. api stands in for Ignisign's.
func theFive(api string) []party {
	return []party{iusignParty(), ignisignParty(api), insertsignParty(), fusesignParty(), insignerParty()}
}

func jsonHeader(more ...string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

// without drops a header.
func without(name string) func(*forgery) {
	return func(f *forgery) { f.header.Del(name) }
}

// with sets a header.
func with(name, value string) func(*forgery) {
	return func(f *forgery) { f.header.Set(name, value) }
}

// otherBody changes one byte of the body.
func otherBody(f *forgery) { f.body[len(f.body)-1] ^= 1 }

func iusignParty() party {
	const secret = "iusign-0f4b6f5c-secret"
	return party{
		name: "iusign", block: "provider iusign {env.E2E_IUSIGN}", event: "envelope.completed",
		path: "/iusign/a%2Fb%20c", appPath: "/iusign/a%2Fb%20c", secret: secret,
		webhook: func(id string) (http.Header, []byte) {
			body := fmt.Appendf(nil, "\t{ \"event\" :\"envelope.completed\", \"data\":{\"id\":%q,\"raw\":\"\xff\xfe\"} }\r\n ", id)
			return jsonHeader("X-IUSign-Signature", hmacHex(secret, body)), body
		},
		forgeries: map[string]func(*forgery){
			"body":      otherBody,
			"missing":   without("X-IUSign-Signature"),
			"empty":     with("X-IUSign-Signature", ""),
			"wrong":     with("X-IUSign-Signature", hmacHex("another", nil)),
			"no hex":    with("X-IUSign-Signature", "sha256=zz"),
			"secret":    with("X-IUSign-Signature", secret),
			"algorithm": func(f *forgery) { with("X-IUSign-Signature", "sha1="+hmacHex(secret, f.body))(f) },
		},
	}
}

const (
	ignisignKey = "ignisign-api-key-77aa"
	ignisignApp = "app-e2e"
)

func ignisignParty(api string) party {
	webhook := func(token string) (http.Header, []byte) {
		return jsonHeader(), fmt.Appendf(nil, "{\"appId\":%q, \"appEnv\":\"TEST\",\n\"topic\":\"SIGNATURE\",\"action\":\"SIGNATURE_SUCCESS\","+
			"\"msgNature\":\"SUCCESS\",\"content\":{\"raw\":\"\xff\xfe\"},\"verificationToken\":%q}\r\n\t", ignisignApp, token)
	}
	change := func(from, to string) func(*forgery) {
		return func(f *forgery) { f.body = []byte(strings.Replace(string(f.body), from, to, 1)) }
	}
	return party{
		name: "ignisign", event: "SIGNATURE.SIGNATURE_SUCCESS", path: "/ignisign/a%2Fb", appPath: "/ignisign/a%2Fb", secret: ignisignKey,
		block: fmt.Sprintf("provider ignisign {\napp_id %s\napp_env TEST\napi_key {env.E2E_IGNISIGN}\napi_url %s\n}", ignisignApp, api),
		webhook: func(id string) (http.Header, []byte) {
			return webhook("good-" + id)
		},
		forgeries: map[string]func(*forgery){
			"unknown token": change("good-", "bad-"),
			"no token":      change("verificationToken", "token"),
			"other app":     change(ignisignApp, "app-other"),
			"other env":     change("TEST", "PRODUCTION"),
			"no JSON":       func(f *forgery) { f.body = []byte("verificationToken=good-1") },
		},
	}
}

func insertsignParty() party {
	const token = "insertsign-token-31b2"
	return party{
		name: "insertsign", block: "provider insertsign {\ntoken path {env.E2E_INSERTSIGN}\n}", event: "request.completed",
		path: "/insertsign/a%2Fb/" + token, appPath: "/insertsign/a%2Fb", secret: token,
		webhook: func(id string) (http.Header, []byte) {
			return jsonHeader(), fmt.Appendf(nil, " { \"type\": \"request.completed\",\"data\":{\"request_id\":%q,\"raw\":\"\xff\"}}\n\n", id)
		},
		forgeries: map[string]func(*forgery){
			"missing":  func(f *forgery) { f.path = "/insertsign/a%2Fb/" },
			"wrong":    func(f *forgery) { f.path = "/insertsign/a%2Fb/" + token + "x" },
			"not last": func(f *forgery) { f.path += "/x" },
			"part":     func(f *forgery) { f.path = f.path[:len(f.path)-1] },
		},
	}
}

func fusesignParty() party {
	const secret = "fusesign-signature-9c1d"
	return party{
		name: "fusesign", block: "provider fusesign {env.E2E_FUSESIGN}", event: "CustomerDocumentSigned",
		path: "/fusesign/a%2Fb", appPath: "/fusesign/a%2Fb", secret: secret,
		webhook: func(id string) (http.Header, []byte) {
			body := fmt.Appendf(nil, "{\"WebhookId\":%q,\"EventType\":\"CustomerDocumentSigned\",  \"raw\":\"\xff\xfe\"}\t", id)
			return jsonHeader("Fuse-Signature", secret), body
		},
		forgeries: map[string]func(*forgery){
			"missing":  without("Fuse-Signature"),
			"empty":    with("Fuse-Signature", ""),
			"wrong":    with("Fuse-Signature", "fusesign-signature-9c1e"),
			"part":     with("Fuse-Signature", secret[:len(secret)-1]),
			"too much": with("Fuse-Signature", secret+"x"),
		},
	}
}

func insignerParty() party {
	const secret = insignerSecret
	return party{
		name: "insigner", block: "provider insigner {env.E2E_INSIGNER}", event: "document.completed",
		path: "/insigner/a%2Fb", appPath: "/insigner/a%2Fb", secret: secret,
		webhook: func(id string) (http.Header, []byte) {
			body := fmt.Appendf(nil, "{\"id\":%q ,\"event\":\"document.completed\",\"raw\":\"\xff\xfe\"}\r\n", id)
			// The time of an event that waited: it is not signed, and not checked.
			return jsonHeader("X-InSigner-Signature", "sha256="+hmacHex(secret, body), "X-InSigner-Timestamp", "1700000000"), body
		},
		forgeries: map[string]func(*forgery){
			"body":      otherBody,
			"missing":   without("X-InSigner-Signature"),
			"wrong":     with("X-InSigner-Signature", "sha256="+hmacHex("another", nil)),
			"no prefix": func(f *forgery) { with("X-InSigner-Signature", hmacHex(secret, f.body))(f) },
			"decoded":   func(f *forgery) { with("X-InSigner-Signature", "sha256="+hmacHex("\xa1\xb2", f.body))(f) },
		},
	}
}

// github returns a GitHub webhook.
func github(secret, id, event string, body []byte) http.Header {
	return jsonHeader("X-Hub-Signature-256", "sha256="+hmacHex(secret, body),
		"X-GitHub-Event", event, "X-GitHub-Delivery", id)
}

// stripe returns Stripe's signature header, one v1 for each secret.
func stripe(at time.Time, body []byte, secrets ...string) string {
	value := fmt.Sprintf("t=%d", at.Unix())
	for _, secret := range secrets {
		value += ",v1=" + hmacHex(secret, fmt.Appendf(nil, "%d.%s", at.Unix(), body))
	}
	return value
}

// standard returns the headers of Standard Webhooks, one signature for each key.
func standard(id string, at time.Time, body []byte, keys ...string) http.Header {
	var signatures []string
	for _, key := range keys {
		mac := hmac.New(sha256.New, []byte(key))
		fmt.Fprintf(mac, "%s.%d.%s", id, at.Unix(), body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return jsonHeader("Webhook-Id", id, "Webhook-Timestamp", fmt.Sprint(at.Unix()), "Webhook-Signature", strings.Join(signatures, " "))
}

// tokenAPI stands in for Ignisign's API: tokens are valid unless they begin with bad,
// once.
type tokenAPI struct {
	*httptest.Server
	mu       sync.Mutex
	consumed map[string]int // calls by token
}

func newTokenAPI(t *testing.T) *tokenAPI {
	api := &tokenAPI{consumed: make(map[string]int)}
	api.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Token, AppID, AppEnv string }
		err := json.NewDecoder(r.Body).Decode(&asked)
		switch {
		case err != nil || r.URL.Path != "/v4/tokens/webhook-verification/checking-consumption" ||
			asked.AppID != ignisignApp || asked.AppEnv != "TEST":
			http.Error(w, "bad call", http.StatusBadRequest)
			return
		case r.Header.Get("Authorization") != "Bearer "+ignisignKey:
			http.Error(w, "bad key", http.StatusUnauthorized)
			return
		}
		api.mu.Lock()
		defer api.mu.Unlock()
		api.consumed[asked.Token]++
		good, before := !strings.HasPrefix(asked.Token, "bad"), api.consumed[asked.Token] > 1
		fmt.Fprintf(w, `{"isValid":%t,"notFound":%t,"alreadyConsumed":%t}`, good && !before, !good, good && before)
	}))
	t.Cleanup(api.Close)
	return api
}

// calls returns how often a token was checked.
func (api *tokenAPI) calls(token string) int {
	api.mu.Lock()
	defer api.mu.Unlock()
	return api.consumed[token]
}
