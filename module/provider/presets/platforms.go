package presets

var presetsPlatforms = []Preset{
	{
		Name: "launchdarkly", Title: "LaunchDarkly", Category: "ops",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-LD-Signature}"}}},
			Event:  `body.kind`,
			ID:     `body._id`,
			Copies: Copies{By: ByIDAndBody, Why: "LaunchDarkly gives each webhook an _id in the signed body; it is not confirmed that retries repeat it."},
		},
	},
	{
		Name: "linkedin", Title: "LinkedIn", Category: "social",
		Source:     recipes,
		Confidence: "secondary",
		Notes:      "One webhook may carry several notifications, of which only a single one has its ID taken.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-LI-Signature}", Signed: []string{"hmacsha256={body}"}}}},
			Event:  `body.type`,
			Each:   &Each{List: `body.notifications`, Event: `body.action`, ID: `string(body.notificationId)`},
			ID:     `len(body.notifications ?? []) == 1 ? string(body.notifications[0].notificationId) : nil`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "LinkedIn gives each notification an ID in the signed body; it is not confirmed that retries repeat it."},
		},
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
	{
		Name: "mongodb_atlas", Title: "MongoDB Atlas", Category: "database",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-MMS-Signature}", Hash: "sha1", Encoding: "base64"}}},
			Event:  `body.eventTypeName`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, Why: "It is not confirmed that id, in the signed body, is the event's own and not the alert's, so the body decides as well."},
		},
	},
	{
		Name: "npm", Title: "npm hooks", Category: "git",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Npm-Signature}", Value: []string{"sha256={signature}"}}}},
			Event:  `body.event`,
			Copies: Copies{By: ByNothing, Why: noID("npm")},
		},
	},
	{
		Name: "render", Title: "Render", Category: "hosting",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: standardHMAC("Webhook-")}},
			Event:  `body.type`,
			ID:     `header("Webhook-Id")`,
			Copies: signedMessageID("Render"),
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "retell", Title: "Retell AI", Category: "ai",
		Source:     "https://github.com/RetellAI/retell-typescript-sdk",
		Confidence: "code",
		Notes:      "The secret is the API key that is marked for webhooks. Retell tries up to three times.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-Retell-Signature}",
				Value:     []string{"v={timestamp},d={signature}"},
				Signed:    []string{"{body}{timestamp}"},
				Timestamp: &Timestamp{Unit: "unix_ms"},
			}}},
			Event:  `body.event`,
			Copies: Copies{By: ByNothing, Why: noID("Retell")},
			Ranges: &Ranges{List: []string{"100.20.5.228"}},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "segment", Title: "Segment", Category: "crm",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Signature}", Hash: "sha1"}}},
			Event:  `body.type`,
			ID:     `body.messageId`,
			Copies: Copies{By: ByIDAndBody, Why: "Segment gives each message an ID in the signed body; it is not confirmed that retries repeat it."},
		},
	},
	{
		Name: "sendbird", Title: "Sendbird", Category: "chat",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Sendbird-Signature}"}}},
			Event:  `body.category`,
			Copies: Copies{By: ByNothing, Why: noID("Sendbird")},
		},
	},
	{
		Name: "stytch", Title: "Stytch", Category: "identity",
		Source:     recipes,
		Confidence: "secondary",
		Notes:      "The headers are those of Svix.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: standardHMAC("Svix-")}},
			Event:  `body.action + "." + body.object_type`,
			ID:     `header("Svix-Id")`,
			Copies: signedMessageID("Stytch"),
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "supabase", Title: "Supabase Auth hooks", Category: "identity",
		Source:     recipes,
		Confidence: "secondary",
		Notes:      "The body of a hook is not known to name its event type: where it has a type, that is taken.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: standardHMAC("Webhook-")}},
			Event:  `body.type`,
			ID:     `header("Webhook-Id")`,
			Copies: signedMessageID("Supabase"),
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "tiktok", Title: "TikTok for Developers", Category: "social",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:   "{header.TikTok-Signature}",
				Value:  []string{"t={timestamp},s={signature}"},
				Signed: []string{"{timestamp}.{body}"},
			}}},
			Event:  `body.event`,
			Copies: Copies{By: ByNothing, Why: noID("TikTok")},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "transloadit", Title: "Transloadit", Category: "video",
		Source:     "https://github.com/transloadit/node-sdk",
		Confidence: "code",
		Notes: "The secret is the auth secret. Your app gets the form as it came; its field transloadit is JSON. " +
			"The older SHA-1 signature, which has no prefix, counts only with the line legacy.",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: &HMAC{
					From: "{form.signature}", Hash: "sha384", Value: []string{"sha384:{signature}"},
					Signed: []string{"{form.transloadit}"},
				}},
				{HMAC: &HMAC{From: "{form.signature}", Hash: "sha1", Signed: []string{"{form.transloadit}"}}, Legacy: true},
			},
			Need:   NeedAny,
			Forms:  true,
			Event:  `fromJSON(body.transloadit).ok ?? fromJSON(body.transloadit).error`,
			ID:     `fromJSON(body.transloadit).assembly_id`,
			Copies: Copies{By: ByIDAndBody, Why: "Transloadit signs the ID of the assembly, which several webhooks may share, so the body decides as well."},
		},
	},
}
