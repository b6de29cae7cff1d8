package provider_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
)

// TestPublishedLists reads lists in the shapes that providers give them.
func TestPublishedLists(t *testing.T) {
	deep := strings.Repeat("[", 500_000)
	github := providertest.MustParse(t, "github s").Profile().Ranges
	paddle := providertest.MustParse(t, "paddle s").Profile().Ranges
	stripe := providertest.MustParse(t, "stripe s").Profile().Ranges
	whole := &provider.Ranges{Format: "json"}
	for _, test := range []struct {
		ranges        *provider.Ranges
		content, want string // want begins with ! where it is part of the error
	}{
		{stripe, "3.18.12.63\n3.130.192.231\n", "3.18.12.63/32 3.130.192.231/32"},
		{stripe, "# as of today\r\n\r\n192.0.2.9/24 # office\r\n  2001:db8::1", "192.0.2.0/24 2001:db8::1/128"},
		{stripe, "", "!the list is empty"},
		{stripe, "# nothing\n\n", "!the list is empty"},
		{stripe, "192.0.2.1\n<html>\n", `!"<html>" is neither`},
		{stripe, "192.0.2.1 192.0.2.2\n", "!is neither"},
		{stripe, "10.0.0.0/8\n2001::/16", "10.0.0.0/8 2001::/16"},
		{stripe, "192.0.2.1\n10.0.0.0/7", "!10.0.0.0/7 is wider than /8"},
		{stripe, "0.0.0.0/0", "!0.0.0.0/0 is wider than /8"},
		{stripe, "::/0", "!::/0 is wider than /16"},
		{stripe, "2001::/15", "!2001::/15 is wider than /16"},
		{stripe, "192.0.2.0/33", `!"192.0.2.0/33" is neither`},
		{stripe, strings.Repeat("x", 1000), `!"` + strings.Repeat("x", 40) + `" is neither`},

		{github, `{"hooks":["192.30.252.0/22","2a0a:a440::/29"],"web":["198.51.100.1/32"]}`, "192.30.252.0/22 2a0a:a440::/29"},
		{github, `{"message":"API rate limit exceeded"}`, "!the list is empty"},
		{github, `{"hooks":[]}`, "!the list is empty"},
		{github, `{"hooks":null}`, "!the list is empty"},
		{github, `{"hooks":["192.30.252.0/22",7]}`, `!"7" is not a string`},
		{github, `{"hooks":["192.30.252.0/22",["192.0.2.1"]]}`, `!is not a string`},
		{github, `{"hooks":["192.30.252.0/22"`, "!the list is not JSON"},
		{github, `{"hooks":["0.0.0.0/0"]}`, "!wider"},
		{github, ``, "!the list is not JSON"},
		{github, deep, "!the list is not JSON"},
		{paddle, `{"data":{"ipv4_cidrs":["34.237.3.244/32"]},"meta":{}}`, "34.237.3.244/32"},
		{whole, `["192.0.2.1"]`, "192.0.2.1/32"},
		{whole, `"192.0.2.1"`, "192.0.2.1/32"},
		{whole, `{"a":"192.0.2.1"}`, "!is not a string"},
	} {
		networks, err := test.ranges.Parse([]byte(test.content))
		got := strings.Trim(fmt.Sprint(networks), "[]")
		want, refused := strings.CutPrefix(test.want, "!")
		if err != nil {
			got = err.Error()
		}
		if refused != (err != nil) || !strings.Contains(got, want) {
			t.Errorf("%.80s: got %q, want %q", test.content, got, test.want)
		}
	}
}

