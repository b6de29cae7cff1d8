package presets

import (
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// presetsBilling bill subscriptions, or sell in a shop's place.
var presetsBilling = []Preset{
	{
		Name: "paddle", Title: "Paddle Billing", Category: "payments",
		Source:     "https://github.com/PaddleHQ/paddle-node-sdk",
		Confidence: "code",
		Notes:      "A signature may be 5 seconds old, as in Paddle's own libraries; set tolerance if a clock or a proxy needs more. The preset is not for Paddle Classic, which signs with RSA. The addresses are those of the live environment.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:   "{header.Paddle-Signature}",
				Value:  []string{"ts={timestamp};h1={signature}"},
				Signed: []string{"{timestamp}:{body}"},
			}}},
			Event:   `body.event_type`,
			ID:      `body.notification_id ?? body.event_id`,
			Copies:  Copies{By: ByID, Why: "Paddle documents the IDs of notification and event, in the signed body, as unique, and repeats them with each try."},
			Horizon: 72 * hour,
			Ranges:  &Ranges{URL: "https://api.paddle.com/ips", Format: "json", Path: "data.ipv4_cidrs"},
		},
		Tolerance: 5 * time.Second,
	},
	{
		Name: "chargebee", Title: "Chargebee", Category: "payments",
		Source:     "https://www.chargebee.com/docs/2.0/webhook_settings.html",
		Confidence: "secondary",
		Notes:      "The secret is user:password, as entered at Chargebee. It covers nothing of the content; Chargebee recommends that your app confirms an event through the API.",
		Definition: Definition{
			Proofs:  []Proof{{Token: scheme.BasicAuth()}},
			Event:   `body.event_type`,
			ID:      `body.id`,
			Copies:  Copies{By: ByIDAndBody, WithoutID: ByNothing, Volatile: []string{"{json.webhook_status}", "{json.webhooks.#.webhook_status}"}, Why: "Chargebee documents id as unique to the event and meant for detecting duplicates, but its password covers nothing of the body; webhook_status, which changes between tries, is not compared."},
			Horizon: 72 * hour,
		},
	},
	{
		Name: "recurly", Title: "Recurly", Category: "payments",
		Source:     "https://github.com/recurly/recurly-client-ruby",
		Confidence: "code",
		Notes:      "The preset is for JSON webhooks: Recurly does not sign XML webhooks.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.Recurly-Signature}",
				Value:     []string{"{timestamp},{signature}"},
				Signed:    []string{"{timestamp}.{body}"},
				Timestamp: &Timestamp{Unit: "unix_ms"},
			}}},
			Event: `body.object_type + "." + body.event_type`,
			// The id alone may be that of the object that changed.
			ID:      `join([body.id, body.object_type, body.event_type, body.event_time], ".")`,
			Copies:  Copies{By: ByIDAndBody, Why: "Recurly sends no ID of the event; object, kind and time together stand in for it."},
			Horizon: 73 * hour,
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "chargify", Title: "Maxio (Chargify)", Category: "payments",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Chargify-Webhook-Signature-Hmac-Sha-256}"}}},
			Event:  `body.event`,
			ID:     `body.id`,
			Forms:  true,
			Copies: Copies{By: ByIDAndBody, Why: "Maxio puts id into the signed body; it is not confirmed that it is the event's own, and that retries repeat it."},
		},
	},
	{
		Name: "lemonsqueezy", Title: "Lemon Squeezy", Category: "payments",
		Source:     "https://docs.lemonsqueezy.com/help/webhooks",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Signature}"}}},
			Event:  `body.meta?.event_name ?? header("X-Event-Name")`,
			Copies: Copies{By: ByBody, Why: "Lemon Squeezy sends no ID of the event; the event's name and updated_at, to the microsecond, make each body unique."},
			// Whether meta.webhook_id is new in each webhook is not documented.
			Horizon: 3 * minute,
		},
	},
	{
		Name: "polar", Title: "Polar", Category: "payments",
		Source:     recipes,
		Confidence: "secondary",
		Notes:      "The secret is the whole text that the console shows.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: rawStandardHMAC("Webhook-")}},
			Event:  `body.type`,
			ID:     `header("Webhook-Id")`,
			Copies: signedMessageID("Polar"),
		},
		Tolerance: fiveMinutes,
	},
}

// rawStandardHMAC is the signature of Standard Webhooks with a secret that is used as
// text.
func rawStandardHMAC(prefix string) *HMAC {
	h := standardHMAC(prefix)
	h.Key = "raw"
	return h
}
