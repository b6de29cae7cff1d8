package public

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestIsAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8":                true,
		"52.94.5.1":              true,
		"100.63.255.255":         true,
		"172.32.0.1":             true,
		"2606:4700::1111":        true,
		"2600:1f00::1":           true,
		"::ffff:8.8.8.8":         true,
		"64:ff9b::808:808":       true, // of 8.8.8.8, behind NAT64
		"0.0.0.0":                false,
		"10.1.2.3":               false,
		"100.64.0.1":             false,
		"127.0.0.1":              false,
		"127.9.9.9":              false,
		"169.254.169.254":        false,
		"172.16.0.1":             false,
		"172.31.255.255":         false,
		"192.0.0.8":              false,
		"192.0.2.1":              false,
		"192.168.1.1":            false,
		"198.18.0.1":             false,
		"198.51.100.1":           false,
		"203.0.113.1":            false,
		"224.0.0.1":              false,
		"255.255.255.255":        false,
		"::":                     false,
		"::1":                    false,
		"::7f00:1":               false,
		"::ffff:127.0.0.1":       false,
		"::ffff:169.254.169.254": false,
		"64:ff9b::7f00:1":        false,
		"64:ff9b::a9fe:a9fe":     false,
		"64:ff9b:1::7f00:1":      false,
		"2001::1":                false,
		"2001:db8::1":            false,
		"2002:7f00:1::1":         false,
		"3fff::1":                false,
		"fc00::1":                false,
		"fd00:ec2::254":          false,
		"fe80::1":                false,
		"fe80::1%eth0":           false,
		"fec0::1":                false,
		"ff02::1":                false,
		"::ffff:0:0:7f00:1":      false,
		"4000::1":                false,
		"2001:0:7f00:1::1":       false,
	} {
		if got := IsAddress(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestClientConnects has names and addresses lead to this machine: nobody is asked.
func TestClientConnects(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	defer server.Close()
	port := server.URL[strings.LastIndexByte(server.URL, ':'):]
	client := Client()
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		resp, err := client.Get("http://" + host + port)
		if err == nil {
			resp.Body.Close()
			t.Errorf("%s answered", host)
		} else if !strings.Contains(err.Error(), "public") {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// TestClientBehindProxy has a proxy connect, wherever it is, but to no address that
// stands in the URL and is not public.
func TestClientBehindProxy(t *testing.T) {
	proxied := 0
	client := Client()
	client.Transport = &publicOnly{
		direct: shared.direct,
		proxied: roundTripper(func(req *http.Request) (*http.Response, error) {
			proxied++
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("")), Request: req}, nil
		}),
		proxy: func(*http.Request) bool { return true },
	}
	if _, err := client.Get("https://sns.us-east-1.amazonaws.com/"); err != nil || proxied != 1 {
		t.Errorf("%v after %d calls", err, proxied)
	}
	if _, err := client.Get("http://169.254.169.254/latest/"); err == nil || proxied != 1 {
		t.Errorf("%v after %d calls", err, proxied)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestClientFollowsNoRedirect(t *testing.T) {
	client := Client()
	asked := 0
	client.Transport = roundTripper(func(req *http.Request) (*http.Response, error) {
		asked++
		return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"http://example.com/"}}, Body: io.NopCloser(strings.NewReader("")), Request: req}, nil
	})
	resp, err := client.Get("https://sns.us-east-1.amazonaws.com/")
	if err != nil || resp.StatusCode != 302 || asked != 1 {
		t.Errorf("%v, %v after %d calls", resp, err, asked)
	}
}
