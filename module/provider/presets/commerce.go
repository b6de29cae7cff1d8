package presets

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
		Name: "xero", Title: "Xero", Category: "accounting",
		Source:     "https://developer.xero.com/documentation/guides/webhooks/overview/",
		Confidence: "secondary",
		Notes:      "One webhook carries several events; the event type is the one that they all have, else batch. Xero counts an answer with a body as a failure.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.X-Xero-Signature}", Encoding: "base64"}}},
			Event:   ofAll(`body.events`, `body.eventCategory + "." + body.eventType`),
			Each:    &Each{List: `body.events`, Event: `body.eventCategory + "." + body.eventType`, ID: `join([body.tenantId, body.resourceId, body.eventCategory, body.eventType, body.eventDateUtc], ".")`},
			ID:      `body.lastEventSequence != nil ? string(body.firstEventSequence) + "-" + string(body.lastEventSequence) : nil`,
			Copies:  Copies{By: ByIDAndBody, Why: "Xero numbers the events of each webhook in the signed body, but may group events differently when it retries."},
			Horizon: 24 * hour,
			Handshakes: []Handshake{{
				Kind: "probe", Signed: "always", Bare: true, When: []Condition{is("{json.events}", "[]")},
			}},
		},
	},
}
