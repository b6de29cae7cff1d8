package presets

import (
	"net/http"
	"time"
)

// presetsProductivity are storage, scheduling, forms, databases and the like.
var presetsProductivity = []Preset{
	{
		Name: "dropbox", Title: "Dropbox", Category: "storage",
		Source:     "https://www.dropbox.com/developers/reference/webhooks",
		Confidence: "secondary",
		Notes:      "The secret is the app secret. A webhook says whose files changed, not which files: your app asks the API.",
		Definition: Definition{
			Proofs:     []Proof{{HMAC: &HMAC{From: "{header.X-Dropbox-Signature}"}}},
			Event:      `nil`, // there is one kind
			Copies:     Copies{By: ByNothing, Why: "Dropbox only says whose files changed, so the body is the same for each change."},
			Handshakes: []Handshake{{Kind: "echo", Challenge: "{query.challenge}"}},
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
		Name: "calendly", Title: "Calendly", Category: "scheduling",
		Source:     "https://github.com/NangoHQ/nango",
		Confidence: "secondary",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: timedHMAC("Calendly-Webhook-Signature")}},
			Event:   `body.event`,
			Copies:  Copies{By: ByBody, Why: "Calendly sends no ID; created_at, with the invitee's URI, makes each body unique."},
			Horizon: 24 * hour,
		},
		Tolerance: 3 * time.Minute,
	},
	{
		Name: "cronofy", Title: "Cronofy", Category: "scheduling",
		Source:     "https://github.com/cronofy/cronofy-ruby",
		Confidence: "code",
		Notes:      "The secret is the client secret. While you rotate it, Cronofy signs with both.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.Cronofy-HMAC-SHA256}", Encoding: "base64"}}},
			Event:  `body.notification?.type`,
			Copies: Copies{By: ByNothing, Why: "No ID of the event is known, and nobody says that the bodies of two events always differ."},
		},
	},
	{
		Name: "cal_com", Title: "Cal.com", Category: "scheduling",
		Source:     "https://github.com/NangoHQ/nango",
		Confidence: "secondary",
		Notes:      "Without a secret, Cal.com sends the text no-secret-provided in place of a signature, which is refused.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Cal-Signature-256}"}}},
			Event:  `body.triggerEvent`,
			Copies: Copies{By: ByBody, Why: "Cal.com sends no ID of the event; createdAt, to the millisecond, makes each body unique."},
			// payload.uid is the booking's: all of its events have the same.
		},
	},
	{
		Name: "typeform", Title: "Typeform", Category: "forms",
		Source:     "https://www.typeform.com/developers/webhooks/secure-your-webhooks/",
		Confidence: "secondary",
		Notes:      "Typeform disables a webhook after an answer of 404 or 410.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.Typeform-Signature}", Value: []string{"sha256={signature}"}, Encoding: "base64"}}},
			Event:   `body.event_type`,
			ID:      `body.event_id`,
			Copies:  Copies{By: ByID, Why: "Typeform documents event_id, in the signed body, as unique to the webhook."},
			Horizon: 10 * hour,
		},
	},
	{
		Name: "framer", Title: "Framer forms", Category: "forms",
		Source:     "https://www.framer.com/help/articles/framer-form-webhook-setup",
		Confidence: "docs",
		Notes:      "Framer signs only if the form's webhook has a secret. It tries up to five times more, and does not say for how long. Its webhooks have one type, which the preset calls form.submission.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:   "{header.Framer-Signature}",
				Value:  []string{"sha256={signature}"},
				Signed: []string{"{body}{header.Framer-Webhook-Submission-Id}"},
			}}},
			Event:  `"form.submission"`,
			ID:     `header("Framer-Webhook-Submission-Id")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Framer signs Framer-Webhook-Submission-Id and documents it as unique to the submission, but nothing stands between it and the body."},
		},
	},
	{
		Name: "airtable", Title: "Airtable", Category: "database",
		Source:     "https://github.com/gtalarico/pyairtable",
		Confidence: "secondary",
		Notes:      "The secret is macSecretBase64. A webhook only says that something changed: your app fetches the changes from the API. A webhook expires after 7 days unless your app refreshes it.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:  "{header.X-Airtable-Content-MAC}",
				Value: []string{"hmac-sha256={signature}"},
				Key:   "base64",
			}}},
			Event:  `nil`, // there is one kind
			Copies: Copies{By: ByBody, Why: "Airtable sends no ID and no content; timestamp, to the millisecond, makes each body unique."},
		},
	},
	{
		Name: "microsoft_graph", Title: "Microsoft Graph", Category: "productivity",
		Source:     "https://learn.microsoft.com/graph/change-notifications-delivery-webhooks",
		Confidence: "secondary",
		Notes: "One webhook may carry several notifications; the event type is the one that they all have, else batch. The secret is the clientState of the subscription, which every notification must have. It covers nothing of the content, " +
			"and the gateway does not check the validationTokens of notifications with resource data.",
		Definition: Definition{
			Proofs:     []Proof{{Token: &Token{From: "{json.value.#.clientState}"}}},
			MaxBody:    4 << 20, // guessed: a batch of notifications, which may have resource data
			Event:      ofAll(`body.value`, `body.changeType`),
			Each:       &Each{List: `body.value`, Event: `body.changeType`, ID: `body.id`, Copies: Copies{WithoutID: ByNothing}},
			ID:         `len(body.value) == 1 ? body.value[0].id : nil`,
			Copies:     Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Graph gives some notifications an ID, but clientState covers nothing; two notifications without an ID may be the same bytes, so each is an event."},
			Answer:     &Answer{Status: http.StatusAccepted},
			Horizon:    4 * hour,
			Handshakes: []Handshake{{Kind: "echo", Method: http.MethodPost, Challenge: "{query.validationToken}"}},
		},
	},
	{
		Name: "tailscale", Title: "Tailscale", Category: "network",
		Source:     "https://github.com/tailscale/tailscale/blob/main/docs/webhooks/example.go",
		Confidence: "code",
		Notes:      "The body is a list of events; the event type is the one that they all have, else batch.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: timedHMAC("Tailscale-Webhook-Signature")}},
			Event:  ofAll(`body`, `body.type`),
			Each:   &Each{List: `body`, Event: `body.type`},
			Copies: Copies{By: ByBody, Why: "Tailscale sends no ID; the timestamps of the events make each body unique."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "pusher", Title: "Pusher Channels", Category: "realtime",
		Source:     "https://github.com/pusher/pusher-http-go",
		Confidence: "code",
		Notes:      "The secret is the one of the app key. One webhook may carry several events; the event type is the one that they all have, else batch.",
		Definition: Definition{
			Proofs: []Proof{{
				HMAC: &HMAC{From: "{header.X-Pusher-Signature}"},
				When: []Condition{is("{header.X-Pusher-Key}", "{option.app_key}")},
			}},
			Event:   ofAll(`body.events`, `body.name`),
			Each:    &Each{List: `body.events`, Event: `body.name`},
			Copies:  Copies{By: ByBody, Why: "Pusher sends no ID; time_ms makes each body unique."},
			Horizon: 5 * minute,
		},
		Options: []Option{{Name: "app_key", Help: "The app key, which webhooks name.", Required: true}},
	},
}

// timedHMAC is the signature of those who write t=, v1=.
func timedHMAC(header string) *HMAC {
	return &HMAC{
		From:   "{header." + header + "}",
		Value:  []string{"t={timestamp},v1={signature}"},
		Signed: []string{"{timestamp}.{body}"},
	}
}
