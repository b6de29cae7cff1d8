package scheme_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// TestNeverMatches holds that what could never match does not load.
func TestNeverMatches(t *testing.T) {
	const key = "public_key " + providertest.Rfc8032Key + "\n"
	for block, want := range map[string]string{
		"hmac {\nfrom X-Signature\n}":                                                         "reads nothing",
		"hmac {\nfrom {timestamp}\n}":                                                         "stands in the request",
		"hmac {\nheader X-S\ntimestamp from X-Time\n}":                                        "reads no time",
		"ed25519 {\nfrom X-Signature\n" + key + "}":                                           "reads nothing",
		"ed25519 {\nheader X-S\nsigned {secret}{body}\n" + key + "}":                          "only for digest",
		"ed25519 {\nheader X-S\nsigned {value.n}{body}\n" + key + "}":                         "no value contains it",
		"rsa md5 {\nheader X-S\n" + key + "}":                                                 "unknown hash",
		"ecdsa sha1 {\nheader X-S\n" + key + "}":                                              "unknown hash",
		"jwt HS256 {\nfield a\nchain\n}":                                                      "not signed with a secret",
		"jwt ES256 {\nfield a\nchain 1.x\n}":                                                  "not an OID",
		"jwt ES256 {\nfield a\nchain\n}":                                                      "needs the root",
		"jwt EdDSA {\nfield a\nchain\n" + key + "}":                                           "without a certificate",
		"jwt EdDSA {\nfield a\ndetached {body}\n" + key + "}":                                 "token in a header",
		"jwt EdDSA {\nheader X-S\ndetached POST\n" + key + "}":                                "no placeholder",
		"jwt EdDSA {\nheader X-S\ndetached {timestamp}{body}\n" + key + "}":                   "neither {timestamp}",
		"jwt EdDSA {\nheader X-S\ndetached {body}\nissuer me\n" + key + "}":                   "no claims",
		"jwt EdDSA {\nheader X-S\ndetached {value.a}{value.b}{value.c}{value.d}{value.e}\n}":  "more than 4",
		"ed25519 {\nheader X-S\nsigned \"{header.X-L|signing_string host}\"\n" + key + "}":    "needs digest",
		"ed25519 {\nheader X-S\nsigned \"{header.X-L|signing_string Digest}\"\n" + key + "}":  "in lower case",
		"hmac {\nheader X-S\nvalue \"t={timestamp},s={signature},end\"\n}":                    "no value would ever match",
		"jwt EdDSA {\nfield a\nclaim a.#.b c\n" + key + "}":                                   "several values",
		"ed25519 {\nheader Host\n" + key + "}":                                                "takes Host out",
		"jwt EdDSA {\nheader Transfer-Encoding\ndetached {body}\n" + key + "}":                "net/http removes",
		"ed25519 {\nheader X-S\nsigned {json.a}{form.b}\n" + key + "}":                        "no body is both",
		"ed25519 {\nfrom {json.s}\n" + key + "}":                                              "stands in the body",
		"ed25519 {\nfrom {query.s}\nsigned {url}{body}\n" + key + "}":                         "stands in the URL",
		"ed25519 {\nheader X-S\nsigned {timestamp}{body}\ntimestamp header X-S\n" + key + "}": "no timestamp",
		"hmac {\nfrom \"{form.s|json a}\"\nsigned {body}\n}":                                  "stands in the body",
	} {
		secret := ""
		if strings.HasPrefix(block, "hmac") || strings.HasPrefix(block, "jwt HS256") {
			secret = " s3cret"
		}
		if _, err := providertest.Parse("custom" + secret + " {\n" + block + "\n}"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", block, err)
		}
	}
}

// TestMayMatch holds that what is like something that never matches, and matches, loads.
func TestMayMatch(t *testing.T) {
	for _, block := range []string{
		"hmac {\nheader X-S\nsigned {host}{body}\n}",
		"hmac {\nheader X-S\nsigned \"{header.X-L|signing_string host digest}\"\n}",
		"hmac {\nheader X-S\nsigned {json.a} {form.a}\n}",
		"hmac {\nheader X-S\nsigned {json.a}{query.b}\n}",
		"hmac {\nfrom \"{json.s|or header.X-S}\"\nsigned {body}\n}",
		"hmac {\nfrom {form.s}\nsigned \"{form|without s}\"\n}",
		"hmac {\nfrom {json.s}\nsigned \"{body|json a}\"\n}",
		"hmac {\nfrom {query.s}\nsigned {body}\n}",
		"hmac {\nfrom {query.s}\nsigned \"{url|no_query}{query|without s}\"\n}",
		"hmac {\nheader X-S\nvalue t={timestamp},s={signature}\nsigned {timestamp}{body}\ntimestamp header X-S\n}",
		"hmac {\nheader X-S\nsigned {timestamp}{body}\ntimestamp header X-T\n}",
	} {
		if _, err := providertest.Parse("custom s3cret {\n" + block + "\n}"); err != nil {
			t.Errorf("%s: %v", block, err)
		}
	}
}

