package scheme_test

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// snsBody makes the body of a message, signed with rsaKey.
func snsBody(t testing.TB, version, certURL string, change map[string]any) string {
	t.Helper()
	fields := map[string]any{
		"Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:aws:sns:us-east-2:1:t", "Message": "hello",
		"Timestamp": providertest.Now.UTC().Format(time.RFC3339), "SignatureVersion": version, "SigningCertURL": certURL,
	}
	maps.Copy(fields, change)
	var text strings.Builder
	for _, name := range scheme.SNSSigned[fields["Type"].(string)] {
		if value, given := fields[name]; given {
			fmt.Fprintf(&text, "%s\n%s\n", name, value)
		}
	}
	a := map[string]scheme.Algorithm{"1": scheme.RSASHA1, "2": scheme.RSASHA256}[version]
	fields["Signature"] = base64.StdEncoding.EncodeToString(signWithKey(t, a, providertest.RSAKey(), text.String()))
	body, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

const snsCert = "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-0.pem"

func TestSNSFetchesItsCertificate(t *testing.T) {
	server := newKeyServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "sns.us-east-2.amazonaws.com" || r.URL.Path != "/SimpleNotificationService-0.pem" {
			t.Errorf("asked %s for %s", r.Host, r.URL)
		}
		fmt.Fprint(w, providertest.ValidCertificate(t, "sns.amazonaws.com"))
	})
	p := providertest.MustParse(t, "aws_sns")
	for range 3 {
		for _, version := range []string{"1", "2"} {
			for _, change := range []map[string]any{
				nil,
				{"Subject": "s"},
				{"Type": "SubscriptionConfirmation", "SubscribeURL": "https://sns.us-east-2.amazonaws.com/", "Token": "t"},
				{"Type": "UnsubscribeConfirmation", "SubscribeURL": "https://sns.us-east-2.amazonaws.com/", "Token": "t"},
			} {
				if err := deliver(p, providertest.Hook(snsBody(t, version, snsCert, change)), providertest.Now); err != nil {
					t.Errorf("version %s, %v: %v", version, change, err)
				}
			}
		}
	}
	if got := server.calls.Load(); got != 1 {
		t.Errorf("%d calls, want 1", got)
	}
}

