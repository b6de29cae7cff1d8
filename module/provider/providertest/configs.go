package providertest

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// KeyedConfigs has a configuration of each preset whose proofs only the
// provider can make.
var KeyedConfigs = map[string]string{
	"discord":         "discord {\npublic_key " + Rfc8032Key + "\n}",
	"telnyx":          "telnyx {\npublic_key " + Rfc8032Key + "\n}",
	"sendgrid":        "sendgrid {\npublic_key " + P256Key + "\n}",
	"fal":             "fal {\npublic_key " + Rfc8032Key + "\n}",
	"plaid":           "plaid {\npublic_key " + P256Key + "\n}",
	"aws_sns":         "aws_sns",
	"paypal":          "paypal {\nwebhook_id 4JH86294D6297924G\n}",
	"ebay":            "ebay {\npublic_key " + P256Key + "\n}",
	"apple_app_store": "apple_app_store",
	"truelayer":       "truelayer {\npublic_key " + P521Key + "\n}",
	"travis":          "travis {\npublic_key " + RSAPublicKey + "\n}",
	"keygen":          "keygen {\npublic_key " + Rfc8032Key + "\n}",
	"wise":            "wise {\npublic_key " + RSAPublicKey + "\n}",
	"wechat_pay":      "wechat_pay {\npublic_key " + RSAPublicKey + "\n}",
	"rfc9421":         "rfc9421 {\nalgorithm ed25519\npublic_key " + Rfc8032Key + "\n}",
}

// The first key of RFC 8032, a key of SendGrid's tests, and that of Wise's sandbox.
const (
	P521Key      = "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBFdv2N6nrDXAOaEwWKMoqofZJKZTdXqEMuk1nhkkJEQZvgP3rbaiI3YTBbeX6iydTDr47pFSU0SQhLe9C1TD+cWQAMX0nIe0VPe/hEg8SQv+ToD8/XSf0nrd8pJXW9R+ac3QkTC8aX46dpdygDvzcfenLImaMciJY4nRyaB4IPMkradY=" // of the vectors of TrueLayer
	RSAPublicKey = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwpb91cEYuyJNQepZAVfPZIlPZfNUefH+n6w9SW3fykqKu938cR7WadQv87oF2VuT+fDt7kqeRziTmPSUhqPUys/V2Q1rlfJuXbE+Gga37t7zwd0egQ+KyOEHQOpcTwKmtZ81ieGHynAQzsn1We3jwt760MsCPJ7GMT141ByQM+yW1Bx+4SG3IGjXWyqOWrcXsxAvIXkpUD/jK/L958CgnZEgz0BSEh0QxYLITnW1lLokSx/dTianWPFEhMC9BgijempgNXHNfcVirg1lPSygz7KqoKUN0oHqWLr2U1A+7kqrl6O2nx3CKs1bj1hToT1+p4kcMoHXA7kA+VBLUpEsVwIDAQAB"

	Rfc8032Key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
	P256Key    = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
)

// SecretsOf has the secrets of presets that cannot take just any.
var SecretsOf = map[string]string{
	"adyen":          "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
	"onfleet":        "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
	"squarespace":    "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
	"adyen_platform": "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
}

// SecretOf returns a secret that a preset takes.
func SecretOf(name string) string { return cmp.Or(SecretsOf[name], OwnSecret) }

// Configs has a configuration of each provider that has samples.
func Configs() map[string]string {
	all := make(map[string]string)
	for _, p := range provider.Presets() {
		all[p.Name] = p.Name
		if config := KeyedConfigs[p.Name]; config != "" {
			all[p.Name] = config
			continue
		}
		if len(p.Proofs) > 0 && p.Name != "ignisign" {
			all[p.Name] += " " + SecretOf(p.Name)
		}
		all[p.Name] += requiredOptions(p)
	}
	return all
}

// OptionValue returns a value that an option may have.
func OptionValue(o provider.Option) string {
	switch {
	case len(o.Choices) > 0:
		return o.Choices[0]
	case o.Name == "signed":
		return "{body}"
	}
	return "value"
}

// requiredOptions gives the options that a preset does not load without any
// value.
func requiredOptions(p *provider.Preset) string {
	var b strings.Builder
	for _, o := range p.Options {
		if o.Required {
			fmt.Fprintf(&b, "%s %s\n", o.Name, OptionValue(o))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return " {\n" + b.String() + "}"
}
