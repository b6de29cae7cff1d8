package presets

// presetsHiring are providers that hire, screen and pay people.
var presetsHiring = []Preset{
	{
		Name: "ashby", Title: "Ashby", Category: "hr",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.Ashby-Signature}", Value: []string{"sha256={signature}"}}}},
			Event:  `body.action`,
			Copies: Copies{By: ByNothing, Why: "No ID of the event is known, and nobody says that the bodies of two events always differ."},
		},
	},
	{
		Name: "checkr", Title: "Checkr", Category: "hr",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Checkr-Signature}"}}},
			Event:  `body.type`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, Why: "Checkr puts id into the signed body; it is not confirmed that it is the event's own, and that retries repeat it."},
		},
	},
	{
		Name: "deel", Title: "Deel", Category: "hr",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Notes:      "Deel signs the word POST and the body.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Deel-Signature}", Signed: []string{"POST{body}"}}}},
			Event:  `body.data?.meta?.event_type`,
			Copies: Copies{By: ByNothing, Why: "No ID of the event is known, and nobody says that the bodies of two events always differ."},
		},
	},
}
