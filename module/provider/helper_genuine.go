package provider

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"
)

// genuine is a request that a provider takes, to be changed by tests.
type genuine struct {
	name     string
	preset   string
	provider Provider
	at       time.Time
	make     func() *Request // anew each time
}

// genuineRequests has a signed sample of each preset that proves anything, or a
// vector of it where only the provider can sign.
func genuineRequests(t testing.TB) (list []genuine) {
	t.Helper()
	signed := genuineVectors(t)
	for _, p := range Presets() {
		switch i := slices.IndexFunc(signed, func(g genuine) bool { return g.preset == p.Name }); {
		case len(p.Proofs) == 0 || p.Name == "ignisign":
		case keyedConfigs[p.Name] == "":
			list = append(list, genuineSample(t, p.Name))
		case p.Name == "discord":
			list = append(list, genuineDiscord(t))
		case p.Name == "paypal":
			list = append(list, genuinePayPal(t))
		case i >= 0:
			list = append(list, signed[i])
		default:
			t.Errorf("%s has no request to change", p.Name)
		}
	}
	return list
}

// genuineVectors has the vectors that are valid webhooks.
func genuineVectors(t testing.TB) (list []genuine) {
	t.Helper()
	for _, v := range readVectors(t) {
		if v.Type != "webhook" || v.Expected != "valid" || v.NoKey || v.APIReply != nil {
			continue
		}
		list = append(list, genuine{v.ID, v.Provider, mustParse(t, v.config(t)), v.at(), func() *Request { return v.request(t) }})
	}
	return list
}

func genuineSample(t testing.TB, name string) genuine {
	t.Helper()
	p := mustParse(t, configs()[name])
	r, err := p.Profile().Samples()[0].Request(now, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.To(&url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/hooks/a"})
	r.DeliveryID = func() string { return "delivery-1" }
	if err := p.Sign(r, now); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := p.Verify(r, now); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return genuine{name, name, p, now, func() *Request { return cloneOf(r) }}
}

// genuineDiscord and genuinePayPal are signed with a key of the tests.
func genuineDiscord(t testing.TB) genuine {
	t.Helper()
	public, private := edKey('a')
	p := mustParse(t, fmt.Sprintf("discord {\npublic_key %x\ntolerance 5m\n}", public))
	const body = `{"type":1}`
	stamp := strconv.FormatInt(now.Unix(), 10)
	signature := hex.EncodeToString(ed25519.Sign(private, []byte(stamp+body)))
	return genuine{"discord", "discord", p, now, func() *Request {
		return hook(body, "X-Signature-Ed25519: "+signature, "X-Signature-Timestamp: "+stamp)
	}}
}

func genuinePayPal(t testing.TB) genuine {
	t.Helper()
	p := mustParse(t, "paypal {\nwebhook_id 1\ntolerance 5m\ncertificate `"+validCertificate(t, "anything")+"`\n}")
	const body = `{"id":"WH-1"}`
	at := now.UTC().Format(time.RFC3339)
	text := fmt.Sprintf("id|%s|1|%d", at, crc32.ChecksumIEEE([]byte(body)))
	sum := sha256.Sum256([]byte(text))
	raw, err := rsa.SignPKCS1v15(rand.Reader, rsaKey(), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := base64.StdEncoding.EncodeToString(raw)
	return genuine{"paypal", "paypal", p, now, func() *Request {
		return hook(body, "Paypal-Transmission-Id: id", "Paypal-Transmission-Time: "+at, "Paypal-Transmission-Sig: "+signature,
			"Paypal-Cert-Url: https://api.paypal.com/v1/notifications/certs/CERT-360caa42", "Paypal-Auth-Algo: SHA256withRSA")
	}}
}

// cloneOf copies what tests change.
func cloneOf(r *Request) *Request {
	c, public := *r, *r.Public
	c.Public, c.Body, c.Header = &public, slices.Clone(r.Body), maps.Clone(r.Header)
	for name, values := range c.Header {
		c.Header[name] = slices.Clone(values)
	}
	return &c
}

// takes tells what Verify says of a request that was changed.
func (g *genuine) takes(change func(*Request)) error {
	r := g.make()
	change(r)
	return g.provider.Verify(r, g.at)
}

// needed are the headers without which the request is refused: those of the
// proof, and those that it covers.
func (g *genuine) needed() (names []string) {
	for name := range g.make().Header {
		if g.takes(func(r *Request) { delete(r.Header, name) }) != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// coversBody reports whether a byte more or less makes the request wrong.
func (g *genuine) coversBody() bool {
	return g.takes(func(r *Request) { r.Body = append(r.Body, ' ') }) != nil
}
