package presets

// presetsCheckouts are providers through which a shop or an office is paid.
var presetsCheckouts = []Preset{
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
}
