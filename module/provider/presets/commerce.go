package presets

import (
	_ "embed"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// presetsCommerce are shops, carriers and what sells licenses.
var presetsCommerce = []Preset{
	{
		Name: "shopify", Title: "Shopify", Category: "commerce",
		Source:     "https://github.com/Shopify/shopify-api-ruby",
		Confidence: "code",
		Notes:      "The secret is the app's client secret. Webhooks that you create in the Shopify admin share another secret.",
		Definition: Definition{
			Proofs: []Proof{ // newer deliveries spell their headers without X-
				{HMAC: &HMAC{From: "{header.X-Shopify-Hmac-Sha256}", Encoding: "base64"}},
				{HMAC: &HMAC{From: "{header.Shopify-Hmac-Sha256}", Encoding: "base64"}},
			},
			Need:    NeedFirst,
			Event:   eitherHeader(`nil`, "X-Shopify-Topic", "Shopify-Topic"),
			ID:      eitherHeader(`nil`, "X-Shopify-Webhook-Id", "Shopify-Webhook-Id"),
			Copies:  Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Shopify documents X-Shopify-Webhook-Id for detecting duplicates, but does not sign it."},
			Horizon: 4 * hour,
		},
	},
	{
		Name: "shopify_query", Title: "Shopify app requests", Category: "commerce",
		Source:     "https://github.com/Shopify/shopify_python_api",
		Confidence: "code",
		Notes:      "These requests are not webhooks: with them a browser comes from Shopify to an app. Everything that is signed stands in the query.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{query.hmac}",
				Signed:    []string{"{query|without hmac|sort}"},
				Timestamp: &Timestamp{From: "{query.timestamp}"},
			}}},
			Event:        `"app.request"`,
			ID:           `lower(query["hmac"])`,
			Copies:       Copies{By: ByID, Why: "Shopify signs the whole query, time included, so the same signature is the same request."},
			Methods:      []string{"GET"},
			NeverRetries: true,
		},
	},
	{
		Name: "woocommerce", Title: "WooCommerce", Category: "commerce",
		Source:     "https://github.com/woocommerce/woocommerce",
		Confidence: "code",
		Notes:      "The shop sends each event once, and disables the webhook after more than five failures in a row. Topic and delivery ID stand in unsigned headers.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-WC-Webhook-Signature}", Encoding: "base64"}}},
			Event:  `header("X-WC-Webhook-Topic")`,
			// What a webhook sends within a second has the same delivery ID.
			ID:           `header("X-WC-Webhook-Delivery-ID") != "" ? header("X-WC-Webhook-Delivery-ID") + "." + toJSON(body.id ?? body.arg) : nil`,
			Copies:       Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "WooCommerce makes X-WC-Webhook-Delivery-ID from the webhook and the second, so events share it, and does not sign it."},
			NeverRetries: true,
			Handshakes: []Handshake{{
				Kind: "probe", // and not signed
				When: []Condition{is("{form.webhook_id}")},
			}},
		},
	},
	{
		Name: "etsy", Title: "Etsy", Category: "commerce",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: standardHMAC("Webhook-")}},
			Event:  `body.event_type`,
			ID:     `header("Webhook-Id")`,
			Copies: Copies{By: ByID, WithoutID: ByNothing, Why: "Etsy signs Webhook-Id, which Standard Webhooks defines as unique to the message and the same for all tries."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "aftership", Title: "AfterShip", Category: "shipping",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.Aftership-Hmac-Sha256}", Encoding: "base64"}}},
			Event:  `body.event`,
			ID:     `body.event_id`,
			Copies: Copies{By: ByIDAndBody, Why: "AfterShip puts event_id into the signed body; it is not confirmed that retries repeat it."},
		},
	},
	{
		Name: "easypost", Title: "EasyPost", Category: "shipping",
		Source:     "https://github.com/EasyPost/easypost-node",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:  "{header.X-Hmac-Signature}",
				Value: []string{"hmac-sha256-hex={signature}"},
				Key:   "{secret|nfkd}",
			}}},
			Event:  `body.description`,
			ID:     `body.id`,
			Copies: Copies{By: ByID, Volatile: []string{"{json.status}", "{json.pending_urls}", "{json.completed_urls}"}, Why: "EasyPost documents id, in the signed body, as unique to the event, and changes the event's status and its lists of URLs between tries."},
		},
	},
	{
		Name: "ebay", Title: "eBay", Category: "commerce",
		Source:     "https://github.com/eBay/event-notification-nodejs-sdk",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{EBay: &EBay{}}},
			Event:  `body.metadata.topic`,
			ID:     `body.notification.notificationId`,
			Copies: Copies{By: ByID, Volatile: []string{"{json.notification.publishAttemptCount}", "{json.notification.publishDate}"}, Why: "eBay documents notificationId, in the signed body, as unique to the notification, and changes publishDate and publishAttemptCount with each try."},
			Handshakes: []Handshake{{
				Kind: "hash", Challenge: "{query.challenge_code}", Pattern: `[A-Za-z0-9_-]{1,256}`,
				Digest: &HandshakeDigest{Of: "{challenge}{option.verify_token}{option.endpoint}"},
				JSON:   `{"challengeResponse":"{digest}"}`,
			}},
		},
		Options: append(provider.KeyOptions("public_key", "client_id", "client_secret", "api_url"),
			verifyToken,
			Option{Name: "endpoint", Help: "The URL of this endpoint, as you told it to eBay. Default: external_url.", Endpoint: true},
		),
	},
	{
		Name: "lob", Title: "Lob", Category: "shipping",
		Source:     recipes,
		Confidence: "secondary",
		Notes:      "No tolerance of Lob's is known: the gateway checks the time only if you set one.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.Lob-Signature}",
				Signed:    []string{"{timestamp}.{body}"},
				Timestamp: &Timestamp{From: "{header.Lob-Signature-Timestamp}"},
			}}},
			Event:  `body.event_type?.id`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, Why: "Lob gives each event an ID in the signed body; it is not confirmed that retries repeat it."},
		},
	},
	{
		Name: "onfleet", Title: "Onfleet", Category: "shipping",
		Source:     recipes,
		Confidence: "secondary",
		Notes:      "The secret is in hex, as Onfleet shows it.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Onfleet-Signature}", Hash: "sha512", Key: "hex"}}},
			Event:  `body.triggerName`,
			Copies: Copies{By: ByNothing, Why: noID("Onfleet")},
		},
	},
	{
		Name: "shippo", Title: "Shippo", Category: "shipping",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: timedHMAC("Shippo-Auth-Signature")}},
			Event:  `body.event`,
			Copies: Copies{By: ByNothing, Why: noID("Shippo")},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "squarespace", Title: "Squarespace Commerce", Category: "commerce",
		Source:     recipes,
		Confidence: "secondary",
		Notes:      "The secret is in hex, as Squarespace gives it.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.Squarespace-Signature}", Key: "hex"}}},
			Event:  `body.topic`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, Why: "Squarespace gives each notification an ID in the signed body; it is not confirmed that retries repeat it."},
		},
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
	{
		Name: "apple_app_store", Title: "Apple App Store", Category: "commerce",
		Source:     "https://github.com/apple/app-store-server-library-node",
		Confidence: "code",
		Notes: "This preset is for version 2 of the server notifications. The certificates in the notification must lead to Apple Root CA - G3, which the preset has. " +
			"Apple signs the notifications of all apps alike: name yours with bundle_id. " +
			"What there is to route on is inside the signed text, in base64url.",
		Definition: Definition{
			Proofs: []Proof{{JWT: &JWT{
				From: "{json.signedPayload}", Algorithms: []string{"ES256"}, Issued: "signedDate",
				X5C: &X5C{
					Root: appleRoot,
					OIDs: []string{"1.2.840.113635.100.6.11.1", "1.2.840.113635.100.6.2.1"},
				},
				Claims: []Claim{{
					Of: []string{"data.bundleId", "summary.bundleId", "externalPurchaseToken.bundleId"},
					Is: []string{"{option.bundle_id}"},
				}},
			}}},
			MaxBody: 1 << 20, // guessed: a notification, with its certificates
			Event:   `let said = ` + appleSaid + `; (said.subtype ?? "") == "" ? said.notificationType : said.notificationType + "." + said.subtype`,
			ID:      appleSaid + `.notificationUUID`,
			Copies: Copies{
				By: ByID, WithoutID: ByNothing,
				Why: "Apple signs notificationUUID and documents it as what tells a notification that is sent again.",
			},
			Horizon: (1 + 12 + 24 + 48 + 72) * hour,
		},
		Options: append(provider.KeyOptions("certificate"), Option{
			Name: "bundle_id", Several: true,
			Help: "The bundle IDs of the apps whose notifications are accepted. Required, unless the source says insecure_unverified: then those of anybody's apps are.",
		}),
	},
}

// appleRoot is Apple Root CA - G3, of
// https://www.apple.com/certificateauthority/AppleRootCA-G3.cer, with the SHA-256
// 63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179.
//
//go:embed apple_root_g3.pem
var appleRoot string

// appleSaid is the expression of what a notification says: fromBase64 knows neither
// the letters of base64url nor an end without padding.
const appleSaid = `fromJSON(fromBase64(replace(replace(split(body.signedPayload, ".")[1], "-", "+"), "_", "/") + ["", "", "==", "="][len(split(body.signedPayload, ".")[1]) % 4]))`
