package presets

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
)

var presetsPaymentsMore = []Preset{
	{
		Name: "persona", Title: "Persona", Category: "identity",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:       "{header.Persona-Signature}",
				Value:      []string{"t={timestamp},v1={signature}"},
				Separators: ", ", // one pair for each secret, with a space between
				Signed:     []string{"{timestamp}.{body}"},
			}}},
			Event:  `body.data?.attributes?.name`,
			ID:     `body.data?.id`,
			Copies: Copies{By: ByIDAndBody, Why: "Persona gives each event an ID in the signed body; it is not confirmed that retries repeat it."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "polar", Title: "Polar", Category: "payments",
		Source:     recipes,
		Confidence: "secondary",
		Notes:      "The secret is the whole text that the console shows.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: rawStandardHMAC("Webhook-")}},
			Event:  `body.type`,
			ID:     `header("Webhook-Id")`,
			Copies: signedMessageID("Polar"),
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "primer", Title: "Primer", Category: "payments",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Signature-Primary}", Encoding: "base64"}}},
			Event:  `body.eventType`,
			Copies: Copies{By: ByNothing, Why: noID("Primer")},
		},
	},
	{
		Name: "quickbooks", Title: "Intuit QuickBooks", Category: "accounting",
		Source:     "https://github.com/intuit/QuickBooks-V3-Java-SDK",
		Confidence: "code",
		Notes: "The secret is the verifier token of the app. One webhook may carry several changes; the event type is the one that they all have, else batch. " +
			"In the format of 2026, the body is a list of CloudEvents, and each takes that list.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.Intuit-Signature}", Encoding: "base64"}}},
			Event: onlyOne(
				ofAll(`flatten(map(body.eventNotifications, #.dataChangeEvent.entities))`, `body.name + "." + body.operation`),
				ofAll(`body`, `body.type`),
			),
			Each:    &Each{List: `body`, Event: `body.type`, ID: `body.id`},
			Copies:  Copies{By: ByNothing, Why: noID("QuickBooks")},
			Horizon: 6 * hour,
		},
	},
	{
		Name: "worldline", Title: "Worldline", Category: "payments",
		Source:     "https://github.com/wl-online-payments-direct/sdk-nodejs",
		Confidence: "code",
		Notes:      "The header X-GCS-KeyId names the key of the secret; any of the configured secrets may match.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.X-GCS-Signature}", Encoding: "base64"}}},
			Event:   `body.type`,
			ID:      `body.id`,
			Copies:  Copies{By: ByIDAndBody, Why: "Worldline gives each event an ID in the signed body; it is not confirmed that retries repeat it."},
			Horizon: 35*hour + 10*minute,
			Handshakes: []Handshake{{
				Kind: "echo", Method: http.MethodGet, Challenge: "{header.X-GCS-Webhooks-Endpoint-Verification}",
			}},
		},
	},
	{
		Name: "worldpay", Title: "Worldpay", Category: "payments",
		Source:     "https://developer.worldpay.com/products/access/events/signature/",
		Confidence: "unspecified",
		Notes: "This preset is for Access Worldpay. Its documentation does not say how the signature is written: the preset expects hex. " +
			"The header names the key before each signature; any of the configured secrets may match any of them. " +
			"The line sign provider writes the signature without the name of a key.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:       "{header.Event-Signature}",
				Separators: "/, ", // the parts of key/hash/signature, which only HMAC makes
			}}},
			Event:  `body.eventDetails?.type`,
			ID:     `body.eventId`,
			Copies: Copies{By: ByIDAndBody, Why: "Worldpay gives each event an ID in the signed body; it is not confirmed that retries repeat it."},
			Answer: &Answer{Refused: http.StatusBadRequest},
		},
	},
	{
		Name: "mailersend", Title: "MailerSend", Category: "email",
		Source:     "https://developers.mailersend.com/api/v1/webhooks.html#security",
		Confidence: "secondary",
		Notes:      "Webhooks for SMS and for inbound routes are signed in the same way.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.Signature}"}}},
			Event:   `body.type`,
			ID:      `body.data?.id`,
			Copies:  Copies{By: ByIDAndBody, Why: "MailerSend gives the data of each event an ID in the signed body; it is not confirmed that it is the event's own."},
			Horizon: caddy.Duration(110e9), // after 10 and after 100 seconds
		},
	},
	{
		Name: "mailomat", Title: "Mailomat", Category: "email",
		Source:     "https://api.mailomat.swiss/docs/#tag/webhook",
		Confidence: "secondary",
		Notes: "Mailomat signs the ID, the event type and a time, but not the body. " +
			"How far that time may be off is not documented: it is checked only with a tolerance line.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-MOM-Webhook-Signature}",
				Value:     []string{"sha256={signature}"},
				Signed:    []string{"{header.X-MOM-Webhook-Id}.{header.X-MOM-Webhook-Event}.{timestamp}"},
				Timestamp: &Timestamp{From: "{header.X-MOM-Webhook-Timestamp}"},
			}}},
			Event:  `header("X-MOM-Webhook-Event")`,
			ID:     `header("X-MOM-Webhook-Id")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Mailomat signs the ID of the webhook, but not the body; it is not confirmed that retries repeat the ID."},
		},
	},
}

// rawStandardHMAC is the signature of Standard Webhooks with a secret that is used as
// text.
func rawStandardHMAC(prefix string) *HMAC {
	h := standardHMAC(prefix)
	h.Key = "raw"
	return h
}

// signedMessageID tells copies where a third party signs by Standard Webhooks.
func signedMessageID(title string) Copies {
	return Copies{By: ByID, WithoutID: ByNothing, Why: title + " signs the ID of the message, which Standard Webhooks defines as unique and the same for all tries."}
}
