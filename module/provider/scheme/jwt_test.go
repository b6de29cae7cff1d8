package scheme_test

import (
	"crypto"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// makeToken signs claims with an algorithm and a key: a crypto.Signer, or bytes.
func makeToken(t testing.TB, header map[string]any, claims map[string]any, key any) string {
	t.Helper()
	head, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(payload)
	name, _ := header["alg"].(string)
	var signature []byte
	switch key := key.(type) {
	case []byte:
		signature = scheme.SumOf(scheme.JWTAlgorithms[name], key, []byte(signed))
	case crypto.Signer:
		signature = signWithKey(t, scheme.JWTAlgorithms[name], key, signed)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// tokenConfig configures a token in X-Token with the body's hash in the claim h.
func tokenConfig(algorithms, more string) string {
	return fmt.Sprintf("custom {\njwt %s {\nheader X-Token\nbody_hash h\n%s\n}\n}", algorithms, more)
}

func goodClaims(body string) map[string]any {
	return map[string]any{"iat": providertest.Now.Unix(), "h": scheme.HashText("hex", []byte(body))}
}

// TestJWTAlgorithms signs with every algorithm, and verifies with a receiver of
// each: only its own may pass.
func TestJWTAlgorithms(t *testing.T) {
	_, ed := providertest.EdKey('a')
	secret := []byte("a-secret-of-thirty-two-characters")
	keys := map[string]any{
		"HS256": secret, "HS384": secret, "HS512": secret, "EdDSA": ed,
		"RS256": providertest.RSAKey(), "RS384": providertest.RSAKey(), "RS512": providertest.RSAKey(), "PS256": providertest.RSAKey(), "PS384": providertest.RSAKey(), "PS512": providertest.RSAKey(),
		"ES256": providertest.ECKey(t, elliptic.P256()), "ES384": providertest.ECKey(t, elliptic.P384()), "ES512": providertest.ECKey(t, elliptic.P521()),
	}
	for pinned, key := range keys {
		given := "secret " + string(secret)
		if signer, ok := key.(crypto.Signer); ok {
			given = "public_key `" + providertest.PEMOf(t, signer.Public()) + "`"
		}
		p := providertest.MustParse(t, tokenConfig(pinned, given))
		for used, key := range keys {
			token := makeToken(t, map[string]any{"alg": used}, goodClaims("{}"), key)
			err := p.Verify(providertest.Hook("{}", "X-Token: Bearer "+token), providertest.Now)
			if valid := err == nil; valid != (used == pinned) {
				t.Errorf("pinned to %s, signed with %s: %v", pinned, used, err)
			}
		}
	}
}

// TestJWTConfusion tries what has broken other readers of tokens.
func TestJWTConfusion(t *testing.T) {
	public := providertest.PEMOf(t, providertest.RSAKey().Public())
	p := providertest.MustParse(t, tokenConfig("RS256", "public_key `"+public+"`"))
	both := providertest.MustParse(t, tokenConfig("HS256 RS256", "secret s3cret\npublic_key `"+public+"`"))
	good := makeToken(t, map[string]any{"alg": "RS256"}, goodClaims("{}"), providertest.RSAKey())
	parts := strings.Split(good, ".")
	header := func(h map[string]any) string {
		text, _ := json.Marshal(h)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	forged := map[string]string{
		"alg none":                      header(map[string]any{"alg": "none"}) + "." + parts[1] + ".",
		"alg None with the signature":   header(map[string]any{"alg": "None"}) + "." + parts[1] + "." + parts[2],
		"no alg":                        header(map[string]any{}) + "." + parts[1] + "." + parts[2],
		"no signature":                  parts[0] + "." + parts[1] + ".",
		"two parts":                     parts[0] + "." + parts[1],
		"four parts":                    good + ".",
		"the public key as a secret":    makeToken(t, map[string]any{"alg": "HS256"}, goodClaims("{}"), []byte(public)),
		"and without the line's end":    makeToken(t, map[string]any{"alg": "HS256"}, goodClaims("{}"), []byte(strings.TrimSpace(public))),
		"an empty secret":               makeToken(t, map[string]any{"alg": "HS256"}, goodClaims("{}"), []byte{}),
		"crit":                          makeToken(t, map[string]any{"alg": "RS256", "crit": []string{"exp"}}, goodClaims("{}"), providertest.RSAKey()),
		"b64 false":                     makeToken(t, map[string]any{"alg": "RS256", "b64": false}, goodClaims("{}"), providertest.RSAKey()),
		"claims that are no object":     parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`[]`)) + "." + parts[2],
		"padding":                       good + "=",
		"a line break":                  good[:len(good)-4] + "\n" + good[len(good)-4:],
		"many dots":                     strings.Repeat(".", scheme.MaxToken),
		"another character at the end":  good[:len(good)-1] + string(good[len(good)-1]^1),
		"a key of its own":              makeToken(t, map[string]any{"alg": "EdDSA", "jwk": json.RawMessage(providertest.JWKS('a'))}, goodClaims("{}"), func() any { _, k := providertest.EdKey('a'); return k }()),
		"a token that is far too large": parts[0] + "." + strings.Repeat("A", scheme.MaxToken) + "." + parts[2],
	}
	for name, token := range forged {
		for _, receiver := range []provider.Provider{p, both} {
			if err := receiver.Verify(providertest.Hook("{}", "X-Token: "+token), providertest.Now); err == nil {
				t.Errorf("%s: taken", name)
			}
		}
	}
	if err := p.Verify(providertest.Hook("{}", "X-Token: "+good), providertest.Now); err != nil {
		t.Error(err)
	}
	if err := p.Verify(providertest.Hook("{}", "X-Token: "+good, "X-Token: "+good), providertest.Now); !errors.Is(err, scheme.Repeated) {
		t.Errorf("two tokens: %v", err)
	}
	r := providertest.Hook("{}", "X-Token: "+makeToken(t, map[string]any{"alg": "HS256"}, goodClaims("{}"), []byte("s3cret")))
	if err := both.Verify(r, providertest.Now); err != nil || r.Matched != 1 {
		t.Errorf("a secret beside a public key: %v, %d", err, r.Matched)
	}
	r = providertest.Hook("{}", "X-Token: "+good)
	if err := both.Verify(r, providertest.Now); err != nil || r.Matched != 2 || both.Profile().Secrets != 2 {
		t.Errorf("a public key beside a secret: %v, %d of %d", err, r.Matched, both.Profile().Secrets)
	}
}

// TestJWTClaims holds what each claim is checked for.
func TestJWTClaims(t *testing.T) {
	at := func(offset time.Duration) int64 { return providertest.Now.Add(offset).Unix() }
	const second, toleranceOff = time.Second, "off"
	for name, test := range map[string]struct {
		more   string // of the configuration
		change map[string]any
		want   error
	}{
		"good":                      {"", nil, nil},
		"iat at the limit":          {"", map[string]any{"iat": at(-300 * second)}, nil},
		"iat too old":               {"", map[string]any{"iat": at(-301 * second)}, scheme.TooOld},
		"iat too new":               {"", map[string]any{"iat": at(301 * second)}, scheme.TooNew},
		"iat with a fraction":       {"", map[string]any{"iat": float64(at(0)) + .5}, nil},
		"no iat":                    {"", map[string]any{"iat": nil}, scheme.NoTime},
		"iat as text":               {"", map[string]any{"iat": "now"}, scheme.NoTime},
		"iat beyond all time":       {"", map[string]any{"iat": 1e300}, scheme.NoTime},
		"exp passed":                {"", map[string]any{"exp": at(-300 * second)}, scheme.TooOld},
		"exp passed a little":       {"", map[string]any{"exp": at(-299 * second)}, nil},
		"exp excuses an old iat":    {"", map[string]any{"iat": at(-time.Hour), "exp": at(second)}, nil},
		"exp excuses no new iat":    {"", map[string]any{"iat": at(time.Hour), "exp": at(2 * time.Hour)}, scheme.TooNew},
		"nbf to come":               {"", map[string]any{"nbf": at(301 * second)}, scheme.TooNew},
		"nbf to come soon":          {"", map[string]any{"nbf": at(300 * second)}, nil},
		"issuer":                    {"issuer me", map[string]any{"iss": "me"}, nil},
		"other issuer":              {"issuer me", map[string]any{"iss": "you"}, scheme.Foreign},
		"no issuer":                 {"issuer me", nil, scheme.Foreign},
		"audience":                  {"audience us", map[string]any{"aud": "us"}, nil},
		"one of several audiences":  {"audience us", map[string]any{"aud": []string{"them", "us"}}, nil},
		"other audience":            {"audience us", map[string]any{"aud": []string{"them"}}, scheme.Foreign},
		"no audience":               {"audience us", nil, scheme.Foreign},
		"no hash":                   {"", map[string]any{"h": nil}, scheme.Missing},
		"other hash":                {"", map[string]any{"h": scheme.HashText("hex", []byte("{ }"))}, scheme.Wrong},
		"hash in another encoding":  {"", map[string]any{"h": scheme.HashText("base64", []byte("{}"))}, scheme.Wrong},
		"hash as a number":          {"", map[string]any{"h": 1}, scheme.Wrong},
		"URL":                       {"url_hash u", map[string]any{"u": scheme.HashText("hex", []byte("https://hooks.example.com/hooks/a?x=1&y=2"))}, nil},
		"other URL":                 {"url_hash u", map[string]any{"u": scheme.HashText("hex", []byte("https://hooks.example.com/hooks/b?x=1&y=2"))}, scheme.Wrong},
		"no URL":                    {"url_hash u", nil, scheme.Wrong},
		"tolerance off, old":        {toleranceOff, map[string]any{"iat": at(-time.Hour)}, nil},
		"tolerance off, exp passed": {toleranceOff, map[string]any{"exp": at(0)}, scheme.TooOld},
		"tolerance off, exp now on": {toleranceOff, map[string]any{"exp": at(second)}, nil},
		"tolerance off, nbf":        {toleranceOff, map[string]any{"nbf": at(second)}, scheme.TooNew},
	} {
		config := tokenConfig("HS256", "secret s3cret\n"+test.more)
		if test.more == toleranceOff {
			config = "custom s3cret {\ntolerance off\njwt HS256 {\nheader X-Token\nbody_hash h\n}\n}"
		}
		claims := goodClaims("{}")
		for name, value := range test.change {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		token := makeToken(t, map[string]any{"alg": "HS256"}, claims, []byte("s3cret"))
		if err := providertest.MustParse(t, config).Verify(providertest.Hook("{}", "X-Token: "+token), providertest.Now); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// TestJWTWithoutBody holds what the hash of no body is.
func TestJWTWithoutBody(t *testing.T) {
	for _, test := range []struct {
		optional string
		body     string
		hash     any
		want     error
	}{
		{"", "", scheme.HashText("hex", nil), nil},
		{"", "", nil, scheme.Missing},
		{"optional", "", nil, nil},
		{"optional", "", scheme.HashText("hex", nil), scheme.Wrong},
		{"optional", "{}", nil, scheme.Missing},
		{"optional", "{}", scheme.HashText("hex", []byte("{}")), nil},
	} {
		p := providertest.MustParse(t, "custom s3cret {\njwt HS256 {\nheader X-Token\nbody_hash h "+test.optional+"\n}\n}")
		claims := map[string]any{"iat": providertest.Now.Unix()}
		if test.hash != nil {
			claims["h"] = test.hash
		}
		token := makeToken(t, map[string]any{"alg": "HS256"}, claims, []byte("s3cret"))
		if err := p.Verify(providertest.Hook(test.body, "X-Token: "+token), providertest.Now); !errors.Is(err, test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// TestJWTInBody takes the token from the body, alone and in a field.
func TestJWTInBody(t *testing.T) {
	token := makeToken(t, map[string]any{"alg": "HS256"}, map[string]any{"iat": providertest.Now.Unix(), "type": "a"}, []byte("s3cret"))
	other := makeToken(t, map[string]any{"alg": "HS256"}, map[string]any{"iat": providertest.Now.Unix(), "type": "a"}, []byte("other"))
	alone := providertest.MustParse(t, "custom s3cret {\njwt HS256 {\n}\n}")
	field := providertest.MustParse(t, "custom s3cret {\njwt HS256 {\nfield jwt\n}\n}")
	for _, test := range []struct {
		p    provider.Provider
		body string
		want error
	}{
		{alone, token, nil},
		{alone, token + "\n", nil},
		{alone, other, scheme.Wrong},
		{alone, "", scheme.Missing},
		{alone, `{"a":1}`, scheme.Malformed},
		{field, `{"jwt":"` + token + `","id":1}`, nil},
		{field, `{"jwt":"` + other + `"}`, scheme.Wrong},
		{field, `{"jwt":"` + other + `","jwt":"` + token + `"}`, scheme.Malformed},
		{field, `{"JWT":"` + token + `"}`, scheme.Malformed}, // which an app may take for the field
		{field, `{"JWT":"` + other + `","jwt":"` + token + `"}`, scheme.Malformed},
		{field, `{"id":"` + token + `"}`, scheme.Missing},
		{field, `{"jwt":["` + token + `"]}`, scheme.Missing},
		{field, `{"jwt":"` + token + `"} {}`, scheme.Malformed},
		{field, `"` + token + `"`, scheme.Malformed},
	} {
		if err := test.p.Verify(providertest.Hook(test.body), providertest.Now); !errors.Is(err, test.want) {
			t.Errorf("%.40s: %v, want %v", test.body, err, test.want)
		}
	}
	if err := alone.Sign(providertest.Hook(""), providertest.Now); err == nil || alone.(provider.Resigner).Unsignable("") == "" {
		t.Errorf("a token that is the body was made: %v", err)
	}
}

// headerToken returns the claims of the token that is the longest header of a request.
func headerToken(r *template.Request) (*scheme.JWS, error) {
	token := ""
	for _, values := range r.Header {
		if strings.Count(values[0], ".") == 2 && len(values[0]) > len(token) {
			token = strings.TrimPrefix(values[0], "Bearer ")
		}
	}
	return scheme.ParseJWS(token)
}

// TestJWTSign makes tokens anew as for an app, for every preset that can.
func TestJWTSign(t *testing.T) {
	later := providertest.Now.Add(time.Hour)
	for _, v := range providertest.KeyedVectors(t) {
		if v.Secret == nil || v.Expected != "valid" || strings.HasPrefix(v.Provider, "rfc") {
			continue
		}
		p := providertest.MustParse(t, v.Config(t))
		signer, err := p.(provider.Resigner).SignerWith("")
		if err != nil {
			t.Fatal(err)
		}
		r := v.Request(t)
		before, err := headerToken(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := signer.Sign(r, later); err != nil {
			t.Fatal(err)
		}
		if err := p.Verify(r, later); err != nil {
			t.Errorf("%s: signed anew: %v", v.ID, err)
		}
		after, err := headerToken(r)
		if err != nil {
			t.Fatal(err)
		}
		var was, is scheme.Claims
		if json.Unmarshal(before.Payload, &was) != nil || json.Unmarshal(after.Payload, &is) != nil {
			t.Fatal("no claims")
		}
		for name := range was {
			if name != "iat" && name != "exp" && name != "nbf" && string(was[name]) != string(is[name]) {
				t.Errorf("%s: claim %s was %s, is %s", v.ID, name, was[name], is[name])
			}
		}
		bare := providertest.Hook("{}")
		if err := signer.Sign(bare, later); err != nil {
			t.Fatal(err)
		}
		if err := p.Verify(bare, later); err != nil {
			t.Errorf("%s: signed for the first time: %v", v.ID, err)
		}
		fresh, err := headerToken(bare)
		if err != nil {
			t.Fatal(err)
		}
		var first scheme.Claims
		if json.Unmarshal(fresh.Payload, &first) != nil || len(first["jti"]) < 30 || len(first["exp"]) < 10 {
			t.Errorf("%s: a first token claims %s, without an ID or an expiry", v.ID, fresh.Payload)
		}
	}
}

// FuzzJWT holds that no token panics, and that none passes that was not signed.
func FuzzJWT(f *testing.F) {
	p := providertest.MustParse(f, tokenConfig("HS256 RS256", "secret s3cret\npublic_key `"+providertest.PEMOf(f, providertest.RSAKey().Public())+"`"))
	good := makeToken(f, map[string]any{"alg": "HS256"}, goodClaims("{}"), []byte("s3cret"))
	also := makeToken(f, map[string]any{"alg": "RS256"}, goodClaims("{}"), providertest.RSAKey())
	f.Add(good)
	f.Add(also)
	f.Add("e30.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		if p.Verify(providertest.Hook("{}", "X-Token: "+token), providertest.Now) == nil && !strings.Contains(token, good) && !strings.Contains(token, also) {
			t.Errorf("taken: %q", token)
		}
	})
}
