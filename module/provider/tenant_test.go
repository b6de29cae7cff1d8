package provider_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
)

// refuseTenants are the presets whose secrets cannot be those of tenants.
var refuseTenants = map[string]string{"adobe_sign": "the provider's handshake names the secrets"}

// tenanted reads a provider that serves tenants.
func tenanted(t *testing.T, config string) (provider.Tenanted, error) {
	t.Helper()
	name, _, _ := strings.Cut(config, " ")
	info, err := caddy.GetModule("webhook_gateway.providers." + strings.TrimSpace(name))
	if err != nil {
		t.Fatal(err)
	}
	p := info.New().(provider.Tenanted)
	p.ServeTenants()
	if err := p.(caddyfile.Unmarshaler).UnmarshalCaddyfile(caddyfile.NewTestDispenser(config)); err != nil {
		return nil, err
	}
	if why := p.RefusesTenants(); why != "" {
		return nil, errors.New(why)
	}
	ctx := provider.WithTenants(caddy.Context{Context: context.Background()})
	return p, p.(caddy.Provisioner).Provision(ctx)
}

// TestTenants takes a signed sample of each preset to tenants with the right secret, with
// others, and to nobody.
func TestTenants(t *testing.T) {
	configs, tested := providertest.Configs(), 0
	for _, preset := range provider.Presets() {
		if len(preset.Proofs) == 0 || providertest.KeyedConfigs[preset.Name] != "" || preset.Name == "ignisign" {
			continue
		}
		t.Run(preset.Name, func(t *testing.T) {
			secret := cmp.Or(providertest.SecretsOf[preset.Name], providertest.OwnSecret)
			p, err := tenanted(t, strings.Replace(configs[preset.Name], " "+secret, "", 1))
			if want := refuseTenants[preset.Name]; err != nil || want != "" {
				if err == nil || err.Error() != want {
					t.Fatalf("got %v, want %q", err, want)
				}
				return
			}
			tested++
			testTenants(t, p, providertest.MustParse(t, configs[preset.Name]), secret)
		})
	}
	if tested < 100 {
		t.Errorf("%d presets were tested", tested)
	}
}

func testTenants(t *testing.T, p provider.Tenanted, own provider.Provider, secret string) {
	sample := func(signer provider.Signer) *provider.Request {
		r, err := own.Profile().Samples()[0].Request(providertest.Now, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.To(&url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/hooks/a"})
		r.DeliveryID = func() string { return "delivery-1" }
		if err := signer.Sign(r, providertest.Now); err != nil {
			t.Fatal(err)
		}
		return r
	}
	middle := len(secret) / 2
	other := secret[:middle] + map[bool]string{true: "B", false: "A"}[secret[middle] == 'A'] + secret[middle+1:] // in hex and base64, too
	for _, test := range []struct {
		secrets []string
		matched int
	}{{[]string{secret}, 1}, {[]string{other, secret}, 2}, {[]string{secret, other}, 1}, {[]string{other}, 0}, {nil, 0}} {
		used, err := p.TenantSecrets(test.secrets, true)
		if len(test.secrets) > 0 && err != nil {
			t.Fatal(err)
		}
		tenant, err := p.For(used)
		if err != nil {
			t.Fatal(err)
		}
		r := sample(own)
		err = tenant.Verify(r, providertest.Now)
		if (err == nil) != (test.matched > 0) || r.Matched != test.matched {
			t.Errorf("secrets %q: matched %d, %v", test.secrets, r.Matched, err)
		}
		if test.matched == 1 {
			if err := own.Verify(sample(tenant), providertest.Now); err != nil {
				t.Errorf("signed for the tenant: %v", err)
			}
		}
	}
	if p.Verify(sample(own), providertest.Now) == nil {
		t.Error("taken without a tenant")
	}
	if err := p.Sign(sample(own), providertest.Now); err == nil {
		t.Error("signed without a tenant")
	}
}

// TestTenantsHandshake has a challenge signed with the secret of a tenant.
func TestTenantsHandshake(t *testing.T) {
	p, err := tenanted(t, "twitter")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(secrets ...string) *provider.Reply {
		tenant, err := p.For(secrets)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := tenant.(provider.Handshaker).Handshake(&provider.Request{Method: http.MethodGet, Path: "/a", RawQuery: "crc_token=c1"}, providertest.Now)
		if err != nil || reply == nil || !reply.Keyed {
			t.Fatalf("%+v, %v", reply, err)
		}
		return reply
	}
	own := providertest.MustParse(t, "twitter acme-secret").(provider.Handshaker)
	want, _ := own.Handshake(&provider.Request{Method: http.MethodGet, Path: "/a", RawQuery: "crc_token=c1"}, providertest.Now)
	if got := ask("acme-secret", "older"); got.Body != want.Body {
		t.Errorf("got %s, want %s", got.Body, want.Body)
	}
	if ask("globex-secret").Body == want.Body || ask().Body == want.Body {
		t.Error("another tenant's answer is the same")
	}
}

// What a tenant's secret cannot be.
func TestTenantSecrets(t *testing.T) {
	for _, test := range []struct {
		config, secret string
		ofFile         bool
		want           string
	}{
		{"github", "{env.NOT_SET_ANYWHERE}", false, "secret 1 has no value"},
		{"github", "{env.X}", true, "secret 1 looks like a placeholder"},
		{"github", "<YOUR_SECRET>", true, "secret 1 looks like a placeholder"},
		{"github", "$SECRET", false, "secret 1: it looks like a placeholder"},
		{"github", " ", true, "secret 1 is empty"},
		{"github", `"quoted"`, true, "secret 1: it has quotes"},
		{"standardwebhooks", "whsec_!", true, "secret 1: not a key in base64"},
		{"standardwebhooks", "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true, ""},
		{"github", "fine", true, ""},
	} {
		p, err := tenanted(t, test.config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.TenantSecrets([]string{test.secret}, test.ofFile)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s: %v", test.config, test.secret, err)
		}
		if err != nil && strings.Contains(err.Error(), test.secret) && test.secret != " " && !strings.HasPrefix(test.secret, "{") {
			t.Errorf("the error quotes the secret: %v", err)
		}
	}
}

func BenchmarkTenant(b *testing.B) {
	info, err := caddy.GetModule("webhook_gateway.providers.stripe")
	if err != nil {
		b.Fatal(err)
	}
	p := info.New().(provider.Tenanted)
	ctx := provider.WithTenants(caddy.Context{Context: context.Background()})
	if err := p.(caddy.Provisioner).Provision(ctx); err != nil {
		b.Fatal(err)
	}
	body := `{"id":"evt_1"}`
	r := providertest.Hook(body, "Stripe-Signature: t=1760000000,v1="+strings.Repeat("0", 64))
	for name, secrets := range map[string][]string{"known": {"acme-secret"}, "unknown": nil} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tenant, err := p.For(secrets)
				if err != nil || tenant.Verify(r, providertest.Now) == nil {
					b.Fatal(err)
				}
			}
		})
	}
}
