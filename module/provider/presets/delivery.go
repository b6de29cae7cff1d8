package presets

// presetsDelivery are the providers that move letters and parcels, and shops.
var presetsDelivery = []Preset{
	{
		Name: "lob", Title: "Lob", Category: "shipping",
		Source:     recipes,
		Confidence: "secondary",
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
		Tolerance: fiveMinutes,
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
}

// recipes is a registry of another implementer, which says how providers sign.
const recipes = "https://github.com/webhook-co/webhook"

// noID says why copies cannot be told of a provider of which nothing is known that
// would tell them.
func noID(title string) string {
	return title + " is not known to send an ID, nor anything else that makes each body unique, so each webhook is an event."
}