// TestCertificateURLs holds that no call goes to a host that is not pinned.
func TestCertificateURLs(t *testing.T) {
	server := newKeyServer(t, func(http.ResponseWriter, *http.Request) {})
	given := providertest.MustParse(t, "aws_sns {\ncertificate `"+providertest.ValidCertificate(t, "sns.amazonaws.com")+"`\n}")
	if err := given.Verify(providertest.Hook(snsBody(t, "2", snsCert, nil)), providertest.Now); err != nil {
		t.Errorf("a configured certificate: %v", err)
	}
	for _, address := range []string{
		"http://sns.us-east-2.amazonaws.com/a.pem",
		"https://sns.us-east-2.amazonaws.com.evil.com/a.pem",
		"https://evil.com/sns.us-east-2.amazonaws.com/a.pem",
		"https://evil.com#sns.us-east-2.amazonaws.com/a.pem",
		"https://sns.us-east-2.amazonaws.com@evil.com/a.pem",
		"https://sns.us-east-2.amazonaws.com:8443/a.pem",
		"https://sns.us-east-2.amazonaws.com/a.pem?x",
		"https://sns.us-east-2.amazonaws.com/a.pem#x",
		"https://sns.us-east-2.amazonaws.com/a.txt",
		"https://sns.us-east-2.amazonaws.com/../a.pem",
		"https://sns.us-east-2.amazonaws.com/%2e%2e/a.pem",
		"https://sns.us.east.amazonaws.com/a.pem",
		"https://s3.us-east-2.amazonaws.com/a.pem",
		"https://sns.us-east-2.amazonaws.cn/a.pem",
		"HTTPS:sns.us-east-2.amazonaws.com/a.pem",
		"https://sns.us-east-2.amazonaws.com/" + strings.Repeat("a", scheme.MaxCertificateURL) + ".pem",
		"//sns.us-east-2.amazonaws.com/a.pem",
		" https://sns.us-east-2.amazonaws.com/a.pem",
	} {
		for _, p := range []provider.Provider{providertest.MustParse(t, "aws_sns"), given} {
			r := providertest.Hook(snsBody(t, "2", address, nil))
			if err := deliver(p, r, providertest.Now); !errors.Is(err, scheme.Wrong) {
				t.Errorf("%s: %v", address, err)
			}
			if err := p.(provider.Fetcher).Fetch(context.Background(), r); !errors.Is(err, scheme.Wrong) {
				t.Errorf("%s: fetching: %v", address, err)
			}
		}
	}
	for address, want := range map[string]bool{
		"https://api.paypal.com/v1/notifications/certs/CERT-1":                true,
		"https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1":        true,
		"https://api.paypal.com.evil.com/v1/notifications/certs/CERT-1":       false,
		"https://evilpaypal.com/v1/notifications/certs/CERT-1":                false,
		"https://www.paypal.com/redirect":                                     false,
		"http://api.paypal.com/v1/notifications/certs/CERT-1":                 false,
		"https://api.paypal.com/v1/notifications/certs/../../x":               false,
		"https://api.paypal.com/v1/notifications/certs/CERT-1?next=evil.com":  false,
		"https://u:p@api.paypal.com/v1/notifications/certs/CERT-1":            false,
		"https://api.paypal.com:444/v1/notifications/certs/CERT-1":            false,
		"https://api.paypal.com\\@evil.com/v1/notifications/certs/CERT-1":     false,
		"https://evil.com/https://api.paypal.com/v1/notifications/certs/CERT": false,
	} {
		c := scheme.Certificates{Genuine: scheme.IsPayPal}
		if got := c.Check(address) == nil; got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	if got := server.calls.Load(); got != 0 {
		t.Errorf("%d calls, want none", got)
	}
}

// TestFetchedCertificates holds what a certificate must be besides served.
func TestFetchedCertificates(t *testing.T) {
	server := newKeyServer(t, nil)
	ec, strangers := providertest.ECKey(t, elliptic.P256()), providertest.NewAuthority("root")
	for name, test := range map[string]struct {
		text string
		good bool
	}{
		"good":              {providertest.ValidCertificate(t, "sns.amazonaws.com"), true},
		"for its region":    {providertest.ValidCertificate(t, "sns.us-east-2.amazonaws.com"), true},
		"for another name":  {providertest.ValidCertificate(t, "evil.com"), false},
		"expired":           {providertest.CertificateFor(t, "sns.amazonaws.com", time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)), false},
		"not yet valid":     {providertest.CertificateFor(t, "sns.amazonaws.com", time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)), false},
		"a bare key":        {providertest.PEMOf(t, providertest.RSAKey().Public()), false},
		"a key of ECDSA":    {providertest.PEMOf(t, ec.Public()), false},
		"of a stranger":     {strangers.Issue(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "", "sns.amazonaws.com"), false},
		"issuers of nobody": {strangers.Issue(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "", "sns.amazonaws.com") + pemOf(strangers.Certificate), false},
		"not a certificate": {"<html>", false},
	} {
		server.serve(200, test.text)
		err := deliver(providertest.MustParse(t, "aws_sns"), providertest.Hook(snsBody(t, "2", snsCert, nil)), providertest.Now)
		if (err == nil) != test.good || err != nil && errors.As(err, new(scheme.Refusal)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func pemOf(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// TestIssuersAreFetched has certificates that come alone, as Amazon's do: their issuer
// is where they say, and counts only where it leads to a trusted root.
func TestIssuersAreFetched(t *testing.T) {
	root, stranger := providertest.Root(), providertest.NewAuthority("root")
	middle := root.Authority("middle")
	issuer := middle.Certificate.Raw
	leaf := ""
	server := newKeyServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, ".pem"):
			fmt.Fprint(w, leaf)
		case r.Host == "crt.example.com" && r.URL.Path == "/middle.cer":
			w.Write(issuer)
		default:
			w.WriteHeader(404)
		}
	})
	const name, at = "sns.amazonaws.com", "https://crt.example.com/middle.cer"
	from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for what, test := range map[string]struct {
		leaf   string
		issuer []byte
		calls  int32
		good   bool
	}{
		"as DER":                              {middle.Issue(t, from, to, at, name), middle.Certificate.Raw, 2, true},
		"as PEM":                              {middle.Issue(t, from, to, at, name), []byte(pemOf(middle.Certificate)), 2, true},
		"with it":                             {middle.Issue(t, from, to, at, name) + pemOf(middle.Certificate), nil, 1, true},
		"nowhere":                             {middle.Issue(t, from, to, "", name), nil, 1, false},
		"not there":                           {middle.Issue(t, from, to, at, name), nil, 2, false},
		"not at a web address":                {middle.Issue(t, from, to, "ldap://crt.example.com/middle.cer", name), nil, 1, false},
		"at another port":                     {middle.Issue(t, from, to, "https://crt.example.com:8443/middle.cer", name), nil, 1, false},
		"another one":                         {middle.Issue(t, from, to, at, name), root.Certificate.Raw, 2, false},
		"a stranger":                          {stranger.Issue(t, from, to, at, name), stranger.Certificate.Raw, 2, false},
		"a genuine one that did not issue it": {stranger.Issue(t, from, to, at, name), middle.Certificate.Raw, 2, false},
	} {
		leaf, issuer = test.leaf, test.issuer
		before := server.calls.Load()
		err := deliver(snsIn(t, ""), providertest.Hook(snsBody(t, "2", snsCert, nil)), providertest.Now)
		if (err == nil) != test.good || err != nil && errors.As(err, new(scheme.Refusal)) {
			t.Errorf("%s: %v", what, err)
		}
		if calls := server.calls.Load() - before; calls != test.calls {
			t.Errorf("%s: %d calls, want %d", what, calls, test.calls)
		}
	}
}

