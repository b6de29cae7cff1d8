package presets

import (
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// presetsBanking are banks, what stands in for one, and accounting.
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
	{
		Name: "xero", Title: "Xero", Category: "accounting",
		Source:     "https://developer.xero.com/documentation/guides/webhooks/overview/",
		Confidence: "secondary",
		Notes:      "One webhook carries several events; the event type is the one that they all have, else batch. Xero counts an answer with a body as a failure.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.X-Xero-Signature}", Encoding: "base64"}}},
			Event:   ofAll(`body.events`, `body.eventCategory + "." + body.eventType`),
			Each:    &Each{List: `body.events`, Event: `body.eventCategory + "." + body.eventType`, ID: `join([body.tenantId, body.resourceId, body.eventCategory, body.eventType, body.eventDateUtc], ".")`},
			ID:      `body.lastEventSequence != nil ? string(body.firstEventSequence) + "-" + string(body.lastEventSequence) : nil`,
			Copies:  Copies{By: ByIDAndBody, Why: "Xero numbers the events of each webhook in the signed body, but may group events differently when it retries."},
			Horizon: 24 * hour,
			Handshakes: []Handshake{{
				Kind: "probe", Signed: "always", Bare: true, When: []Condition{is("{json.events}", "[]")},
			}},
		},
	},
	{
		Name: "plaid", Title: "Plaid", Category: "banking",
		Source:     "https://plaid.com/docs/api/webhooks/webhook-verification/",
		Confidence: "docs",
		Definition: Definition{
			Proofs: []Proof{{JWT: &JWT{
				From: "{header.Plaid-Verification}", Algorithms: []string{"ES256"},
				BodyHash: "request_body_sha256",
				KeysFrom: "plaid",
			}}},
			Event:  `body.webhook_type + "." + body.webhook_code`,
			Copies: Copies{By: ByNothing, Why: "Plaid's webhooks name an item and what became of it without an ID or a time, so two of them may be the same bytes."},
		},
		Tolerance: fiveMinutes,
		Options:   provider.KeyOptions("public_key", "client_id", "client_secret", "api_url"),
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
		Name: "wise", Title: "Wise", Category: "banking",
		Source:     "https://docs.wise.com/guides/developer/webhooks/event-handling",
		Confidence: "secondary",
		Notes: "Wise publishes a public key for the sandbox and another for production. X-Test-Notification marks the request that a new webhook is tested with. " +
			"The older SHA-1 signature counts only with the line legacy.",
		Definition: Definition{
			Proofs: []Proof{
				{RSA: &RSA{Signature: Signature{From: "{header.X-Signature-SHA256}"}}},
				{RSA: &RSA{Hash: "sha1", Signature: Signature{From: "{header.X-Signature}"}}, Legacy: true},
			},
			Need:    NeedFirst,
			Event:   `body.event_type`,
			ID:      `header("X-Delivery-Id")`,
			Copies:  Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Wise names the delivery in X-Delivery-Id, which it does not sign."},
			Horizon: 14 * 24 * hour,
		},
		Options: provider.Required(provider.KeyOptions("public_key")),
	},
	{
		Name: "truelayer", Title: "TrueLayer", Category: "banking",
		Source:     "https://github.com/TrueLayer/truelayer-signing",
		Confidence: "code",
		Notes: "Write keys_url https://webhooks.truelayer.com/.well-known/jwks, or the address of the sandbox's keys; the address in the signature (jku) does not count. " +
			"TrueLayer signs the path that it calls: behind a proxy, set external_url. " +
			"The time in X-TL-Webhook-Timestamp is signed where the signature lists it, and the gateway does not check how old it is.",
		Definition: Definition{
			Proofs: []Proof{{JWT: &JWT{
				From: "{header.Tl-Signature}", Algorithms: []string{"ES512"},
				Detached: "{method} {path}\n{value.tl_headers|header_lines}{body}",
			}}},
			Event:   `body.event_type`,
			ID:      `body.event_id`,
			Copies:  Copies{By: ByIDAndBody, Why: "TrueLayer gives each event an ID in the signed body; it is not confirmed that retries repeat it."},
			Horizon: 72 * hour,
		},
		Options: provider.KeyOptions("public_key", "keys_url"),
	},
}
