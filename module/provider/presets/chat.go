package presets

import (
	"net/http"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// presetsChat are where people talk, meet and publish.
var presetsChat = []Preset{
	{
		Name: "slack", Title: "Slack", Category: "chat",
		Source:     "https://github.com/slackapi/python-slack-sdk",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-Slack-Signature}",
				Value:     []string{"v0={signature}"},
				Signed:    []string{"v0:{timestamp}:{body}"},
				Timestamp: &Timestamp{From: "{header.X-Slack-Request-Timestamp}"},
			}}},
			// A click in a message and the like is JSON in a field of a form.
			Event:   `body.event?.type ?? body.type ?? body.command ?? fromJSON(body.payload ?? "{}").type`,
			ID:      `body.event_id ?? body.trigger_id ?? fromJSON(body.payload ?? "{}").trigger_id`,
			Copies:  Copies{By: ByID, Why: "Slack documents event_id, in the signed body, as unique across all workspaces; each command and each interaction has a trigger_id."},
			Forms:   true, // commands and interactions
			Horizon: 6 * minute,
			Handshakes: []Handshake{{
				Kind: "echo", Signed: "present", Challenge: "{json.challenge}", Pattern: `[A-Za-z0-9_.-]{1,256}`,
				When: []Condition{is("{json.type}", "url_verification")},
			}},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "telegram", Title: "Telegram Bot API", Category: "chat",
		Source:     "https://core.telegram.org/bots/api#setwebhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{Token: &Token{From: "{header.X-Telegram-Bot-Api-Secret-Token}"}}},
			Event:  `filter(keys(body), # != "update_id")[0]`,
			ID:     `string(body.update_id)`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Telegram numbers the updates of each bot, so two bots on one source may use the same number, and the fixed token covers nothing."},
			Ranges: &Ranges{List: []string{"149.154.160.0/20", "91.108.4.0/22"}},
		},
	},
	{
		Name: "discourse", Title: "Discourse", Category: "community",
		Source:     "https://github.com/discourse/discourse",
		Confidence: "code",
		Notes:      "The secret has at least 12 characters; without one Discourse does not sign. It retries four times, where that is switched on.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.X-Discourse-Event-Signature}", Value: []string{"sha256={signature}"}}}},
			Event:   `header("X-Discourse-Event")`,
			ID:      `header("X-Discourse-Event-Id")`,
			Copies:  Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Discourse numbers what it sends in X-Discourse-Event-Id, which it does not sign."},
			Horizon: 156 * minute, // after 1, 5, 25 and 125 minutes
		},
	},
	{
		Name: "zoom", Title: "Zoom", Category: "meetings",
		Source:     "https://github.com/zoom/webhook-sample",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-Zm-Signature}",
				Value:     []string{"v0={signature}"},
				Signed:    []string{"v0:{timestamp}:{body}"},
				Timestamp: &Timestamp{From: "{header.X-Zm-Request-Timestamp}"},
			}}},
			Event:   `body.event`,
			Copies:  Copies{By: ByBody, Why: "Zoom sends no ID; event_ts, to the millisecond, with the meeting and its state, makes each body unique."},
			Horizon: 125 * minute,
			Handshakes: []Handshake{{
				Kind: "hmac", Signed: "always", Challenge: "{json.payload.plainToken}", Pattern: `[A-Za-z0-9_-]{1,256}`,
				When: []Condition{is("{json.event}", "endpoint.url_validation")},
				JSON: `{"plainToken":"{challenge}","encryptedToken":"{digest}"}`,
			}},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "meta", Title: "Meta", Category: "social",
		Source:     "https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
		Confidence: "secondary",
		Notes:      "One webhook may carry several entries, each with several changes: rules see all of them. The secret is the app secret. Facebook, Instagram, Messenger and WhatsApp all send in this way.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From: "{header.X-Hub-Signature-256}", Value: []string{"sha256={signature}"},
				Signed: []string{"{body}", "{body|ascii}"}, // Meta signs the text with escapes
			}}},
			Event: `body.object`,
			// An entry has changes, or messages of Messenger.
			Each:   &Each{List: `body.entry`, Event: `body.changes != nil ? (` + ofAll(`body.changes`, `body.field`) + `) : body.messaging != nil ? "messaging" : nil`},
			Copies: Copies{By: ByBody, Why: "Meta sends no ID; time, and the IDs of messages and changes, make each body unique."},
			Handshakes: []Handshake{{
				Kind: "echo", Challenge: "{query.hub.challenge}", Pattern: `[A-Za-z0-9_.-]{1,256}`,
				When:   []Condition{is("{query.hub.mode}", "subscribe")},
				Expect: []Condition{is("{query.hub.verify_token}", "{option.verify_token}")},
			}},
		},
		Options: []Option{verifyToken},
	},
	{
		Name: "discord", Title: "Discord", Category: "chat",
		Source:     "https://github.com/discord/discord-interactions-js",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{Ed25519: &Ed25519{Signature: Signature{
				From:      "{header.X-Signature-Ed25519}",
				Encoding:  "hex",
				Signed:    "{timestamp}{body}",
				Timestamp: &Timestamp{From: "{header.X-Signature-Timestamp}"},
			}}}},
			Event:  `body.event?.type ?? string(body.type)`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, Why: "Discord gives interactions an ID in the signed body; webhook events have none, and their timestamp makes each body unique."},
			Handshakes: []Handshake{
				{
					// A webhook event has the type 1 as well, and the type of the event.
					Kind: "probe", Signed: "always", When: []Condition{is("{json.type}{json.event.type}", "1")},
					JSON: `{"type":1}`,
				},
				{
					Kind: "probe", Signed: "always", When: []Condition{is("{json.type}", "0")},
					Status: http.StatusNoContent,
				},
			},
		},
		Options: provider.Required(provider.KeyOptions("public_key")),
	},
	{
		Name: "twitter", Title: "X (Twitter) Account Activity", Category: "social",
		Source:     "https://github.com/frain-dev/convoy",
		Confidence: "secondary",
		Notes:      "One webhook may carry several events of one kind, which is the event type. The secret is the app's consumer secret.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:     "{header.X-Twitter-Webhooks-Signature}",
				Value:    []string{"sha256={signature}"},
				Encoding: "base64",
			}}},
			Event:  `filter(keys(body), # endsWith "_events")[0]`,
			Copies: Copies{By: ByBody, Why: "X sends no ID of the event; IDs of posts and messages, and times to the millisecond, make each body unique."},
			Handshakes: []Handshake{{
				Kind: "hmac", Challenge: "{query.crc_token}", Pattern: provider.Signable,
				Digest: &HandshakeDigest{Encoding: "base64"},
				JSON:   `{"response_token":"sha256={digest}"}`,
			}},
		},
	},
	{
		Name: "line", Title: "LINE Messaging API", Category: "chat",
		Source:     "https://github.com/line/line-bot-sdk-nodejs",
		Confidence: "code",
		Notes:      "The secret is the channel secret. The event type of a batch is the one that all events have, else batch.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Line-Signature}", Encoding: "base64"}}},
			Event:  ofAll(`body.events`, `body.type`),
			Each:   &Each{List: `body.events`, Event: `body.type`, ID: `body.webhookEventId`, Copies: Copies{By: ByID}},
			ID:     `len(body.events) == 1 ? body.events[0].webhookEventId : nil`,
			Copies: Copies{By: ByID, Volatile: []string{"{json.events.#.deliveryContext.isRedelivery}"}, Why: "LINE documents webhookEventId, in the signed body, as unique to the event and meant for detecting duplicates, and changes isRedelivery when it sends again."},
			Handshakes: []Handshake{{
				Kind: "probe", Signed: "always", When: []Condition{is("{json.events}", "[]")},
			}},
		},
	},
	{
		Name: "viber", Title: "Viber", Category: "chat",
		Source:     "https://github.com/Viber/viber-bot-python",
		Confidence: "code",
		Notes:      "The secret is the bot's auth token.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Viber-Content-Signature}"}}},
			Event:  `body.event`,
			// What became of a message comes with the message's own token.
			ID:     `body.event + "." + string(body.message_token) + "." + (body.user_id ?? "")`,
			Copies: Copies{By: ByIDAndBody, Why: "Viber's token names the message, not what became of it, so the preset adds event and user."},
		},
	},
	{
		Name: "lark", Title: "Lark / Feishu", Category: "chat",
		Source:     "https://github.com/larksuite/oapi-sdk-go",
		Confidence: "code",
		Notes:      "The secret is the encrypt key. If Lark encrypts the body, the gateway can read neither event type nor delivery ID, and your app gets the body as it is.",
		Definition: Definition{
			Proofs: []Proof{{Digest: &Digest{HMAC: HMAC{
				From:      "{header.X-Lark-Signature}",
				Signed:    []string{"{timestamp}{header.X-Lark-Request-Nonce}{secret}{body}"},
				Timestamp: &Timestamp{From: "{header.X-Lark-Request-Timestamp}"},
			}}}},
			Event:   `body.header?.event_type ?? body.event?.type`,
			ID:      `body.header?.event_id ?? body.uuid`,
			Copies:  Copies{By: ByID, Why: "Lark documents event_id, or uuid, in the signed body as unique to the event and meant for detecting duplicates."},
			Horizon: 8 * hour,
			Handshakes: []Handshake{{
				Kind: "echo", Challenge: "{json.challenge}", Pattern: `[A-Za-z0-9_-]{1,256}`,
				Encrypted: "{json.encrypt}",
				When:      []Condition{is("{json.type}", "url_verification")},
				Expect:    []Condition{optional("{json.token}", "{option.verify_token}")},
				JSON:      `{"challenge":"{challenge}"}`,
			}},
		},
		Options: []Option{verifyToken},
	},
	{
		Name: "microsoft_teams", Title: "Microsoft Teams outgoing webhook", Category: "chat",
		Source:     "https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook",
		Confidence: "secondary",
		Notes:      "Teams shows the answer in the chat: set it with respond.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From: "{header.Authorization}", Value: []string{"HMAC {signature}"}, Key: "base64", Encoding: "base64",
			}}},
			Event:        `body.type`,
			ID:           `body.id`,
			Copies:       Copies{By: ByIDAndBody, Why: "Teams names the message by an ID that is unique within its conversation only."},
			NeverRetries: true,
			Masked:       []string{"Authorization"},
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
}
