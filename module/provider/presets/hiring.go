package presets

// presetsHiring are where people are hired and employed.
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
	{
		Name: "finch", Title: "Finch", Category: "hr",
		Source:     "https://github.com/Finch-API/finch-api-node",
		Confidence: "code",
		Notes:      "The secret is in base64, without whsec_.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.Finch-Signature}",
				Value:     []string{"v1,{signature}"},
				Encoding:  "base64",
				Signed:    []string{"{header.Finch-Event-Id}.{timestamp}.{body}"},
				Key:       "base64",
				Timestamp: &Timestamp{From: "{header.Finch-Timestamp}"},
			}}},
			Event:  `body.event_type`,
			ID:     `header("Finch-Event-Id")`,
			Copies: Copies{By: ByID, WithoutID: ByNothing, Why: "Finch signs Finch-Event-Id and documents it as unique to the event."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "merge_dev", Title: "Merge", Category: "hr",
		Source:     recipes,
		Confidence: "secondary",
		Notes:      "The ID is hook.id. Whether that names the event or the webhook's registration is not confirmed.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Merge-Webhook-Signature}", Encoding: "base64url"}}},
			Event:  `body.hook?.event`,
			ID:     `body.hook?.id`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "It is not confirmed that hook.id, in the signed body, is the event's own, so the body decides as well."},
		},
	},
}
