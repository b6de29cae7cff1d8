package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// ownKey is a private key of the operator's: its file, and what a source verifies with.
type ownKey struct {
	file, private, public, certificate string
}

// newOwnKey makes a key pair and writes its private half to a file.
func newOwnKey(t *testing.T, dir, kind string) *ownKey {
	t.Helper()
	private := map[string]func() (crypto.Signer, error){
		"ed25519": func() (crypto.Signer, error) { _, key, err := ed25519.GenerateKey(rand.Reader); return key, err },
		"p256":    func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
		"p521":    func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) },
		"rsa":     func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		"x5c":     func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
	}
	key, err := private[kind]()
	if err != nil {
		t.Fatal(err)
	}
	own := &ownKey{file: filepath.Join(dir, kind+".pem")}
	own.private = pemBlock[any](t, "PRIVATE KEY", key, x509.MarshalPKCS8PrivateKey)
	own.public = pemBlock[any](t, "PUBLIC KEY", key.Public(), x509.MarshalPKIXPublicKey)
	text := own.private
	if kind == "x5c" {
		var chain string
		own.certificate, chain = issueAsApple(t, key.Public())
		text += chain
	} else {
		own.certificate = issue(t, "own", key.Public(), nil, key, nil)
	}
	if err := os.WriteFile(own.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return own
}

func pemBlock[K any](t *testing.T, kind string, key K, marshal func(K) ([]byte, error)) string {
	t.Helper()
	der, err := marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// issue makes a certificate with an extension; without an issuer it signs itself.
func issue(t *testing.T, name string, public crypto.PublicKey, issuer *x509.Certificate, signer crypto.Signer, extension asn1.ObjectIdentifier) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: name != "leaf", BasicConstraintsValid: true,
	}
	if extension != nil {
		template.ExtraExtensions = []pkix.Extension{{Id: extension, Value: []byte{5, 0}}}
	}
	if issuer == nil {
		issuer = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// issueAsApple makes a root and a chain with the extensions that Apple's have.
func issueAsApple(t *testing.T, public crypto.PublicKey) (root, chain string) {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	read := func(text string) *x509.Certificate {
		block, _ := pem.Decode([]byte(text))
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return certificate
	}
	rootKey, middleKey := key(), key()
	root = issue(t, "root", rootKey.Public(), nil, rootKey, nil)
	middle := issue(t, "middle", middleKey.Public(), read(root), rootKey, asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 2, 1})
	leaf := issue(t, "leaf", public, read(middle), middleKey, asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 11, 1})
	return root, leaf + middle
}

// playable are the presets that sign with a private key, with the kind of key that each
// takes and the lines of its block. PUBLIC and CERTIFICATE stand for files.
var playable = map[string]struct{ kind, lines string }{
	"apple_app_store":  {"x5c", "certificate {file.CERTIFICATE}\nbundle_id com.example.other"},
	"aws_sns":          {"rsa", "certificate {file.CERTIFICATE}\ntopic arn:aws:sns:eu-west-1:123456789012:mine"},
	"discord":          {"ed25519", "public_key {file.PUBLIC}"},
	"ebay":             {"p256", "public_key {file.PUBLIC}"},
	"fal":              {"ed25519", "public_key {file.PUBLIC}"},
	"fusionauth":       {"p256", "public_key {file.PUBLIC}"},
	"keygen":           {"ed25519", "public_key {file.PUBLIC}"},
	"paypal":           {"rsa", "certificate {file.CERTIFICATE}\nwebhook_id 4JH86294D6297924G"},
	"plaid":            {"p256", "public_key {file.PUBLIC}"},
	"rfc9421":          {"ed25519", "public_key {file.PUBLIC}\nalgorithm ed25519"},
	"sendgrid":         {"p256", "public_key {file.PUBLIC}"},
	"standardwebhooks": {"ed25519", "public_key {file.PUBLIC}"},
	"telnyx":           {"ed25519", "public_key {file.PUBLIC}"},
	"travis":           {"rsa", "public_key {file.PUBLIC}"},
	"truelayer":        {"p521", "public_key {file.PUBLIC}"},
	"wechat_pay":       {"rsa", "certificate {file.CERTIFICATE}"},
	"wise":             {"rsa", "public_key {file.PUBLIC}"},
}

