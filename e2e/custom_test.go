package e2e

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// customScheme is a provider that a configuration describes.
type customScheme struct {
	name   string
	block  string // of provider custom
	target string // path and query behind the source's own path
	sign   func(now time.Time, body string) http.Header
	forge  func(http.Header) // breaks the proof in another way than by the body
}

const customSecret = "custom-secret-42ea"

// sum makes an HMAC.
func sum(newHash func() hash.Hash, key, content string) []byte {
	mac := hmac.New(newHash, []byte(key))
	mac.Write([]byte(content))
	return mac.Sum(nil)
}

// signature makes a header with a signature in hexadecimal.
func signature(content string) http.Header {
	return http.Header{"X-Sig": {hex.EncodeToString(sum(sha256.New, customSecret, content))}}
}

var customSchemes = []customScheme{
	{
		name:  "plain",
		block: "hmac {\nheader X-Sig\n}",
		sign:  func(_ time.Time, body string) http.Header { return signature(body) },
	}, {
		name:  "value",
		block: "hmac sha256 {\nheader X-Sig\nvalue \"t={timestamp},v1={signature}\"\nsigned \"{timestamp}.{body}\"\n}",
		sign: func(now time.Time, body string) http.Header {
			good := signature(fmt.Sprintf("%d.%s", now.Unix(), body)).Get("X-Sig")
			return http.Header{"X-Sig": {fmt.Sprintf("t=%d, v1=00ff, v1=%s, v0=1", now.Unix(), good)}}
		},
		forge: func(h http.Header) { h.Set("X-Sig", strings.Replace(h.Get("X-Sig"), "t=", "t=1", 1)) },
	}, {
		name:  "milliseconds",
		block: "hmac sha512 {\nheader X-Sig\nvalue \"{hash}:{signature}\"\nencoding base64\nsigned \"{timestamp}|{body}\"\ntimestamp header X-Time unix_ms\n}",
		sign: func(now time.Time, body string) http.Header {
			stamp := fmt.Sprint(now.UnixMilli())
			text := base64.StdEncoding.EncodeToString(sum(sha512.New, customSecret, stamp+"|"+body))
			return http.Header{"X-Sig": {"sha512:" + text}, "X-Time": {stamp}}
		},
		forge: func(h http.Header) { h.Del("X-Time") },
	}, {
		name:  "rfc3339",
		block: "hmac {\nheader X-Sig\nsigned \"{body}{timestamp}\"\ntimestamp header X-Time rfc3339\n}",
		sign: func(now time.Time, body string) http.Header {
			h := signature(body + now.Format(time.RFC3339))
			h.Set("X-Time", now.Format(time.RFC3339))
			return h
		},
		forge: func(h http.Header) { h.Set("X-Time", time.Now().Add(time.Second).Format(time.RFC3339)) },
	}, {
		name:  "old",
		block: "hmac {\nheader X-Sig\nsigned \"{timestamp}{body}\"\ntimestamp header X-Time\n}\ntolerance 2h",
		sign: func(now time.Time, body string) http.Header {
			stamp := fmt.Sprint(now.Add(-time.Hour).Unix())
			h := signature(stamp + body)
			h.Set("X-Time", stamp)
			return h
		},
	}, {
		name:   "request",
		block:  "external_url https://hooks.example\nhmac {\nheader X-Sig\nsigned \"{method} {url} {path} {query} {header.X-Name}\n{body}\"\n}",
		target: "/a%2Fb?x=%20&y",
		sign: func(_ time.Time, body string) http.Header {
			h := signature("POST https://hooks.example/request/a%2Fb?x=%20&y /request/a%2Fb x=%20&y me\n" + body)
			h.Set("X-Name", "me")
			return h
		},
		forge: func(h http.Header) { h.Set("X-Name", "you") },
	}, {
		name:   "public",
		block:  "external_url https://hooks.example:8443/in?key=1\nhmac {\nheader X-Sig\nsigned \"{url}{body}\"\n}",
		target: "/ignored",
		sign: func(_ time.Time, body string) http.Header {
			return signature("https://hooks.example:8443/in?key=1" + body)
		},
	}, {
		name:  "id",
		block: "id body.id\nhmac {\nheader X-Sig\nsigned \"{id}.{body}\"\n}",
		sign:  func(_ time.Time, body string) http.Header { return signature("id." + body) },
	}, {
		name:  "hexkey",
		block: "hmac sha1 {\nheader X-Sig\nvalue \"sha1={signature}\" {signature}\nkey hex\n}\nsecret " + hex.EncodeToString([]byte("\x00key")),
		sign: func(_ time.Time, body string) http.Header {
			return http.Header{"X-Sig": {hex.EncodeToString(sum(sha1.New, "\x00key", body))}}
		},
	}, {
		name:  "base64key",
		block: "hmac {\nheader X-Sig\nencoding base64url\nkey base64\nsecret " + base64.StdEncoding.EncodeToString([]byte("\xffkey")) + "\n}",
		sign: func(_ time.Time, body string) http.Header {
			return http.Header{"X-Sig": {base64.URLEncoding.EncodeToString(sum(sha256.New, "\xffkey", body))}}
		},
	},
}

