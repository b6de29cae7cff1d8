package provider

import "time"

var presetsBusiness = []Preset{
	{
		Name: "shopify", Title: "Shopify", Category: "commerce",
		Source:     "https://github.com/Shopify/shopify-api-ruby",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{ // newer deliveries spell their headers without X-
				{HMAC: &HMAC{Header: "X-Shopify-Hmac-Sha256", Encoding: "base64"}},
				{HMAC: &HMAC{Header: "Shopify-Hmac-Sha256", Encoding: "base64"}},
			},
			Need:    needFirst,
			Event:   eitherHeader(`nil`, "X-Shopify-Topic", "Shopify-Topic"),
			ID:      eitherHeader(`nil`, "X-Shopify-Webhook-Id", "Shopify-Webhook-Id"),
			Horizon: 4 * hour,
		},
	},
	{
		Name: "hubspot", Title: "HubSpot", Category: "crm",
		Source:     "https://github.com/HubSpot/hubspot-api-nodejs",
		Confidence: "code",
		Notes:      "The URL is signed as HubSpot calls it: behind a proxy, set external_url.",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: &HMAC{
					Header:    "X-HubSpot-Signature-v3",
					Encoding:  "base64",
					Signed:    []string{"{method}{url|unescape :/?@!$'()*,;}{body}{timestamp}"},
					Timestamp: &Timestamp{Header: "X-HubSpot-Request-Timestamp", Unit: "unix_ms"},
				}},
				{
					Digest: &HMAC{Header: "X-HubSpot-Signature", Signed: []string{"{secret}{method}{url}{body}"}},
					When:   map[string]string{"{header.X-HubSpot-Signature-Version}": "v2"},
				},
				{
					Digest: &HMAC{Header: "X-HubSpot-Signature", Signed: []string{"{secret}{body}"}},
					When:   map[string]string{"{header.X-HubSpot-Signature-Version}": "v1"},
				},
			},
			Need:    needFirst,
			Event:   `body[0].subscriptionType`,
			ID:      `string(body[0].eventId)`,
			Horizon: 24 * hour,
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "box", Title: "Box", Category: "storage",
		Source:     "https://github.com/box/box-node-sdk",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: boxHMAC("Primary"), When: boxVersion},
				{HMAC: boxHMAC("Secondary"), When: boxVersion, Secrets: []string{"{option.secret_secondary}"}},
			},
			Need:    needAny,
			Event:   `body.trigger`,
			ID:      `header("Box-Delivery-Id")`,
			Horizon: 2 * hour,
		},
		Tolerance: 10 * time.Minute,
		Options: []Option{
			{Name: "secret_secondary", Help: "The secondary signature key, which has a header of its own."},
		},
	},
}

var boxVersion = map[string]string{
	"{header.Box-Signature-Version}":   "1",
	"{header.Box-Signature-Algorithm}": "HmacSHA256",
}

func boxHMAC(key string) *HMAC {
	return &HMAC{
		Header:    "Box-Signature-" + key,
		Encoding:  "base64",
		Signed:    []string{"{body}{timestamp}"},
		Timestamp: &Timestamp{Header: "Box-Delivery-Timestamp", Unit: "rfc3339"},
	}
}