// TestSNSHosts holds that only hosts of SNS are asked, in all partitions of AWS, and
// what their certificates are called.
func TestSNSHosts(t *testing.T) {
	for host, names := range map[string]string{
		"sns.us-east-1.amazonaws.com":        "sns.amazonaws.com",
		"sns.af-south-1.amazonaws.com":       "sns-signing.af-south-1.amazonaws.com sns.af-south-1.amazonaws.com",
		"sns.ap-southeast-7.amazonaws.com":   "sns-signing.ap-southeast-7.amazonaws.com",
		"sns.us-gov-west-1.amazonaws.com":    "sns-us-gov-west-1.amazonaws.com",
		"sns.us-gov-east-1.amazonaws.com":    "sns-us-gov-west-1.amazonaws.com",
		"sns.cn-north-1.amazonaws.com.cn":    "sns-cn-north-1.amazonaws.com.cn",
		"sns.eusc-de-east-1.amazonaws.eu":    "sns-signing.eusc-de-east-1.amazonaws.eu",
		"sns.us-iso-east-1.c2s.ic.gov":       "sns-us-iso-east-1.c2s.ic.gov",
		"sns.us-isob-east-1.sc2s.sgov.gov":   "sns-us-isob-east-1.sc2s.sgov.gov",
		"sns.eu-isoe-west-1.cloud.adc-e.uk":  "sns-signing.eu-isoe-west-1.cloud.adc-e.uk",
		"sns.us-isof-south-1.csp.hci.ic.gov": "sns-signing.us-isof-south-1.csp.hci.ic.gov",
	} {
		u := &url.URL{Scheme: "https", Host: host, Path: "/a.pem"}
		if !scheme.IsSNS(u) {
			t.Errorf("%s is not of SNS", host)
		}
		for name := range strings.FieldsSeq(names) {
			if !slices.Contains(scheme.SNSNames(u), name) {
				t.Errorf("%s: a certificate cannot be for %s", host, name)
			}
		}
	}
	for _, host := range []string{
		"sns.s3-us-west-2.amazonaws.com", "sns.s3-accelerate.amazonaws.com", "sns.s3-website-us-east-1.amazonaws.com",
		"sns.s3-external-1.amazonaws.com", "sns.elasticbeanstalk.amazonaws.com", "sns.us-east-1.elasticbeanstalk.com",
		"sns.us-east-1.amazonaws.com.evil.com", "sns.us-east-1.amazonaws.com.cn", "sns.cn-north-1.amazonaws.com",
		"sns.us-east-1.amazonaws.eu", "evil.sns.us-east-1.amazonaws.com", "sns.us-east-1.amazonaws.com.", "sns.amazonaws.com",
		"sns.xx-east-1.amazonaws.com", "snsxus-east-1.amazonaws.com", "sns.us-east-1xamazonaws.com", "sns-us-east-1.amazonaws.com",
	} {
		if scheme.IsSNS(&url.URL{Scheme: "https", Host: host, Path: "/a.pem"}) {
			t.Errorf("%s is taken for SNS", host)
		}
	}
}

