package presets

import (
	"net/http"
)

// presetsCustomers keep customers, and help them.
var presetsCustomers = []Preset{
	{
		Name: "hubspot", Title: "HubSpot", Category: "crm",
		Source:     "https://github.com/HubSpot/hubspot-api-nodejs",
		Confidence: "code",
		Notes:      "HubSpot signs the URL that it calls: behind a proxy, set external_url. One webhook carries up to 100 events; the event type is the one that they all have, else batch, and a webhook with several events has no ID. Signatures v1 and v2, which carry no time and may come beside v3, count only with the line legacy.",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: &HMAC{
					From:      "{header.X-HubSpot-Signature-v3}",
					Encoding:  "base64",
					Signed:    []string{"{method}{url|unescape :/?@!$'()*,;}{body}{timestamp}"},
					Timestamp: &Timestamp{From: "{header.X-HubSpot-Request-Timestamp}", Unit: "unix_ms"},
				}},
				{
					Digest: &Digest{HMAC: HMAC{From: "{header.X-HubSpot-Signature}", Signed: []string{"{secret}{method}{url}{body}"}}},
					When:   []Condition{is("{header.X-HubSpot-Signature-Version}", "v2")},
					Legacy: true,
				},
				{
					Digest: &Digest{HMAC: HMAC{From: "{header.X-HubSpot-Signature}", Signed: []string{"{secret}{body}"}}},
					When:   []Condition{is("{header.X-HubSpot-Signature-Version}", "v1")},
					Legacy: true,
				},
			},
			Need:  NeedFirst,
			Event: ofAll(`body`, `body.subscriptionType`),
			Each:  &Each{List: `body`, Event: `body.subscriptionType`, ID: `join([string(body.subscriptionId), string(body.eventId), string(body.occurredAt)], ".")`, Copies: Copies{Volatile: []string{"{json.attemptNumber}"}}},
			// An eventId alone is not promised to be its own.
			ID:      `len(body) == 1 ? join([string(body[0].subscriptionId), string(body[0].eventId), string(body[0].occurredAt)], ".") : nil`,
			Copies:  Copies{By: ByIDAndBody, Volatile: []string{"{json.#.attemptNumber}"}, Why: "HubSpot does not promise that the number of an event is unique, and increments attemptNumber, which is not compared, with each try."},
			Methods: []string{"POST", "GET"}, // GET for cards
			Horizon: 24 * hour,
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "attio", Title: "Attio", Category: "crm",
		Source:     "https://docs.attio.com/rest-api/guides/webhooks",
		Confidence: "secondary",
		Notes:      "One webhook may carry several events; the event type is the one that they all have, else batch. The delivery ID stands in an unsigned header.",
		Definition: Definition{
			Proofs: []Proof{ // the older name is sent as well
				{HMAC: &HMAC{From: "{header.Attio-Signature}"}},
				{HMAC: &HMAC{From: "{header.X-Attio-Signature}"}},
			},
			Need:   NeedFirst,
			Event:  ofAll(`body.events`, `body.event_type`),
			Each:   &Each{List: `body.events`, Event: `body.event_type`, ID: `header("Idempotency-Key")`, Copies: Copies{WithoutID: ByNothing}},
			ID:     `header("Idempotency-Key")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Attio repeats Idempotency-Key with each try but does not sign it, and two changes of a record may have the same body."},
		},
	},
	{
		Name: "dub", Title: "Dub", Category: "marketing",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.Dub-Signature}"}}},
			Event:  `body.event`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, Why: "Dub puts id into the signed body; it is not confirmed that it is the event's own, and that retries repeat it."},
		},
	},
	{
		Name: "jobber", Title: "Jobber", Category: "field service",
		Source:     "https://github.com/NangoHQ/nango",
		Confidence: "secondary",
		Notes:      "The secret is the OAuth client secret of the app. Jobber waits one second for the answer.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Jobber-Hmac-SHA256}", Encoding: "base64"}}},
			Event:  `body.data.webHookEvent.topic`,
			Copies: Copies{By: ByBody, Why: "Jobber sends no ID of the event, and documents that apps detect duplicates by the body."},
		},
	},
	{
		Name: "front", Title: "Front", Category: "support",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-Front-Signature}",
				Encoding:  "base64",
				Signed:    []string{"{timestamp}:{body}"},
				Timestamp: &Timestamp{From: "{header.X-Front-Request-Timestamp}", Unit: "unix_ms"},
			}}},
			Event:  `body.type`,
			Copies: Copies{By: ByNothing, Why: "No ID of the event is known, and nobody says that the bodies of two events always differ."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "intercom", Title: "Intercom", Category: "support",
		Source:     "https://developers.intercom.com/docs/webhooks",
		Confidence: "secondary",
		Notes:      "The secret is the app's client secret.",
		Definition: Definition{
			Proofs:     []Proof{{HMAC: &HMAC{From: "{header.X-Hub-Signature}", Hash: "sha1", Value: []string{"sha1={signature}"}}}},
			Event:      `body.topic`,
			ID:         `body.id`,
			Copies:     Copies{By: ByID, Volatile: []string{"{json.delivery_status}", "{json.delivery_attempts}", "{json.delivered_at}"}, Why: "Intercom gives each notification an ID in the signed body and changes the count and time of its delivery between tries."},
			Horizon:    2 * minute,
			Handshakes: []Handshake{{Kind: "probe", Method: http.MethodHead}},
		},
	},
	{
		Name: "zendesk", Title: "Zendesk", Category: "support",
		Source:     "https://developer.zendesk.com/documentation/webhooks/verifying/",
		Confidence: "secondary",
		Notes: "Webhooks of events have a signed ID; the ID of other webhooks stands in an unsigned header. You define the body of webhooks of triggers and automations: " +
			"they have an event type only if your body has a field type.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-Zendesk-Webhook-Signature}",
				Encoding:  "base64",
				Signed:    []string{"{timestamp}{body}"},
				Timestamp: &Timestamp{From: "{header.X-Zendesk-Webhook-Signature-Timestamp}", Unit: "rfc3339"},
			}}},
			Event:   `body.type`,
			ID:      `type(body) == "map" && string(body.type ?? "") startsWith "zen:event-type:" ? body.id : header("X-Zendesk-Webhook-Invocation-Id")`,
			Copies:  Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Zendesk gives the webhooks of events an ID in the signed body; other webhooks have only the invocation's ID, which is not signed."},
			Methods: []string{"POST", "PUT", "PATCH", "DELETE", "GET"},
		},
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
}
