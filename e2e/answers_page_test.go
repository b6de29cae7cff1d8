package e2e

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestAnswersPage runs each configuration of docs/answers.md: the app gives the answer of
// the page to the request of the page, and the provider, which signs as it does in reality,
// gets that answer.
func TestAnswersPage(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"SLACK_SIGNING_SECRET": "slack-secret", "TWILIO_AUTH_TOKEN": "twilio-token", "DISCORD_PUBLIC_KEY": hex.EncodeToString(public)}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	sign := map[string]func(target, body string) (name, signature, timeHeader string){
		"/slack": func(_, body string) (string, string, string) {
			return "X-Slack-Signature", "v0=" + hmacHex(env["SLACK_SIGNING_SECRET"], []byte("v0:"+now+":"+body)), "X-Slack-Request-Timestamp"
		},
		"/twilio": func(target, body string) (string, string, string) {
			form, _ := url.ParseQuery(body)
			var signed strings.Builder
			signed.WriteString(target)
			for _, name := range sortedNames(form) {
				signed.WriteString(name + form.Get(name))
			}
			mac := hmac.New(sha1.New, []byte(env["TWILIO_AUTH_TOKEN"]))
			mac.Write([]byte(signed.String()))
			return "X-Twilio-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)), ""
		},
		"/discord": func(_, body string) (string, string, string) {
			return "X-Signature-Ed25519", hex.EncodeToString(ed25519.Sign(private, []byte(now+body))), "X-Signature-Timestamp"
		},
	}
	var sites strings.Builder
	app := newApp(t, nil)
	blocks := fencedBlocks(readFile(t, "../docs/answers.md"))
	sites.WriteString("{$HTTPS} {\n")
	for _, block := range blocks {
		if block.language == "caddyfile" {
			sites.WriteString(strings.NewReplacer("localhost:3000", app.address, "localhost:3001", app.address).Replace(block.text))
		}
	}
	sites.WriteString("}\n")
	var set []string
	for name, value := range env {
		set = append(set, name+"="+value)
	}
	g := start(t, sites.String(), set...)

	var requests int
	for i, block := range blocks {
		line, _, _ := strings.Cut(block.text, "\n")
		path, isRequest := strings.CutPrefix(line, "POST ")
		if block.language != "http" || !isRequest {
			continue
		}
		requests++
		path = strings.Fields(path)[0]
		header, body := message(block.text)
		wantHeader, want := message(blocks[i+1].text)
		app.setAnswer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", wantHeader.Get("Content-Type"))
			_, _ = w.Write([]byte(want))
		})
		target := "https://" + g.https + path
		name, signature, timeHeader := sign[path](target, body)
		header.Set(name, signature)
		if timeHeader != "" {
			header.Set(timeHeader, now)
		}
		resp, err := g.do(http.MethodPost, target, header, strings.NewReader(body))
		if err != nil || resp.status != 200 || resp.body != want || resp.header.Get("Content-Type") != wantHeader.Get("Content-Type") {
			t.Errorf("%s was answered %+v, %v; the page says %s", path, resp, err, want)
		}
		if got := app.waitFor(t, requests)[requests-1]; string(got.body) != body {
			t.Errorf("the app got %s", got.body)
		}
	}
	if requests != len(sign) {
		t.Errorf("the page has %d requests", requests)
	}
}

// message returns headers and body of a message as a page prints it.
func message(text string) (http.Header, string) {
	head, body, _ := strings.Cut(text, "\n\n")
	header := make(http.Header)
	for line := range strings.Lines(head) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			header.Set(name, value)
		}
	}
	return header, strings.TrimSuffix(body, "\n")
}

func sortedNames(form url.Values) (names []string) {
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
