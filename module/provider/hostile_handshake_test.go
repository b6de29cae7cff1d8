package provider

import (
	"net/url"
	"strings"
	"testing"
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
	anybody := proven{verify: func(*Request) bool { return true }}
	for _, v := range readVectors(t) {
		if v.Type != "handshake" || v.Expected != "valid" {
			continue
		}
		hs, err := handshakesOf(v.Provider, map[string]string{"verify_token": v.Echo.VerifyToken}, sharedSecret)
		if err != nil {
			t.Fatal(err)
		}
		places := challengePlaces(&hs, v.request(t))
		for what, challenge := range hostileChallenges {
			r := v.request(t)
			for _, place := range places {
				place.set(t, r, challenge)
				changed++
			}
			answer, err := hs.answer(anybody, r, now)
			if len(places) == 0 || err != nil || answer == nil {
				continue
			}
			isPage := answer.Body != "" && answer.Header.Get("X-Content-Type-Options") != "nosniff"
			broken := answer.Header.Get("Content-Type") == "application/json" && !isJSON([]byte(answer.Body))
			if what != "page" && what != "quote" && what != "white space" || isPage || broken {
				t.Errorf("%s: %s: answered %q as %q", v.ID, what, answer.Body, answer.Header)
			}
		}
		twice, doubled := v.request(t), false
		for _, place := range places {
			doubled = place.double(twice) || doubled
		}
		if answer, err := hs.answer(anybody, twice, now); doubled && err == nil && answer != nil && len(places) == 1 {
			t.Errorf("%s: two challenges: answered %q", v.ID, answer.Body)
		}
	}
	if changed < 50 {
		t.Errorf("only %d challenges were changed", changed)
	}
}

// challengePlaces are where a request has a challenge.
func challengePlaces(hs *handshakes, r *Request) (places []Place) {
	for i := range hs.list {
		place := hs.list[i].Challenge
		if place == (Place{}) {
			continue
		}
		if text, _ := place.find(r); text != "" {
			places = append(places, place)
		}
	}
	return places
}

// set puts a challenge in place of the one that is there.
func (p *Place) set(t *testing.T, r *Request, challenge string) {
	t.Helper()
	switch p.In {
	case "header":
		r.Header[p.Name] = []string{challenge}
	case "query":
		r.RawQuery = withPair(r.RawQuery, p.Name, challenge)
	case "body":
		var err error
		if r.Body, err = setJSON(r.Body, p.Name, challenge); err != nil {
			t.Fatal(err)
		}
	}
}

// double adds another challenge, except in JSON.
func (p *Place) double(r *Request) bool {
	switch p.In {
	case "header":
		r.Header[p.Name] = append(r.Header[p.Name], "another")
	case "query":
		r.RawQuery += "&" + url.QueryEscape(p.Name) + "=another"
	}
	return p.In != "body"
}
