package presets

// presetsRealtime are providers that carry messages between people and devices.
var presetsRealtime = []Preset{
	{
		Name: "ably", Title: "Ably", Category: "realtime",
		Source:     "https://ably.com/docs/platform/integrations/webhooks",
		Confidence: "docs",
		Notes: "Choose batched requests and a key to sign with: Ably signs no others. The secret is the part of that key behind the colon. " +
			"The event type is the one that all events in the batch have, else batch; a batch in MessagePack has none.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.X-Ably-Signature}", Encoding: "base64"}}},
			Event:   ofAll(`body.items`, `body.source`),
			Each:    &Each{List: `body.items`, Event: `body.source`},
			Copies:  Copies{By: ByBody, Why: "Ably sends no ID of the batch; serial and timestamp of its events make each body unique. A batch that Ably cuts anew when it retries is another event."},
			Horizon: 5 * minute,
		},
	},
	{
		Name: "getstream", Title: "Stream (GetStream)", Category: "communications",
		Source:     "https://github.com/GetStream/stream-chat-js",
		Confidence: "code",
		Notes: "The secret is the API secret of the app. Stream signs the uncompressed body, also where it compresses webhooks; your app gets the bytes as they came. " +
			"It waits six seconds for the answer.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Signature}", Signed: []string{"{body|gunzip}"}}}},
			Event:  `body.type`,
			ID:     `header("X-Webhook-Id")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Stream names the webhook in X-Webhook-Id, which it does not sign."},
		},
	},
	{
		Name: "knock", Title: "Knock", Category: "communications",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-Knock-Signature}",
				Value:     []string{"t={timestamp},s={signature}"},
				Encoding:  "base64",
				Signed:    []string{"{timestamp}.{body}"},
				Timestamp: &Timestamp{Unit: "unix_ms"},
			}}},
			Event:  `body.type`,
			Copies: Copies{By: ByNothing, Why: "No ID of the event is known, and nobody says that the bodies of two events always differ."},
		},
		Tolerance: fiveMinutes,
	},
}
