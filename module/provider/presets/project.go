package presets

import (
	"net/http"
	"time"
)

// presetsProject are where work is planned.
var presetsProject = []Preset{
	{
		Name: "jira", Title: "Jira Cloud", Category: "project",
		Source:     "https://developer.atlassian.com/cloud/jira/platform/webhooks/",
		Confidence: "docs",
		Notes: "Jira signs webhooks that an administrator created with a secret. " +
			"Webhooks of Connect apps carry a JSON Web Token instead; the gateway refuses them.",
		Definition: Definition{
			Proofs:  hubProofs("sha256"),
			Event:   `body.webhookEvent`,
			ID:      `header("X-Atlassian-Webhook-Identifier")`,
			Copies:  Copies{By: ByIDAndBody, Why: "Jira documents X-Atlassian-Webhook-Identifier as the same for all tries, but does not sign it."},
			Horizon: 75 * minute,
			Ranges:  atlassianRanges("jira"),
		},
	},
	{
		Name: "linear", Title: "Linear", Category: "project",
		Source:     "https://github.com/linear/linear",
		Confidence: "code",
		Notes: "The gateway checks the signed time in the body, or, where the body has none, the unsigned time in the header. " +
			"Linear allows a difference of one minute: the machine's clock must be right.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.Linear-Signature}",
				Timestamp: &Timestamp{From: "{json.webhookTimestamp|or header.Linear-Timestamp}", Unit: "unix_ms"},
			}}},
			MaxBody: 4 << 20, // guessed: a document, and what it was before
			Event:   `body.type ?? header("Linear-Event")`,
			ID:      `header("Linear-Delivery")`,
			Copies:  Copies{By: ByIDAndBody, Volatile: []string{"{json.webhookTimestamp}"}, Why: "Linear names the delivery in Linear-Delivery, which it does not sign; webhookTimestamp, the time of this try, is not compared."},
			Horizon: 421 * minute,
			Ranges: &Ranges{List: []string{
				"35.231.147.226", "35.243.134.228", "34.140.253.14", "34.38.87.206", "34.134.222.122", "35.222.25.142",
			}},
		},
		Tolerance: time.Minute,
	},
	{
		Name: "notion", Title: "Notion", Category: "project",
		Source:     "https://github.com/NangoHQ/nango",
		Confidence: "secondary",
		Notes:      "The secret is the verification token that Notion sends when you create the webhook.",
		Definition: Definition{
			Proofs:     []Proof{{HMAC: &HMAC{From: "{header.X-Notion-Signature}", Value: []string{"sha256={signature}"}}}},
			Event:      `body.type`,
			ID:         `body.id`,
			Copies:     Copies{By: ByID, Volatile: []string{"{json.attempt_number}"}, Why: "Notion documents id, in the signed body, as unique to the event, and increments attempt_number with each try."},
			Horizon:    24 * hour,
			Handshakes: []Handshake{{Kind: "enroll", Challenge: "{json.verification_token}", Pattern: deliveredSecret}},
		},
	},
	{
		Name: "asana", Title: "Asana", Category: "project",
		Source:     "https://developers.asana.com/docs/webhooks-guide",
		Confidence: "secondary",
		Notes: "The secret is the X-Hook-Secret that Asana sends when you create the webhook; each webhook has its own. " +
			"One webhook may carry several events; the event type is the one that they all have, else batch. Heartbeats have no event type.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.X-Hook-Signature}"}}},
			Event:   `len(body.events) > 0 ? (` + ofAll(`body.events`, `body.resource.resource_type + "." + body.action`) + `) : nil`,
			Each:    &Each{List: `body.events`, Event: `body.resource.resource_type + "." + body.action`},
			Copies:  Copies{By: ByBody, Why: "Asana sends no ID; created_at, to the millisecond, with user, resource and change, makes each body unique."},
			Horizon: 24 * hour,
			Masked:  []string{"X-Hook-Secret"},
			Handshakes: []Handshake{{
				Kind: "enroll", Method: http.MethodPost, Challenge: "{header.X-Hook-Secret}", Pattern: deliveredSecret,
				Header: map[string]string{"X-Hook-Secret": "{challenge}"},
			}},
		},
	},
	{
		Name: "trello", Title: "Trello", Category: "project",
		Source:     "https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/",
		Confidence: "secondary",
		Notes: "The secret is the app's, not the API token. Trello signs the callback URL that is registered with it: " +
			"behind a proxy, set external_url.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				Hash:     "sha1",
				From:     "{header.X-Trello-Webhook}",
				Encoding: "base64",
				Signed:   []string{"{body}{url}"},
			}}},
			Event:      `body.action.type`,
			ID:         `body.action.id`,
			Copies:     Copies{By: ByIDAndBody, Why: "Trello gives each action an ID in the signed body, but sends the same action once for each webhook that watches a model."},
			Horizon:    4 * minute,
			Ranges:     atlassianRanges("trello"),
			Handshakes: []Handshake{{Kind: "probe", Method: http.MethodHead}},
		},
	},
	{
		Name: "monday", Title: "monday.com", Category: "project",
		Source:     "https://developer.monday.com/api-reference/reference/webhooks",
		Confidence: "secondary",
		Notes: "monday.com does not sign the webhooks of boards. Those of apps carry a JSON Web Token that covers nothing of the content " +
			"and that the gateway does not check. Guard the source with a line token query <name> <secret>.",
		Definition: Definition{
			Event:   `body.event.type`,
			ID:      `body.event.triggerUuid`,
			Copies:  Copies{By: ByIDAndBody, Why: "monday.com gives each event a triggerUuid, but proves nothing."},
			Horizon: 30 * minute,
			Masked:  []string{"Authorization"},
			Handshakes: []Handshake{{
				Kind: "echo", Challenge: "{json.challenge}", Pattern: `[A-Za-z0-9_-]{1,256}`,
				JSON: `{"challenge":"{challenge}"}`,
			}},
		},
	},
	{
		Name: "smartsheet", Title: "Smartsheet", Category: "project",
		Source:     "https://developers.smartsheet.com/api/smartsheet/guides/webhooks/webhook-callbacks",
		Confidence: "secondary",
		Notes: "The secret is the sharedSecret of the webhook. One webhook may carry several events; the event type is the one that they all have, else batch. " +
			"A change of the webhook's status has no event type.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.Smartsheet-Hmac-SHA256}"}}},
			Event:  ofAll(`body.events`, `body.eventType`),
			Each:   &Each{List: `body.events`, Event: `body.eventType`},
			ID:     `body.nonce`,
			Copies: Copies{By: ByID, Why: "Smartsheet puts a unique nonce into the signed body of each callback."},
			Handshakes: []Handshake{
				smartsheet("{header.Smartsheet-Hook-Challenge}"),
				smartsheet("{json.challenge}"),
			},
		},
	},
	{
		Name: "clickup", Title: "ClickUp", Category: "project",
		Source:     "https://developer.clickup.com/docs/webhooksignature",
		Confidence: "docs",
		Notes:      "The API call that creates the webhook returns the secret.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Signature}"}}},
			Event:  `body.event`,
			ID:     `len(body.history_items ?? []) > 0 ? body.webhook_id + ":" + join(map(body.history_items, string(#.id)), ",") : nil`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "ClickUp documents webhook and history item together as the key for detecting duplicates, and two kinds of event may share a history item."},
		},
	},
}