func TestCustomHMAC(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	var site strings.Builder
	for _, c := range customSchemes {
		if !strings.Contains(c.block, "secret") {
			c.block += "\nsecret {env.CUSTOM_SECRET}"
		}
		fmt.Fprintf(&site, "webhook_gateway /%[1]s* {\nsource %[1]s\nprovider custom {\n%s\n}\nroute app %s\n}\n", c.name, c.block, app.address)
	}
	g := start(t, "{$HTTPS} {\n"+site.String()+"}\n", "CUSTOM_SECRET="+customSecret)
	var tests []proofCase
	for _, c := range customSchemes {
		body := fmt.Sprintf(`{"id":"id","scheme":%q}`, c.name)
		path, header := "/"+c.name+c.target, c.sign(time.Now(), body)
		wrong := header.Clone()
		if c.forge != nil {
			c.forge(wrong)
		} else {
			wrong.Set("X-Sig", "00")
		}
		tests = append(tests,
			proofCase{c.name + ", other body", path, header, body + " ", http.StatusUnauthorized},
			proofCase{c.name + ", wrong", path, wrong, body, http.StatusUnauthorized},
			proofCase{c.name + ", nothing", path, nil, body, http.StatusUnauthorized},
			proofCase{c.name, path, header, body, http.StatusOK})
	}
	runProofCases(t, g, tests)
	app.waitFor(t, len(customSchemes))
	g.checkLeaks([]string{customSecret})
}

// TestTokens guards sources by a token, which neither the app nor an operator
// gets to see where it was part of the URL.
func TestTokens(t *testing.T) {
	t.Parallel()
	const first, second = "token-one-d0a3", "token two/+%&=ü"
	app := newApp(t, nil)
	provider := func(token string) string {
		return fmt.Sprintf("provider custom {\ntoken %s {env.TOKEN_1} {env.TOKEN_2}\n}\nroute app %s\n", token, app.address)
	}
	g := start(t, "{$HTTPS} {\n"+
		"webhook_gateway /header/* {\nsource header\n"+provider("header X-Token")+"}\n"+
		"webhook_gateway /query/* {\nsource query\n"+provider("query token")+"}\n"+
		"webhook_gateway /path/* {\nsource path\n"+provider("path")+"}\n}\n", "TOKEN_1="+first, "TOKEN_2="+second)
	inHeader := func(token string) http.Header { return http.Header{"X-Token": {token}} }
	good := []struct {
		proofCase
		uri string
	}{
		{proofCase{"header", "/header/a?b", inHeader(first), "1", 200}, "/header/a?b"},
		{proofCase{"header, second token", "/header/a?b", inHeader(second), "2", 200}, "/header/a?b"},
		{proofCase{"query", "/query/a?token=" + first, nil, "3", 200}, "/query/a"},
		{proofCase{"query, among others", "/query/a%2F?x=%7e&token=" + first + "&&y", nil, "4", 200}, "/query/a%2F?x=%7e&&y"},
		{proofCase{"query, second token", "/query/a?token=" + url.QueryEscape(second) + "&x", nil, "5", 200}, "/query/a?x"},
		{proofCase{"query, name escaped", "/query/a?%74oken=" + first, nil, "6", 200}, "/query/a"},
		{proofCase{"query, twice", "/query/a?token=" + first + "&x&token=" + first, nil, "7", 200}, "/query/a?x"},
		{proofCase{"path", "/path/a%2Fb/" + first + "?x", nil, "8", 200}, "/path/a%2Fb?x"},
		{proofCase{"path, second token", "/path/" + url.PathEscape(second), nil, "9", 200}, "/path"},
	}
	tests := []proofCase{
		{"header, none", "/header/a", nil, "", 401},
		{"header, empty", "/header/a", inHeader(""), "", 401},
		{"header, wrong", "/header/a", inHeader("token-one-d0a4"), "", 401},
		{"header, in the query", "/header/a?X-Token=" + first, nil, "", 401},
		{"query, none", "/query/a", nil, "", 401},
		{"query, wrong", "/query/a?token=x", nil, "", 401},
		{"query, other name", "/query/a?Token=" + first, nil, "", 401},
		{"path, none", "/path/", nil, "", 401},
		{"path, wrong", "/path/x", nil, "", 401},
		{"path, not last", "/path/" + first + "/x", nil, "", 401},
	}
	for _, test := range good {
		tests = append(tests, test.proofCase)
	}
	runProofCases(t, g, tests)
	uris := make(map[string]string)
	for _, d := range app.waitFor(t, len(good)) {
		uris[string(d.body)] = d.uri
	}
	for _, test := range good {
		if uri := uris[test.body]; uri != test.uri {
			t.Errorf("%s: app got %s, want %s", test.name, uri, test.uri)
		}
	}
	g.checkLeaks([]string{first, second, url.QueryEscape(second), url.PathEscape(second)})
}

