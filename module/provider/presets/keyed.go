package presets

import (
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// presetsKeyed are more providers that sign with a key of their own, and PayU, whose
// header names the hash.
var presetsKeyed = []Preset{
	{
		Name: "payu", Title: "PayU", Category: "payments",
		Source:     "https://github.com/PayU-EMEA/openpayu_php",
		Confidence: "code",
		Notes: "The secret is the second key (MD5) of the point of sale. The header names the hash function, which is MD5 unless the point of sale is set otherwise: " +
			"list with algorithm which ones count. With the line sign provider the header has nothing but signature and algorithm.",
		Definition: Definition{
			Proofs: []Proof{{Digest: payuDigest("OpenPayu-Signature")}, {Digest: payuDigest("X-OpenPayU-Signature")}},
			Need:   NeedFirst,
			Event:  `body.order?.status`,
			Copies: Copies{By: ByNothing, Why: noID("PayU")},
		},
		Options: []Option{{
			Name: "algorithm", Several: true, Default: "md5 sha1 sha256 sha384 sha512",
			Help: "The hash functions that count, of md5, sha1, sha256, sha384 and sha512. The first one signs.",
		}},
	},
	{
		Name: "travis", Title: "Travis CI", Category: "ci",
		Source:     "https://github.com/travis-ci/webhook-signature-verifier",
		Confidence: "code",
		Notes: "The key stands at https://api.travis-ci.com/config, under config.notifications.webhook.public_key. " +
			"Your app gets the form as it came; its field payload is JSON.",
		Definition: Definition{
			Proofs: []Proof{{RSA: &RSA{Hash: "sha1", Signature: Signature{
				From: "{header.Signature}", Signed: "{form.payload}",
			}}}},
			Forms:  true,
			Event:  `fromJSON(body.payload).state ?? fromJSON(body.payload).status_message`,
			ID:     `string(int(fromJSON(body.payload).id))`,
			Copies: Copies{By: ByIDAndBody, Why: "Travis signs the ID of the build, which several webhooks may share, so the body decides as well."},
		},
		Options: provider.Required(provider.KeyOptions("public_key")),
	},
	{
		Name: "wise", Title: "Wise", Category: "banking",
		Source:     "https://docs.wise.com/guides/developer/webhooks/event-handling",
		Confidence: "secondary",
		Notes: "Wise publishes a public key for the sandbox and another for production. X-Test-Notification marks the request that a new webhook is tested with. " +
			"The older SHA-1 signature counts only with the line legacy.",
		Definition: Definition{
			Proofs: []Proof{
				{RSA: &RSA{Signature: Signature{From: "{header.X-Signature-SHA256}"}}},
				{RSA: &RSA{Hash: "sha1", Signature: Signature{From: "{header.X-Signature}"}}, Legacy: true},
			},
			Need:    NeedFirst,
			Event:   `body.event_type`,
			ID:      `header("X-Delivery-Id")`,
			Copies:  Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Wise names the delivery in X-Delivery-Id, which it does not sign."},
			Horizon: 14 * 24 * hour,
		},
		Options: provider.Required(provider.KeyOptions("public_key")),
	},
	{
		Name: "wechat_pay", Title: "WeChat Pay", Category: "payments",
		Source:     "https://github.com/wechatpay-apiv3/wechatpay-go",
		Confidence: "code",
		Notes: "This preset is for API v3. Give the certificate of the platform, or its public key; Wechatpay-Serial names it, and any that is configured may match. " +
			"The resource in the body is encrypted with the APIv3 key, which the gateway does not need. " +
			"WeChat Pay takes 200 and 204 for success.",
		Definition: Definition{
			Proofs: []Proof{{RSA: &RSA{Signature: Signature{
				From:      "{header.Wechatpay-Signature}",
				Signed:    "{timestamp}\n{header.Wechatpay-Nonce}\n{body}\n",
				Timestamp: &Timestamp{From: "{header.Wechatpay-Timestamp}"},
			}}}},
			Event:   `body.event_type`,
			ID:      `body.id`,
			Copies:  Copies{By: ByIDAndBody, Why: "WeChat Pay gives each notification an ID in the signed body; it is not confirmed that retries repeat it."},
			Horizon: 24*hour + 4*minute,
		},
		Tolerance: fiveMinutes,
		Options:   provider.KeyOptions("public_key", "certificate"),
	},
	{
		Name: "keygen", Title: "Keygen", Category: "licensing",
		Source:     "https://github.com/keygen-sh/keygen-go",
		Confidence: "code",
		Notes: "The key is the Ed25519 public key of the account, in hex. Keygen signs the URL, so behind a proxy external_url says which one it called. " +
			"The field payload of the event is JSON in a string, which rules enter by themselves.",
		Definition: Definition{
			Proofs: []Proof{{Ed25519: &Ed25519{Signature: Signature{
				From:      "{header.Keygen-Signature}",
				Value:     []string{`keyid="{value.keyid}", algorithm="{value.algorithm}", signature="{signature}", headers="{value.headers}"`},
				Signed:    "{value.headers|signing_string (request-target) host date digest}",
				Timestamp: &Timestamp{From: "{header.Date}", Unit: "rfc1123"},
			}}}},
			Event:  `body.data.attributes.event`,
			ID:     `body.data.id`,
			Copies: Copies{By: ByIDAndBody, Why: "Keygen gives each webhook event an ID in the signed body; it is not confirmed that retries repeat it."},
		},
		Tolerance: fiveMinutes,
		Options:   provider.Required(provider.KeyOptions("public_key")),
	},
}

// payuDigest is the hash in one of PayU's headers.
func payuDigest(header string) *Digest {
	return &Digest{HMAC: HMAC{
		From:     "{header." + header + "}",
		Hashes:   []string{"{option.algorithm}"},
		HashFrom: "{value.algorithm}",
		Value:    []string{"signature={signature};algorithm={value.algorithm}"},
		Signed:   []string{"{body}{secret}"},
	}}
}