// startPlayable runs a gateway with a source of each preset that can be played with a key
// of one's own.
func startPlayable(t *testing.T) (*gateway, map[string]*ownKey) {
	t.Helper()
	app := newApp(t, nil)
	dir := t.TempDir()
	keys := make(map[string]*ownKey)
	for _, kind := range []string{"ed25519", "p256", "p521", "rsa", "x5c"} {
		own := newOwnKey(t, dir, kind)
		for suffix, text := range map[string]string{".pub": own.public, ".crt": own.certificate} {
			if err := os.WriteFile(own.file+suffix, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		keys[kind] = own
	}
	var site strings.Builder
	for name, p := range playable {
		file := keys[p.kind].file
		lines := strings.NewReplacer("PUBLIC", file+".pub", "CERTIFICATE", file+".crt").Replace(p.lines)
		fmt.Fprintf(&site, "webhook_gateway /%[1]s {\nprovider %[1]s {\n%[2]s\n}\nroute app %[3]s\n}\n", name, lines, app.address)
	}
	fmt.Fprintf(&site, "webhook_gateway /insigner {\nprovider insigner s3cret\nroute app %s\n}\n", app.address)
	return start(t, "{$HTTPS} {\n"+site.String()+"}\n"), keys
}

// TestSendWithAPrivateKey plays each provider that signs with a private key, with a key of
// one's own, to a source and without a gateway.
func TestSendWithAPrivateKey(t *testing.T) {
	t.Parallel()
	for _, d := range provider.Descriptions() {
		if _, known := playable[d.Name]; provider.SignsAlone(d.Name) && !known {
			t.Errorf("%s is not played", d.Name)
		}
	}
	g, keys := startPlayable(t)
	for name, p := range playable {
		t.Run(name, func(t *testing.T) {
			own := keys[p.kind]
			secret := strings.Split(own.private, "\n")[1]
			stored := func() int { return len(g.events(url.Values{"source": {name}})) }
			for _, test := range []struct {
				args []string
				says string
				more int
			}{
				{[]string{name}, "answer    200", 1},
				{[]string{name, "--count", "3"}, "200 OK: 3", 3},
				{[]string{name, "--tamper"}, "401 Unauthorized", 0},
			} {
				before := stored()
				out, stderr, status := g.webhook(append([]string{"send", "--private-key", own.file}, test.args...)...)
				if status != 0 || !strings.Contains(out, test.says) || strings.Contains(out+stderr, secret) {
					t.Errorf("%v: exit %d: %s%s", test.args, status, out, stderr)
				}
				if more := stored() - before; more != test.more {
					t.Errorf("%v: %d events were stored, want %d", test.args, more, test.more)
				}
			}
			if _, stderr, status := g.webhook("send", name); status != 1 || !strings.Contains(stderr, "--private-key") {
				t.Errorf("without the key: exit %d: %s", status, stderr)
			}
		})
	}
	// As a provider, with the public half that the private key has.
	own := keys["ed25519"]
	out, stderr, status := g.command("webhook", "send", "--provider", "discord", "--private-key", own.file, "--url", "https://"+g.https+"/discord")
	if status != 0 || !strings.Contains(out, "answer    200") {
		t.Errorf("as a provider: exit %d: %s%s", status, out, stderr)
	}
	g.checkLeaks([]string{strings.Split(own.private, "\n")[1]})
}

// TestPrivateKeySaysNo gives keys that sign nothing.
func TestPrivateKeySaysNo(t *testing.T) {
	t.Parallel()
	g, keys := startPlayable(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	other := newOwnKey(t, dir, "ed25519")
	for what, test := range map[string]struct {
		args []string
		says string
	}{
		"no file":         {[]string{"discord", "--private-key", filepath.Join(dir, "missing")}, "no such file"},
		"a public key":    {[]string{"discord", "--private-key", write("public", other.public)}, "not a private key in PEM"},
		"no PEM":          {[]string{"discord", "--private-key", write("text", "s3cret-t3xt")}, "not a private key in PEM"},
		"two keys":        {[]string{"discord", "--private-key", write("two", other.private+keys["rsa"].private)}, "several private keys"},
		"encrypted":       {[]string{"discord", "--private-key", write("encrypted", strings.ReplaceAll(other.private, "PRIVATE", "ENCRYPTED PRIVATE"))}, "encrypted"},
		"another key":     {[]string{"discord", "--private-key", other.file}, "none of the keys that are configured"},
		"another kind":    {[]string{"discord", "--private-key", keys["rsa"].file}, "none of the keys that are configured"},
		"another's chain": {[]string{"discord", "--private-key", write("chain", other.private+keys["rsa"].certificate)}, "not that of the private key"},
		"a secret":        {[]string{"insigner", "--private-key", other.file}, "proves nothing with a private key"},
		"kind as a provider": {[]string{"--provider", "plaid", "--private-key", keys["rsa"].file, "--url", "https://" + g.https + "/plaid"},
			"which the signature algorithm does not use"},
	} {
		t.Run(what, func(t *testing.T) {
			stdout, stderr, status := g.webhook(append([]string{"send"}, test.args...)...)
			if status != 2 || !strings.Contains(stderr, test.says) || strings.Contains(stdout+stderr, "s3cret-t3xt") {
				t.Errorf("exit %d, want 2 and a message with %q: %s%s", status, test.says, stdout, stderr)
			}
		})
	}
	if n := len(g.events(nil)); n != 0 {
		t.Errorf("%d events were stored", n)
	}
}