// TestRangesOfPresets holds that whatever a preset says of addresses is taken,
// and that a source may ask for it.
func TestRangesOfPresets(t *testing.T) {
	published := 0
	for _, p := range provider.Presets() {
		known := p.Known()
		if known.Publishes() != (p.Ranges != nil) {
			t.Errorf("%s: Publishes is %t", p.Name, known.Publishes())
		}
		if p.Ranges == nil {
			continue
		}
		published++
		own := *p.Ranges
		if err := own.Compile(); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	if published < 10 {
		t.Errorf("only %d presets have ranges", published)
	}
	eu := providertest.MustParse(t, "pagerduty s {\nregion eu\n}").Profile().Ranges.URL
	if want := "https://developer.pagerduty.com/ip-safelists/webhooks-eu-service-region"; eu != want {
		t.Errorf("with its option the URL is %s, want %s", eu, want)
	}
}

// TestRangesCompile says what is wrong with ranges.
func TestRangesCompile(t *testing.T) {
	t.Setenv("LIST", "https://example.com/ips?token=1")
	for config, want := range map[string]string{
		`{}`:                                                      "ranges are a list",
		`{"list":["example.com"]}`:                                `"example.com" is neither`,
		`{"list":["0.0.0.0/1"]}`:                                  "wider than /8",
		`{"url":"http://example.com/ips"}`:                        "not an https URL",
		`{"url":"https://a:b@example.com/ips"}`:                   "must not contain a user name",
		`{"url":"{env.NO_LIST}"}`:                                 "is not a URL",
		`{"url":"https://example.com","format":"xml"}`:            `text or json, not "xml"`,
		`{"list":["192.0.2.1"],"path":"x"}`:                       "only ranges in JSON have a path",
		`{"url":"{env.LIST}","format":"json","path":"addresses"}`: "",
	} {
		r := new(provider.Ranges)
		if err := json.Unmarshal([]byte(config), r); err != nil {
			t.Fatal(err)
		}
		err := r.Compile()
		switch {
		case want == "" && (err != nil || r.URL != "https://example.com/ips?token=1"):
			t.Errorf("%s: %v, and the URL is %s", config, err, r.URL)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %s", config, err, want)
		}
	}
}

// FuzzPublishedList holds that a list is refused or has only networks that a
// provider may have.
func FuzzPublishedList(f *testing.F) {
	for _, content := range []string{"192.0.2.1\n# x\n2001:db8::/32", `{"hooks":["192.0.2.0/24"]}`, `["::ffff:192.0.2.1"]`, "fe80::1%eth0", "[[[["} {
		f.Add([]byte(content), "")
		f.Add([]byte(content), "hooks")
	}
	f.Fuzz(func(t *testing.T, content []byte, path string) {
		for _, r := range []*provider.Ranges{{}, {Format: "json"}, {Format: "json", Path: "hooks"}, {Format: "json", Path: path}} {
			networks, err := r.Parse(content)
			if (err == nil) != (len(networks) > 0) {
				t.Fatalf("%d networks and %v", len(networks), err)
			}
			for _, n := range networks {
				if n != n.Masked() || n.Bits() < provider.Widest4 || n.Addr().Is6() && n.Bits() < provider.Widest6 {
					t.Fatalf("%v is no network of a provider", n)
				}
			}
		}
	})
}

// TestAtlassianRanges finds a product's addresses among those of the others.
func TestAtlassianRanges(t *testing.T) {
	const published = `{"items":[
		{"cidr":"192.0.2.0/28","product":["bitbucket","jira"],"direction":["ingress","egress"]},
		{"cidr":"192.0.2.16/28","product":["bitbucket"],"direction":["ingress"]},
		{"cidr":"192.0.2.32/28","product":["trello"],"direction":["egress"]},
		{"cidr":"192.0.2.48/28","product":["bitbucket"],"direction":["egress"]}]}`
	for config, want := range map[string][]string{
		"bitbucket s": {"192.0.2.0/28", "192.0.2.48/28"},
		"jira s":      {"192.0.2.0/28"},
	} {
		networks, err := providertest.MustParse(t, config).Profile().Ranges.Parse([]byte(published))
		var got []string
		for _, n := range networks {
			got = append(got, n.String())
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: found %v, %v; want %v", config, got, err, want)
		}
	}
}
