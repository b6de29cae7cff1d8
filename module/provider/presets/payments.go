package presets

import (
	"time"
)

const fiveMinutes = 5 * time.Minute

var presetsPayments = []Preset{
	{
		Name: "stripe", Title: "Stripe", Category: "payments",
		Source:     "https://docs.stripe.com/webhooks",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:   "{header.Stripe-Signature}",
				Value:  []string{"t={timestamp},v1={signature}"},
				Signed: []string{"{timestamp}.{body}"},
			}}},
			Event:   `body.type`,
			ID:      `body.id`,
			Copies:  Copies{By: ByID, Volatile: []string{"{json.pending_webhooks}"}, Why: "Stripe documents id, in the signed body, as unique to the event and meant for detecting duplicates, and changes pending_webhooks between tries."},
			Horizon: 72 * hour,
			Ranges:  &Ranges{URL: "https://stripe.com/files/ips/ips_webhooks.txt"},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "square", Title: "Square", Category: "payments",
		Source:     "https://github.com/square/square-nodejs-sdk",
		Confidence: "code",
		Notes:      "Square signs the URL that is registered with it: behind a proxy, set external_url.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:     "{header.X-Square-Hmacsha256-Signature}",
				Encoding: "base64",
				Signed:   []string{"{url}{body}"},
			}}},
			Event:   `body.type`,
			ID:      `body.event_id`,
			Copies:  Copies{By: ByID, Why: "Square documents event_id, in the signed body, as unique to the event and meant for detecting duplicates."},
			Horizon: 24 * hour,
		},
	},
	{
		Name: "adyen", Title: "Adyen", Category: "payments",
		Source:     "https://github.com/Adyen/adyen-node-api-library",
		Confidence: "code",
		Notes: "One webhook may carry several notifications; the event type is the one that they all have, else batch. Adyen signs eight fields of each notification and no others. If you also set a user and a password at Adyen, " +
			"check them with a line such as token header Authorization \"Basic <user:password in base64>\".",
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
			Event: ofAll(`body.notificationItems`, `body.NotificationRequestItem.eventCode`),
			Each:  &Each{List: `body.notificationItems`, Event: `body.NotificationRequestItem.eventCode`, ID: `body.NotificationRequestItem.pspReference + "." + body.NotificationRequestItem.eventCode`},
			// A batch has no ID of its own.
			ID: `len(body.notificationItems) == 1 ? body.notificationItems[0].NotificationRequestItem.pspReference + "." + ` +
				`body.notificationItems[0].NotificationRequestItem.eventCode : nil`,
			Copies:  Copies{By: ByIDAndBody, Why: "Adyen repeats pspReference and eventCode for a duplicate, but also when an outcome has changed, so the body decides as well."},
			Answer:  &Answer{Body: "[accepted]"},
			MaxBody: 1 << 20, // guessed: a webhook has up to six notifications
			Horizon: 30 * 24 * hour,
		},
	},
	{
		Name: "adyen_platform", Title: "Adyen for Platforms", Category: "payments",
		Source:     "https://github.com/Adyen/adyen-node-api-library",
		Confidence: "code",
		Notes: "This preset is for the webhooks of platforms, banking and management, which sign the body. For payments, use the preset adyen. " +
			"An ID in the body names the object that changed, not the change, so a hash of the body is the delivery ID.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.HmacSignature}", Encoding: "base64", Key: "hex"}}},
			Event:   `body.type`,
			Copies:  Copies{By: ByBody, Why: "Adyen for Platforms sends no ID of the event; timestamp and the state of what changed make each body unique."},
			Horizon: 30 * 24 * hour,
		},
	},
	{
		Name: "gocardless", Title: "GoCardless", Category: "payments",
		Source:     "https://github.com/gocardless/gocardless-pro-python",
		Confidence: "code",
		Notes:      "One webhook may carry several events; the event type is the one that they all have, else batch.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.Webhook-Signature}"}}},
			Event:  ofAll(`body.events`, `body.resource_type + "." + body.action`),
			Each:   &Each{List: `body.events`, Event: `body.resource_type + "." + body.action`, ID: `body.id`},
			ID:     `body.meta?.webhook_id`,
			Copies: Copies{By: ByIDAndBody, Why: "GoCardless gives each webhook a webhook_id in the signed body; whether a retry repeats it is not documented."},
			Answer: &Answer{Status: 204, Refused: 498},
		},
	},
	{
		Name: "coinbase_commerce", Title: "Coinbase Commerce", Category: "payments",
		Source:     "https://github.com/coinbase/coinbase-commerce-node",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-CC-Webhook-Signature}"}}},
			Event:  `body.event?.type`,
			ID:     `body.event?.id`,
			Copies: Copies{By: ByID, Volatile: []string{"{json.attempt_number}", "{json.scheduled_for}"}, Why: "Coinbase Commerce documents event.id, in the signed body, as unique to the event, and increments attempt_number with each try."},
		},
	},
	{
		Name: "coinbase_cdp", Title: "Coinbase Developer Platform", Category: "payments",
		Source:     "https://docs.cdp.coinbase.com/webhooks/verify-signatures",
		Confidence: "code",
		Notes:      "Coinbase sends through Hook0. The sender chooses which headers it signs: the ID is signed where it is among them. Signatures v0, which cover no header, count only with the line legacy.",
		Definition: Definition{
			Proofs: hook0Proofs(),
			Need:   NeedFirst,
			Event:  `body.eventType ?? body.type`,
			ID:     `header("X-Event-Id")`,
			Copies: Copies{By: ByIDAndBody, Why: "Coinbase names each event in X-Event-Id, which is signed only where the sender lists it in the signature's h."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "razorpay", Title: "Razorpay", Category: "payments",
		Source:     "https://github.com/razorpay/razorpay-node",
		Confidence: "code",
		Notes:      "The secret is the webhook's, not the API key's. The delivery ID stands in an unsigned header.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.X-Razorpay-Signature}"}}},
			Event:   `body.event`,
			ID:      `header("X-Razorpay-Event-Id")`,
			Copies:  Copies{By: ByIDAndBody, Why: "Razorpay documents X-Razorpay-Event-Id as unique to the event and meant for detecting duplicates, but does not sign it."},
			Horizon: 24 * hour,
		},
	},
	{
		Name: "braintree", Title: "Braintree", Category: "payments",
		Source:     "https://github.com/braintree/braintree_node",
		Confidence: "code",
		Notes:      "The secret is the private API key. Your app gets the form as it came; the notification in it is XML in base64.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				Hash:       "sha1",
				From:       "{form.bt_signature}",
				Value:      []string{"{option.public_key}|{signature}"},
				Separators: "&",
				Key:        "{secret|sha1}",
				Signed:     []string{"{form.bt_payload}", "{form.bt_payload}\n"},
			}}},
			Event:   `split(split(fromBase64(body.bt_payload), "<kind>")[1], "</kind>")[0]`,
			Forms:   true,
			Copies:  Copies{By: ByBody, Volatile: []string{"{form.bt_signature}"}, Why: "Braintree sends no ID; the time and the subject in bt_payload make each body unique."},
			Horizon: 24 * hour,
			Handshakes: []Handshake{{
				Kind: "hmac", Challenge: "{query.bt_challenge}", Pattern: `[a-f0-9]{20,32}`,
				Digest: &HandshakeDigest{Hash: "sha1", Key: "sha1", From: "{form.bt_payload}"},
				Text:   "{option.public_key}|{digest}",
			}},
		},
		Options: []Option{
			{Name: "public_key", Help: "The public API key that belongs to the secret. Braintree signs with every key of the account.", Required: true},
		},
	},
	{
		Name: "mollie", Title: "Mollie", Category: "payments",
		Source:     "https://github.com/mollie/mollie-api-php",
		Confidence: "code",
		Notes: "Mollie signs only next-gen webhooks. A classic webhook is a form with nothing but the ID of an object, which proves nothing: " +
			"receive it with provider custom and none, and let your app ask Mollie's API.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Mollie-Signature}", Value: []string{"sha256={signature}", "{signature}"}}}},
			Event:  `body.type`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, Why: "Mollie gives each event an ID in the signed body; it is not confirmed that retries repeat it."},
			Ranges: &Ranges{URL: "https://ip-ranges.mollie.com/ips.txt"},
		},
	},
	{
		Name: "paystack", Title: "Paystack", Category: "payments",
		Source:     "https://paystack.com/docs/payments/webhooks/",
		Confidence: "secondary",
		Notes:      "The secret is the API secret key.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Paystack-Signature}", Hash: "sha512"}}},
			Event:  `body.event`,
			// data.id names the object: a transfer that is reversed keeps it.
			ID:      `body.data?.id != nil ? body.event + "." + string(body.data.id) : nil`,
			Copies:  Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Paystack sends no ID of the event; the ID in its place names the transaction, which several webhooks may share."},
			Horizon: 72 * hour,
			Ranges:  &Ranges{List: []string{"52.31.139.75", "52.49.173.169", "52.214.14.220"}},
		},
	},
	{
		Name: "flutterwave", Title: "Flutterwave", Category: "payments",
		Source:     "https://developer.flutterwave.com/docs/webhooks",
		Confidence: "secondary",
		Notes: "The secret is the secret hash of the dashboard. Version 3 of the API sends the secret itself, which covers nothing of the content; " +
			"where a webhook has a signature of version 4, the signature decides.",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: &HMAC{From: "{header.Flutterwave-Signature}", Encoding: "base64"}},
				{Token: &Token{From: "{header.Verif-Hash}"}},
			},
			Need:   NeedFirst,
			Event:  `body.event ?? body.type`,
			ID:     `body.webhook_id`, // id is the transaction's
			Copies: Copies{By: ByIDAndBody, Why: "Flutterwave gives each webhook a webhook_id in version 4, but the fixed secret hash of version 3 covers nothing."},
		},
	},
	{
		Name: "revolut", Title: "Revolut", Category: "payments",
		Source:     "https://developer.revolut.com/docs/guides/manage-accounts/webhooks/verify-the-payload-signature",
		Confidence: "docs",
		Notes:      "The addresses are those of production.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.Revolut-Signature}",
				Value:     []string{"v1={signature}"},
				Signed:    []string{"v1.{timestamp}.{body}"},
				Timestamp: &Timestamp{From: "{header.Revolut-Request-Timestamp}", Unit: "unix_ms"},
			}}},
			Event:  `body.event`,
			Copies: Copies{By: ByBody, Why: "Revolut sends no ID of the event; timestamp, with the transaction and its state, makes each body unique."},
			Ranges: &Ranges{List: []string{"35.246.21.235", "34.89.70.170"}},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "mercadopago", Title: "Mercado Pago", Category: "payments",
		Source:     "https://github.com/mercadopago/sdk-nodejs",
		Confidence: "code",
		Notes: "Mercado Pago signs the ID in the query, the header X-Request-Id and a time, but not the body: your app should ask the API what happened. " +
			"It does not sign notifications of QR codes at all.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:  "{header.X-Signature}",
				Value: []string{"ts={timestamp},v1={signature}"},
				Signed: []string{ // the documentation wants the ID in lower case, the SDK as it is
					"{query.data.id|wrap id: ;}{header.X-Request-Id|wrap request-id: ;}ts:{timestamp};",
					"{query.data.id|lower|wrap id: ;}{header.X-Request-Id|wrap request-id: ;}ts:{timestamp};",
				},
				Timestamp: &Timestamp{Unit: "unix_ms"},
			}}},
			Event:  `body.action ?? body.type`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Mercado Pago gives each notification an ID, but signs only data.id, X-Request-Id and a time, not the body."},
		},
	},
	{
		Name: "checkout", Title: "Checkout.com", Category: "payments",
		Source:     "https://www.checkout.com/docs/developer-resources/webhooks",
		Confidence: "secondary",
		Notes:      "The addresses are those of the live environment.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.Cko-Signature}"}}},
			Event:  `body.type`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, Why: "Checkout.com gives each event an ID in the signed body; it is not confirmed that retries repeat it."},
			Ranges: &Ranges{URL: "https://www.checkout.com/docs/public/files/ip-lists/webhooks-live.txt"},
		},
	},
	{
		Name: "modern_treasury", Title: "Modern Treasury", Category: "payments",
		Source:     "https://github.com/Modern-Treasury/modern-treasury-node",
		Confidence: "code",
		Notes:      "Topic and delivery ID stand in unsigned headers.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Signature}"}}},
			// The topic is signed where the body has it.
			Event: `body.data?.object != nil && body.event != nil ? body.data.object + "." + body.event : ` +
				`join(filter([header("X-Topic"), body.event], (# ?? "") != ""), ".")`,
			ID:     `header("X-Event-Id")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Modern Treasury names the event in X-Event-Id, which it does not sign."},
		},
	},
	{
		Name: "lithic", Title: "Lithic", Category: "payments",
		Source:     "https://github.com/lithic-com/lithic-node",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: standardHMAC("Webhook-")}},
			Event:  `body.event_type`,
			ID:     `header("Webhook-Id")`,
			Copies: Copies{By: ByID, WithoutID: ByNothing, Why: "Lithic signs Webhook-Id, which Standard Webhooks defines as unique to the message and the same for all tries."},
		},
		Tolerance: fiveMinutes,
	},
}