// TestEdgesOfTokens holds that white space at the edges of a token is an error where it
// would be cut off, and only there.
func TestEdgesOfTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("s3cret \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for block, never := range map[string]bool{
		"custom \"s3cret\t\" {\ntoken header X-T\n}":                                        true,
		"custom \" s3cret\" {\ntoken header X-T\n}":                                         true,
		"custom {file." + file + "} {\ntoken header X-T\n}":                                 true,
		"custom {\ntoken header X-T s3cret \"old \"\n}":                                     true,
		"custom \"s3cret \" {\ntoken header X-T {\nprefix \"Bearer \"\n}\n}":                true,
		"custom \" s3cret\" {\ntoken header X-T {\nprefix \"Bearer \"\n}\n}":                false, // behind another space
		"custom \"s3cret \" {\ntoken header X-T {\nencoding base64\n}\n}":                   false,
		"custom \"s3cret \" {\ntoken query t\n}":                                            false,
		"custom \"s3cret \" {\nhmac {\nheader X-S\n}\n}":                                    false,
		"custom \"s3cret \" {\nneed any\nhmac {\nheader X-S\n}\ntoken header X-T\n}":        false, // the key of the other proof
		"custom s3cret {\nneed any\nhmac {\nheader X-S\n}\ntoken header X-T \"s3cret \"\n}": true,
	} {
		_, err := providertest.Parse(block)
		if (err != nil) != never || err != nil && !strings.Contains(err.Error(), "cut the white space off") {
			t.Errorf("%s: %v", block, err)
		}
	}
}

// TestTokensInLists finds tokens in lists of lists.
func TestTokensInLists(t *testing.T) {
	for path, want := range map[string]error{
		"a.#.b.#.c": nil, "d.#.#.c": nil, "e": nil,
		"a.#.b": scheme.Wrong, // which are lists, and no tokens
	} {
		p := providertest.MustParse(t, "custom s3cret {\ntoken {json."+path+"}\n}")
		body := `{"a":[{"b":[{"c":"s3cret"},{"c":"s3cret"}]}],"d":[[{"c":"s3cret"}]],"e":["s3cret","s3cret"]}`
		if err := p.Verify(providertest.Hook(body), providertest.Now); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
	}
}

// TestSignatureCoversAValue verifies a signature over what stands beside it.
func TestSignatureCoversAValue(t *testing.T) {
	p := providertest.MustParse(t, "custom {\nrsa {\nheader X-Signature\nvalue \"n={value.nonce};s={signature}\"\nsigned {value.nonce}.{body}\npublic_key `"+
		providertest.PEMOf(t, providertest.RSAKey().Public())+"`\n}\n}")
	sum := sha256.Sum256([]byte("f00d.body"))
	raw, err := rsa.SignPKCS1v15(rand.Reader, providertest.RSAKey(), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	request := func(nonce string) *template.Request {
		return providertest.Hook("body", "X-Signature: n="+nonce+";s="+base64.StdEncoding.EncodeToString(raw))
	}
	if err := p.Verify(request("f00d"), providertest.Now); err != nil {
		t.Error(err)
	}
	if p.Verify(request("f00e"), providertest.Now) == nil {
		t.Error("valid with another value")
	}
}

// TestClaims pins claims of a token in a field.
func TestClaims(t *testing.T) {
	for claims, want := range map[string]bool{
		`{"data":{"app":"a"}}`:                     true,
		`{"other":{"app":"b"}}`:                    true,
		`{"data":{"app":"c"},"other":{"app":"b"}}`: false, // the first that is there counts
		`{"data":{"app":["a"]}}`:                   false,
		`{"data":{}}`:                              false,
		`{"data":{"app":"a","app":"c"}}`:           false,
		`{"data":{"app":"a"},"DATA":{"app":"c"}}`:  false,
	} {
		p := providertest.MustParse(t, "custom s3cret {\njwt HS256 {\nfield token\nclaim data.app,other.app a b\n}\ntolerance off\n}")
		signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		token := signed + "." + base64.RawURLEncoding.EncodeToString(providertest.SHA256Of("s3cret", signed))
		if err := p.Verify(providertest.Hook(`{"token":"`+token+`"}`), providertest.Now); (err == nil) != want {
			t.Errorf("%s: %v", claims, err)
		}
	}
}

// TestDraftCavage signs and verifies HTTP signatures of the draft with a secret.
func TestDraftCavage(t *testing.T) {
	p := providertest.MustParse(t, "custom s3cret {\nhmac {\nheader Signature\nencoding base64\nvalue `keyId=\"{value.key}\",signature=\"{signature}\",headers=\"{value.names}\"`\n"+
		"signed \"{value.names|signing_string (request-target) date digest}\"\ntimestamp header Date rfc1123\n}\n}")
	r := providertest.Hook("body")
	r.Public = &url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/a"}
	if err := p.Sign(r, providertest.Now); err != nil {
		t.Fatal(err)
	}
	if got := r.Header["Signature"][0]; !strings.HasPrefix(got, `keyId="",signature="`) || !strings.HasSuffix(got, `",headers="(request-target) date digest"`) {
		t.Errorf("signed %s", got)
	}
	if err := p.Verify(r, providertest.Now); err != nil {
		t.Error(err)
	}
	if err := p.Verify(r, providertest.Now.Add(time.Hour)); !errors.Is(err, scheme.TooOld) {
		t.Errorf("an hour later: %v", err)
	}
	for what, change := range map[string]func(){
		"body": func() { r.Body = []byte("Body") },
		"path": func() { r.Public.Path = "/b" },
		"date": func() { r.Header["Date"] = []string{providertest.Now.Add(time.Minute).UTC().Format(http.TimeFormat)} },
	} {
		before, path, date := r.Body, r.Public.Path, r.Header["Date"]
		if change(); p.Verify(r, providertest.Now) == nil {
			t.Errorf("valid with another %s", what)
		}
		r.Body, r.Public.Path, r.Header["Date"] = before, path, date
	}
}