// TestTokenBesideSignature has both; the token is no part of the delivery's
// identity, and of nothing that the rules see.
func TestTokenBesideSignature(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /hook {
		provider custom {
			token query token {env.TOKEN_1} {env.TOKEN_2}
			id    body.id
			hmac {
				header X-Sig
				signed "{id}{body}"
				secret {env.CUSTOM_SECRET}
			}
		}
		route app `+"`path == \"/hook\" && query.x == \"1\" && !(\"token\" in query)`"+` %s
	}
}
`, app.address), "TOKEN_1=token-one-d0a3", "TOKEN_2=token-two-77c1", "CUSTOM_SECRET="+customSecret)
	const body = `{"id":"id"}`
	header := signature("id" + body)
	for path, want := range map[string]int{
		"/hook?x=1&token=token-one-d0a3": 200, "/hook?x=1&token=token-two-77c1": 200, "/hook?x=1": 401, "/hook?x=1&token=x": 401,
	} {
		if status, _ := g.post(path, header, []byte(body)); status != want {
			t.Errorf("POST %s was answered %d, want %d", path, status, want)
		}
	}
	if status, _ := g.post("/hook?x=1&token=token-one-d0a3", signature("other"), []byte(body)); status != 401 {
		t.Errorf("a token without signature was answered %d, want 401", status)
	}
	if got := app.waitFor(t, 1); got[0].uri != "/hook?x=1" {
		t.Errorf("app got %s, want /hook?x=1", got[0].uri)
	}
	g.settled("custom", 1)
	g.checkLeaks([]string{"token-one-d0a3", "token-two-77c1", customSecret})
}

// TestProviderAnswers has a provider that wants to be answered in its own way.
func TestProviderAnswers(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /own {
		source own
		provider custom {env.CUSTOM_SECRET} {
			hmac {
				header X-Sig
			}
			answer 202 "{\"taken\":true}" application/json
			refused 412
			max_body 20
		}
		route app %[1]s
	}
	webhook_gateway /set {
		source set
		provider custom {env.CUSTOM_SECRET} {
			hmac {
				header X-Sig
			}
			answer 202 thanks
		}
		respond 204
		route app %[1]s
	}
}
`, app.address), "CUSTOM_SECRET="+customSecret)
	for _, test := range []struct {
		path, body string
		header     http.Header
		want       int
		answer     string
	}{
		{"/own", "1", signature("1"), 202, `{"taken":true}`},
		{"/own", "1", signature("1"), 202, `{"taken":true}`}, // a duplicate
		{"/own", "2", signature("1"), 412, "Precondition Failed\n"},
		{"/own", strings.Repeat("x", 21), signature("1"), 413, "Request Entity Too Large\n"},
		{"/set", "1", signature("1"), 204, ""},
		{"/set", "2", signature("1"), 401, "Unauthorized\n"},
	} {
		if status, answer := g.post(test.path, test.header, []byte(test.body)); status != test.want || answer != test.answer {
			t.Errorf("%s %.5s: answer %d %q, want %d %q", test.path, test.body, status, answer, test.want, test.answer)
		}
	}
	app.waitFor(t, 2)
}

// TestSendCustom sends a sample to a source whose provider the configuration
// describes.
func TestSendCustom(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, "{$HTTPS} {\nwebhook_gateway /acme {\nsource acme\nprovider custom s3cr3t {\nhmac sha256 {\n"+
		"header X-Acme-Signature\nsigned {timestamp}.{body}\ntimestamp header X-Acme-Time\n}\nevent `body.type`\nid `body.id`\n}\nroute app "+app.address+"\n}\n}\n")
	if out := g.must(t, "send", "acme"); !strings.Contains(out, "200 OK") || !strings.Contains(out, "delivered, attempt 1") {
		t.Errorf("printed %s", out)
	}
	if out := g.must(t, "send", "acme", "--tamper"); !strings.Contains(out, "401") {
		t.Errorf("tampered, printed %s", out)
	}
}