// TestWhatRequestsNameIsPublic holds that the URLs of requests are fetched with a
// client of their own, which does not ask this machine.
func TestWhatRequestsNameIsPublic(t *testing.T) {
	server := newKeyServer(t, func(http.ResponseWriter, *http.Request) {})
	http.DefaultTransport = roundTripper(func(*http.Request) (*http.Response, error) {
		t.Error("the certificate is fetched as if the configuration named it")
		return nil, errors.New("no")
	})
	server.serve(200, providertest.ValidCertificate(t, "sns.amazonaws.com"))
	if err := deliver(snsIn(t, ""), providertest.Hook(snsBody(t, "2", snsCert, nil)), providertest.Now); err != nil {
		t.Error(err)
	}
	if err := scheme.AskPublic(server.URL); err == nil || !strings.Contains(err.Error(), "not a public address") {
		t.Errorf("this machine is asked: %v", err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestSNSRefusals(t *testing.T) {
	config := "aws_sns {\ncertificate `" + providertest.ValidCertificate(t, "sns.amazonaws.com") + "`\n"
	p := providertest.MustParse(t, config+"topic arn:aws:sns:us-east-2:1:t\ntolerance 1h\n}")
	body := func(change map[string]any) string { return snsBody(t, "2", snsCert, change) }
	good := body(nil)
	for name, test := range map[string]struct {
		body string
		want error
	}{
		"good":                 {good, nil},
		"another message":      {strings.Replace(good, `"hello"`, `"hullo"`, 1), scheme.Wrong},
		"a subject put in":     {strings.Replace(good, `{`, `{"Subject":"x",`, 1), scheme.Wrong},
		"a field twice":        {strings.Replace(good, `{`, `{"Message":"hello",`, 1), scheme.Malformed},
		"another topic":        {body(map[string]any{"TopicArn": "arn:aws:sns:us-east-2:2:t"}), scheme.Foreign},
		"too old":              {body(map[string]any{"Timestamp": providertest.Now.Add(-2 * time.Hour).UTC().Format(time.RFC3339)}), scheme.TooOld},
		"no time":              {body(map[string]any{"Timestamp": "then"}), scheme.NoTime},
		"another type":         {strings.Replace(good, `"Notification"`, `"Other"`, 1), scheme.Malformed},
		"version 1 pretended":  {strings.Replace(good, `"SignatureVersion":"2"`, `"SignatureVersion":"1"`, 1), scheme.Wrong},
		"no version":           {strings.Replace(good, `"SignatureVersion":"2"`, `"SignatureVersion":""`, 1), scheme.Wrong},
		"no signature":         {strings.Replace(good, `"Signature":"`, `"Signature2":"`, 1), scheme.Missing},
		"no certificate":       {strings.Replace(good, `"SigningCertURL"`, `"CertURL"`, 1), scheme.Missing},
		"a message of objects": {strings.Replace(good, `"hello"`, `{"a":1}`, 1), scheme.Malformed},
		"no message":           {strings.Replace(good, `"Message":"hello",`, ``, 1), scheme.Malformed},
		"raw delivery":         {`{"order":17}`, scheme.Missing},
		"no JSON":              {`hello`, scheme.Malformed},
	} {
		if err := p.Verify(providertest.Hook(test.body), providertest.Now); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestPayPal(t *testing.T) {
	server := newKeyServer(t, nil)
	const body, id, webhook = `{"id":"WH-1"}`, "dfb3be50", "4JH86294D6297924G"
	const address = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42"
	at := providertest.Now.UTC().Format(time.RFC3339)
	sign := func(text string) string {
		return base64.StdEncoding.EncodeToString(signWithKey(t, scheme.RSASHA256, providertest.RSAKey(), text))
	}
	good := sign(fmt.Sprintf("%s|%s|%s|%d", id, at, webhook, crc32.ChecksumIEEE([]byte(body))))
	request := func() *template.Request {
		return providertest.Hook(body, "Paypal-Transmission-Id: "+id, "Paypal-Transmission-Time: "+at, "Paypal-Transmission-Sig: "+good,
			"Paypal-Cert-Url: "+address, "Paypal-Auth-Algo: SHA256withRSA")
	}
	config := "paypal {\nwebhook_id " + webhook + "\n"
	server.serve(200, providertest.ValidCertificate(t, "messageverificationcerts.sandbox.paypal.com"))
	fetching := providertest.MustParse(t, config+"}")
	for range 2 {
		if err := deliver(fetching, request(), providertest.Now); err != nil {
			t.Error(err)
		}
	}
	if got := server.calls.Load(); got != 1 {
		t.Errorf("%d calls, want 1", got)
	}
	for _, name := range []string{"messageverificationcerts.paypal.com", "www.paypal.com"} {
		server.serve(200, providertest.ValidCertificate(t, name))
		if err := deliver(providertest.MustParse(t, config+"}"), request(), providertest.Now); err == nil || errors.As(err, new(scheme.Refusal)) {
			t.Errorf("a certificate for %s: %v", name, err)
		}
	}
	p := providertest.MustParse(t, config+"tolerance 5m\ncertificate `"+providertest.ValidCertificate(t, "anything")+"`\n}")
	for name, test := range map[string]struct {
		change func(r *template.Request)
		want   error
	}{
		"good":         {func(*template.Request) {}, nil},
		"another body": {func(r *template.Request) { r.Body = []byte("{}") }, scheme.Wrong},
		"another ID":   {func(r *template.Request) { r.Header[scheme.PaypalID] = []string{"x"} }, scheme.Wrong},
		"another time": {func(r *template.Request) {
			r.Header[scheme.PaypalTime] = []string{providertest.Now.UTC().Add(time.Second).Format(time.RFC3339)}
		}, scheme.Wrong},
		"an old time": {func(r *template.Request) {
			r.Header[scheme.PaypalTime] = []string{providertest.Now.UTC().Add(-time.Hour).Format(time.RFC3339)}
		}, scheme.TooOld},
		"another algorithm": {func(r *template.Request) { r.Header[scheme.PaypalAlgorithm] = []string{"SHA1withRSA"} }, scheme.Wrong},
		"another host": {func(r *template.Request) {
			r.Header[scheme.PaypalCertURL] = []string{"https://evil.com/v1/notifications/certs/a"}
		}, scheme.Wrong},
		"a shifted separator": {func(r *template.Request) {
			r.Header[scheme.PaypalID], r.Header[scheme.PaypalTime] = []string{id[:4]}, []string{id[4:] + "|" + at}
		}, scheme.NoTime},
		"a signature twice": {func(r *template.Request) { r.Header[scheme.PaypalSignature] = []string{good, good} }, scheme.Repeated},
	} {
		r := request()
		test.change(r)
		if err := p.Verify(r, providertest.Now); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	other := providertest.MustParse(t, "paypal {\nwebhook_id other\ncertificate `"+providertest.ValidCertificate(t, "anything")+"`\n}")
	if err := other.Verify(request(), providertest.Now); !errors.Is(err, scheme.Wrong) {
		t.Errorf("for another webhook: %v", err)
	}
}

// ebaySignature makes the header of a body.
func ebaySignature(t testing.TB, kid, digest, body string, key crypto.Signer) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"alg": "ecdsa", "kid": kid, "digest": digest, "signature": signWithKey(t, scheme.EBayAlgorithm, key, body)})
	if err != nil {
		t.Fatal(err)
	}
	return "X-EBAY-SIGNATURE: " + base64.StdEncoding.EncodeToString(text)
}

func TestEBayAsksForKeys(t *testing.T) {
	key := providertest.ECKey(t, elliptic.P256())
	tokens := 0
	server := newKeyServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/identity/v1/oauth2/token":
			tokens++
			id, secret, _ := r.BasicAuth()
			if r.Method != "POST" || id != "client" || secret != "s3cret" || r.FormValue("grant_type") != "client_credentials" {
				t.Errorf("asked for a token with %s, %q, %q, %q", r.Method, id, secret, r.FormValue("grant_type"))
			}
			fmt.Fprint(w, `{"access_token":"app-token","expires_in":7200}`)
		case "/commerce/notification/v1/public_key/kid-1":
			if got := r.Header.Get("Authorization"); got != "Bearer app-token" {
				t.Errorf("asked for the key with %q", got)
			}
			text, _ := json.Marshal(map[string]string{"key": strings.ReplaceAll(providertest.PEMOf(t, key.Public()), "\n", ""), "algorithm": "ECDSA", "digest": "SHA1"})
			w.Write(text)
		case "/commerce/notification/v1/public_key/down":
			w.WriteHeader(500)
		default:
			w.WriteHeader(404)
		}
	})
	p := providertest.MustParse(t, "ebay {\nclient_id client\nclient_secret s3cret\n}")
	for range 2 {
		if err := deliver(p, providertest.Hook("{}", ebaySignature(t, "kid-1", "SHA1", "{}", key)), providertest.Now); err != nil {
			t.Error(err)
		}
	}
	if got := server.calls.Load(); got != 2 || tokens != 1 {
		t.Errorf("%d calls, %d for tokens; want 2 and 1", got, tokens)
	}
	for name, test := range map[string]struct {
		header string
		want   error
	}{
		"an unknown key":     {ebaySignature(t, "kid-2", "SHA1", "{}", key), scheme.Wrong},
		"another body":       {ebaySignature(t, "kid-1", "SHA1", "{ }", key), scheme.Wrong},
		"another digest":     {ebaySignature(t, "kid-1", "MD5", "{}", key), scheme.Wrong},
		"no key ID":          {ebaySignature(t, "", "SHA1", "{}", key), scheme.Wrong},
		"an ID that climbs":  {ebaySignature(t, "../../x", "SHA1", "{}", key), scheme.Wrong},
		"an ID with a query": {ebaySignature(t, "kid-1?x", "SHA1", "{}", key), scheme.Wrong},
		"a very long ID":     {ebaySignature(t, strings.Repeat("a", 200), "SHA1", "{}", key), scheme.Wrong},
		"no JSON":            {"X-EBAY-SIGNATURE: aGVsbG8=", scheme.Malformed},
		"no base64":          {"X-EBAY-SIGNATURE: {}", scheme.Malformed},
		"nothing":            {"X-Other: a", scheme.Missing},
	} {
		before := server.calls.Load()
		if err := deliver(p, providertest.Hook("{}", test.header), providertest.Now); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if called := server.calls.Load() > before; called != (name == "an unknown key") {
			t.Errorf("%s: called is %v", name, called)
		}
	}
	if err := deliver(p, providertest.Hook("{}", ebaySignature(t, "down", "SHA1", "{}", key)), providertest.Now); err == nil || errors.As(err, new(scheme.Refusal)) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("with the API down: %v", err)
	}
}

