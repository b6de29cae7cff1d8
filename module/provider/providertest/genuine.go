package providertest

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

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Genuine is a request that a provider takes, to be changed by tests.
type Genuine struct {
	Name     string
	preset   string
	Provider provider.Provider
	At       time.Time
	Make     func() *template.Request // anew each time
}

// GenuineRequests has a signed sample of each preset that proves anything, or a
// vector of it where only the provider can sign.
func GenuineRequests(t testing.TB) (list []Genuine) {
	t.Helper()
	signed := GenuineVectors(t)
	for _, p := range provider.Presets() {
		switch i := slices.IndexFunc(signed, func(g Genuine) bool { return g.preset == p.Name }); {
		case len(p.Proofs) == 0 || p.Name == "ignisign":
		case KeyedConfigs[p.Name] == "":
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

// GenuineVectors has the vectors that are valid webhooks.
func GenuineVectors(t testing.TB) (list []Genuine) {
	t.Helper()
	for _, v := range ReadVectors(t) {
		if v.Type != "webhook" || v.Expected != "valid" || v.NoKey || v.APIReply != nil {
			continue
		}
		list = append(list, Genuine{v.ID, v.Provider, MustParse(t, v.Config(t)), v.At(), func() *template.Request { return v.Request(t) }})
	}
	return list
}

func genuineSample(t testing.TB, name string) Genuine {
	t.Helper()
	p := MustParse(t, Configs()[name])
	r, err := p.Profile().Samples()[0].Request(Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.To(&url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/hooks/a"})
	r.DeliveryID = func() string { return "delivery-1" }
	if err := p.Sign(r, Now); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := p.Verify(r, Now); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return Genuine{name, name, p, Now, func() *template.Request { return cloneOf(r) }}
}

// genuineDiscord and genuinePayPal are signed with a key of the tests.
func genuineDiscord(t testing.TB) Genuine {
	t.Helper()
	public, private := EdKey('a')
	p := MustParse(t, fmt.Sprintf("discord {\npublic_key %x\ntolerance 5m\n}", public))
	const body = `{"type":1}`
	stamp := strconv.FormatInt(Now.Unix(), 10)
	signature := hex.EncodeToString(ed25519.Sign(private, []byte(stamp+body)))
	return Genuine{"discord", "discord", p, Now, func() *template.Request {
		return Hook(body, "X-Signature-Ed25519: "+signature, "X-Signature-Timestamp: "+stamp)
	}}
}

func genuinePayPal(t testing.TB) Genuine {
	t.Helper()
	p := MustParse(t, "paypal {\nwebhook_id 1\ntolerance 5m\ncertificate `"+ValidCertificate(t, "anything")+"`\n}")
	const body = `{"id":"WH-1"}`
	at := Now.UTC().Format(time.RFC3339)
	text := fmt.Sprintf("id|%s|1|%d", at, crc32.ChecksumIEEE([]byte(body)))
	sum := sha256.Sum256([]byte(text))
	raw, err := rsa.SignPKCS1v15(rand.Reader, RSAKey(), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := base64.StdEncoding.EncodeToString(raw)
	return Genuine{"paypal", "paypal", p, Now, func() *template.Request {
		return Hook(body, "Paypal-Transmission-Id: id", "Paypal-Transmission-Time: "+at, "Paypal-Transmission-Sig: "+signature,
			"Paypal-Cert-Url: https://api.paypal.com/v1/notifications/certs/CERT-360caa42", "Paypal-Auth-Algo: SHA256withRSA")
	}}
}

// cloneOf copies what tests change.
func cloneOf(r *template.Request) *template.Request {
	c, public := *r, *r.Public
	c.Public, c.Body, c.Header = &public, slices.Clone(r.Body), maps.Clone(r.Header)
	for name, values := range c.Header {
		c.Header[name] = slices.Clone(values)
	}
	return &c
}

// Takes tells what Verify says of a request that was changed.
func (g *Genuine) Takes(change func(*template.Request)) error {
	r := g.Make()
	change(r)
	return g.Provider.Verify(r, g.At)
}

// Needed are the headers without which the request is refused: those of the
// proof, and those that it covers.
func (g *Genuine) Needed() (names []string) {
	for name := range g.Make().Header {
		if g.Takes(func(r *template.Request) { delete(r.Header, name) }) != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// CoversBody reports whether a byte more or less makes the request wrong.
func (g *Genuine) CoversBody() bool {
	return g.Takes(func(r *template.Request) { r.Body = append(r.Body, ' ') }) != nil
}
