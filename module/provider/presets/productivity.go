package presets

import (
	"net/http"
	"time"
)

// presetsProductivity are forms, calendars and files.
var presetsProductivity = []Preset{
	{
		Name: "box", Title: "Box", Category: "storage",
		Source:     "https://github.com/box/box-node-sdk",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: boxHMAC("Primary"), When: boxVersion},
				{HMAC: boxHMAC("Secondary"), When: boxVersion, Secrets: []string{"{option.secret_secondary}"}},
			},
			Need:    NeedAny,
			Event:   `body.trigger`,
			ID:      `body.id`, // Box-Delivery-Id changes with each try
			Copies:  Copies{By: ByID, Why: "Box documents id, in the signed body, as the same for all tries, while Box-Delivery-Id changes with each."},
			Horizon: 2 * hour,
		},
		Tolerance: 10 * time.Minute,
		Options: []Option{
			{Name: "secret_secondary", Help: "The secondary signature key, which has its own header."},
		},
	},
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
}

var boxVersion = []Condition{
	is("{header.Box-Signature-Algorithm}", "HmacSHA256"),
	is("{header.Box-Signature-Version}", "1"),
}

func boxHMAC(key string) *HMAC {
	return &HMAC{
		From:      "{header.Box-Signature-" + key + "}",
		Encoding:  "base64",
		Signed:    []string{"{body}{timestamp}"},
		Timestamp: &Timestamp{From: "{header.Box-Delivery-Timestamp}", Unit: "rfc3339"},
	}
}

// timedHMAC is the signature of those who write t=, v1=.
func timedHMAC(header string) *HMAC {
	return &HMAC{
		From:   "{header." + header + "}",
		Value:  []string{"t={timestamp},v1={signature}"},
		Signed: []string{"{timestamp}.{body}"},
	}
}