func TestPlaidAsksForKeys(t *testing.T) {
	key := providertest.ECKey(t, elliptic.P256())
	server := newKeyServer(t, func(w http.ResponseWriter, r *http.Request) {
		var asked map[string]string
		body, _ := io.ReadAll(r.Body)
		if json.Unmarshal(body, &asked) != nil || r.URL.Path != "/webhook_verification_key/get" || asked["client_id"] != "client" || asked["secret"] != "s3cret" {
			t.Errorf("asked %s with %s", r.URL, body)
		}
		jwk, _ := json.Marshal(jose.JSONWebKey{Key: key.Public(), KeyID: asked["key_id"], Algorithm: "ES256", Use: "sig"})
		switch asked["key_id"] {
		case "good":
			fmt.Fprintf(w, `{"key":%s,"expired_at":null}`, strings.Replace(string(jwk), "{", `{"expired_at":null,`, 1))
		case "expired":
			fmt.Fprintf(w, `{"key":%s}`, strings.Replace(string(jwk), "{", `{"expired_at":1560466150,`, 1))
		default:
			w.WriteHeader(404)
		}
	})
	p := providertest.MustParse(t, "plaid {\nclient_id client\nclient_secret s3cret\napi_url https://sandbox.plaid.com\n}")
	token := func(kid string) string {
		claims := map[string]any{"iat": providertest.Now.Unix(), "request_body_sha256": scheme.HashText("hex", []byte("{}"))}
		return "Plaid-Verification: " + makeToken(t, map[string]any{"alg": "ES256", "kid": kid}, claims, key)
	}
	for range 2 {
		if err := deliver(p, providertest.Hook("{}", token("good")), providertest.Now); err != nil {
			t.Error(err)
		}
	}
	if got := server.calls.Load(); got != 1 {
		t.Errorf("%d calls, want 1", got)
	}
	for kid, calls := range map[string]int32{"expired": 1, "unknown": 1, "": 0, "../x": 0, strings.Repeat("a", 200): 0} {
		before := server.calls.Load()
		if err := deliver(p, providertest.Hook("{}", token(kid)), providertest.Now); !errors.Is(err, scheme.Wrong) {
			t.Errorf("key %q: %v", kid, err)
		}
		if got := server.calls.Load() - before; got != calls {
			t.Errorf("key %q: %d calls, want %d", kid, got, calls)
		}
	}
}

