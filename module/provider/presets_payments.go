package provider

import "time"

const fiveMinutes = 5 * time.Minute

var presetsPayments = []Preset{
	{
		Name: "stripe", Title: "Stripe", Category: "payments",
		Source:     "https://docs.stripe.com/webhooks",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				Header: "Stripe-Signature",
				Value:  []string{"t={timestamp},v1={signature}"},
				Signed: []string{"{timestamp}.{body}"},
			}}},
			Event:   `body.type`,
			ID:      `body.id`,
			Horizon: 72 * hour,
			Ranges:  &Ranges{URL: "https://stripe.com/files/ips/ips_webhooks.txt"},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "paddle", Title: "Paddle Billing", Category: "payments",
		Source:     "https://github.com/PaddleHQ/paddle-node-sdk",
		Confidence: "code",
		Notes:      "Paddle's own check allows a signature to be 5 s old.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				Header: "Paddle-Signature",
				Value:  []string{"ts={timestamp};h1={signature}"},
				Signed: []string{"{timestamp}:{body}"},
			}}},
			Event:   `body.event_type`,
			ID:      `body.notification_id ?? body.event_id`,
			Horizon: 72 * hour,
		},
		Tolerance: 5 * time.Second,
	},
	{
		Name: "square", Title: "Square", Category: "payments",
		Source:     "https://github.com/square/square-nodejs-sdk",
		Confidence: "code",
		Notes:      "The URL that is signed is the one registered with Square: behind a proxy, set external_url.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				Header:   "X-Square-Hmacsha256-Signature",
				Encoding: "base64",
				Signed:   []string{"{url}{body}"},
			}}},
			Event:   `body.type`,
			ID:      `body.event_id`,
			Horizon: 24 * hour,
		},
	},
	{
		Name: "adyen", Title: "Adyen", Category: "payments",
		Source:     "https://github.com/Adyen/adyen-node-api-library",
		Confidence: "code",
		Notes:      "Of each notification eight fields are signed, the others are not.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				Each:     "notificationItems",
				From:     "{json.NotificationRequestItem.additionalData.hmacSignature}",
				Encoding: "base64",
				Key:      "hex",
				Signed: []string{"{json.NotificationRequestItem.pspReference}:{json.NotificationRequestItem.originalReference}:" +
					"{json.NotificationRequestItem.merchantAccountCode}:{json.NotificationRequestItem.merchantReference}:" +
					"{json.NotificationRequestItem.amount.value}:{json.NotificationRequestItem.amount.currency}:" +
					"{json.NotificationRequestItem.eventCode}:{json.NotificationRequestItem.success}"},
			}}},
			Event: `body.notificationItems[0].NotificationRequestItem.eventCode`,
			ID: `body.notificationItems[0].NotificationRequestItem.pspReference + "." + ` +
				`body.notificationItems[0].NotificationRequestItem.eventCode`,
			Answer: &Reply{Body: "[accepted]"},
		},
	},
	{
		Name: "chargebee", Title: "Chargebee", Category: "payments",
		Source:     "https://www.chargebee.com/docs/2.0/webhook_settings.html",
		Confidence: "secondary",
		Notes:      "The secret is user:password, as entered at Chargebee.",
		Definition: Definition{
			Proofs: []Proof{{Token: basicAuth()}},
			Event:  `body.event_type`,
			ID:     `body.id`,
		},
	},
}
