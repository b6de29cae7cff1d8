package presets

import (
	"time"
)

var presetsMessaging = []Preset{
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
		Name: "plivo", Title: "Plivo", Category: "communications",
		Source:     "https://github.com/plivo/plivo-go",
		Confidence: "code",
		Notes:      "Plivo signs the URL that it calls: behind a proxy, set external_url. The secret is the auth token. Signatures V2 (which cover no parameter) and V1 count only with the line legacy.",
		Definition: Definition{
			Proofs: []Proof{
				plivoQuery("X-Plivo-Signature-V3", is("{method}", "GET")),
				plivoQuery("X-Plivo-Signature-V3", is("{body}", "")),
				plivoForm("X-Plivo-Signature-V3"),
				plivoQuery("X-Plivo-Signature-Ma-V3", is("{method}", "GET")),
				plivoQuery("X-Plivo-Signature-Ma-V3", is("{body}", "")),
				plivoForm("X-Plivo-Signature-Ma-V3"),
				{
					HMAC: &HMAC{
						From: "{header.X-Plivo-Signature-V2}", Encoding: "base64",
						Signed: []string{"{url|no_query}{header.X-Plivo-Signature-V2-Nonce}", "{url|no_query|no_slash}{header.X-Plivo-Signature-V2-Nonce}"},
					},
					Legacy:   true, // covers no parameter
					Identity: Identity{ID: plivoID(`header("X-Plivo-Signature-V2-Nonce")`)},
				},
				{
					HMAC: &HMAC{
						From: "{header.X-Plivo-Signature}", Hash: "sha1", Encoding: "base64",
						Signed: []string{"{url}{body|sort|concat}"},
					},
					Legacy:   true, // is the same each time
					Identity: Identity{ID: plivoID(`nil`)},
				},
			},
			Need:    NeedFirst,
			Forms:   true,
			Event:   parameter("Event", "CallStatus", "Status"),
			ID:      plivoID(`header("X-Plivo-Signature-V3-Nonce")`),
			Copies:  Copies{By: ByIDAndBody, Why: "Plivo sends no ID of the event: the ID of a message together with its state stands in, and the signed nonce of a call's request."},
			Methods: []string{"POST", "GET"},
		},
	},
	{
		Name: "messagebird_legacy", Title: "MessageBird (legacy signature)", Category: "communications",
		Source:     "https://github.com/messagebird/go-rest-api",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From: "{header.MessageBird-Signature}", Encoding: "base64",
				Signed:    []string{"{timestamp}\n{query|sort}\n{body|sha256}"},
				Timestamp: &Timestamp{From: "{header.MessageBird-Request-Timestamp}"},
			}}},
			Event:   parameter("type", "status"),
			ID:      statusID,
			Copies:  Copies{By: ByIDAndBody, Why: "MessageBird sends no ID of the event; message, state and time of a status report make one, and each body unique."},
			Methods: []string{"GET", "POST"},
		},
		Tolerance: 2500 * time.Millisecond,
	},
	{
		Name: "sinch", Title: "Sinch Conversation", Category: "communications",
		Source:     "https://github.com/sinch/sinch-sdk-node",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From: "{header.X-Sinch-Webhook-Signature}", Encoding: "base64",
				Signed:    []string{"{body}.{header.X-Sinch-Webhook-Signature-Nonce}.{timestamp}"},
				Timestamp: &Timestamp{From: "{header.X-Sinch-Webhook-Signature-Timestamp}"},
			}}},
			Event:  `filter(keys(body), !(# in ["app_id", "project_id", "accepted_time", "event_time", "message_metadata", "correlation_id"]))[0]`,
			Copies: Copies{By: ByBody, Why: "Sinch sends no ID of the event; accepted_time, with message and state, makes each body unique."},
		},
	},
	{
		Name: "sinch_voice", Title: "Sinch Voice and Verification", Category: "communications",
		Source:     "https://github.com/sinch/sinch-sdk-node",
		Confidence: "code",
		Notes:      "Sinch signs path and Content-Type: a proxy in front must change neither, or set external_url.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				// The second form is that of version 2.0 of the Voice API.
				From: "{header.Authorization}", Value: []string{
					"Application {option.app_key}:{signature}", "application {option.app_key}:{signature}", "service {option.app_key}:{signature}",
				},
				Key: "{secret|unbase64}", Encoding: "base64",
				Signed: []string{"{method}\n{body|md5|base64}\n{header.Content-Type}\nx-timestamp:{header.X-Timestamp}\n{path}"},
			}}},
			Event:  `body.event ?? header("Ce-Type")`,
			Copies: Copies{By: ByBody, Why: "Sinch sends no ID of the event; call, event and timestamp make each body unique."},
			Masked: []string{"Authorization"},
		},
		Options: []Option{
			{Name: "app_key", Required: true, Help: "The key of the application, or the ID of the service (Voice 2.0), which stands before the signature."},
		},
	},
}

// statusID is the ID of MessageBird's reports on the state of a message; nil for its other
// webhooks.
const statusID = `let m = type(body) != "map" ? query : type(body.message) == "map" ? body.message : body; ` +
	`let at = m["statusDatetime"] ?? m["updatedDatetime"] ?? ""; ` +
	`at != "" ? m["id"] + "." + m["status"] + "." + at : nil`

// plivoID is the ID of a message, or else what tells a request about a call.
func plivoID(request string) string {
	return parameter("MessageUUID") + ` ?? (` + request + `)`
}

// plivoQuery signs the URL with the parameters of its query, for requests that have no
// others. The header for the master account is made with its auth token.
func plivoQuery(header string, when Condition) Proof {
	return Proof{HMAC: plivoHMAC(header, "{query|sort|decoded|wrap ?}"), When: []Condition{when}}
}

// plivoForm signs the parameters of a form as well.
func plivoForm(header string) Proof {
	return Proof{HMAC: plivoHMAC(header, "?{query|sort|decoded|then .}{body|sort|concat}"), When: []Condition{is("{method}", "POST")}}
}

// plivoHMAC signs the URL, which may have been given to Plivo without the slash that
// every request has, and parameters.
func plivoHMAC(header, params string) *HMAC {
	params += ".{header.X-Plivo-Signature-V3-Nonce}"
	return &HMAC{
		From: "{header." + header + "}", Encoding: "base64",
		Signed: []string{"{url|no_query}" + params, "{url|no_query|no_slash}" + params},
	}
}
