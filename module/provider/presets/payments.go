package presets

import (
	"net/http"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// presetsPayments take payments.
var presetsPayments = []Preset{
	{
		Name: "dwolla", Title: "Dwolla", Category: "payments",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Request-Signature-Sha-256}"}}},
			Event:  `body.topic`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, Why: "Dwolla puts id into the signed body; it is not confirmed that it is the event's own, and that retries repeat it."},
		},
	},
	{
		Name: "affirm", Title: "Affirm", Category: "payments",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Notes:      "Affirm signs with SHA-512. It is not known whether a webhook has an ID, or how long Affirm retries.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				Hash:   "sha512",
				From:   "{header.X-Affirm-Signature}",
				Value:  []string{"t={timestamp},v0={signature}"},
				Signed: []string{"{timestamp}.{body}"},
			}}},
			Event:  `body.event`,
			Copies: Copies{By: ByNothing, Why: "No ID of the event is known, and nobody says that the bodies of two events always differ."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "airwallex", Title: "Airwallex", Category: "payments",
		Source:     "https://www.airwallex.com/docs/developer-tools__listen-for-webhook-events",
		Confidence: "docs",
		Notes:      "Airwallex writes the signed time in milliseconds. It names no tolerance: the gateway checks the time only if you set one.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-Signature}",
				Signed:    []string{"{timestamp}{body}"},
				Timestamp: &Timestamp{From: "{header.X-Timestamp}", Unit: "unix_ms"},
			}}},
			Event:   `body.name`,
			ID:      `body.id`,
			Copies:  Copies{By: ByID, Why: "Airwallex documents id, in the signed body, as the same for all tries and meant for detecting duplicates."},
			Horizon: 72 * hour,
		},
	},
	{
		Name: "authorize_net", Title: "Authorize.Net", Category: "payments",
		Source:     "https://github.com/stymiee/authnetjson",
		Confidence: "secondary",
		Notes:      "The secret is the signature key as it is shown: its 128 hex digits are used as text. Some implementations decode them; a webhook that was captured verifies with the text.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				Hash:  "sha512",
				From:  "{header.X-ANET-Signature}",
				Value: []string{"sha512={signature}"},
			}}},
			Event:   `body.eventType`,
			ID:      `body.notificationId`,
			Copies:  Copies{By: ByIDAndBody, Why: "Authorize.Net gives each notification an ID in the signed body; it is not confirmed that retries repeat it."},
			Horizon: 217 * hour, // after 3 × 3 minutes, 3 × 8 hours, 4 × 48 hours
		},
	},
	{
		Name: "bolt", Title: "Bolt", Category: "payments",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Bolt-Hmac-Sha256}", Encoding: "base64"}}},
			Event:  `body.type`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, Why: "Bolt puts id into the signed body; it is not confirmed that it is the event's own, and that retries repeat it."},
		},
	},
	{
		Name: "btcpay", Title: "BTCPay Server", Category: "payments",
		Source:     "https://github.com/btcpayserver/btcpayserver-greenfield-php",
		Confidence: "code",
		Notes:      "BTCPay Server retries only where automatic redelivery is switched on.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.BTCPay-Sig}", Value: []string{"sha256={signature}"}}}},
			Event:  `body.type`,
			// A redelivery has a deliveryId of its own.
			ID:      `body.originalDeliveryId ?? body.deliveryId`,
			Copies:  Copies{By: ByIDAndBody, Volatile: []string{"{json.deliveryId}", "{json.isRedelivery}"}, Why: "BTCPay Server repeats originalDeliveryId, in the signed body, with each redelivery; deliveryId and isRedelivery, which change, are not compared."},
			Horizon: 42 * minute, // after 10 seconds, a minute, 4 × 10 minutes
		},
	},
	{
		Name: "cashfree", Title: "Cashfree", Category: "payments",
		Source:     "https://www.cashfree.com/docs/payments/online/webhooks/signature-verification",
		Confidence: "docs",
		Notes: "The secret is the client secret of the API. Cashfree's pages differ in whether a dot stands between the signed time and the body: the preset takes both. " +
			"Cashfree names no tolerance, so the gateway checks the time only if you set one.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-Webhook-Signature}",
				Encoding:  "base64",
				Signed:    []string{"{timestamp}{body}", "{timestamp}.{body}"},
				Timestamp: &Timestamp{From: "{header.X-Webhook-Timestamp}", Unit: "unix_ms"},
			}}},
			Event:  `body.type`,
			Copies: Copies{By: ByNothing, Why: "Cashfree documents no ID of the event for all its products, and does not say that the bodies of two events always differ."},
		},
	},
	{
		Name: "govuk_pay", Title: "GOV.UK Pay", Category: "payments",
		Source:     "https://github.com/alphagov/pay-webhooks",
		Confidence: "code",
		Notes:      "GOV.UK Pay waits five seconds for the answer.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.Pay-Signature}"}}},
			Event:   `body.event_type`,
			ID:      `body.webhook_message_id`,
			Copies:  Copies{By: ByIDAndBody, Why: "GOV.UK Pay gives each message an ID in the signed body; it is not confirmed that retries repeat it."},
			Horizon: 74 * hour, // after a minute, 5 minutes, 1, 24 and 48 hours
		},
	},
	{
		Name: "paypal", Title: "PayPal", Category: "payments",
		Source:     "https://github.com/paypal/PayPal-Python-SDK",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{PayPal: &PayPal{WebhookID: "{option.webhook_id}"}}},
			Event:  `body.event_type`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, Why: "PayPal gives each event an ID, but its signature covers no more than a CRC-32 of the body."},
		},
		Options: append(provider.KeyOptions("certificate"), Option{
			Name: "webhook_id", Required: true,
			Help: "The ID that PayPal gave to the webhook.",
		}),
	},
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
	{
		Name: "primer", Title: "Primer", Category: "payments",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Signature-Primary}", Encoding: "base64"}}},
			Event:  `body.eventType`,
			Copies: Copies{By: ByNothing, Why: noID("Primer")},
		},
	},
	{
		Name: "worldline", Title: "Worldline", Category: "payments",
		Source:     "https://github.com/wl-online-payments-direct/sdk-nodejs",
		Confidence: "code",
		Notes:      "The header X-GCS-KeyId names the key of the secret; any of the configured secrets may match.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.X-GCS-Signature}", Encoding: "base64"}}},
			Event:   `body.type`,
			ID:      `body.id`,
			Copies:  Copies{By: ByIDAndBody, Why: "Worldline gives each event an ID in the signed body; it is not confirmed that retries repeat it."},
			Horizon: 35*hour + 10*minute,
			Handshakes: []Handshake{{
				Kind: "echo", Method: http.MethodGet, Challenge: "{header.X-GCS-Webhooks-Endpoint-Verification}",
			}},
		},
	},
	{
		Name: "worldpay", Title: "Worldpay", Category: "payments",
		Source:     "https://developer.worldpay.com/products/access/events/signature/",
		Confidence: "unspecified",
		Notes: "This preset is for Access Worldpay. Its documentation does not say how the signature is written: the preset expects hex. " +
			"The header names the key before each signature; any of the configured secrets may match any of them. " +
			"The line sign provider writes the signature without the name of a key.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:       "{header.Event-Signature}",
				Separators: "/, ", // the parts of key/hash/signature, which only HMAC makes
			}}},
			Event:  `body.eventDetails?.type`,
			ID:     `body.eventId`,
			Copies: Copies{By: ByIDAndBody, Why: "Worldpay gives each event an ID in the signed body; it is not confirmed that retries repeat it."},
			Answer: &Answer{Refused: http.StatusBadRequest},
		},
	},
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

const fiveMinutes = 5 * time.Minute
