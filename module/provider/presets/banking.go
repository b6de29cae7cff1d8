package presets

// presetsBanking are banks and what stands in for one.
var presetsBanking = []Preset{
	{
		Name: "brex", Title: "Brex", Category: "banking",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: standardHMAC("Webhook-")}},
			Event:  `body.event_type`,
			ID:     `header("Webhook-Id")`,
			Copies: Copies{By: ByID, WithoutID: ByNothing, Why: "Brex signs Webhook-Id, which Standard Webhooks defines as unique to the message and the same for all tries."},
		},
		Tolerance: fiveMinutes,
	},
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
		Name: "increase", Title: "Increase", Category: "banking",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: standardHMAC("Webhook-")}},
			Event:  `body.category`,
			ID:     `header("Webhook-Id")`,
			Copies: Copies{By: ByID, WithoutID: ByNothing, Why: "Increase signs Webhook-Id, which Standard Webhooks defines as unique to the message and the same for all tries."},
		},
		Tolerance: fiveMinutes,
	},
}
