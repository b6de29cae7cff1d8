package provider_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// hostileChallenges are what no provider asks an endpoint to send back.
var hostileChallenges = map[string]string{
	"empty":           "",
	"white space":     " ",
	"NUL":             "abc\x00def0123456789abcdef",
	"line break":      "abc0123456789abcdef\r\nSet-Cookie: a=b",
	"page":            "<script>alert(1)</script>",
	"quote":           `abc0123456789abcdef","x":"`,
	"no ASCII":        "abc0123456789abcdef\u00e9",
	"1001 characters": strings.Repeat("a", 1001),
	"1 MiB":           strings.Repeat("a", 1<<20),
}

// TestHostileChallenges changes the challenges of valid handshakes. What is no
// challenge is not answered, or is answered as text that no browser takes for a
// page, and quoted in JSON.
func TestHostileChallenges(t *testing.T) {
	changed := 0
	anybody := proven{verify: func(*template.Request) bool { return true }}
	for _, v := range providertest.ReadVectors(t) {
		if v.Type != "handshake" || v.Expected != "valid" {
			continue
		}
		hs, err := handshakesOf(v.Provider, map[string]string{"verify_token": v.Echo.VerifyToken}, sharedSecret)
		if err != nil {
			t.Fatal(err)
		}
		places := challengePlaces(t, &hs, v.Request(t))
		for what, challenge := range hostileChallenges {
			r := v.Request(t)
			for _, place := range places {
				setChallenge(t, place, r, challenge)
				changed++
			}
			answer, err := hs.Answer(anybody, r, providertest.Now)
			if len(places) == 0 || err != nil || answer == nil {
				continue
			}
			isPage := answer.Body != "" && answer.Header.Get("X-Content-Type-Options") != "nosniff"
			broken := answer.Header.Get("Content-Type") == "application/json" && !json.Valid([]byte(answer.Body))
			if what != "page" && what != "quote" && what != "white space" || isPage || broken {
				t.Errorf("%s: %s: answered %q as %q", v.ID, what, answer.Body, answer.Header)
			}
		}
		twice, doubled := v.Request(t), false
		for _, place := range places {
			doubled = doubleChallenge(place, twice) || doubled
		}
		if answer, err := hs.Answer(anybody, twice, providertest.Now); doubled && err == nil && answer != nil && len(places) == 1 {
			t.Errorf("%s: two challenges: answered %q", v.ID, answer.Body)
		}
	}
	if changed < 50 {
		t.Errorf("only %d challenges were changed", changed)
	}
}

// challengePlaces are where a request has a challenge.
func challengePlaces(t *testing.T, hs *provider.Handshakes, r *template.Request) (places []template.Template) {
	t.Helper()
	for _, h := range hs.List() {
		if h.Challenge == "" {
			continue
		}
		place, err := template.Parse(h.Challenge)
		if err != nil {
			t.Fatal(err)
		}
		e := template.NewOwnEnv(r)
		if place.Text(e) != "" {
			places = append(places, place)
		}
		e.Free()
	}
	return places
}

// setChallenge puts a challenge in place of the one that is there.
func setChallenge(t *testing.T, place template.Template, r *template.Request, challenge string) {
	t.Helper()
	switch part, name := place.Place(); part {
	case "header":
		r.Header[name] = []string{challenge}
	case "query":
		query, err := url.ParseQuery(r.RawQuery)
		if err != nil {
			t.Fatal(err)
		}
		query.Set(name, challenge)
		r.RawQuery = query.Encode()
	case "json":
		r.Body = providertest.SetJSONText(r.Body, name, challenge)
	}
}

// doubleChallenge adds another challenge, except in JSON.
func doubleChallenge(place template.Template, r *template.Request) bool {
	part, name := place.Place()
	switch part {
	case "header":
		r.Header[name] = append(r.Header[name], "another")
	case "query":
		r.RawQuery += "&" + url.QueryEscape(name) + "=another"
	}
	return part != "json"
}