// FuzzCertificateProofs holds that neither SNS, PayPal nor eBay take or choke
// on what was not signed.
func FuzzCertificateProofs(f *testing.F) {
	cert := providertest.ValidCertificate(f, "sns.amazonaws.com")
	sns := providertest.MustParse(f, "aws_sns {\ncertificate `"+cert+"`\n}")
	paypal := providertest.MustParse(f, "paypal {\nwebhook_id 1\ncertificate `"+cert+"`\n}")
	ebay := providertest.MustParse(f, "ebay {\npublic_key "+providertest.P256Key+"\n}")
	f.Add(`{"Type":"Notification","SignatureVersion":"2","Signature":"AA==","SigningCertURL":"`+snsCert+`"}`, "AA==", snsCert)
	f.Add(`{}`, base64.StdEncoding.EncodeToString([]byte(`{"alg":"ecdsa","kid":"a","digest":"SHA1","signature":"AA=="}`)), "https://api.paypal.com/v1/notifications/certs/a")
	f.Fuzz(func(t *testing.T, body, proof, address string) {
		r := providertest.Hook(body, "Paypal-Transmission-Id: 1", "Paypal-Transmission-Time: 1", "Paypal-Transmission-Sig: "+proof,
			"Paypal-Cert-Url: "+address, "Paypal-Auth-Algo: SHA256withRSA", "X-Ebay-Signature: "+proof)
		for name, p := range map[string]provider.Provider{"aws_sns": sns, "paypal": paypal, "ebay": ebay} {
			if p.Verify(r, providertest.Now) == nil {
				t.Errorf("%s took it", name)
			}
		}
	})
}
